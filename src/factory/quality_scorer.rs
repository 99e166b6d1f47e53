//! A quality estimator with its backbone, by which a run may choose its samples.

use std::path::Path;

use frozen_backbone::EfficientNetLite0;
use ndarray::{ArrayView2, ArrayView3};
use sqe::{QualityFeatures, Sqe};

use super::error::Error;

/// A trained estimator with its backbone.
#[derive(Debug)]
pub struct QualityScorer {
    backbone: EfficientNetLite0,
    estimator: Sqe,
    hash: String,
}

impl QualityScorer {
    /// Reads an estimator that [`Sqe::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Pipeline`] if the file is not one, or one of another backbone; [`Error::Input`] if it cannot be read.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let backbone = EfficientNetLite0::pretrained().map_err(crate::Error::from)?;
        let estimator = Sqe::load(path, &backbone).map_err(crate::Error::from)?;
        let hash =
            super::files::Hash::of_file(path).map_err(|source| Error::Input { path: path.to_owned(), source })?;
        Ok(Self { backbone, estimator, hash })
    }

    /// SHA-256 of the estimator's file.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Quality in (0, 1) of an image `(H, W, C)` in \[0, 1\] with its mask `(H, W)`.
    ///
    /// # Errors
    /// [`crate::Error::Quality`].
    pub fn quality(&self, image: ArrayView3<'_, f32>, mask: ArrayView2<'_, bool>) -> Result<f64, crate::Error> {
        let evidence = QualityFeatures::extract(&self.backbone, image, mask)?;
        Ok(self.estimator.score(&[&evidence])?.first().copied().unwrap_or_default())
    }
}
