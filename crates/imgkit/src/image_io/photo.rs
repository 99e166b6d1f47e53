//! The `Photo`: an image at the depth of its file.

use ndarray::Array3;
#[cfg(any(feature = "image", feature = "tiff"))]
use ndarray::Axis;

#[cfg(any(feature = "image", feature = "tiff"))]
use super::error::UnsupportedPixel;
use crate::level::{Window, from_u8, from_u16};
use crate::{ParameterError, ensure};

/// An image as stored, turned upright: height x width x channels, one channel (gray) or three (RGB), 8 or 16 bits or
/// floats.
///
/// Alpha is dropped: color values stay as the file holds them, neither multiplied by alpha nor laid over a background.
/// Palettes are expanded to RGB, and gray of fewer than 8 bits is scaled to 0..=255.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Photo {
    /// 8 bits a channel.
    U8(Array3<u8>),
    /// 16 bits a channel.
    U16(Array3<u16>),
    /// 32-bit floats of any range, from TIFF.
    F32(Array3<f32>),
}

impl Photo {
    /// Height, width and channels.
    #[must_use]
    pub fn dim(&self) -> (usize, usize, usize) {
        match self {
            Self::U8(pixels) => pixels.dim(),
            Self::U16(pixels) => pixels.dim(),
            Self::F32(pixels) => pixels.dim(),
        }
    }

    /// Bits a channel: 8, 16 or 32.
    #[must_use]
    pub fn bits(&self) -> u32 {
        match self {
            Self::U8(_) => 8,
            Self::U16(_) => 16,
            Self::F32(_) => 32,
        }
    }

    /// Converts to floats in `[0, 1]`: 8-bit values divided by 255, 16-bit values by 65535; floats as they are. Shape
    /// height x width x channels.
    ///
    /// ```
    /// use imgkit::image_io::Photo;
    /// use ndarray::arr3;
    /// let gray = Photo::U16(arr3(&[[[0_u16], [65535]]]));
    /// assert_eq!(gray.to_f32(), arr3(&[[[0.0_f32], [1.0]]]));
    /// ```
    #[must_use]
    pub fn to_f32(&self) -> Array3<f32> {
        match self {
            Self::U8(pixels) => pixels.mapv(from_u8),
            Self::U16(pixels) => pixels.mapv(from_u16),
            Self::F32(pixels) => pixels.clone(),
        }
    }

    /// Converts to floats in `[0, 1]` by a window: stored values at or below its low end become 0, at or above its high
    /// end 1. For 12 bits in files of 16 and for floats of other ranges; 8 bits have nothing to spread and are divided
    /// by 255 as in [`Photo::to_f32`].
    ///
    /// ```
    /// use imgkit::image_io::Photo;
    /// use imgkit::level::Window;
    /// use ndarray::arr3;
    /// let gray = Photo::U16(arr3(&[[[0_u16], [4095], [65535]]]));
    /// assert_eq!(gray.to_f32_in(Window::new(0.0, 4095.0)?), arr3(&[[[0.0_f32], [1.0], [1.0]]]));
    /// # Ok::<(), imgkit::ParameterError>(())
    /// ```
    #[must_use]
    pub fn to_f32_in(&self, window: Window) -> Array3<f32> {
        match self {
            Self::U8(_) => self.to_f32(),
            Self::U16(pixels) => pixels.mapv(|v| window.share(v.into())),
            Self::F32(pixels) => pixels.mapv(|v| window.share(v)),
        }
    }

    /// Converts to three channels of 8 bits: stored values at or below `window.0` become 0, at or above `window.1` 255,
    /// those between are scaled and rounded. A gray image's channels are equal. The window has the unit of the stored
    /// values, so that nothing is cut off unnoticed: `(0.0, 255.0)` keeps 8 bits, `(0.0, 65535.0)` takes 16 bits whole.
    /// NaN becomes 0.
    ///
    /// # Errors
    /// [`ParameterError`] unless both ends are finite and `window.0 < window.1`, or for an image without channels.
    ///
    /// ```
    /// use imgkit::image_io::Photo;
    /// use ndarray::arr3;
    /// let gray = Photo::U16(arr3(&[[[100_u16], [356], [40_000]]]));
    /// assert_eq!(gray.to_rgb8((100.0, 610.0))?, arr3(&[[[0_u8; 3], [128; 3], [255; 3]]]));
    /// # Ok::<(), imgkit::ParameterError>(())
    /// ```
    pub fn to_rgb8(&self, window: (f32, f32)) -> Result<Array3<u8>, ParameterError> {
        const WHAT: &str = "Photo::to_rgb8";
        let (low, high) = window;
        let is_window = low.is_finite() && high.is_finite() && low < high;
        let expected = "two finite numbers, the lower one first";
        ensure(is_window, WHAT, "window", format_args!("({low}, {high})"), expected)?;
        let (height, width, channels) = self.dim();
        ensure(channels > 0, WHAT, "channels", channels, "at least 1")?;
        let level = |v: f32| ((v - low) / (high - low) * 255.0).round() as u8;
        Ok(Array3::from_shape_fn((height, width, 3), |(y, x, c)| {
            let at = (y, x, c.min(channels - 1));
            match self {
                Self::U8(pixels) => level(pixels[at].into()),
                Self::U16(pixels) => level(pixels[at].into()),
                Self::F32(pixels) => level(pixels[at]),
            }
        }))
    }
}

/// Samples `(H, W, colors + alpha)` as a photo and its alpha.
#[cfg(any(feature = "image", feature = "tiff"))]
pub(super) fn split_samples<T: Clone>(
    raw: Vec<T>,
    (height, width): (usize, usize),
    colors: usize,
    has_alpha: bool,
    photo: fn(Array3<T>) -> Photo,
) -> Result<(Photo, Option<Photo>), UnsupportedPixel> {
    let shape = (height, width, colors + usize::from(has_alpha));
    let all = Array3::from_shape_vec(shape, raw)
        .map_err(|_| UnsupportedPixel::new("another number of samples than the image's size needs"))?;
    if !has_alpha {
        return Ok((photo(all), None));
    }
    let (color, alpha) = all.view().split_at(Axis(2), colors);
    let own = |part: ndarray::ArrayView3<'_, T>| photo(part.as_standard_layout().into_owned());
    Ok((own(color), Some(own(alpha))))
}
