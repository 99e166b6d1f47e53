//! The trait of detectors that have a file.

use std::path::Path;

use frozen_backbone::model_file::ModelParts;

use crate::error::Error;

/// Detector that can be saved to a file.
pub trait Persist {
    /// Collects what the file of this detector holds.
    ///
    /// # Errors
    /// [`Error::Unsaved`] if it holds a detector that cannot be saved.
    fn parts(&self) -> Result<ModelParts, Error>;

    /// Writes everything that [`load`](crate::load) needs into one safetensors file, complete or not at all. Backbones
    /// are named, not stored.
    ///
    /// # Errors
    /// [`Error::File`] if the path cannot be written, and those of [`Self::parts`].
    fn save(&self, path: &Path) -> Result<(), Error> {
        Ok(self.parts()?.write(path)?)
    }
}
