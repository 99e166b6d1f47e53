//! The quality estimator by which a run chooses its samples, and by which a finished one is rated.

use std::collections::BTreeMap;
use std::path::Path;

use frozen_backbone::model_file::ModelFileError;
use imgkit::image_io::read_bytes;
use ndarray::{ArrayView2, ArrayView3};
use sqe::{Diagnosis, Fault, FaultEstimator};

use super::error::Error;
use super::files::Hash;

/// Estimator of quality and faults ([`FaultEstimator`]) with the hash of its file.
#[derive(Debug, Clone)]
pub struct QualityScorer {
    estimator: FaultEstimator,
    hash: String,
}

impl QualityScorer {
    /// Reads the estimator that ships with the crate `sqe` ([`FaultEstimator::pretrained`]), trained on photographs of
    /// other products: faults are much the same on any.
    ///
    /// # Errors
    /// [`Error::Pipeline`] only if the embedded file is damaged.
    pub fn pretrained() -> Result<Self, Error> {
        let estimator = FaultEstimator::pretrained().map_err(crate::Error::from)?;
        Ok(Self { estimator, hash: Hash::of(FaultEstimator::pretrained_bytes()) })
    }

    /// Reads an estimator that [`FaultEstimator::save`] or `maphc2f train` wrote.
    ///
    /// # Errors
    /// [`Error::OldEstimator`] for a file of [`sqe::Sqe`], which `train` wrote before; [`Error::Pipeline`] if it is
    /// another file or cannot be read.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let bytes = read_bytes(path).map_err(crate::Error::from)?;
        match FaultEstimator::from_bytes(path, &bytes) {
            Ok(estimator) => Ok(Self { estimator, hash: Hash::of(&bytes) }),
            Err(sqe::Error::File(ModelFileError::Mismatch { field: "format", found, .. })) if found == OF_FEATURES => {
                Err(Error::OldEstimator { path: path.to_owned() })
            }
            Err(e) => Err(crate::Error::from(e).into()),
        }
    }

    /// SHA-256 of the estimator's file.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Quality and faults of the defect that `mask` `(H, W)` marks in `image` `(H, W, C)` in \[0, 1\].
    ///
    /// # Errors
    /// [`crate::Error::Quality`].
    pub fn diagnose(&self, image: ArrayView3<'_, f32>, mask: ArrayView2<'_, bool>) -> Result<Diagnosis, crate::Error> {
        Ok(self.estimator.diagnose(image, mask)?)
    }
}

/// Format of the files of [`sqe::Sqe`].
const OF_FEATURES: &str = "sqe-1";

/// Probability of each fault by its name, as manifests have it.
pub(super) fn by_name(found: &Diagnosis) -> BTreeMap<String, f64> {
    Fault::ALL.iter().map(|fault| fault.name().to_owned()).zip(found.faults).collect()
}
