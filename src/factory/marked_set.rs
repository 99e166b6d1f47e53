//! Folders of photos with masks of real defects, each kind apart.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use imgkit::image_io::{MaskRule, list_images, read_mask};
use ndarray::{Array2, Array3};
use physdefect::calibration::Marked;

use super::error::Error;
use super::files::Hash;
use crate::photo::PhotoReader;

/// Folders that masks may lie in, beside the photos.
const MASK_FOLDERS: [&str; 2] = ["masks", "ground_truth"];

/// Fewest photos of a kind.
const LEAST_IMAGES: usize = 3;

/// A photo with the mask of its defects.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MarkedPhoto {
    /// The photo's file.
    pub path: PathBuf,
    /// `(H, W, C)` in \[0, 1\].
    pub photo: Array3<f32>,
    /// `(H, W)`.
    pub mask: Array2<bool>,
}

/// Photos of one kind of defects.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MarkedSet {
    /// Name of the kind: that of its folder.
    pub kind: String,
    /// Photos in the byte order of their names.
    pub photos: Vec<MarkedPhoto>,
    /// Photos without a mask.
    pub unmarked: Vec<PathBuf>,
    /// Photos left out because their largest defect has fewer than ten pixels.
    pub tiny: Vec<PathBuf>,
}

/// A photo and the file of its mask.
type Pair = (PathBuf, Option<PathBuf>);

impl MarkedPhoto {
    /// Takes a photo `(H, W, C)`, f32 in \[0, 1\], and the mask of its defects `(H, W)`; `path` names it in messages.
    #[must_use]
    pub fn new(path: PathBuf, photo: Array3<f32>, mask: Array2<bool>) -> Self {
        Self { path, photo, mask }
    }
}

impl MarkedSet {
    /// Takes the photos of a kind, all marked.
    #[must_use]
    pub fn new(kind: impl Into<String>, photos: Vec<MarkedPhoto>) -> Self {
        Self { kind: kind.into(), photos, unmarked: Vec::new(), tiny: Vec::new() }
    }

    /// Finds the kinds of defects below a folder and reads their photos with masks. It may be
    ///
    /// - in MVTec AD's layout: `test/KIND` with masks in `ground_truth/KIND` (`good` is left out);
    /// - a folder of one kind: photos with `STEM_mask.png` beside them or in `masks` or `ground_truth`, where
    ///   `STEM.png` counts, too;
    /// - a folder of such folders.
    ///
    /// # Errors
    /// [`Error::NoFolder`]; [`Error::Unmarked`] if no photo has a mask; [`Error::Photo`] for a photo or a mask that
    /// cannot be read or are not of one size; [`Error::SameDefect`] for a photo or a mask that a kind has twice;
    /// [`Error::Calibration`] if so many defects of a kind are tiny that too few are left.
    pub fn find(root: &Path, reader: &PhotoReader) -> Result<Vec<Self>, Error> {
        if !root.is_dir() {
            return Err(Error::NoFolder { what: "photos with masks", path: root.to_owned() });
        }
        let mut kinds: Vec<(String, Vec<Pair>)> = Vec::new();
        let test = root.join("test");
        if test.is_dir() {
            for folder in folders(&test) {
                let kind = name_of(&folder);
                if kind != "good" {
                    kinds.push((kind.clone(), pairs(&folder, &[root.join("ground_truth").join(kind)])));
                }
            }
        } else {
            kinds.push((name_of(root), own_pairs(root)));
            for folder in folders(root) {
                let kind = name_of(&folder);
                if kind != "good" && !MASK_FOLDERS.contains(&kind.as_str()) {
                    kinds.push((kind, own_pairs(&folder)));
                }
            }
        }
        let marked = |pairs: &[Pair]| pairs.iter().any(|(_, mask)| mask.is_some());
        kinds.retain(|(_, pairs)| marked(pairs));
        if kinds.is_empty() {
            return Err(Error::Unmarked { path: root.to_owned() });
        }
        kinds.into_iter().map(|(kind, pairs)| Self::read(kind, pairs, reader)).collect()
    }

    fn read(kind: String, pairs: Vec<Pair>, reader: &PhotoReader) -> Result<Self, Error> {
        let (mut photos, mut unmarked) = (Vec::new(), Vec::new());
        for (path, mask) in pairs {
            let Some(file) = mask else {
                unmarked.push(path);
                continue;
            };
            let refuse = |source| Error::Photo { photo: path.display().to_string(), source };
            let photo = reader.load(&path).map_err(|e| refuse(e.into()))?;
            let mask = read_mask(&file, MaskRule::NonZero).map_err(|e| refuse(e.into()))?.mask;
            let ((h, w, _), (mh, mw)) = (photo.dim(), mask.dim());
            if (h, w) != (mh, mw) {
                let what = imgkit::file::escaped(&file);
                let reason = format!("{what}: is {mw} x {mh} px, its photo {w} x {h}: export it at the photo's size");
                return Err(refuse(reason.into()));
            }
            photos.push(MarkedPhoto { path, photo, mask });
        }
        refuse_copies(&photos)?;
        let (photos, tiny) = without_tiny(&kind, photos)?;
        Ok(Self { kind, photos, unmarked, tiny })
    }
}

/// Refuses a photo or a mask that is there twice, by its pixels.
fn refuse_copies(photos: &[MarkedPhoto]) -> Result<(), Error> {
    let mut known: [HashMap<String, &Path>; 2] = Default::default();
    for photo in photos.iter().filter(|photo| photo.mask.iter().any(|&m| m)) {
        let mask: Vec<u8> = photo.mask.iter().map(|&m| u8::from(m)).collect();
        let pixels: Vec<u8> = photo.photo.iter().flat_map(|v| v.to_le_bytes()).collect();
        let hashes = [("photo", pixels, photo.photo.shape()), ("mask", mask, photo.mask.shape())];
        for ((what, bytes, shape), known) in hashes.into_iter().zip(&mut known) {
            let hash = format!("{shape:?} {}", Hash::of(&bytes));
            if let Some(first) = known.insert(hash, &photo.path) {
                return Err(Error::SameDefect { what, first: first.to_owned(), second: photo.path.clone() });
            }
        }
    }
    Ok(())
}

/// The photos whose largest defect can be measured, and the others; a mask that is empty stays, and is refused later.
fn without_tiny(kind: &str, photos: Vec<MarkedPhoto>) -> Result<(Vec<MarkedPhoto>, Vec<PathBuf>), Error> {
    let largest = |photo: &MarkedPhoto| Marked::new(photo.photo.view(), photo.mask.view()).largest_part();
    let sizes: Vec<usize> = photos.iter().map(largest).collect();
    let is_tiny = |found: usize| found > 0 && found < Marked::LEAST_PIXELS;
    let left = sizes.iter().filter(|&&found| !is_tiny(found)).count();
    let first = sizes.iter().position(|&found| is_tiny(found)).filter(|_| left < LEAST_IMAGES);
    if let Some((photo, &found)) = first.and_then(|i| photos.get(i).zip(sizes.get(i))) {
        let source = Box::new(physdefect::Error::TinyDefects { found, needed: Marked::LEAST_PIXELS });
        return Err(Error::Calibration { kind: kind.to_owned(), photo: Some(photo.path.clone()), source });
    }
    let (mut kept, mut tiny) = (Vec::new(), Vec::new());
    for (photo, found) in photos.into_iter().zip(sizes) {
        if is_tiny(found) {
            tiny.push(photo.path);
        } else {
            kept.push(photo);
        }
    }
    Ok((kept, tiny))
}

fn name_of(folder: &Path) -> String {
    let full = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    full.file_name().map_or_else(|| "defect".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Folders in a folder, by name.
fn folders(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

/// Photos of a folder with the masks beside them or in a folder of masks.
fn own_pairs(folder: &Path) -> Vec<Pair> {
    let mut masks = vec![folder.to_owned()];
    masks.extend(MASK_FOLDERS.map(|name| folder.join(name)));
    pairs(folder, &masks)
}

/// Photos of a folder with their masks in the first of some folders that has them.
fn pairs(folder: &Path, masks: &[PathBuf]) -> Vec<Pair> {
    let Ok(list) = list_images(folder) else { return Vec::new() };
    let mask_of = |photo: &PathBuf| {
        let stem = photo.file_stem()?.to_string_lossy().into_owned();
        let names = |at: &PathBuf| {
            let mut names = vec![at.join(format!("{stem}_mask.png"))];
            if at != folder {
                names.push(at.join(format!("{stem}.png")));
            }
            names
        };
        masks.iter().flat_map(names).find(|file| file.is_file())
    };
    list.photos.into_iter().map(|photo| (photo.clone(), mask_of(&photo))).collect()
}
