//! Decoding of image files.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek};
use std::path::Path;

use super::error::ReadError;
use super::photo::Photo;
use crate::Size;

/// Decodes an image, keeping its depth and its gray or RGB channels. See [`Photo`] for what becomes of alpha and
/// palettes.
///
/// `name` stands in errors; nothing is read from there.
///
/// # Errors
/// [`ReadError`] when the bytes are no image or of an unsupported pixel type.
pub fn decode_photo(bytes: &[u8], name: impl AsRef<Path>) -> Result<Photo, ReadError> {
    let name = name.as_ref();
    if is_tiff(bytes) {
        return tiff_photo(bytes, name);
    }
    raster_photo(bytes, name)
}

/// Reads an image file as [`decode_photo`] does.
///
/// # Errors
/// [`ReadError`] when the file is missing, unreadable, not an image, or of an unsupported pixel type.
pub fn read_photo(path: impl AsRef<Path>) -> Result<Photo, ReadError> {
    let path = path.as_ref();
    decode_photo(&std::fs::read(path).map_err(|e| ReadError::io(path, e))?, path)
}

/// A header that claims more pixels is not believed: nothing as large is allocated. (Decoding has `image`'s own limit
/// of 512 MiB.)
const MAX_PIXELS: usize = 1 << 29;

/// Reads the size of an image file from its header, without decoding the pixels.
///
/// # Errors
/// [`ReadError`] when the file is missing, unreadable, not an image, or claims more than 2^29 pixels.
pub fn read_size(path: impl AsRef<Path>) -> Result<Size, ReadError> {
    let path = path.as_ref();
    let mut file = BufReader::new(File::open(path).map_err(|e| ReadError::io(path, e))?);
    let is_tiff = is_tiff(file.fill_buf().map_err(|e| ReadError::io(path, e))?);
    let size = if is_tiff { tiff_size(file, path) } else { raster_size(file, path) }?;
    if size.area() > MAX_PIXELS {
        let Size { height, width } = size;
        return Err(ReadError::undecodable(path, format!("{width}x{height} pixels, more than {MAX_PIXELS}")));
    }
    Ok(size)
}

/// Whether a file starts as TIFF files do.
fn is_tiff(start: &[u8]) -> bool {
    [b"II*\0", b"MM\0*"].iter().any(|magic| start.starts_with(*magic))
}

fn unknown(path: &Path) -> ReadError {
    ReadError::undecodable(path, "the content is no known image format")
}

#[cfg(feature = "tiff")]
fn tiff_photo(bytes: &[u8], path: &Path) -> Result<Photo, ReadError> {
    super::tiff::decode_pixels(std::io::Cursor::new(bytes), path)
}

#[cfg(not(feature = "tiff"))]
fn tiff_photo(_: &[u8], path: &Path) -> Result<Photo, ReadError> {
    Err(unknown(path))
}

#[cfg(feature = "tiff")]
fn tiff_size(file: impl BufRead + Seek, path: &Path) -> Result<Size, ReadError> {
    super::tiff::decode_size(file, path)
}

#[cfg(not(feature = "tiff"))]
fn tiff_size(_: impl BufRead + Seek, path: &Path) -> Result<Size, ReadError> {
    Err(unknown(path))
}

#[cfg(not(feature = "image"))]
fn raster_photo(_: &[u8], path: &Path) -> Result<Photo, ReadError> {
    Err(unknown(path))
}

#[cfg(not(feature = "image"))]
fn raster_size(_: impl BufRead + Seek, path: &Path) -> Result<Size, ReadError> {
    Err(unknown(path))
}

#[cfg(feature = "image")]
use raster::{raster_photo, raster_size};

#[cfg(feature = "image")]
mod raster {
    use image::error::UnsupportedErrorKind;
    use image::{ImageError, ImageReader};

    use super::*;
    use crate::image_io::error::{UnsupportedPixel, one_line};

    pub(super) fn raster_photo(bytes: &[u8], path: &Path) -> Result<Photo, ReadError> {
        let image = reader(std::io::Cursor::new(bytes), path)?.decode().map_err(|e| decode_error(path, e))?;
        Photo::try_from(image).map_err(|e| e.at(path))
    }

    pub(super) fn raster_size(file: impl BufRead + Seek, path: &Path) -> Result<Size, ReadError> {
        let (width, height) = reader(file, path)?.into_dimensions().map_err(|e| decode_error(path, e))?;
        Ok(Size { height: height as usize, width: width as usize })
    }

    fn reader<R: BufRead + Seek>(file: R, path: &Path) -> Result<ImageReader<R>, ReadError> {
        let reader = ImageReader::new(file).with_guessed_format().map_err(|e| ReadError::io(path, e))?;
        if reader.format().is_none() { Err(unknown(path)) } else { Ok(reader) }
    }

    fn decode_error(path: &Path, error: ImageError) -> ReadError {
        match error {
            // A truncated file surfaces as an I/O error while decoding, although the file itself can be read.
            ImageError::IoError(e) => ReadError::undecodable(path, e),
            ImageError::Unsupported(e) if matches!(e.kind(), UnsupportedErrorKind::Color(_)) => {
                UnsupportedPixel::new(one_line(&e)).at(path)
            }
            other => ReadError::undecodable(path, other),
        }
    }
}
