//! Photographs and ground-truth masks from PNG, JPEG, BMP and TIFF files, at the depth they were stored in.
//!
//! The format is recognised by the file's content, not by its name.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageError, ImageReader};
use ndarray::{Array2, Array3};
use thiserror::Error;

use crate::metrics::MetricError;
use crate::tiff_map;

/// Why an image file could not be read. Every message is one line: the path, what is wrong, what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// There is no file at the path.
    #[error("{}: no such file; check the path", .path.display())]
    Missing {
        /// The file asked for.
        path: PathBuf,
    },
    /// The image shows a defect and the dataset has no mask for it.
    #[error("{}: no mask of its defect; use image figures only, or add the mask", .image.display())]
    NoMask {
        /// The image.
        image: PathBuf,
    },
    /// The operating system refused to read the path.
    #[error("{}: cannot be read ({reason}); check that it is a file and that you may read it", .path.display())]
    Io {
        /// The file asked for.
        path: PathBuf,
        /// The operating system's reason.
        reason: String,
    },
    /// The content is not a whole PNG, JPEG, BMP or TIFF image.
    #[error("{}: cannot be decoded ({reason}); restore the file or save it again as PNG, JPEG, BMP or TIFF", .path.display())]
    Undecodable {
        /// The file asked for.
        path: PathBuf,
        /// The decoder's reason.
        reason: String,
    },
    /// The image decodes, or would, but its pixels are neither grey nor RGB of 8 or 16 bits or floats.
    #[error("{}: unsupported pixels ({pixel}); convert to grey or RGB with 8 or 16 bits a channel, or floats in TIFF", .path.display())]
    UnsupportedPixel {
        /// The file asked for.
        path: PathBuf,
        /// The pixel type found.
        pixel: String,
    },
}

impl ReadError {
    /// The file the error is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Missing { path }
            | Self::NoMask { image: path }
            | Self::Io { path, .. }
            | Self::Undecodable { path, .. }
            | Self::UnsupportedPixel { path, .. } => path,
        }
    }
}

/// An image as stored: height x width x channels, one channel (grey) or three (RGB), 8 or 16 bits or floats.
///
/// Alpha is dropped: colour values stay as the file holds them, neither multiplied by alpha nor laid over a background.
/// Palettes are expanded to RGB, and grey of fewer than 8 bits is scaled to 0..=255.
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

    /// The image in `[0, 1]`: 8-bit values divided by 255, 16-bit values by 65535; floats as they are. Shape height x width x
    /// channels.
    ///
    /// ```
    /// use adbench::Photo;
    /// use ndarray::arr3;
    /// let grey = Photo::U16(arr3(&[[[0_u16], [65535]]]));
    /// assert_eq!(grey.to_f32(), arr3(&[[[0.0_f32], [1.0]]]));
    /// ```
    #[must_use]
    pub fn to_f32(&self) -> Array3<f32> {
        match self {
            Self::U8(pixels) => pixels.mapv(|v| f32::from(v) / 255.0),
            Self::U16(pixels) => pixels.mapv(|v| f32::from(v) / 65535.0),
            Self::F32(pixels) => pixels.clone(),
        }
    }

    /// Three channels of 8 bits: stored values at or below `window.0` become 0, at or above `window.1` 255, those between
    /// are scaled and rounded. A grey image's channels are equal. The window has the unit of the stored values, so that
    /// nothing is cut off unnoticed: `(0.0, 255.0)` keeps 8 bits, `(0.0, 65535.0)` takes 16 bits whole. NaN becomes 0.
    ///
    /// # Errors
    /// [`MetricError::InvalidParameter`] unless both ends are finite and `window.0 < window.1`.
    ///
    /// ```
    /// use adbench::Photo;
    /// use ndarray::arr3;
    /// let grey = Photo::U16(arr3(&[[[100_u16], [356], [40_000]]]));
    /// assert_eq!(grey.to_rgb8((100.0, 610.0))?, arr3(&[[[0_u8; 3], [128; 3], [255; 3]]]));
    /// # Ok::<(), adbench::MetricError>(())
    /// ```
    pub fn to_rgb8(&self, window: (f32, f32)) -> Result<Array3<u8>, MetricError> {
        let (low, high) = window;
        if !(low.is_finite() && high.is_finite() && low < high) {
            let allowed = "finite and below the window's upper end, which is finite";
            return Err(MetricError::InvalidParameter { name: "lower end of the window", value: low.into(), allowed });
        }
        let (height, width, channels) = self.dim();
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

/// A ground-truth mask, and whether its file held grey levels.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MaskFile {
    /// `true` where the luma exceeds the threshold; height x width.
    pub mask: Array2<bool>,
    /// Pixels that were neither black nor white. Zero for a clean mask; more means that the threshold matters.
    pub grey_pixels: usize,
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(crate) fn io_error(path: &Path, error: &io::Error) -> ReadError {
    if error.kind() == io::ErrorKind::NotFound {
        ReadError::Missing { path: path.into() }
    } else {
        ReadError::Io { path: path.into(), reason: one_line(&error.to_string()) }
    }
}

fn decode_error(path: &Path, error: ImageError) -> ReadError {
    match error {
        // A truncated file surfaces as an I/O error while decoding, although the file itself can be read.
        ImageError::IoError(e) => ReadError::Undecodable { path: path.into(), reason: one_line(&e.to_string()) },
        ImageError::Unsupported(e) if matches!(e.kind(), image::error::UnsupportedErrorKind::Color(_)) => {
            ReadError::UnsupportedPixel { path: path.into(), pixel: one_line(&e.to_string()) }
        }
        other => ReadError::Undecodable { path: path.into(), reason: one_line(&other.to_string()) },
    }
}

fn decode(path: &Path) -> Result<DynamicImage, ReadError> {
    let reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format).map_err(|e| io_error(path, &e))?;
    if reader.format().is_none() {
        let reason = "the content is no known image format".to_owned();
        return Err(ReadError::Undecodable { path: path.into(), reason });
    }
    reader.decode().map_err(|e| decode_error(path, e))
}

fn array<T: Copy>(path: &Path, width: u32, height: u32, channels: usize, raw: Vec<T>) -> Result<Array3<T>, ReadError> {
    Array3::from_shape_vec((height as usize, width as usize, channels), raw)
        .map_err(|e| ReadError::Undecodable { path: path.into(), reason: one_line(&e.to_string()) })
}

/// The raw samples without their last channel out of `channels`.
fn without_alpha<T: Copy>(raw: &[T], channels: usize) -> Vec<T> {
    raw.chunks_exact(channels).flat_map(|p| p[..channels - 1].iter().copied()).collect()
}

/// Whether the file starts as TIFF files do.
fn is_tiff(path: &Path) -> Result<bool, ReadError> {
    let mut start = Vec::with_capacity(4);
    File::open(path).and_then(|file| file.take(4).read_to_end(&mut start)).map_err(|e| io_error(path, &e))?;
    Ok([b"II*\0", b"MM\0*"].iter().any(|magic| start == *magic))
}

/// Reads an image, keeping its depth and its grey or RGB channels. See [`Photo`] for what becomes of alpha and palettes.
///
/// # Errors
/// [`ReadError`] when the file is missing, unreadable, not an image, or of an unsupported pixel type.
pub fn read_photo(path: impl AsRef<Path>) -> Result<Photo, ReadError> {
    let path = path.as_ref();
    if is_tiff(path)? {
        return tiff_map::read_pixels(path);
    }
    let image = decode(path)?;
    let (w, h) = (image.width(), image.height());
    Ok(match image {
        DynamicImage::ImageLuma8(b) => Photo::U8(array(path, w, h, 1, b.into_raw())?),
        DynamicImage::ImageLumaA8(b) => Photo::U8(array(path, w, h, 1, without_alpha(b.as_raw(), 2))?),
        DynamicImage::ImageRgb8(b) => Photo::U8(array(path, w, h, 3, b.into_raw())?),
        DynamicImage::ImageRgba8(b) => Photo::U8(array(path, w, h, 3, without_alpha(b.as_raw(), 4))?),
        DynamicImage::ImageLuma16(b) => Photo::U16(array(path, w, h, 1, b.into_raw())?),
        DynamicImage::ImageLumaA16(b) => Photo::U16(array(path, w, h, 1, without_alpha(b.as_raw(), 2))?),
        DynamicImage::ImageRgb16(b) => Photo::U16(array(path, w, h, 3, b.into_raw())?),
        DynamicImage::ImageRgba16(b) => Photo::U16(array(path, w, h, 3, without_alpha(b.as_raw(), 4))?),
        other => {
            let pixel = format!("{:?}", other.color());
            return Err(ReadError::UnsupportedPixel { path: path.into(), pixel });
        }
    })
}

/// A header that claims more pixels is not believed: nothing as large is allocated. (Decoding has `image`'s own limit of
/// 512 MiB.)
const MAX_PIXELS: u64 = 1 << 29;

/// Width and height of an image file from its header, without decoding the pixels.
///
/// # Errors
/// [`ReadError`] when the file is missing, unreadable or not an image.
pub fn read_size(path: impl AsRef<Path>) -> Result<(u32, u32), ReadError> {
    let path = path.as_ref();
    if is_tiff(path)? {
        return tiff_map::read_size(path);
    }
    let (width, height) = ImageReader::open(path)
        .and_then(ImageReader::with_guessed_format)
        .map_err(|e| io_error(path, &e))?
        .into_dimensions()
        .map_err(|e| decode_error(path, e))?;
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        let reason = format!("{width}x{height} pixels, more than {MAX_PIXELS}");
        return Err(ReadError::Undecodable { path: path.into(), reason });
    }
    Ok((width, height))
}

/// Reads a mask of any pixel type but floats: `true` where luma > `threshold`, luma on the scale 0..=255 whatever the depth.
///
/// Luma is 0.2126 R + 0.7152 G + 0.0722 B, not rounded, so with the customary threshold 0 every pixel that is not
/// black is part of the defect. [`MaskFile::grey_pixels`] counts the pixels that are neither black nor white.
///
/// # Errors
/// [`ReadError`] as for [`read_photo`].
pub fn read_mask(path: impl AsRef<Path>, threshold: f32) -> Result<MaskFile, ReadError> {
    let path = path.as_ref();
    match &read_photo(path)? {
        Photo::U8(pixels) => Ok(binarise(pixels, f64::from, threshold)),
        Photo::U16(pixels) => Ok(binarise(pixels, |v| f64::from(v) / 257.0, threshold)),
        Photo::F32(_) => {
            let pixel = "floats, which have no scale of black and white, in a mask".to_owned();
            Err(ReadError::UnsupportedPixel { path: path.into(), pixel })
        }
    }
}

/// Reads a mask of class ids: the 8-bit grey values as they are, height x width.
///
/// # Errors
/// [`ReadError`] as for [`read_photo`]; [`ReadError::UnsupportedPixel`] when the image is not 8-bit grey.
pub fn read_class_ids(path: impl AsRef<Path>) -> Result<Array2<u8>, ReadError> {
    let path = path.as_ref();
    match read_photo(path)? {
        Photo::U8(pixels) if pixels.dim().2 == 1 => Ok(pixels.remove_axis(ndarray::Axis(2))),
        other => {
            let pixel = format!("{} channels of {} bits, where class ids need one of 8", other.dim().2, other.bits());
            Err(ReadError::UnsupportedPixel { path: path.into(), pixel })
        }
    }
}

fn binarise<T: Copy>(pixels: &Array3<T>, level: impl Fn(T) -> f64, threshold: f32) -> MaskFile {
    let (height, width, channels) = pixels.dim();
    let threshold = f64::from(threshold);
    let mut grey_pixels = 0;
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
        grey_pixels += usize::from(!black && !white);
        luma > threshold
    });
    MaskFile { mask, grey_pixels }
}
