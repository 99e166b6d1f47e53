//! Contact sheets as JPEG files: photographs are much smaller so.

use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use maphc2f::Sheet;
use maphc2f::imgkit::file::write_atomic;

use crate::program::Result;

/// Writes a sheet as JPEG of quality 88.
///
/// # Errors
/// If the sheet cannot be drawn or the file not be written.
pub fn save_jpeg(sheet: &Sheet, path: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lossless = folder.path().join("sheet.png");
    sheet.save(&lossless)?;
    let picture = image::open(&lossless)?.to_rgb8();
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 88).encode_image(&picture)?;
    Ok(write_atomic(path, &jpeg)?)
}
