//! Float TIFF files for score maps, which the official MVTec AD evaluation script reads.
//!
//! The script looks for `<category>/test/<kind>/<id>.tiff`.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

use ndarray::{Array2, Array3, ArrayView2};
use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::encoder::TiffEncoder;
use tiff::encoder::colortype::Gray32Float;

use super::error::{ReadError, UnsupportedPixel};
use super::photo::Photo;
use crate::Size;
use crate::file::{WriteError, write_atomic_with};

fn open<R: Read + Seek>(file: R, path: &Path) -> Result<Decoder<R>, ReadError> {
    let decoder = Decoder::new(file).map_err(|e| ReadError::undecodable(path, e))?;
    Ok(decoder.with_limits(Limits::default()))
}

/// Decodes the size from the header.
pub(super) fn decode_size(file: impl Read + Seek, path: &Path) -> Result<Size, ReadError> {
    let (width, height) = open(file, path)?.dimensions().map_err(|e| ReadError::undecodable(path, e))?;
    Ok(Size { height: height as usize, width: width as usize })
}

/// Decodes a gray or RGB image of 8 or 16 bits or floats.
pub(super) fn decode_pixels(file: impl Read + Seek, path: &Path) -> Result<Photo, ReadError> {
    let mut decoder = open(file, path)?;
    let (width, height) = decoder.dimensions().map_err(|e| ReadError::undecodable(path, e))?;
    let color = decoder.colortype().map_err(|e| ReadError::undecodable(path, e))?;
    let channels = match color {
        ColorType::Gray(_) => 1,
        ColorType::RGB(_) => 3,
        other => return Err(UnsupportedPixel::new(format!("{other:?}")).at(path)),
    };
    let shape = (height as usize, width as usize, channels);
    let whole = |e: ndarray::ShapeError| ReadError::undecodable(path, e);
    match decoder.read_image().map_err(|e| ReadError::undecodable(path, e))? {
        DecodingResult::U8(v) => Array3::from_shape_vec(shape, v).map(Photo::U8).map_err(whole),
        DecodingResult::U16(v) => Array3::from_shape_vec(shape, v).map(Photo::U16).map_err(whole),
        DecodingResult::F32(v) => Array3::from_shape_vec(shape, v).map(Photo::F32).map_err(whole),
        _ => Err(UnsupportedPixel::new(format!("{color:?}, signed or of other depth")).at(path)),
    }
}

/// Reads a score map from a TIFF file of one channel: 32-bit or 64-bit floats. Height x width.
///
/// # Errors
/// [`ReadError`] when the file is missing, unreadable, no TIFF, or of other pixels.
pub fn read_map(path: impl AsRef<Path>) -> Result<Array2<f32>, ReadError> {
    let path = path.as_ref();
    let file = File::open(path).map_err(|e| ReadError::io(path, e))?;
    let mut decoder = open(BufReader::new(file), path)?;
    let (width, height) = decoder.dimensions().map_err(|e| ReadError::undecodable(path, e))?;
    let values = match decoder.read_image().map_err(|e| ReadError::undecodable(path, e))? {
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
