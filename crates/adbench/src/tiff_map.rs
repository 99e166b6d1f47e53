//! Score maps as float TIFF files, which the official MVTec AD evaluation script reads.
//!
//! The script looks for `<category>/test/<kind>/<id>.tiff`.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;

use ndarray::{Array2, ArrayView2};
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::encoder::TiffEncoder;
use tiff::encoder::colortype::Gray32Float;

use crate::file::{WriteError, write_with};
use crate::image_io::ReadError;

/// Reads a score map from a TIFF file of one channel: 32-bit or 64-bit floats. Height x width.
///
/// # Errors
/// [`ReadError`] when the file is missing, unreadable, no TIFF, or of other pixels.
pub fn read_map(path: impl AsRef<Path>) -> Result<Array2<f32>, ReadError> {
    let path = path.as_ref();
    let file = File::open(path).map_err(|e| crate::image_io::io_error(path, &e))?;
    let fail = |reason: String| ReadError::Undecodable {
        path: path.into(),
        reason: reason.split_whitespace().collect::<Vec<_>>().join(" "),
    };
    let mut decoder =
        Decoder::new(BufReader::new(file)).map_err(|e| fail(e.to_string()))?.with_limits(Limits::default());
    let (width, height) = decoder.dimensions().map_err(|e| fail(e.to_string()))?;
    let values = match decoder.read_image().map_err(|e| fail(e.to_string()))? {
        DecodingResult::F32(values) => values,
        DecodingResult::F64(values) => values.into_iter().map(|v| v as f32).collect(),
        _ => {
            let pixel = "integers, where a score map has floats".to_owned();
            return Err(ReadError::UnsupportedPixel { path: path.into(), pixel });
        }
    };
    Array2::from_shape_vec((height as usize, width as usize), values)
        .map_err(|_| ReadError::UnsupportedPixel { path: path.into(), pixel: "more than one channel".to_owned() })
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
