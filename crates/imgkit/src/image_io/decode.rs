//! Decoding of image files.

use std::fs;
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::Path;

use super::error::{ReadError, UnsupportedPixel};
use super::notes::Note;
use super::orientation::Orientation;
use super::photo::Photo;
use crate::Size;

/// Most pixels of an image that is read: a header that claims more is not believed, and nothing is allocated.
pub const MAX_PIXELS: usize = 1 << 28;

/// Photo with what its file holds beside it, and what is odd about it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PhotoFile {
    /// The photo, upright.
    pub photo: Photo,
    /// Alpha, one channel, where the file has it.
    pub alpha: Option<Photo>,
    /// Notes on the file.
    pub notes: Vec<Note>,
}

/// Image as a decoder gives it.
pub(super) struct Stored {
    pub(super) photo: Photo,
    pub(super) alpha: Option<Photo>,
    pub(super) header: Header,
}

/// What a header says.
pub(super) struct Header {
    /// As stored.
    pub(super) size: Size,
    pub(super) orientation: Orientation,
    /// Images in the file, without thumbnails.
    pub(super) images: usize,
    pub(super) has_foreign_profile: bool,
}

impl Header {
    /// Refuses more pixels than are read.
    pub(super) fn check(self, path: &Path) -> Result<Self, ReadError> {
        if self.size.area() > MAX_PIXELS {
            return Err(ReadError::TooLarge { path: path.into(), size: self.size, maximum: MAX_PIXELS });
        }
        Ok(self)
    }
}

/// Decodes an image, keeping its depth and its gray or RGB channels, turned upright as its EXIF or TIFF orientation
/// says. See [`Photo`] for what becomes of alpha and palettes.
///
/// `name` stands in errors; nothing is read from there.
///
/// # Errors
/// [`ReadError`] when the bytes are no whole image, of an unsupported kind, or of more than [`MAX_PIXELS`].
pub fn decode_photo(bytes: &[u8], name: impl AsRef<Path>) -> Result<Photo, ReadError> {
    Ok(decode(bytes, name.as_ref())?.photo)
}

/// Decodes an image as [`decode_photo`] does, with its alpha and notes.
///
/// # Errors
/// As [`decode_photo`].
pub fn decode_photo_file(bytes: &[u8], name: impl AsRef<Path>) -> Result<PhotoFile, ReadError> {
    let stored = decode(bytes, name.as_ref())?;
    let mut notes = Vec::new();
    if stored.header.images > 1 {
        notes.push(Note::SeveralImages { count: stored.header.images });
    }
    if stored.header.has_foreign_profile {
        notes.push(Note::ColorProfile);
    }
    notes.extend(Note::of_range(&stored.photo));
    Ok(PhotoFile { photo: stored.photo, alpha: stored.alpha, notes })
}

/// Reads an image file as [`decode_photo`] does.
///
/// # Errors
/// [`ReadError`] when the file is missing, unreadable, not a regular file, not an image, or as [`decode_photo`].
pub fn read_photo(path: impl AsRef<Path>) -> Result<Photo, ReadError> {
    let path = path.as_ref();
    decode_photo(&read_bytes(path)?, path)
}

/// Reads an image file as [`decode_photo_file`] does.
///
/// # Errors
/// As [`read_photo`].
pub fn read_photo_file(path: impl AsRef<Path>) -> Result<PhotoFile, ReadError> {
    let path = path.as_ref();
    decode_photo_file(&read_bytes(path)?, path)
}

/// Reads the size of an image file from its header, without decoding the pixels: that of the upright image.
///
/// # Errors
/// As [`read_photo`], as far as the header tells.
pub fn read_size(path: impl AsRef<Path>) -> Result<Size, ReadError> {
    let path = path.as_ref();
    decode_size(&read_bytes(path)?, path)
}

/// Decodes the size of an image as [`read_size`] does. `name` stands in errors.
///
/// # Errors
/// As [`decode_photo`], as far as the header tells.
pub fn decode_size(bytes: &[u8], name: impl AsRef<Path>) -> Result<Size, ReadError> {
    let name = name.as_ref();
    let header = guarded(name, || if is_tiff(bytes) { tiff_header(bytes, name) } else { raster_header(bytes, name) })?;
    Ok(header.orientation.size(header.size))
}

/// Reads all of a file that is a regular one: pipes and devices are not opened.
///
/// # Errors
/// [`ReadError::Missing`], [`ReadError::Io`].
pub fn read_bytes(path: impl AsRef<Path>) -> Result<Vec<u8>, ReadError> {
    let path = path.as_ref();
    let fail = |e| ReadError::io(path, e);
    if !fs::metadata(path).map_err(fail)?.is_file() {
        return Err(fail(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")));
    }
    fs::read(path).map_err(fail)
}

/// Decodes and turns upright.
pub(super) fn decode(bytes: &[u8], path: &Path) -> Result<Stored, ReadError> {
    let stored = guarded(path, || if is_tiff(bytes) { tiff_photo(bytes, path) } else { raster_photo(bytes, path) })?;
    let orientation = stored.header.orientation;
    let turn = |photo| orientation.turn(photo);
    Ok(Stored { photo: turn(stored.photo), alpha: stored.alpha.map(turn), header: stored.header })
}

/// Runs a decoder of another crate: should it panic on a file, that file cannot be decoded, and others go on.
fn guarded<T>(path: &Path, decode: impl FnOnce() -> Result<T, ReadError>) -> Result<T, ReadError> {
    // nothing that the decoder may have left half done is used afterwards
    std::panic::catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(ReadError::undecodable(path, "its decoder panicked")))
}

/// Whether a file starts as TIFF files do, the large kind included.
fn is_tiff(start: &[u8]) -> bool {
    [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|magic| start.starts_with(*magic))
}

/// Name of the format that a file's first bytes tell, where it is none that is read.
pub(super) fn foreign_format(start: &[u8]) -> Option<&'static str> {
    let at = |from: usize, magic: &[u8]| start.get(from..).is_some_and(|rest| rest.starts_with(magic));
    let brand = |names: &[&[u8]]| at(4, b"ftyp") && names.iter().any(|name| at(8, name));
    let formats: [(bool, &str); 12] = [
        (at(0, b"GIF8"), "GIF"),
        (at(0, b"RIFF") && at(8, b"WEBP"), "WebP"),
        (brand(&[b"avif", b"avis"]), "AVIF"),
        (brand(&[b"heic", b"heix", b"hevc", b"mif1", b"msf1"]), "HEIC"),
        (at(4, b"jP  \r\n"), "JPEG 2000"),
        (at(4, b"JXL \r\n") || at(0, b"\xff\x0a"), "JPEG XL"),
        (at(0, b"8BPS"), "PSD"),
        (at(0, b"DDS "), "DDS"),
        (at(0, b"\x76\x2f\x31\x01"), "OpenEXR"),
        (at(0, b"#?RADIANCE"), "Radiance HDR"),
        (at(0, b"qoif"), "QOI"),
        (at(0, b"P") && start.get(1).is_some_and(|d| (b'1'..=b'7').contains(d)) && at(2, b"\n"), "PNM"),
    ];
    formats.into_iter().find(|(is, _)| *is).map(|(_, name)| name)
}

/// Whether a file's first bytes are those of a format that is read.
pub(super) fn is_known_format(start: &[u8]) -> bool {
    let is_bmp = start.starts_with(b"BM") && start.get(6..10) == Some(&[0; 4]);
    is_tiff(start) || start.starts_with(b"\x89PNG\r\n\x1a\n") || start.starts_with(b"\xff\xd8\xff") || is_bmp
}

pub(super) fn unknown_format(bytes: &[u8], path: &Path) -> ReadError {
    if let Some(format) = foreign_format(bytes) {
        return UnsupportedPixel::new(format).at(path);
    }
    let what = match bytes {
        [] => "the file is empty",
        _ if bytes.starts_with(b"version https://git-lfs") => {
            "it is a pointer of Git LFS and not the image; `git lfs pull` fetches it"
        }
        _ => "the content is no known image format",
    };
    ReadError::undecodable(path, what)
}

#[cfg(feature = "tiff")]
fn tiff_photo(bytes: &[u8], path: &Path) -> Result<Stored, ReadError> {
    super::tiff::decode_pixels(bytes, path)
}

#[cfg(not(feature = "tiff"))]
fn tiff_photo(bytes: &[u8], path: &Path) -> Result<Stored, ReadError> {
    Err(unknown_format(bytes, path))
}

#[cfg(feature = "tiff")]
fn tiff_header(bytes: &[u8], path: &Path) -> Result<Header, ReadError> {
    super::tiff::decode_header(bytes, path)
}

#[cfg(not(feature = "tiff"))]
fn tiff_header(bytes: &[u8], path: &Path) -> Result<Header, ReadError> {
    Err(unknown_format(bytes, path))
}

#[cfg(not(feature = "image"))]
fn raster_photo(bytes: &[u8], path: &Path) -> Result<Stored, ReadError> {
    Err(unknown_format(bytes, path))
}

#[cfg(not(feature = "image"))]
fn raster_header(bytes: &[u8], path: &Path) -> Result<Header, ReadError> {
    Err(unknown_format(bytes, path))
}

#[cfg(feature = "image")]
use super::raster::{raster_header, raster_photo};
