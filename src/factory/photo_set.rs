//! Good photos: found in a folder or a dataset's layout, decoded one at a time.

use std::path::{Path, PathBuf};

use adbench::dataset::Policy;
use adbench::loaders::{Btad, Layout, Mvtec, Visa, VisaSplit};
use imgkit::image_io::{MaskRule, Photo, decode_photo, read_mask};
use imgkit::level::to_u8;
use imgkit::resize::{resize, resize_map};
use ndarray::Array3;
use physdefect::{Domain, Error as Refused, estimate_foreground};
use serde::{Deserialize, Serialize};

use super::error::Error;
use super::files::Hash;
use super::names::check_name;
use crate::photo::{MINIMUM, list_photos, square_kernel};

/// A set of good photos in byte order of their paths, with the folder of their foreground masks if there is one.
#[derive(Debug, Clone)]
pub struct PhotoSet {
    root: PathBuf,
    photos: Vec<String>,
    masks: Option<PathBuf>,
}

/// Region of a photo where defects may lie, by how it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Region {
    /// On the foreground that was estimated.
    EstimatedForeground,
    /// Anywhere in the frame: no object can be told from the background, as on a texture.
    WholeFrame,
    /// On the mask given with the photo.
    GivenMask,
}

/// A good photo, ready to carry defects.
#[derive(Debug, Clone)]
pub struct SourcePhoto {
    /// `(H, W, 1 or 3)`, 8 bits.
    pub pixels: Array3<u8>,
    /// Where defects may lie.
    pub domain: Domain,
    /// How that was found.
    pub region: Region,
    /// How clearly object and background part, in \[0, 1\]; `None` where the region was given.
    pub region_confidence: Option<f64>,
    /// SHA-256 of the photo's file, in hexadecimal.
    pub hash: String,
}

impl SourcePhoto {
    /// Bytes it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.pixels.len() + 5 * self.domain.mask().len() // a mask, and an index for each of its pixels
    }
}

const GOOD: [&str; 2] = ["good", "ok"];

impl PhotoSet {
    /// Finds the photos of a plain folder, of a category in MVTec AD, VisA or BTAD layout (`train/good` or `train/ok`),
    /// or of the named `category` below a dataset's root (the published VisA with its `split_csv` too). `masks` is a
    /// folder of foreground masks named as the photos (`<stem>.png` or `<stem>_mask.png`), white where the product is.
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
        let raw_visa = root.join("split_csv").is_dir();
        let train_of = |folder: &Path| GOOD.map(|g| folder.join("train").join(g)).into_iter().find(|f| f.is_dir());
        let inner = [root.join("1cls"), root.join("BTech_Dataset_transformed")].into_iter().find(|f| f.is_dir());
        let top = inner.unwrap_or_else(|| root.to_owned());
        let found = match category {
            Some(name) if raw_visa => {
                let data = Visa::new(VisaSplit::OneClass).index(root, Some(name), Policy::Skip);
                let data = data.map_err(crate::Error::from)?;
                data.train().samples().iter().map(|s| s.image_path().to_owned()).collect()
            }
            Some(name) => match train_of(&top.join(name)) {
                Some(folder) => photos(&folder)?,
                None => {
                    let (path, category, known) = (root.to_owned(), name.to_owned(), categories(root, &top));
                    return Err(Error::NoCategory { path, category, known });
                }
            },
            None => match train_of(root) {
                Some(folder) => photos(&folder)?,
                None if raw_visa || !categories(root, &top).is_empty() => {
                    return Err(Error::CategoryNeeded { path: root.to_owned(), known: categories(root, &top) });
                }
                None => photos(root)?,
            },
        };
        let relative = |path: &PathBuf| {
            let parts: Vec<_> =
                path.strip_prefix(root).unwrap_or(path).iter().map(|p| p.to_string_lossy().into_owned()).collect();
            parts.join("/")
        };
        let mut photos: Vec<String> = found.iter().map(relative).collect();
        photos.sort_unstable();
        Ok(Self { root: root.to_owned(), photos, masks: masks.map(Path::to_owned) })
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

    /// Path of photo `i` relative to the root, with `/`.
    #[must_use]
    pub fn name(&self, i: usize) -> Option<&str> {
        self.photos.get(i).map(String::as_str)
    }

    /// File of photo `i`.
    #[must_use]
    pub fn path(&self, i: usize) -> Option<PathBuf> {
        self.name(i).map(|name| self.root.join(name))
    }

    /// Files of all photos, in order.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.photos.iter().map(|name| self.root.join(name)).collect()
    }

    /// File of the mask that was given with photo `i`, if there is one.
    pub(super) fn mask_path(&self, i: usize) -> Option<PathBuf> {
        mask_of(self.masks.as_ref()?, &self.path(i)?).ok()
    }

    /// Folder of the masks that were given.
    pub(super) fn masks_folder(&self) -> Option<&Path> {
        self.masks.as_deref()
    }

    /// Number of the photo with this path relative to the root.
    pub(super) fn find_name(&self, name: &str) -> Option<usize> {
        self.photos.iter().position(|photo| photo == name)
    }

    /// SHA-256 of the list of photos (their paths, not their content).
    #[must_use]
    pub fn fingerprint(&self) -> String {
        Hash::of(format!("{}\n{}", self.photos.join("\n"), self.masks.is_some()).as_bytes())
    }

    /// Reads photo `i`, resized to `side` x `side` if given.
    ///
    /// # Errors
    /// [`Error::NoPhoto`]; [`Error::Photo`] if photo or mask cannot be read, do not fit together or leave no room for a
    /// defect.
    pub fn load(&self, i: usize, side: Option<usize>) -> Result<SourcePhoto, Error> {
        let name = self.name(i).ok_or(Error::NoPhoto { index: i, total: self.len() })?;
        let fail = |reason: String| Error::Photo { photo: name.to_owned(), source: reason.into() };
        let path = self.root.join(name);
        let bytes = std::fs::read(&path).map_err(|e| fail(format!("{}: cannot be read ({e})", path.display())))?;
        let hash = Hash::of(&bytes);
        let photo =
            decode_photo(&bytes, &path).map_err(|e| Error::Photo { photo: name.to_owned(), source: e.into() })?;
        drop(bytes);
        let (height, width, _) = photo.dim();
        let pixels = eight_bits(photo);
        let pixels = match side {
            Some(side) if (height, width) != (side, side) => {
                let (to, kernel) = ((side, side), square_kernel((height, width), side));
                resize(pixels.mapv(imgkit::level::from_u8).view(), to, kernel)
                    .map_err(|e| fail(format!("{}: {e}", path.display())))?
                    .mapv(to_u8)
            }
            _ => pixels,
        };
        let (h, w, _) = pixels.dim();
        if h < MINIMUM || w < MINIMUM {
            return Err(fail(format!(
                "{}: {w}x{h} px, but {MINIMUM} a side are needed: use larger photos",
                path.display()
            )));
        }
        let (domain, region, region_confidence) = match &self.masks {
            None => estimated(&pixels).map_err(|e| fail(format!("{}: {e}", path.display())))?,
            Some(folder) => (given(folder, &path, (height, width), (h, w)).map_err(fail)?, Region::GivenMask, None),
        };
        Ok(SourcePhoto { pixels, domain, region, region_confidence, hash })
    }
}

/// Photos of a folder.
fn photos(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    list_photos(folder).map_err(Error::from)
}

/// Categories below a root.
fn categories(root: &Path, top: &Path) -> Vec<String> {
    if root.join("split_csv").is_dir() {
        return Visa::new(VisaSplit::OneClass).categories(root).unwrap_or_default();
    }
    let mut names = Mvtec.categories(top).unwrap_or_default();
    names.extend(Btad.categories(top).unwrap_or_default());
    names.sort();
    names.dedup();
    names
}

/// Deeper photos are rounded to 8 bits: that is what the formats hold.
fn eight_bits(photo: Photo) -> Array3<u8> {
    match photo {
        Photo::U8(pixels) => pixels,
        other => other.to_f32().mapv(to_u8),
    }
}

/// The foreground, how it was found, and how clearly.
fn estimated(pixels: &Array3<u8>) -> Result<(Domain, Region, Option<f64>), Refused> {
    let photo = pixels.mapv(imgkit::level::from_u8);
    match estimate_foreground(photo.view()) {
        Ok(foreground) => {
            let region = if foreground.fills_frame { Region::WholeFrame } else { Region::EstimatedForeground };
            let confidence = Some(foreground.confidence);
            Ok((foreground.into_domain()?, region, confidence))
        }
        // a uniform photo
        Err(Refused::NoForeground { .. }) => {
            Ok((Domain::full(photo.dim().0, photo.dim().1)?, Region::WholeFrame, Some(0.0)))
        }
        Err(e) => Err(e),
    }
}

/// The file in `folder` of the mask of the photo at `path`, or the names that it may have.
fn mask_of(folder: &Path, path: &Path) -> Result<PathBuf, [PathBuf; 2]> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let names = [format!("{stem}.png"), format!("{stem}_mask.png")].map(|name| folder.join(name));
    names.iter().find(|file| file.is_file()).cloned().ok_or(names)
}

/// The foreground mask in `folder` of the photo at `path`.
fn given(folder: &Path, path: &Path, photo: (usize, usize), to: (usize, usize)) -> Result<Domain, String> {
    let file = mask_of(folder, path).map_err(|[name, other]| {
        let other = other.file_name().unwrap_or_default().display();
        format!("{}: no such mask, nor {other}; add it", name.display())
    })?;
    let mask = read_mask(&file, MaskRule::NonZero).map_err(|e| e.to_string())?.mask;
    if mask.dim() != photo {
        let ((h, w), (ph, pw)) = (mask.dim(), photo);
        return Err(format!(
            "{}: mask of {w}x{h} for a photo of {pw}x{ph}; save it at the photo's size",
            file.display()
        ));
    }
    let mask = if photo == to {
        mask
    } else {
        let gray =
            resize_map(mask.mapv(f32::from).view(), to, square_kernel(photo, to.0)).map_err(|e| e.to_string())?;
        gray.mapv(|v| v >= 0.5)
    };
    Domain::from_mask(mask).map_err(|e| format!("{}: {e}", file.display()))
}
