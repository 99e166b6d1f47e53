//! Photographs and ground-truth masks from PNG, JPEG, BMP and TIFF files, at the depth they were stored in.
//!
//! The format is recognized by the file's content, not by its name. Formats whose feature is off are not recognized.
//! Images are turned upright as their files say. Which files of a folder are photos is one rule, [`file_kind`].

#[cfg_attr(not(any(feature = "image", feature = "tiff")), allow(dead_code))] // nothing is decoded
mod decode;
#[cfg(feature = "png")]
mod encode;
mod error;
#[cfg(feature = "image")]
mod from_image;
#[cfg(feature = "image")]
mod jpeg_scan;
mod listing;
mod mask;
#[cfg_attr(not(any(feature = "image", feature = "tiff")), allow(dead_code))] // nothing is decoded
mod notes;
#[cfg_attr(not(any(feature = "image", feature = "tiff")), allow(dead_code))] // nothing is decoded
mod orientation;
mod photo;
#[cfg(feature = "image")]
mod raster;
#[cfg(feature = "tiff")]
pub mod tiff;

pub use decode::{
    MAX_PIXELS, PhotoFile, decode_photo, decode_photo_file, decode_size, read_bytes, read_photo, read_photo_file,
    read_size,
};
#[cfg(feature = "png")]
pub use encode::write_png;
pub use error::{ReadError, UnsupportedPixel};
pub use listing::{ENDINGS, FileKind, ImageList, NotRead, file_kind, list_images};
pub use mask::{MaskFile, MaskRule, decode_mask, read_class_ids, read_mask};
pub use notes::Note;
pub use photo::Photo;
