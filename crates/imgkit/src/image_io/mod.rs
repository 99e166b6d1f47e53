//! Photographs and ground-truth masks from PNG, JPEG, BMP and TIFF files, at the depth they were stored in.
//!
//! The format is recognized by the file's content, not by its name. Formats whose feature is off are not recognized.

mod decode;
#[cfg(feature = "png")]
mod encode;
mod error;
#[cfg(feature = "image")]
mod from_image;
mod mask;
mod photo;
#[cfg(feature = "tiff")]
pub mod tiff;

pub use decode::{decode_photo, read_photo, read_size};
#[cfg(feature = "png")]
pub use encode::write_png;
pub use error::{ReadError, UnsupportedPixel};
pub use mask::{MaskFile, MaskRule, read_class_ids, read_mask};
pub use photo::Photo;
