//! Masks that lie in a folder under the photos' names, or one file that serves all photos.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use imgkit::image_io::list_images;

use crate::error::Error;

/// Stem of the one region that serves all photos of an aligned product.
const ALL: &str = "all";

/// Masks by their stem.
#[derive(Debug, Clone)]
pub(crate) struct MaskFolder {
    pub(crate) path: PathBuf,
    by_stem: BTreeMap<OsString, PathBuf>,
    /// What serves every photo that has none of its own.
    shared: Option<PathBuf>,
}

impl MaskFolder {
    /// The masks of a folder, one a photo.
    pub(crate) fn list(folder: &Path) -> Result<Self, Error> {
        let fail = |source| Error::Folder { path: folder.to_owned(), source };
        let found = list_images(folder).map_err(fail)?;
        // A mask alone is what this folder is for.
        let alone = found.not_read.into_iter().map(|file| file.path);
        let files = found.photos.into_iter().chain(found.masks).chain(alone);
        let by_stem = files.map(|path| (path.file_stem().unwrap_or_default().to_owned(), path)).collect();
        Ok(Self { path: folder.to_owned(), by_stem, shared: None })
    }

    /// The regions of a folder, where `all.png` serves every photo that has none of its own; or one file for all.
    pub(crate) fn regions(path: &Path) -> Result<Self, Error> {
        if path.is_file() {
            return Ok(Self { path: path.to_owned(), by_stem: BTreeMap::new(), shared: Some(path.to_owned()) });
        }
        let folder = Self::list(path)?;
        let shared = folder.by_stem.get(OsStr::new(ALL)).cloned();
        Ok(Self { shared, ..folder })
    }

    /// The file of the mask of a photo.
    pub(crate) fn of(&self, photo: &Path) -> Option<&PathBuf> {
        let stem = photo.file_stem().unwrap_or_default();
        let mut suffixed = stem.to_owned();
        suffixed.push("_mask");
        let real = std::fs::canonicalize(photo).ok();
        let is_photo = |mask: &Path| mask == photo || std::fs::canonicalize(mask).ok() == real;
        let mut named = [suffixed.as_os_str(), stem].into_iter().filter_map(|stem| self.by_stem.get(stem));
        named.find(|mask| !is_photo(mask)).or(self.shared.as_ref())
    }
}
