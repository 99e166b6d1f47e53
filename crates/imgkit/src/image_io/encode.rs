//! Encoding of image files.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use image::{ImageFormat, RgbImage};

use crate::file::{WriteError, write_atomic_with};

/// Writes an image as PNG by way of a temporary file, as [`write_atomic`](crate::file::write_atomic) does.
///
/// # Errors
/// [`WriteError`] when the file cannot be written or the image is empty.
pub fn write_png(path: impl AsRef<Path>, image: &RgbImage) -> Result<(), WriteError> {
    write_atomic_with(path, |file| {
        let mut file = BufWriter::new(file);
        image.write_to(&mut file, ImageFormat::Png).map_err(io::Error::other)?;
        file.flush()
    })
}
