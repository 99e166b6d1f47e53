//! Masks that lie in a folder under the photos' names.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use imgkit::file::escaped;
use imgkit::image_io::{MaskRule, decode_mask, list_images, read_bytes};
use imgkit::resize::resize_map;
use ndarray::Array2;

use super::error::Error;
use super::files::Hash;
use crate::photo::square_kernel;

/// Stem of the one region that serves all photos of an aligned product.
const ALL: &str = "all";

/// Masks by their stem.
#[derive(Debug, Clone)]
pub(super) struct MaskFolder {
    pub(super) path: PathBuf,
    by_stem: BTreeMap<OsString, PathBuf>,
    /// What serves every photo that has none of its own.
    shared: Option<PathBuf>,
}

impl MaskFolder {
    /// The masks of a folder, one a photo.
    pub(super) fn list(folder: &Path) -> Result<Self, Error> {
        let fail = |source| crate::Error::Folder { path: folder.to_owned(), source };
        let found = list_images(folder).map_err(fail)?;
        // A mask alone is what this folder is for.
        let alone = found.not_read.into_iter().map(|file| file.path);
        let files = found.photos.into_iter().chain(found.masks).chain(alone);
        let by_stem = files.map(|path| (path.file_stem().unwrap_or_default().to_owned(), path)).collect();
        Ok(Self { path: folder.to_owned(), by_stem, shared: None })
    }

    /// The regions of a folder, where `all.png` serves every photo that has none of its own; or one file for all.
    pub(super) fn regions(path: &Path) -> Result<Self, Error> {
        if path.is_file() {
            return Ok(Self { path: path.to_owned(), by_stem: BTreeMap::new(), shared: Some(path.to_owned()) });
        }
        let folder = Self::list(path)?;
        let shared = folder.by_stem.get(OsStr::new(ALL)).cloned();
        Ok(Self { shared, ..folder })
    }

    /// The file of the mask of a photo.
    pub(super) fn of(&self, photo: &Path) -> Option<&PathBuf> {
        let stem = photo.file_stem().unwrap_or_default();
        let mut suffixed = stem.to_owned();
        suffixed.push("_mask");
        let real = std::fs::canonicalize(photo).ok();
        let is_photo = |mask: &Path| mask == photo || std::fs::canonicalize(mask).ok() == real;
        let mut named = [suffixed.as_os_str(), stem].into_iter().filter_map(|stem| self.by_stem.get(stem));
        named.find(|mask| !is_photo(mask)).or(self.shared.as_ref())
    }

    /// The mask of a photo of `size` as it lies in the file, resized to `to`, and its file. A mask is never the photo
    /// itself.
    pub(super) fn read(
        &self,
        photo: &Path,
        hash: &str,
        size: (usize, usize),
        to: (usize, usize),
    ) -> Result<GivenMask, String> {
        let Some(file) = self.of(photo) else {
            let stem = escaped(photo.file_stem().unwrap_or_default());
            let name = escaped(self.path.join(format!("{stem}_mask.png")));
            return Err(format!("{name}: no such mask, nor {stem}.png; add it"));
        };
        let name = escaped(file);
        let bytes = read_bytes(file).map_err(|e| e.to_string())?;
        let own = Hash::of(&bytes);
        if own == hash {
            return Err(format!(
                "{name}: the photo itself, where its mask should be; save the mask as <photo>_mask.png"
            ));
        }
        let mask = decode_mask(&bytes, file, MaskRule::NonZero).map_err(|e| e.to_string())?.mask;
        if mask.dim() != size {
            let ((h, w), (ph, pw)) = (mask.dim(), size);
            return Err(format!("{name}: mask of {w}x{h} for a photo of {pw}x{ph}; save it at the photo's size"));
        }
        let mask = if size == to {
            mask
        } else {
            let gray = resize_map(mask.mapv(f32::from).view(), to, square_kernel(size, to.0));
            gray.map_err(|e| e.to_string())?.mapv(|v| v >= 0.5)
        };
        Ok(GivenMask { mask, name, hash: own })
    }
}

/// A mask that was given with a photo.
pub(super) struct GivenMask {
    pub(super) mask: Array2<bool>,
    /// Its file, for messages.
    pub(super) name: String,
    /// SHA-256 of the file.
    pub(super) hash: String,
}
