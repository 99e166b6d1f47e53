//! PNG, JPEG and BMP by the `image` crate.

use std::borrow::Cow;
use std::io::Cursor;
use std::path::Path;

use image::error::UnsupportedErrorKind;
use image::metadata::Orientation as Exif;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::decode::{Header, Stored, unknown_format};
use super::error::{ReadError, UnsupportedPixel, one_line};
use super::from_image::split;
use super::notes::is_foreign_profile;
use super::orientation::Orientation;
use super::{MAX_PIXELS, jpeg_scan};
use crate::Size;

pub(super) fn raster_photo(bytes: &[u8], path: &Path) -> Result<Stored, ReadError> {
    let mut bytes = Cow::Borrowed(bytes);
    if bytes.starts_with(b"\xff\xd8") && !jpeg_scan::check(&bytes).map_err(|e| ReadError::undecodable(path, e))? {
        bytes.to_mut().extend(b"\xff\xd9"); // without its end marker the decoder leaves out the last rows
    }
    let (decoder, header) = open(&bytes, path)?;
    let image = DynamicImage::from_decoder(decoder).map_err(|e| decode_error(path, e))?;
    let (photo, alpha) = split(image).map_err(|e| e.at(path))?;
    Ok(Stored { photo, alpha, header })
}

pub(super) fn raster_header(bytes: &[u8], path: &Path) -> Result<Header, ReadError> {
    Ok(open(bytes, path)?.1)
}

fn open<'a>(bytes: &'a [u8], path: &Path) -> Result<(impl ImageDecoder + 'a, Header), ReadError> {
    let fail = |e| decode_error(path, e);
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| ReadError::io(path, e))?;
    let format = reader.format().ok_or_else(|| unknown_format(bytes, path))?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(8 * MAX_PIXELS as u64); // four channels of 16 bits
    reader.limits(limits);
    let mut decoder = match reader.into_decoder() {
        Err(ImageError::Unsupported(e)) if matches!(e.kind(), UnsupportedErrorKind::Format(_)) => {
            return Err(unknown_format(bytes, path));
        }
        other => other.map_err(fail)?,
    };
    let (width, height) = decoder.dimensions();
    let size = Size { height: height as usize, width: width as usize };
    let chunks = if format == ImageFormat::Png { PngChunks::of(bytes) } else { PngChunks::default() };
    if chunks.has_torn_palette {
        return Err(ReadError::undecodable(path, "the length of its palette is no multiple of three"));
    }
    let orientation = match chunks.orientation {
        Some(orientation) => orientation,
        None => decoder.orientation().map_err(fail)?,
    };
    let profile = decoder.icc_profile().map_err(fail)?;
    let header = Header {
        size,
        orientation: Orientation::new(orientation.to_exif().into()),
        images: chunks.frames.max(1),
        has_foreign_profile: profile.is_some_and(|profile| is_foreign_profile(&profile)),
    };
    Ok((decoder, header.check(path)?))
}

/// What the chunks of a PNG say, those behind the pixels included, which a decoder does not look at.
#[derive(Default)]
struct PngChunks {
    frames: usize,
    orientation: Option<Exif>,
    /// The decoder panics on it.
    has_torn_palette: bool,
}

impl PngChunks {
    fn of(bytes: &[u8]) -> Self {
        let mut found = Self::default();
        let mut rest = bytes.get(8..).unwrap_or_default();
        while let Some(head) = rest.first_chunk::<8>() {
            let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
            let Some(data) = rest.get(8..8_usize.saturating_add(length)) else { break };
            match &head[4..] {
                b"acTL" => found.frames = data.first_chunk().map_or(0, |n| u32::from_be_bytes(*n) as usize),
                b"PLTE" => found.has_torn_palette |= !length.is_multiple_of(3),
                b"eXIf" => found.orientation = Exif::from_exif_chunk(data),
                _ => {}
            }
            rest = rest.get(12 + length..).unwrap_or_default();
        }
        found
    }
}

fn decode_error(path: &Path, error: ImageError) -> ReadError {
    match error {
        // A truncated file surfaces as an I/O error while decoding, although the file itself can be read.
        ImageError::IoError(e) => ReadError::undecodable(path, e),
        ImageError::Unsupported(e) => UnsupportedPixel::new(one_line(&e)).at(path),
        other => ReadError::undecodable(path, other),
    }
}
