//! Photos from the image types of the `image` crate.

use image::{DynamicImage, GrayImage, RgbImage};
use ndarray::Array3;

use super::error::UnsupportedPixel;
use super::photo::{Photo, split_samples};

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
        Ok(split(image)?.0)
    }
}

/// The photo and its alpha.
pub(super) fn split(image: DynamicImage) -> Result<(Photo, Option<Photo>), UnsupportedPixel> {
    let size = (image.height() as usize, image.width() as usize);
    match image {
        DynamicImage::ImageLuma8(b) => split_samples(b.into_raw(), size, 1, false, Photo::U8),
        DynamicImage::ImageLumaA8(b) => split_samples(b.into_raw(), size, 1, true, Photo::U8),
        DynamicImage::ImageRgb8(b) => split_samples(b.into_raw(), size, 3, false, Photo::U8),
        DynamicImage::ImageRgba8(b) => split_samples(b.into_raw(), size, 3, true, Photo::U8),
        DynamicImage::ImageLuma16(b) => split_samples(b.into_raw(), size, 1, false, Photo::U16),
        DynamicImage::ImageLumaA16(b) => split_samples(b.into_raw(), size, 1, true, Photo::U16),
        DynamicImage::ImageRgb16(b) => split_samples(b.into_raw(), size, 3, false, Photo::U16),
        DynamicImage::ImageRgba16(b) => split_samples(b.into_raw(), size, 3, true, Photo::U16),
        other => Err(UnsupportedPixel::new(format!("{:?}", other.color()))),
    }
}

impl TryFrom<&DynamicImage> for Photo {
    type Error = UnsupportedPixel;

    fn try_from(image: &DynamicImage) -> Result<Self, UnsupportedPixel> {
        image.clone().try_into()
    }
}
