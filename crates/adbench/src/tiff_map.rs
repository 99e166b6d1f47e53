//! Score maps as float TIFF files, which the official MVTec AD evaluation script reads.
//!
//! The script looks for `<category>/test/<kind>/<id>.tiff`.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;

use ndarray::{Array2, Array3, ArrayView2};
use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::encoder::TiffEncoder;
use tiff::encoder::colortype::Gray32Float;

use crate::file::{WriteError, write_with};
use crate::image_io::{Photo, ReadError};

fn open(path: &Path) -> Result<Decoder<BufReader<File>>, ReadError> {
    let file = File::open(path).map_err(|e| crate::image_io::io_error(path, &e))?;
    let decoder = Decoder::new(BufReader::new(file)).map_err(|e| undecodable(path, &e))?;
    Ok(decoder.with_limits(Limits::default()))
}

fn undecodable(path: &Path, error: &impl std::fmt::Display) -> ReadError {
    let reason = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    ReadError::Undecodable { path: path.into(), reason }
}

fn unsupported(path: &Path, pixel: impl Into<String>) -> ReadError {
    ReadError::UnsupportedPixel { path: path.into(), pixel: pixel.into() }
}

/// Width and height from the header.
pub(crate) fn read_size(path: &Path) -> Result<(u32, u32), ReadError> {
    open(path)?.dimensions().map_err(|e| undecodable(path, &e))
}

/// A grey or RGB image of 8 or 16 bits or floats.
pub(crate) fn read_pixels(path: &Path) -> Result<Photo, ReadError> {
    let mut decoder = open(path)?;
    let (width, height) = decoder.dimensions().map_err(|e| undecodable(path, &e))?;
    let color = decoder.colortype().map_err(|e| undecodable(path, &e))?;
    let channels = match color {
        ColorType::Gray(_) => 1,
        ColorType::RGB(_) => 3,
        other => return Err(unsupported(path, format!("{other:?}"))),
    };
    let shape = (height as usize, width as usize, channels);
    let whole = |e: ndarray::ShapeError| undecodable(path, &e);
    match decoder.read_image().map_err(|e| undecodable(path, &e))? {
        DecodingResult::U8(v) => Array3::from_shape_vec(shape, v).map(Photo::U8).map_err(whole),
        DecodingResult::U16(v) => Array3::from_shape_vec(shape, v).map(Photo::U16).map_err(whole),
        DecodingResult::F32(v) => Array3::from_shape_vec(shape, v).map(Photo::F32).map_err(whole),
        _ => Err(unsupported(path, format!("{color:?}, signed or of other depth"))),
    }
}

/// Reads a score map from a TIFF file of one channel: 32-bit or 64-bit floats. Height x width.
///
/// # Errors
/// [`ReadError`] when the file is missing, unreadable, no TIFF, or of other pixels.
pub fn read_map(path: impl AsRef<Path>) -> Result<Array2<f32>, ReadError> {
    let path = path.as_ref();
    let mut decoder = open(path)?;
    let (width, height) = decoder.dimensions().map_err(|e| undecodable(path, &e))?;
    let values = match decoder.read_image().map_err(|e| undecodable(path, &e))? {
        DecodingResult::F32(values) => values,
        DecodingResult::F64(values) => values.into_iter().map(|v| v as f32).collect(),
        _ => return Err(unsupported(path, "integers, where a score map has floats")),
    };
    Array2::from_shape_vec((height as usize, width as usize), values)
        .map_err(|_| unsupported(path, "more than one channel"))
}

/// Writes a score map, height x width, as a TIFF file of 32-bit floats by way of a temporary file.
///
/// # Errors
/// [`WriteError`] when the file cannot be written or the map is empty.
///
/// ```
/// use adbench::tiff_map::{read_map, write_map};
/// use ndarray::arr2;
/// let folder = tempfile::tempdir()?;
/// let map = arr2(&[[0.25, -1.0], [3.0, 1e-30]]);
/// write_map(folder.path().join("000.tiff"), map.view())?;
/// assert_eq!(read_map(folder.path().join("000.tiff"))?, map);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_map(path: impl AsRef<Path>, map: ArrayView2<'_, f32>) -> Result<(), WriteError> {
    let path = path.as_ref();
    let fail = |source| WriteError { path: path.into(), source };
    let (height, width) = map.dim();
    let size = u32::try_from(width).ok().zip(u32::try_from(height).ok()).filter(|&(w, h)| w > 0 && h > 0);
    let (width, height) = size.ok_or_else(|| fail(io::ErrorKind::InvalidInput.into()))?;
    let values: Vec<f32> = map.iter().copied().collect();
    write_with(path, |file| {
        let mut buffer = BufWriter::new(file);
        let mut encoder = TiffEncoder::new(&mut buffer).map_err(io::Error::other)?;
        encoder.write_image::<Gray32Float>(width, height, &values).map_err(io::Error::other)?;
        buffer.flush()
    })
}
