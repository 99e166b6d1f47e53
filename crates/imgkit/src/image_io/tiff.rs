//! Float TIFF files for score maps, which the official MVTec AD evaluation script reads.
//!
//! The script looks for `<category>/test/<kind>/<id>.tiff`.

use std::io::{self, BufWriter, Cursor, Read, Seek, Write};
use std::path::Path;

use ndarray::{Array2, ArrayView2};
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::encoder::TiffEncoder;
use tiff::encoder::colortype::Gray32Float;
use tiff::tags::Tag;
use tiff::{ColorType, TiffError};

use super::decode::{Header, MAX_PIXELS, Stored, read_bytes};
use super::error::{ReadError, UnsupportedPixel, one_line};
use super::notes::is_foreign_profile;
use super::orientation::Orientation;
use super::photo::{Photo, split_samples};
use crate::Size;
use crate::file::{WriteError, write_atomic_with};

/// Pages that are looked at.
const MAX_PAGES: usize = 10_000;

fn open<R: Read + Seek>(file: R, path: &Path) -> Result<Decoder<R>, ReadError> {
    let mut limits = Limits::default();
    limits.decoding_buffer_size = 8 * MAX_PIXELS; // four channels of 16 bits
    Ok(Decoder::new(file).map_err(|e| failure(path, e))?.with_limits(limits))
}

/// A whole file of a kind that is not read is told from a damaged one.
fn failure(path: &Path, error: TiffError) -> ReadError {
    match error {
        TiffError::UnsupportedError(e) => UnsupportedPixel::new(one_line(&e)).at(path),
        other => ReadError::undecodable(path, other),
    }
}

type Pages<'a> = Decoder<Cursor<&'a [u8]>>;

/// Opens the first page that is no thumbnail.
fn open_page<'a>(bytes: &'a [u8], path: &Path) -> Result<(Pages<'a>, Header), ReadError> {
    let fail = |e| failure(path, e);
    let mut decoder = open(Cursor::new(bytes), path)?;
    let (mut images, mut chosen) = (0, None);
    for page in 0..MAX_PAGES {
        if !is_thumbnail_or_mask(&mut decoder) {
            images += 1;
            chosen.get_or_insert(page);
        }
        // A further page that is damaged does not spoil the first.
        if !decoder.more_images() || decoder.next_image().is_err() {
            break;
        }
    }
    decoder.seek_to_image(chosen.unwrap_or(0)).map_err(fail)?;
    let (width, height) = decoder.dimensions().map_err(fail)?;
    let orientation = decoder.find_tag_unsigned::<u16>(Tag::Orientation).ok().flatten();
    let profile = decoder.find_tag(Tag::IccProfile).ok().flatten().and_then(|value| value.into_u8_vec().ok());
    let header = Header {
        size: Size { height: height as usize, width: width as usize },
        orientation: Orientation::new(orientation.unwrap_or(1)),
        images,
        has_foreign_profile: profile.is_some_and(|profile| is_foreign_profile(&profile)),
    };
    Ok((decoder, header.check(path)?))
}

/// Whether a page is a smaller copy of another, or a transparency mask, by either of the two tags for it.
fn is_thumbnail_or_mask(decoder: &mut Pages<'_>) -> bool {
    let mut tag = |tag| decoder.find_tag_unsigned::<u32>(tag).ok().flatten();
    tag(Tag::NewSubfileType).is_some_and(|bits| bits & 5 != 0) || tag(Tag::SubfileType) == Some(2)
}

/// Decodes the header of the first page.
pub(super) fn decode_header(bytes: &[u8], path: &Path) -> Result<Header, ReadError> {
    Ok(open_page(bytes, path)?.1)
}

/// Decodes a gray or RGB image of up to 16 bits or floats, in chunky or planar order, with or without alpha.
pub(super) fn decode_pixels(bytes: &[u8], path: &Path) -> Result<Stored, ReadError> {
    let fail = |e| failure(path, e);
    let (mut decoder, header) = open_page(bytes, path)?;
    let color = decoder.colortype().map_err(fail)?;
    let unsupported = |what: String| UnsupportedPixel::new(what).at(path);
    let extra = decoder.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples).ok().flatten().unwrap_or_default();
    let (colors, has_alpha) = match color {
        ColorType::Gray(_) => (1, false),
        ColorType::RGB(_) => (3, false),
        ColorType::RGBA(_) => (3, true),
        ColorType::Multiband { num_samples: 2, .. } if matches!(extra.as_slice(), [1 | 2]) => (1, true),
        other => return Err(unsupported(format!("{other:?}"))),
    };
    let bits = color.bit_depth();
    if bits < 8 && color != ColorType::Gray(bits) {
        return Err(unsupported(format!("{color:?}")));
    }
    let mut samples = DecodingResult::U8(Vec::new());
    let layout = decoder.read_image_to_buffer(&mut samples).map_err(fail)?;
    let (size, planes) = ((header.size.height, header.size.width), layout.planes);
    let split = |e: UnsupportedPixel| e.at(path);
    let (photo, alpha) = match samples {
        DecodingResult::U8(packed) if bits < 8 => split_samples(unpack(&packed, size, bits), size, 1, false, Photo::U8),
        DecodingResult::U8(v) if bits == 8 => split_samples(interleave(v, planes), size, colors, has_alpha, Photo::U8),
        DecodingResult::U16(v) if bits == 16 => {
            split_samples(interleave(v, planes), size, colors, has_alpha, Photo::U16)
        }
        DecodingResult::F32(v) => split_samples(interleave(v, planes), size, colors, has_alpha, Photo::F32),
        DecodingResult::F16(v) => {
            let wide = v.into_iter().map(f32::from).collect();
            split_samples(interleave(wide, planes), size, colors, has_alpha, Photo::F32)
        }
        DecodingResult::F64(v) => {
            let narrow = v.into_iter().map(|v| v as f32).collect();
            split_samples(interleave(narrow, planes), size, colors, has_alpha, Photo::F32)
        }
        _ => return Err(unsupported(format!("{color:?}, signed or of other depth"))),
    }
    .map_err(split)?;
    Ok(Stored { photo, alpha, header })
}

/// Planes one after the other as samples side by side.
fn interleave<T: Copy>(samples: Vec<T>, planes: usize) -> Vec<T> {
    if planes < 2 {
        return samples;
    }
    let pixels = samples.len() / planes;
    (0..pixels).flat_map(|pixel| (0..planes).map(move |plane| plane * pixels + pixel)).map(|at| samples[at]).collect()
}

/// Gray of 1 to 7 bits, rows padded to bytes, as 0 to 255.
fn unpack(packed: &[u8], (height, width): (usize, usize), bits: u8) -> Vec<u8> {
    let (bits, top) = (usize::from(bits), (1_u32 << bits) - 1);
    let row_bytes = (width * bits).div_ceil(8);
    let bit = |row: usize, at: usize| {
        let byte = packed.get(row * row_bytes + at / 8).copied().unwrap_or(0);
        u32::from(byte >> (7 - at % 8) & 1)
    };
    let level = |row: usize, column: usize| {
        let value = (0..bits).fold(0, |value, k| value << 1 | bit(row, column * bits + k));
        (255 * value / top) as u8
    };
    (0..height).flat_map(|row| (0..width).map(move |column| (row, column))).map(|(y, x)| level(y, x)).collect()
}

/// Reads a score map from a TIFF file of one channel: 32-bit or 64-bit floats. Height x width.
///
/// # Errors
/// [`ReadError`] when the file is missing, unreadable, no TIFF, or of other pixels.
pub fn read_map(path: impl AsRef<Path>) -> Result<Array2<f32>, ReadError> {
    let path = path.as_ref();
    let mut decoder = open(Cursor::new(read_bytes(path)?), path)?;
    let (width, height) = decoder.dimensions().map_err(|e| failure(path, e))?;
    let values = match decoder.read_image().map_err(|e| failure(path, e))? {
        DecodingResult::F32(values) => values,
        DecodingResult::F64(values) => values.into_iter().map(|v| v as f32).collect(),
        _ => return Err(UnsupportedPixel::new("integers, where a score map has floats").at(path)),
    };
    Array2::from_shape_vec((height as usize, width as usize), values)
        .map_err(|_| UnsupportedPixel::new("more than one channel").at(path))
}

/// Writes a score map, height x width, as a TIFF file of 32-bit floats by way of a temporary file.
///
/// # Errors
/// [`WriteError`] when the file cannot be written or the map is empty.
///
/// ```
/// use imgkit::image_io::tiff::{read_map, write_map};
/// use ndarray::arr2;
/// let folder = tempfile::tempdir()?;
/// let map = arr2(&[[0.25, -1.0], [3.0, 1e-30]]);
/// write_map(folder.path().join("000.tiff"), map.view())?;
/// assert_eq!(read_map(folder.path().join("000.tiff"))?, map);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_map(path: impl AsRef<Path>, map: ArrayView2<'_, f32>) -> Result<(), WriteError> {
    let path = path.as_ref();
    let fail = |source| WriteError::new(path, source);
    let (height, width) = map.dim();
    let size = u32::try_from(width).ok().zip(u32::try_from(height).ok()).filter(|&(w, h)| w > 0 && h > 0);
    let (width, height) = size.ok_or_else(|| fail(io::ErrorKind::InvalidInput.into()))?;
    let values: Vec<f32> = map.iter().copied().collect();
    write_atomic_with(path, |file| {
        let mut buffer = BufWriter::new(file);
        let mut encoder = TiffEncoder::new(&mut buffer).map_err(io::Error::other)?;
        encoder.write_image::<Gray32Float>(width, height, &values).map_err(io::Error::other)?;
        buffer.flush()
    })
}
