//! The `Sample`: the paths of one image and its mask, and reading them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use imgkit::image_io::{MaskFile, MaskRule, Photo, ReadError, read_class_ids, read_mask, read_photo, read_size};
use ndarray::Array2;

use super::error::DatasetError;

/// One image of a dataset with its ground truth. Holds paths only: nothing is decoded until asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    id: String,
    image: PathBuf,
    mask: Option<PathBuf>,
    kind: Option<String>,
    has_class_ids: bool,
}

impl Sample {
    /// Creates a sample. `id` is the path of the image relative to the root of the dataset, with `/`; `kind` is the
    /// kind of defect and `None` for a good image.
    #[must_use]
    pub fn new(id: String, image: PathBuf, mask: Option<PathBuf>, kind: Option<String>) -> Self {
        Self { id, image, mask, kind, has_class_ids: false }
    }

    /// Declares that the mask holds class ids instead of black and white.
    #[must_use]
    pub fn with_class_ids(self) -> Self {
        Self { has_class_ids: true, ..self }
    }

    pub(crate) fn with_kind(self, kind: String) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// Path of the image relative to the root of the dataset, with `/` on every platform.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Path of the image file.
    #[must_use]
    pub fn image_path(&self) -> &Path {
        &self.image
    }

    /// Path of the mask file, where there is one.
    #[must_use]
    pub fn mask_path(&self) -> Option<&Path> {
        self.mask.as_deref()
    }

    /// Kind of defect, or `None` for a good image.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// Whether the image shows a defect.
    #[must_use]
    pub fn is_anomalous(&self) -> bool {
        self.kind.is_some()
    }

    /// Decodes the image.
    ///
    /// # Errors
    /// As [`read_photo`].
    pub fn read_image(&self) -> Result<Photo, ReadError> {
        read_photo(&self.image)
    }

    /// Decodes the mask by the given rule, or makes an all-`false` one of the image's size.
    ///
    /// # Errors
    /// [`DatasetError::Read`] as [`read_mask`]; [`DatasetError::NoMask`] for an anomalous image without a mask file.
    /// For a good image without a mask file, the image's header is read and must be readable.
    pub fn read_mask(&self, rule: MaskRule) -> Result<MaskFile, DatasetError> {
        if let Some(path) = &self.mask {
            let read = read_mask(path, rule)?;
            // Ids are no gray levels: nothing to warn of.
            return Ok(if self.has_class_ids { MaskFile::new(read.mask) } else { read });
        }
        if self.is_anomalous() {
            return Err(DatasetError::NoMask { image: self.image.clone() });
        }
        let size = read_size(&self.image)?;
        Ok(MaskFile::new(Array2::from_elem((size.height, size.width), false)))
    }
}

/// Reads the class ids of a sample's mask: ascending, without the background's 0; empty where the mask holds no ids.
///
/// # Errors
/// As [`read_class_ids`].
pub fn class_ids(sample: &Sample) -> Result<Vec<u8>, ReadError> {
    let Some(path) = sample.mask_path().filter(|_| sample.has_class_ids) else { return Ok(Vec::new()) };
    let ids: BTreeSet<u8> = read_class_ids(path)?.iter().copied().filter(|&id| id != 0).collect();
    Ok(ids.into_iter().collect())
}
