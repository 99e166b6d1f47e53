//! PNG with settings that favor speed: the data sets are read more often than they are kept.

use std::io::Cursor;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, ImageError};
use imgkit::level::to_u8;
use ndarray::{Array3, ArrayView2};

/// An image `(H, W, 1 or 3)`, 8 bits.
pub(super) fn photo(pixels: &Array3<u8>) -> Result<Vec<u8>, ImageError> {
    let pixels = pixels.as_standard_layout();
    let (h, w, c) = pixels.dim();
    let color = if c == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    encode(pixels.as_slice().unwrap_or_default(), (h, w), color, FilterType::Up)
}

/// A mask, 0 or 255.
pub(super) fn mask(mask: ArrayView2<'_, bool>) -> Result<Vec<u8>, ImageError> {
    let bytes = mask.as_standard_layout().mapv(|m| if m { 255 } else { 0 });
    encode(bytes.as_slice().unwrap_or_default(), mask.dim(), ExtendedColorType::L8, FilterType::NoFilter)
}

/// A map in \[0, 1\], 8 bits.
pub(super) fn map(map: ArrayView2<'_, f32>) -> Result<Vec<u8>, ImageError> {
    let bytes: Vec<u8> = map.iter().map(|&v| to_u8(v)).collect();
    encode(&bytes, map.dim(), ExtendedColorType::L8, FilterType::Up)
}

fn encode(
    bytes: &[u8],
    (h, w): (usize, usize),
    color: ExtendedColorType,
    filter: FilterType,
) -> Result<Vec<u8>, ImageError> {
    let mut out = Cursor::new(Vec::with_capacity(bytes.len() / 2));
    let encoder = PngEncoder::new_with_quality(&mut out, CompressionType::Fast, filter);
    encoder.write_image(bytes, w as u32, h as u32, color)?;
    Ok(out.into_inner())
}
