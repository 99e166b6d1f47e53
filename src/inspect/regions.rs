//! Regions of photos that are inspected, and those that are ignored.

use std::path::{Path, PathBuf};

use imgkit::Size;
use imgkit::image_io::{MaskRule, read_mask};
use imgkit::resize::{Kernel, resize_map};
use ndarray::{Array2, ArrayView2};

use crate::error::Error;
use crate::mask_folder::MaskFolder;

/// Luma on the scale 0 to 255 above which a mask is white. Compression leaves gray beside black, and a brush beside
/// white.
const MIDDLE: f32 = 127.5;

/// Regions that are inspected, and regions that are ignored, as masks of the photos' size: one file for all photos, or
/// a folder of masks named as the photos (`<stem>.png` or `<stem>_mask.png`), where `all.png` serves those without one.
#[derive(Debug, Clone, Default)]
pub struct InspectionRegions {
    inspected: Option<MaskFolder>,
    ignored: Option<MaskFolder>,
}

impl InspectionRegions {
    /// Sets where photos are inspected: where the masks are white, that is lighter than middle gray.
    ///
    /// # Errors
    /// [`Error::Folder`] if `path` is neither a file nor a folder that can be listed, [`Error::Read`] for a file that
    /// is no mask.
    pub fn with_inspected(self, path: &Path) -> Result<Self, Error> {
        Ok(Self { inspected: Some(find(path)?), ..self })
    }

    /// Sets where photos are not inspected: where the masks are white. It wins over what is inspected.
    ///
    /// # Errors
    /// As [`Self::with_inspected`].
    pub fn with_ignored(self, path: &Path) -> Result<Self, Error> {
        Ok(Self { ignored: Some(find(path)?), ..self })
    }

    /// Whether neither is set: photos are inspected everywhere.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inspected.is_none() && self.ignored.is_none()
    }

    /// Reads where a photo of `size` is inspected; `None` for everywhere.
    ///
    /// # Errors
    /// [`Error::NoRegion`] if the photo has none, [`Error::Read`], [`Error::RegionSize`], [`Error::NothingToInspect`].
    pub fn of(&self, photo: &Path, size: Size) -> Result<Option<PhotoRegion>, Error> {
        let (inspected, ignored) = (read(&self.inspected, photo, size)?, read(&self.ignored, photo, size)?);
        let (file, mask) = match (inspected, ignored) {
            (None, None) => return Ok(None),
            (Some((file, inspected)), None) => (file, inspected),
            (None, Some((file, ignored))) => (file, !ignored),
            (Some((file, inspected)), Some((over, ignored))) => {
                let is_painted = inspected.iter().any(|m| *m);
                // the file to blame
                (if is_painted { over } else { file }, inspected & !ignored)
            }
        };
        let region = PhotoRegion { photo: photo.to_owned(), file, mask };
        region.checked(region.mask.view())?;
        Ok(Some(region))
    }
}

/// The masks at a path. A file that serves all photos is read, so that no photo meets a broken one.
fn find(path: &Path) -> Result<MaskFolder, Error> {
    if path.is_file() {
        read_mask(path, MaskRule::default())?;
    }
    MaskFolder::regions(path)
}

/// The mask of a photo and its file.
fn read(masks: &Option<MaskFolder>, photo: &Path, size: Size) -> Result<Option<(PathBuf, Array2<bool>)>, Error> {
    let Some(masks) = masks else { return Ok(None) };
    let file = match masks.of(photo) {
        Some(file) => file.clone(),
        // one that came later
        None => MaskFolder::regions(&masks.path)?
            .of(photo)
            .cloned()
            .ok_or_else(|| Error::NoRegion { photo: photo.to_owned(), folder: masks.path.clone() })?,
    };
    let mask = read_mask(&file, MaskRule::LumaAbove(MIDDLE))?.mask;
    let found = Size::from(mask.dim());
    if found != size {
        return Err(Error::RegionSize { photo: photo.to_owned(), region: file, expected: size, found });
    }
    Ok(Some((file, mask)))
}

/// Region of a photo that is inspected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhotoRegion {
    photo: PathBuf,
    /// The file it comes from, for messages.
    file: PathBuf,
    mask: Array2<bool>,
}

impl PhotoRegion {
    /// The pixels that are inspected, `(H, W)` of the photo.
    #[must_use]
    pub fn mask(&self) -> ArrayView2<'_, bool> {
        self.mask.view()
    }

    /// The pixels of a map of another size that are inspected: those of which it covers half at least.
    ///
    /// # Errors
    /// [`Error::NothingToInspect`] if there is none, [`Error::Resize`] for a size of zero.
    pub fn at(&self, size: Size) -> Result<Array2<bool>, Error> {
        if size == Size::from(self.mask.dim()) {
            return Ok(self.mask.clone());
        }
        let (height, width) = self.mask.dim();
        let kernel = if size.height <= height && size.width <= width { Kernel::Area } else { Kernel::Bilinear };
        let covered = resize_map(self.mask.mapv(f32::from).view(), size.into(), kernel)?;
        let mask = covered.mapv(|share| share >= 0.5);
        self.checked(mask.view())?;
        Ok(mask)
    }

    fn checked(&self, mask: ArrayView2<'_, bool>) -> Result<(), Error> {
        if mask.iter().any(|m| *m) {
            return Ok(());
        }
        Err(Error::NothingToInspect { photo: self.photo.clone(), region: self.file.clone() })
    }
}
