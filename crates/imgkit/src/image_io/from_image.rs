//! Photos from the image types of the `image` crate.

use image::{DynamicImage, GrayImage, RgbImage};
use ndarray::Array3;

use super::error::UnsupportedPixel;
use super::photo::Photo;

impl From<&RgbImage> for Photo {
    fn from(image: &RgbImage) -> Self {
        Self::U8(Array3::from_shape_fn((image.height() as usize, image.width() as usize, 3), |(y, x, c)| {
            image.get_pixel(x as u32, y as u32).0[c]
        }))
    }
}

impl From<&GrayImage> for Photo {
    fn from(image: &GrayImage) -> Self {
        Self::U8(Array3::from_shape_fn((image.height() as usize, image.width() as usize, 1), |(y, x, _)| {
            image.get_pixel(x as u32, y as u32).0[0]
        }))
    }
}

/// Keeps the depth and drops alpha, as [`decode_photo`](super::decode_photo) does.
impl TryFrom<DynamicImage> for Photo {
    type Error = UnsupportedPixel;

    fn try_from(image: DynamicImage) -> Result<Self, UnsupportedPixel> {
        let (h, w) = (image.height() as usize, image.width() as usize);
        Ok(match image {
            DynamicImage::ImageLuma8(b) => Self::U8(array((h, w, 1), b.into_raw())?),
            DynamicImage::ImageLumaA8(b) => Self::U8(array((h, w, 1), without_alpha(b.as_raw(), 2))?),
            DynamicImage::ImageRgb8(b) => Self::U8(array((h, w, 3), b.into_raw())?),
            DynamicImage::ImageRgba8(b) => Self::U8(array((h, w, 3), without_alpha(b.as_raw(), 4))?),
            DynamicImage::ImageLuma16(b) => Self::U16(array((h, w, 1), b.into_raw())?),
            DynamicImage::ImageLumaA16(b) => Self::U16(array((h, w, 1), without_alpha(b.as_raw(), 2))?),
            DynamicImage::ImageRgb16(b) => Self::U16(array((h, w, 3), b.into_raw())?),
            DynamicImage::ImageRgba16(b) => Self::U16(array((h, w, 3), without_alpha(b.as_raw(), 4))?),
            other => return Err(UnsupportedPixel::new(format!("{:?}", other.color()))),
        })
    }
}

impl TryFrom<&DynamicImage> for Photo {
    type Error = UnsupportedPixel;

    fn try_from(image: &DynamicImage) -> Result<Self, UnsupportedPixel> {
        image.clone().try_into()
    }
}

fn array<T>(shape: (usize, usize, usize), raw: Vec<T>) -> Result<Array3<T>, UnsupportedPixel> {
    Array3::from_shape_vec(shape, raw).map_err(|_| UnsupportedPixel::new("fewer than the image's size needs"))
}

/// The raw samples without their last channel out of `channels`.
fn without_alpha<T: Copy>(raw: &[T], channels: usize) -> Vec<T> {
    raw.chunks_exact(channels).flat_map(|p| p[..channels - 1].iter().copied()).collect()
}
