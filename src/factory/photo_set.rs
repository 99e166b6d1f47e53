//! Good photos: found in a folder or a dataset's layout, decoded one at a time.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use adbench::dataset::DatasetError;
use adbench::loaders::detect;
use imgkit::Size;
use imgkit::file::escaped;
use imgkit::image_io::{ImageList, NotRead, read_bytes};
use imgkit::level::{Window, to_u8};
use imgkit::resize::resize;
use ndarray::Array3;
use physdefect::appearance::SurfaceStatistics;
use physdefect::{Domain, Error as Refused, ForegroundFit, ForegroundParams, FrameReason, Place};

use super::error::{BoxError, Error};
use super::files::Hash;
use super::mask_folder::MaskFolder;
use super::names::check_name;
use crate::foreground::{Located, Region, SetForeground};
use crate::photo::{PhotoReader, check_area, check_minimum, list_photos, square_kernel};

/// A set of good photos in byte order of their paths, with the folder of their foreground masks if there is one.
#[derive(Debug, Clone)]
pub struct PhotoSet {
    /// Name and file, by name.
    photos: Vec<(String, PathBuf)>,
    masks: Option<MaskFolder>,
    /// Where defects may start.
    regions: Option<MaskFolder>,
    not_read: Vec<NotRead>,
    reader: Arc<PhotoReader>,
    foreground: Arc<Mutex<Option<FittedFor>>>,
}

/// Foreground of the set, and the side for which it was fitted; `None` for one that was given.
type FittedFor = (Option<Option<usize>>, Arc<SetForeground>);

/// A good photo, ready to carry defects.
#[derive(Debug, Clone)]
pub struct SourcePhoto {
    /// `(H, W, 1 or 3)`, 8 bits.
    pub pixels: Array3<u8>,
    /// Where defects may lie, and where they may start.
    pub domain: Domain,
    /// How that was found.
    pub region: Region,
    /// How clearly object and background part, in \[0, 1\]; `None` where the region was given.
    pub region_confidence: Option<f64>,
    /// Why the region is the whole frame; `None` otherwise.
    pub region_reason: Option<FrameReason>,
    /// SHA-256 of the photo's file, in hexadecimal.
    pub hash: String,
    /// SHA-256 of the file of the painted region where defects may start, if one was given.
    pub painted_hash: Option<String>,
}

impl SourcePhoto {
    /// Whether all its pixels have one color.
    pub(super) fn is_uniform(&self) -> bool {
        let mut pixels = self.pixels.rows().into_iter();
        pixels.next().is_none_or(|first| pixels.all(|pixel| pixel == first))
    }

    /// Bytes it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let masks = if self.domain.sites().is_some() { 2 } else { 1 };
        self.pixels.len() + 5 * masks * self.domain.mask().len() // a mask, and an index for each of its pixels
    }
}

/// Most pixels of a photo that defects are drawn on.
const MAX_WORKED: usize = 1 << 25;

impl PhotoSet {
    /// Finds the photos of a plain folder, of a category of a dataset whose layout [`detect`] knows (mostly
    /// `train/good` or `train/ok`), or of the named `category` below a dataset's root. `masks` is a folder of
    /// foreground masks named as the photos (`<stem>_mask` or `<stem>`), white where the product is; it may be the
    /// photos' own folder.
    ///
    /// # Errors
    /// [`Error::NoFolder`]; [`Error::NoCategory`], or [`Error::CategoryNeeded`] if there are several and none is named;
    /// [`Error::Pipeline`] if there is no photo.
    pub fn find(root: &Path, category: Option<&str>, masks: Option<&Path>) -> Result<Self, Error> {
        if let Some(name) = category {
            check_name("category", name)?;
        }
        let no_folder = |what, path: &Path| Error::NoFolder { what, path: path.to_owned() };
        if let Some(folder) = masks.filter(|m| !m.is_dir()) {
            return Err(no_folder("masks", folder));
        }
        if !root.is_dir() {
            return Err(no_folder("photos", root));
        }
        let found = list(root, category)?;
        if found.photos.is_empty() {
            let (path, not_read) = (root.to_owned(), found.not_read.len());
            return Err(crate::Error::NoPhotos { path, not_read }.into());
        }
        let masks = masks.map(MaskFolder::list).transpose()?;
        let photos = named(root, found.photos);
        let (not_read, reader, foreground) = (found.not_read, Arc::default(), Arc::default());
        Ok(Self { photos, masks, regions: None, not_read, reader, foreground })
    }

    /// Sets the window of stored values that files of more than 8 bits are read in (default: full scale).
    #[must_use]
    pub fn with_window(mut self, window: Option<Window>) -> Self {
        self.reader = Arc::new(PhotoReader::new(window));
        self
    }

    /// Sets the painted regions where defects may start: a folder of masks named as the photos (`<stem>_mask` or
    /// `<stem>`), white where they may, of which one named `all` serves every photo that has none of its own; or one
    /// file for all. A defect starts where a region meets the product; the foreground stays as it is.
    ///
    /// # Errors
    /// [`Error::NoFolder`]; [`Error::Pipeline`] if the folder cannot be listed.
    pub fn with_regions(mut self, path: Option<&Path>) -> Result<Self, Error> {
        if let Some(path) = path.filter(|path| !path.exists()) {
            return Err(Error::NoFolder { what: "regions", path: path.to_owned() });
        }
        self.regions = path.map(MaskFolder::regions).transpose()?;
        Ok(self)
    }

    /// Sets the foreground of the set, fitted before; photos with a given mask take no notice.
    #[must_use]
    pub fn with_foreground(mut self, foreground: SetForeground) -> Self {
        self.foreground = Arc::new(Mutex::new(Some((None, Arc::new(foreground)))));
        self
    }

    /// Whether foreground masks were given.
    pub(super) fn has_masks(&self) -> bool {
        self.masks.is_some()
    }

    /// Takes a foreground of the set that was fitted before, in place of the present one.
    pub(super) fn keep_foreground(&self, foreground: SetForeground) {
        *self.foreground.lock().unwrap_or_else(PoisonError::into_inner) = Some((None, Arc::new(foreground)));
    }

    /// Foreground of the set for photos resized to `side`; `None` where masks were given. It is fitted at the first
    /// call, to at most 64 photos spread over the set; photos that cannot be read are left out.
    ///
    /// # Errors
    /// [`Error::Photo`] for a photo that the model refuses.
    pub fn foreground(&self, side: Option<usize>) -> Result<Option<Arc<SetForeground>>, Error> {
        if self.masks.is_some() {
            return Ok(None);
        }
        // Held while fitting: what is waited for must not wait for this, so nothing in here runs in parallel.
        let mut kept = self.foreground.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, foreground)) = kept.as_ref().filter(|(of, _)| of.is_none_or(|of| of == side)) {
            return Ok(Some(foreground.clone()));
        }
        let refused = |photo: &str, e: Refused| Error::Photo { photo: photo.to_owned(), source: e.into() };
        let params = ForegroundParams::default();
        let (n, most) = (self.photos.len(), params.max_photos());
        let mut fit = ForegroundFit::new(&params).map_err(crate::Error::from)?;
        for (name, path) in (0..n.min(most)).map(|i| &self.photos[i * n / n.min(most)]) {
            if let Ok((_, pixels)) = self.pixels(name, path, side) {
                fit.add(pixels.mapv(imgkit::level::from_u8).view()).map_err(|e| refused(name, e))?;
            }
        }
        let found = Arc::new(SetForeground::finish(fit).map_err(|e| refused("the set", e))?);
        *kept = Some((Some(side), found.clone()));
        Ok(Some(found))
    }

    /// Statistics of the product's surface, the mean over at most 16 photos spread over the set; photos that cannot be
    /// read are left out.
    ///
    /// # Errors
    /// Those of [`Self::foreground`]; [`Error::Photo`] if none of the photos can be used.
    pub fn surface(&self, side: Option<usize>) -> Result<SurfaceStatistics, Error> {
        const LOOKED_AT: usize = 16;
        let (n, mut found, mut refused) = (self.photos.len(), Vec::new(), None);
        for i in (0..n.min(LOOKED_AT)).map(|i| i * n / n.min(LOOKED_AT)) {
            match self.load(i, side) {
                Ok(photo) => {
                    let pixels = photo.pixels.mapv(imgkit::level::from_u8);
                    found.push(SurfaceStatistics::measure(pixels.view(), &photo.domain));
                }
                Err(reason) => refused = Some(reason),
            }
        }
        match (SurfaceStatistics::mean(&found), refused) {
            (Some(mean), _) => Ok(mean),
            (None, Some(reason)) => Err(reason),
            (None, None) => Err(Error::NoPhoto { index: 0, total: n }),
        }
    }

    /// Files beside the photos that look like images and are not read.
    #[must_use]
    pub fn not_read(&self) -> &[NotRead] {
        &self.not_read
    }

    /// Reader of the photos, with the window and the notes.
    #[must_use]
    pub fn reader(&self) -> &PhotoReader {
        &self.reader
    }

    /// Notes on the photos read so far, such as bits that were rounded away: one line a kind, with the number of files.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.reader.notes()
    }

    /// Number of photos.
    #[must_use]
    pub fn len(&self) -> usize {
        self.photos.len()
    }

    /// Whether there is no photo: never true of a set that was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.photos.is_empty()
    }

    /// Name of photo `i`: its path relative to the root, with `/`, and escaped where it is no UTF-8.
    #[must_use]
    pub fn name(&self, i: usize) -> Option<&str> {
        self.photos.get(i).map(|(name, _)| name.as_str())
    }

    /// File of photo `i`.
    #[must_use]
    pub fn path(&self, i: usize) -> Option<PathBuf> {
        self.photos.get(i).map(|(_, path)| path.clone())
    }

    /// Files of all photos, in order.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.photos.iter().map(|(_, path)| path.clone()).collect()
    }

    /// File of the mask that was given with photo `i`, if there is one.
    pub(super) fn mask_path(&self, i: usize) -> Option<PathBuf> {
        self.masks.as_ref()?.of(&self.photos.get(i)?.1).cloned()
    }

    /// File of the painted region of photo `i`, if there is one.
    pub(super) fn region_path(&self, i: usize) -> Option<PathBuf> {
        self.regions.as_ref()?.of(&self.photos.get(i)?.1).cloned()
    }

    /// Whether painted regions were given.
    pub(super) fn has_regions(&self) -> bool {
        self.regions.is_some()
    }

    /// Folders of the masks and of the regions that were given.
    pub(super) fn mask_folders(&self) -> impl Iterator<Item = &Path> {
        // A file alone says nothing of its folder.
        let regions = self.regions.as_ref().map(|regions| regions.path.as_path()).filter(|path| path.is_dir());
        self.masks.as_ref().map(|masks| masks.path.as_path()).into_iter().chain(regions)
    }

    /// Number of the photo with this path relative to the root.
    pub(super) fn find_name(&self, name: &str) -> Option<usize> {
        self.photos.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok()
    }

    /// SHA-256 of the list of photos (their paths, not their content).
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let names: Vec<&str> = self.photos.iter().map(|(name, _)| name.as_str()).collect();
        let regions = if self.regions.is_some() { "\nregions" } else { "" };
        Hash::of(format!("{}\n{}{regions}", names.join("\n"), self.masks.is_some()).as_bytes())
    }

    /// Reads photo `i`, resized to `side` x `side` if given. Its defects start anywhere on the product, or where its
    /// painted region meets it.
    ///
    /// # Errors
    /// [`Error::NoPhoto`]; [`Error::Photo`] if photo, mask or region cannot be read, do not fit together or leave no
    /// room for a defect.
    pub fn load(&self, i: usize, side: Option<usize>) -> Result<SourcePhoto, Error> {
        self.load_placed(i, side, Place::Anywhere)
    }

    /// Reads photo `i`, whose defects start at a place on the product.
    ///
    /// # Errors
    /// Those of [`Self::load`]; [`Error::Photo`] if the product has no such place, too.
    pub fn load_placed(&self, i: usize, side: Option<usize>, place: Place) -> Result<SourcePhoto, Error> {
        let (name, path) = self.photos.get(i).ok_or(Error::NoPhoto { index: i, total: self.len() })?;
        let unusable = |source: BoxError| Error::Photo { photo: name.to_owned(), source };
        let (photo, size) = self.load_file(name, path, side)?;
        let domain = photo.domain.placed(place).map_err(|e| unusable(format!("{}: {e}", escaped(path)).into()))?;
        let Some(regions) = &self.regions else { return Ok(SourcePhoto { domain, ..photo }) };
        let region = regions.read(path, &photo.hash, size, domain.dim()).map_err(|e| unusable(e.into()))?;
        let misses = |e: Refused| unusable(format!("{}: {}: {e}", escaped(path), region.name).into());
        let domain = domain.with_sites(region.mask.view()).map_err(misses)?;
        Ok(SourcePhoto { domain, painted_hash: Some(region.hash), ..photo })
    }

    /// A photo with where defects may lie, and its height and width in the file.
    fn load_file(&self, name: &str, path: &Path, side: Option<usize>) -> Result<(SourcePhoto, (usize, usize)), Error> {
        let unusable = |source: BoxError| Error::Photo { photo: name.to_owned(), source };
        let (read, pixels) = self.pixels(name, path, side)?;
        let (h, w, _) = pixels.dim();
        let Some(masks) = &self.masks else {
            let foreground = self.foreground(side)?.unwrap_or_else(|| Arc::new(SetForeground::alone()));
            let photo = pixels.mapv(imgkit::level::from_u8);
            let found = foreground.locate(photo.view());
            let Located { domain, region, confidence, reason } =
                found.map_err(|e| unusable(format!("{}: {e}", escaped(path)).into()))?;
            let (region_confidence, region_reason) = (confidence, reason);
            let (hash, painted_hash) = (read.hash, None);
            let photo = SourcePhoto { pixels, domain, region, region_confidence, region_reason, hash, painted_hash };
            return Ok((photo, read.size));
        };
        let given = masks.read(path, &read.hash, read.size, (h, w)).map_err(|e| unusable(e.into()))?;
        let domain = Domain::from_mask(given.mask).map_err(|e| unusable(format!("{}: {e}", given.name).into()))?;
        let (region, region_confidence, region_reason) = (Region::GivenMask, None, None);
        let (hash, painted_hash) = (read.hash, None);
        let photo = SourcePhoto { pixels, domain, region, region_confidence, region_reason, hash, painted_hash };
        Ok((photo, read.size))
    }

    /// Decodes a photo to 8 bits, resized to `side` x `side` if given.
    fn pixels(&self, name: &str, path: &Path, side: Option<usize>) -> Result<(ReadPhoto, Array3<u8>), Error> {
        let unusable = |source: BoxError| Error::Photo { photo: name.to_owned(), source };
        let failed = |e: crate::Error| unusable(e.into());
        let bytes = read_bytes(path).map_err(|e| unusable(e.into()))?;
        let hash = Hash::of(&bytes);
        let (pixels, bits) = self.reader.decode(&bytes, path).map_err(failed)?;
        drop(bytes);
        if bits > 8 {
            self.reader.note("rounded", path, format!("{bits} bits are rounded to the 8 that samples have"));
        }
        let (height, width, _) = pixels.dim();
        let pixels = match side {
            Some(side) if (height, width) != (side, side) => {
                let kernel = square_kernel((height, width), side);
                resize(pixels.view(), (side, side), kernel)
                    .map_err(|e| unusable(format!("{}: {e}", escaped(path)).into()))?
            }
            _ => pixels,
        };
        let (h, w, _) = pixels.dim();
        check_minimum(path, pixels.dim()).map_err(failed)?;
        check_area(path, Size { height: h, width: w }, MAX_WORKED).map_err(failed)?;
        Ok((ReadPhoto { hash, size: (height, width) }, pixels.mapv(to_u8)))
    }
}

/// What is known of a photo's file.
struct ReadPhoto {
    hash: String,
    /// Height and width before resizing.
    size: (usize, usize),
}

/// The photos of a folder, a category or a dataset.
fn list(root: &Path, category: Option<&str>) -> Result<ImageList, Error> {
    let fail = |e: DatasetError| Error::from(crate::Error::from(e));
    let layout = match detect(root) {
        Ok(layout) => layout,
        Err(DatasetError::UnknownLayout { .. }) => {
            return match category {
                None => Ok(list_photos(root)?),
                Some(name) => Err(no_category(root, name, Vec::new())),
            };
        }
        Err(e) => return Err(fail(e)),
    };
    let known = layout.categories(root).map_err(fail)?;
    let found = match category {
        Some(name) if known.iter().any(|category| category == name) => layout.training_images(root, Some(name)),
        // One dataset may call its good photos by two names.
        Some(name) => match detect(&root.join(name)) {
            Ok(layout) => layout.training_images(&root.join(name), None),
            Err(_) => return Err(no_category(root, name, known)),
        },
        None => layout.training_images(root, None),
    };
    match found {
        Err(DatasetError::MissingFolder { .. } | DatasetError::SeveralCategories { .. }) => {
            Err(Error::CategoryNeeded { path: root.to_owned(), known })
        }
        other => other.map_err(fail),
    }
}

fn no_category(root: &Path, category: &str, known: Vec<String>) -> Error {
    Error::NoCategory { path: root.to_owned(), category: category.to_owned(), known }
}

/// Photos with their names: the path relative to the root with `/`, escaped, and numbered should two be alike.
fn named(root: &Path, photos: Vec<PathBuf>) -> Vec<(String, PathBuf)> {
    let name = |path: &Path| -> String {
        let parts: Vec<String> = path.strip_prefix(root).unwrap_or(path).iter().map(escaped).collect();
        parts.join("/")
    };
    let mut photos: Vec<(String, PathBuf)> = photos.into_iter().map(|path| (name(&path), path)).collect();
    photos.sort_unstable();
    for i in 1..photos.len() {
        if photos[i].0 == photos[i - 1].0 {
            photos[i].0.push_str("#2"); // an escape and its literal spelling
        }
    }
    photos.sort_unstable();
    photos
}
