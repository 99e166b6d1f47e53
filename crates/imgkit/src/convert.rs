//! Conversion between arrays and the images of the `image` crate.

use image::{Rgb, RgbImage};
use ndarray::{Array3, ArrayView3};

use crate::level::{from_u8, to_u8};

/// Converts an image `(H, W, C)` in `[0, 1]` to 8 bits: three or more channels give the first three, fewer give gray,
/// none black. Values outside `[0, 1]` are clamped.
///
/// ```
/// use image::{Rgb, RgbImage};
/// use imgkit::convert::{from_rgb_image, to_rgb_image};
/// let photo = RgbImage::from_fn(40, 30, |x, y| Rgb([x as u8, y as u8, 200]));
/// let pixels = from_rgb_image(&photo);
/// assert_eq!(pixels.dim(), (30, 40, 3));
/// assert_eq!(to_rgb_image(pixels.view()), photo);
/// ```
#[must_use]
pub fn to_rgb_image(image: ArrayView3<'_, f32>) -> RgbImage {
    let (height, width, channels) = image.dim();
    let at = |y: u32, x: u32, c: usize| {
        let c = if channels >= 3 { c } else { 0 };
        image.get((y as usize, x as usize, c)).map_or(0, |&v| to_u8(v))
    };
    RgbImage::from_fn(width as u32, height as u32, |x, y| Rgb([0, 1, 2].map(|c| at(y, x, c))))
}

/// Converts an 8-bit image to `(H, W, 3)` in `[0, 1]`, `level / 255`.
#[must_use]
pub fn from_rgb_image(image: &RgbImage) -> Array3<f32> {
    Array3::from_shape_fn((image.height() as usize, image.width() as usize, 3), |(y, x, c)| {
        from_u8(image.get_pixel(x as u32, y as u32).0[c])
    })
}
