//! The `Sample`: the paths of one image and its mask, and reading them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use imgkit::image_io::{MaskFile, MaskRule, Photo, ReadError, read_class_ids, read_mask, read_photo, read_size};
use ndarray::Array2;
use thiserror::Error;

/// One image of a dataset, with its ground truth. Holds paths only: nothing is decoded until asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    id: String,
    image: PathBuf,
    mask: Option<PathBuf>,
    kind: Option<String>,
    has_class_ids: bool,
}

impl Sample {
    /// A sample. `id` is the image's path relative to the dataset's root, with `/`; `kind` is `None` for a good image.
    #[must_use]
    pub fn new(id: String, image: PathBuf, mask: Option<PathBuf>, kind: Option<String>) -> Self {
        Self { id, image, mask, kind, has_class_ids: false }
    }

    /// The sample, whose mask holds class ids instead of black and white.
    #[must_use]
    pub fn with_class_ids(self) -> Self {
        Self { has_class_ids: true, ..self }
    }

    pub(crate) fn with_kind(self, kind: String) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// The image's path relative to the dataset's root, with `/` on every platform.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The image file.
    #[must_use]
    pub fn image_path(&self) -> &Path {
        &self.image
    }

    /// The mask file, where there is one.
    #[must_use]
    pub fn mask_path(&self) -> Option<&Path> {
        self.mask.as_deref()
    }

    /// The kind of defect, or `None` for a good image.
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
    /// [`SampleError::Read`] as [`read_mask`]; [`SampleError::NoMask`] for an anomalous image without a mask file. For a
    /// good image without a mask file, the image's header is read and must be readable.
    pub fn read_mask(&self, rule: MaskRule) -> Result<MaskFile, SampleError> {
        if let Some(path) = &self.mask {
            let read = read_mask(path, rule)?;
            // Ids are no grey levels: nothing to warn of.
            return Ok(if self.has_class_ids { MaskFile::new(read.mask) } else { read });
        }
        if self.is_anomalous() {
            return Err(SampleError::NoMask { image: self.image.clone() });
        }
        let size = read_size(&self.image)?;
        Ok(MaskFile::new(Array2::from_elem((size.height, size.width), false)))
    }
}

/// The ground truth of a sample cannot be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SampleError {
    /// The image shows a defect and the dataset has no mask for it.
    #[error("{}: no mask of its defect; use image figures only, or add the mask", .image.display())]
    NoMask {
        /// The image.
        image: PathBuf,
    },
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// The class ids of a sample whose mask holds them, ascending and without the background's 0; empty for other samples.
///
/// # Errors
/// As [`read_class_ids`].
pub fn class_ids(sample: &Sample) -> Result<Vec<u8>, ReadError> {
    let Some(path) = sample.mask_path().filter(|_| sample.has_class_ids) else { return Ok(Vec::new()) };
    let ids: BTreeSet<u8> = read_class_ids(path)?.iter().copied().filter(|&id| id != 0).collect();
    Ok(ids.into_iter().collect())
}
