//! Ground-truth masks.

use std::path::Path;

use ndarray::{Array2, Array3};

use super::decode::{decode, read_bytes, read_photo};
use super::error::{ReadError, UnsupportedPixel};
use super::photo::Photo;

/// Ground-truth mask, and whether its file held gray levels.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MaskFile {
    /// `true` where the luma the rule holds; height x width.
    pub mask: Array2<bool>,
    /// Pixels that were neither black nor white. Zero for a clean mask; more means that the threshold matters.
    pub gray_pixels: usize,
}

impl MaskFile {
    /// Creates a mask whose file held no gray levels.
    #[must_use]
    pub fn new(mask: Array2<bool>) -> Self {
        Self { mask, gray_pixels: 0 }
    }
}

/// Rule for which pixels of a mask file are part of the mask.
///
/// Luma is 0.2126 R + 0.7152 G + 0.0722 B on the scale 0..=255 whatever the depth, not rounded.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum MaskRule {
    /// Every pixel that is not black: the customary rule.
    #[default]
    NonZero,
    /// Pixels whose luma exceeds this one; NaN marks none.
    LumaAbove(f32),
}

/// Reads a mask of any pixel type but floats: `true` where `rule` holds. Where color is constant and alpha is not, the
/// mask is in alpha.
///
/// [`MaskFile::gray_pixels`] counts the pixels that are neither black nor white.
///
/// # Errors
/// [`ReadError`] as for [`read_photo`].
pub fn read_mask(path: impl AsRef<Path>, rule: MaskRule) -> Result<MaskFile, ReadError> {
    let path = path.as_ref();
    decode_mask(&read_bytes(path)?, path, rule)
}

/// Decodes a mask as [`read_mask`] does. `name` stands in errors.
///
/// # Errors
/// [`ReadError`] as for [`decode_photo`](super::decode_photo).
pub fn decode_mask(bytes: &[u8], name: impl AsRef<Path>, rule: MaskRule) -> Result<MaskFile, ReadError> {
    let path = name.as_ref();
    let threshold = match rule {
        MaskRule::NonZero => 0.0,
        MaskRule::LumaAbove(luma) => luma,
    };
    let stored = decode(bytes, path)?;
    let pixels = match &stored.alpha {
        Some(alpha) if is_constant(&stored.photo) && !is_constant(alpha) => alpha,
        _ => &stored.photo,
    };
    match pixels {
        Photo::U8(pixels) => Ok(binarize(pixels, f64::from, threshold)),
        Photo::U16(pixels) => Ok(binarize(pixels, |v| f64::from(v) / 257.0, threshold)),
        Photo::F32(_) => {
            Err(UnsupportedPixel::new("floats, which have no scale of black and white, in a mask").at(path))
        }
    }
}

/// Reads a mask of class ids: the 8-bit gray values as they are, height x width.
///
/// # Errors
/// [`ReadError`] as for [`read_photo`]; [`ReadError::UnsupportedPixel`] when the image is not 8-bit gray.
pub fn read_class_ids(path: impl AsRef<Path>) -> Result<Array2<u8>, ReadError> {
    let path = path.as_ref();
    match read_photo(path)? {
        Photo::U8(pixels) if pixels.dim().2 == 1 => Ok(pixels.remove_axis(ndarray::Axis(2))),
        other => {
            let pixel = format!("{} channels of {} bits, where class ids need one of 8", other.dim().2, other.bits());
            Err(UnsupportedPixel::new(pixel).at(path))
        }
    }
}

/// Whether all pixels are equal.
fn is_constant(photo: &Photo) -> bool {
    fn all_equal<T: PartialEq>(pixels: &Array3<T>) -> bool {
        let mut lanes = pixels.lanes(ndarray::Axis(2)).into_iter();
        let first = lanes.next();
        lanes.all(|pixel| first.as_ref() == Some(&pixel))
    }
    match photo {
        Photo::U8(pixels) => all_equal(pixels),
        Photo::U16(pixels) => all_equal(pixels),
        Photo::F32(pixels) => all_equal(pixels),
    }
}

fn binarize<T: Copy>(pixels: &Array3<T>, level: impl Fn(T) -> f64, threshold: f32) -> MaskFile {
    let (height, width, channels) = pixels.dim();
    let threshold = f64::from(threshold);
    let mut gray_pixels = 0;
    let mask = Array2::from_shape_fn((height, width), |(y, x)| {
        let at = |c| level(pixels[(y, x, c)]);
        // Black and white are compared per channel: the weights' sum is rounded.
        let (black, white, luma) = if channels == 1 {
            let v = at(0);
            (v == 0.0, v == 255.0, v)
        } else {
            let (r, g, b) = (at(0), at(1), at(2));
            let all = |v: f64| r == v && g == v && b == v;
            (all(0.0), all(255.0), 0.2126 * r + 0.7152 * g + 0.0722 * b)
        };
        gray_pixels += usize::from(!black && !white);
        luma > threshold
    });
    MaskFile { mask, gray_pixels }
}
