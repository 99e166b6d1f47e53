//! Resizing of images and score maps, with the kernel named.
//!
//! Which kernel resizes a map or an image moves the metrics, so it is part of a result. Both kernels here are
//! separable and normalized: the weights of each output pixel sum to one, and outside the image nothing is counted.
//! When an image shrinks by a factor s, the kernel widens by s, so that every input pixel counts (antialiasing); this
//! is how PIL resizes, and not how `cv2.INTER_LINEAR` or torch's default do, which sample four pixels and alias.

use fast_image_resize::images::{Image, TypedImage, TypedImageRef};
use fast_image_resize::pixels::{F32, InnerPixel, U8, U8x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis};
use thiserror::Error;

use crate::Size;

/// Resampling kernel: weights of the input pixels, by their distance d from the output pixel's center, in output pixels
/// when the image shrinks and in input pixels when it grows. Centers lie at half-integers, so that the borders of input
/// and output meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Kernel {
    /// Triangle: 1 - |d| for |d| < 1. PIL's `BILINEAR`.
    #[default]
    Bilinear,
    /// Box: 1 for -1/2 < d <= 1/2. PIL's `BOX`: the mean over each output pixel's area when the factor is an integer.
    Area,
}

impl Kernel {
    /// Name for reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bilinear => "bilinear, antialiased (PIL)",
            Self::Area => "area (PIL box)",
        }
    }
}

/// Largest number of pixels of an output, as for files that are read.
const MAX_PIXELS: usize = 1 << 29;

/// Failure to resize an image.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ResizeError {
    /// A side of the input or of the output is 0 or larger than 2^32 - 1, or the output has more than 2^29 pixels.
    #[error("cannot resize {from} to {to} (height x width); give sides of at least 1 pixel")]
    Size {
        /// Height and width of the input.
        from: Size,
        /// Height and width asked for.
        to: Size,
    },
    /// An image of 8 bits has neither 1 channel nor 3.
    #[error("cannot resize an image of {channels} channels; give 1 (gray) or 3 (RGB)")]
    Channels {
        /// Channels given.
        channels: usize,
    },
}

/// Resizes a score map to `(height, width)`.
///
/// # Errors
/// [`ResizeError::Size`] when a side is 0 or the output has more than 2^29 pixels.
///
/// ```
/// use imgkit::resize::{Kernel, resize_map};
/// use ndarray::arr2;
/// let map = arr2(&[[0.0, 2.0], [4.0, 6.0]]);
/// assert_eq!(resize_map(map.view(), (1, 1), Kernel::Area)?, arr2(&[[3.0]]));
/// # Ok::<(), imgkit::resize::ResizeError>(())
/// ```
pub fn resize_map(map: ArrayView2<'_, f32>, to: (usize, usize), kernel: Kernel) -> Result<Array2<f32>, ResizeError> {
    let from = map.dim();
    let fail = || ResizeError::Size { from: from.into(), to: to.into() };
    let [height, width, to_height, to_width] = side_lengths(from, to)?;
    if from == to {
        return Ok(map.to_owned());
    }
    let pixels: Vec<F32> = map.iter().map(|&v| F32::new(v)).collect();
    let source = TypedImageRef::new(width, height, &pixels).map_err(|_| fail())?;
    let mut target = TypedImage::<F32>::new(to_width, to_height);
    let options = options(kernel);
    Resizer::new().resize_typed(&source, &mut target, &options).map_err(|_| fail())?;
    Array2::from_shape_vec(to, target.pixels().iter().map(|p| p.0).collect()).map_err(|_| fail())
}

/// Sides of input and output, after a check that they are not 0 and that the output can be allocated.
fn side_lengths(from: (usize, usize), to: (usize, usize)) -> Result<[u32; 4], ResizeError> {
    let fail = || ResizeError::Size { from: from.into(), to: to.into() };
    let side = |n: usize| u32::try_from(n).ok().filter(|&n| n > 0).ok_or_else(fail);
    if to.0.checked_mul(to.1).is_none_or(|pixels| pixels > MAX_PIXELS) {
        return Err(fail());
    }
    Ok([side(from.0)?, side(from.1)?, side(to.0)?, side(to.1)?])
}

fn options(kernel: Kernel) -> ResizeOptions {
    let filter = match kernel {
        Kernel::Bilinear => FilterType::Bilinear,
        Kernel::Area => FilterType::Box,
    };
    ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).use_alpha(false)
}

/// Resizes an image of 8 bits (height x width x channels, 1 or 3) to `(height, width)`, rounded to 8 bits: several
/// times as fast as [`resize`], and within a level or two of it.
///
/// # Errors
/// [`ResizeError::Size`] when a side is 0 or the output has more than 2^29 pixels; [`ResizeError::Channels`] unless
/// there are 1 or 3 channels.
///
/// ```
/// use imgkit::resize::{Kernel, resize_u8};
/// use ndarray::Array3;
/// let image = Array3::from_elem((900, 900, 3), 128_u8);
/// assert_eq!(resize_u8(image.view(), (256, 256), Kernel::Bilinear)?, Array3::from_elem((256, 256, 3), 128));
/// # Ok::<(), imgkit::resize::ResizeError>(())
/// ```
// Inline, so that the kernels for 8 bits are compiled by the crates that call it and by no other.
#[inline]
pub fn resize_u8(image: ArrayView3<'_, u8>, to: (usize, usize), kernel: Kernel) -> Result<Array3<u8>, ResizeError> {
    match image.dim().2 {
        1 => resize_pixels::<U8>(image, to, kernel),
        3 => resize_pixels::<U8x3>(image, to, kernel),
        channels => Err(ResizeError::Channels { channels }),
    }
}

/// [`resize_u8`] for one type of pixel. Typed, because a resize whose pixel type is known only at run time compiles the
/// kernels of all fourteen: two minutes of every build.
fn resize_pixels<P: PixelTrait + InnerPixel>(
    image: ArrayView3<'_, u8>,
    to: (usize, usize),
    kernel: Kernel,
) -> Result<Array3<u8>, ResizeError> {
    let (height, width, channels) = image.dim();
    let fail = || ResizeError::Size { from: Size { height, width }, to: to.into() };
    let [h, w, to_h, to_w] = side_lengths((height, width), to)?;
    let pixels = image.as_standard_layout();
    let source = TypedImageRef::<P>::from_buffer(w, h, pixels.as_slice().unwrap_or_default()).map_err(|_| fail())?;
    let mut target = Image::new(to_w, to_h, P::pixel_type());
    let mut typed = target.typed_image_mut::<P>().ok_or_else(fail)?;
    Resizer::new().resize_typed(&source, &mut typed, &options(kernel)).map_err(|_| fail())?;
    Array3::from_shape_vec((to.0, to.1, channels), target.into_vec()).map_err(|_| fail())
}

/// Resizes an image (height x width x channels) to `(height, width)`, each channel on its own.
///
/// # Errors
/// [`ResizeError::Size`] when a side is 0 or the output has more than 2^29 pixels.
///
/// ```
/// use imgkit::resize::{Kernel, resize};
/// use ndarray::Array3;
/// let image = Array3::from_elem((900, 900, 3), 0.5);
/// assert_eq!(resize(image.view(), (256, 256), Kernel::Bilinear)?.dim(), (256, 256, 3));
/// # Ok::<(), imgkit::resize::ResizeError>(())
/// ```
pub fn resize(image: ArrayView3<'_, f32>, to: (usize, usize), kernel: Kernel) -> Result<Array3<f32>, ResizeError> {
    let (height, width, channels) = image.dim();
    side_lengths((height, width), to)?;
    let mut resized = Array3::zeros((to.0, to.1, channels));
    for (channel, mut target) in image.axis_iter(Axis(2)).zip(resized.axis_iter_mut(Axis(2))) {
        target.assign(&resize_map(channel, to, kernel)?);
    }
    Ok(resized)
}
