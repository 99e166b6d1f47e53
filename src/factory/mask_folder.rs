//! Masks of photos, read and resized for the factory.

use std::path::Path;

use imgkit::file::escaped;
use imgkit::image_io::{MaskRule, decode_mask, read_bytes};
use imgkit::resize::resize_map;
use ndarray::Array2;

use super::files::Hash;
pub(super) use crate::mask_folder::MaskFolder;
use crate::photo::square_kernel;

impl MaskFolder {
    /// The mask of a photo of `size` as it lies in the file, resized to `to`, and its file. A mask is never the photo
    /// itself.
    pub(super) fn read(
        &self,
        photo: &Path,
        hash: &str,
        size: (usize, usize),
        to: (usize, usize),
    ) -> Result<GivenMask, String> {
        let Some(file) = self.of(photo) else {
            let stem = escaped(photo.file_stem().unwrap_or_default());
            let name = escaped(self.path.join(format!("{stem}_mask.png")));
            return Err(format!("{name}: no such mask, nor {stem}.png; add it"));
        };
        let name = escaped(file);
        let bytes = read_bytes(file).map_err(|e| e.to_string())?;
        let own = Hash::of(&bytes);
        if own == hash {
            return Err(format!(
                "{name}: the photo itself, where its mask should be; save the mask as <photo>_mask.png"
            ));
        }
        let mask = decode_mask(&bytes, file, MaskRule::NonZero).map_err(|e| e.to_string())?.mask;
        if mask.dim() != size {
            let ((h, w), (ph, pw)) = (mask.dim(), size);
            return Err(format!("{name}: mask of {w}x{h} for a photo of {pw}x{ph}; save it at the photo's size"));
        }
        let mask = if size == to {
            mask
        } else {
            let gray = resize_map(mask.mapv(f32::from).view(), to, square_kernel(size, to.0));
            gray.map_err(|e| e.to_string())?.mapv(|v| v >= 0.5)
        };
        Ok(GivenMask { mask, name, hash: own })
    }
}

/// A mask that was given with a photo.
pub(super) struct GivenMask {
    pub(super) mask: Array2<bool>,
    /// Its file, for messages.
    pub(super) name: String,
    /// SHA-256 of the file.
    pub(super) hash: String,
}
