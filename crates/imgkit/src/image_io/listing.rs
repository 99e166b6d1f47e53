//! Listing of a folder's images: one rule for which files are photos.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, DirEntry, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::decode::{foreign_format, is_known_format};
use crate::file::escaped;

/// Endings of the files that are read, in any case.
pub const ENDINGS: [&str; 9] = ["png", "jpg", "jpeg", "jpe", "jfif", "bmp", "dib", "tif", "tiff"];

/// Endings of images that are not read.
const FOREIGN: [&str; 30] = [
    "apng", "arw", "avif", "cr2", "cr3", "dds", "dng", "exr", "gif", "hdr", "heic", "heif", "j2k", "jp2", "jxl", "jxr",
    "mpo", "nef", "orf", "pam", "pbm", "pgm", "pnm", "ppm", "psd", "qoi", "raf", "raw", "tga", "webp",
];

/// What the stem of a mask ends in.
const MASK: &[u8] = b"_mask";

/// Kind of an entry of a folder, by [`file_kind`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// A regular file, or a link to one, with an ending of [`ENDINGS`].
    Photo,
    /// The same with a name that ends in `_mask`: never a photo.
    Mask,
    /// What looks like an image, by its ending or its first bytes, and is not read; with the reason.
    NotRead(String),
    /// A folder.
    Folder,
    /// A dotfile or anything else.
    Other,
}

/// File that looks like an image and is not read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct NotRead {
    /// The file.
    pub path: PathBuf,
    /// Why, and what to do.
    pub reason: String,
}

impl fmt::Display for NotRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: not read ({})", escaped(&self.path), self.reason)
    }
}

/// Images of a folder, each list in byte order of the names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ImageList {
    /// Photos.
    pub photos: Vec<PathBuf>,
    /// Masks: `<stem>_mask` beside a photo `<stem>`.
    pub masks: Vec<PathBuf>,
    /// What looks like an image and is not read.
    pub not_read: Vec<NotRead>,
}

/// Tells what an entry of a folder is. Links are followed; pipes and devices are not opened.
///
/// # Errors
/// The operating system's, where it does not tell the entry's type.
pub fn file_kind(entry: &DirEntry) -> io::Result<FileKind> {
    let name = entry.file_name();
    if name.as_encoded_bytes().starts_with(b".") {
        return Ok(FileKind::Other);
    }
    let path = PathBuf::from(&name);
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let (is_read, is_foreign) = (ENDINGS.contains(&ending.as_str()), FOREIGN.contains(&ending.as_str()));
    let not_read = |why: &str| FileKind::NotRead(why.to_owned());
    let mut kind = entry.file_type()?;
    if kind.is_symlink() {
        match fs::metadata(entry.path()) {
            Ok(target) => kind = target.file_type(),
            Err(_) if is_read || is_foreign => return Ok(not_read("a link that leads to no file; mend or remove it")),
            Err(_) => return Ok(FileKind::Other),
        }
    }
    Ok(if kind.is_dir() {
        FileKind::Folder
    } else if !kind.is_file() {
        if is_read || is_foreign { not_read("no regular file; remove it") } else { FileKind::Other }
    } else if is_read {
        if is_mask_name(&path) { FileKind::Mask } else { FileKind::Photo }
    } else if is_foreign {
        FileKind::NotRead(format!("{} is not supported: save as PNG, JPEG, BMP or TIFF", ending.to_ascii_uppercase()))
    } else {
        by_content(&entry.path())
    })
}

/// Whether a name ends in `_mask` before its ending.
fn is_mask_name(path: &Path) -> bool {
    path.file_stem().unwrap_or_default().as_encoded_bytes().ends_with(MASK)
}

/// What a regular file of an unknown ending is, by its first bytes.
fn by_content(path: &Path) -> FileKind {
    let mut start = Vec::new();
    if File::open(path).and_then(|file| file.take(16).read_to_end(&mut start)).is_err() {
        return FileKind::Other;
    }
    if let Some(format) = foreign_format(&start) {
        return FileKind::NotRead(format!("{format} is not supported: save as PNG, JPEG, BMP or TIFF"));
    }
    if is_known_format(&start) {
        return FileKind::NotRead(format!("an image without its ending: rename it to end in .{}", ENDINGS.join(", .")));
    }
    FileKind::Other
}

/// Lists the images of a folder by the rule of [`file_kind`]. A `_mask` without its photo beside it
/// is among what is not read.
///
/// # Errors
/// The operating system's, where it does not list the folder.
pub fn list_images(folder: impl AsRef<Path>) -> io::Result<ImageList> {
    let mut list = ImageList::default();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        match file_kind(&entry)? {
            FileKind::Photo => list.photos.push(path),
            FileKind::Mask => list.masks.push(path),
            FileKind::NotRead(reason) => list.not_read.push(NotRead { path, reason }),
            FileKind::Folder | FileKind::Other => {}
        }
    }
    list.photos.sort();
    let stem = |path: &'_ Path| path.file_stem().unwrap_or_default().as_encoded_bytes().to_vec();
    let stems: BTreeSet<Vec<u8>> = list.photos.iter().map(|photo| stem(photo)).collect();
    let has_photo = |mask: &PathBuf| stem(mask).strip_suffix(MASK).is_some_and(|of| stems.contains(of));
    let (masks, alone): (Vec<PathBuf>, Vec<PathBuf>) = list.masks.into_iter().partition(has_photo);
    let alone = alone.into_iter().map(|path| NotRead {
        path,
        reason: "named as a mask, and no photo of its name is beside it; rename it if it is a photo".to_owned(),
    });
    list.not_read.extend(alone);
    list.masks = masks;
    list.masks.sort();
    list.not_read.sort();
    Ok(list)
}
