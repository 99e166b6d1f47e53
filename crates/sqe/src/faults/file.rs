//! Saving and loading of estimators of faults.

use std::path::Path;

use frozen_backbone::model_file::{ModelFile, ModelParts, ModelTensor};

use super::estimator::{HIDDEN, Layer, OUTPUTS};
use super::{Fault, FaultEstimator, LocalStatistics};
use crate::error::Error;

/// Version of the format, in the metadata of every file.
const FORMAT: &str = "sqe-faults-1";
/// Largest weight or bias that is read: sums of such are finite.
const LARGEST: f32 = 1e6;
/// The estimator that ships with this crate, see `weights/ORIGIN.md`.
const PRETRAINED: &[u8] = include_bytes!("../../weights/faults.safetensors");

/// Names of the faults, in the order of the outputs.
fn names() -> String {
    Fault::ALL.map(Fault::name).join(" ")
}

impl FaultEstimator {
    /// Writes the estimator. The file is complete or not there at all.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let vector = |values: &[f32]| ModelTensor::vector(values);
        let biases = |layer: &Layer| ModelTensor::vector(&layer.1.to_vec());
        let tensors = vec![
            ("mean".to_owned(), vector(&self.mean)),
            ("scale".to_owned(), vector(&self.scale)),
            ("hidden.weight".to_owned(), ModelTensor::matrix(self.hidden.0.view())),
            ("hidden.bias".to_owned(), biases(&self.hidden)),
            ("output.weight".to_owned(), ModelTensor::matrix(self.output.0.view())),
            ("output.bias".to_owned(), biases(&self.output)),
        ];
        Ok(ModelParts::new(FORMAT, tensors).with_field("faults", names()).write(path)?)
    }

    /// Reads an estimator that [`Self::save`] wrote.
    ///
    /// # Errors
    /// [`Error::File`] if it is unreadable, not whole, or of another version of the format.
    pub fn load(path: &Path) -> Result<Self, Error> {
        Self::read(ModelFile::read(path)?)
    }

    /// Reads the estimator that ships with this crate: trained on 44 photographs of cardboard, circuit boards, felt,
    /// leather, objects, paper, rugs and wood, with every fault but [`Fault::OffObject`], for they show no background.
    ///
    /// ```
    /// use ndarray::{Array2, Array3};
    /// use sqe::FaultEstimator;
    ///
    /// let image = Array3::from_shape_fn((64, 64, 3), |(y, x, _)| 0.4 + ((y * 7 + x * 3) % 11) as f32 / 50.0);
    /// let mask = Array2::from_shape_fn((64, 64), |(y, x)| (20..40).contains(&y) && (20..40).contains(&x));
    /// let found = FaultEstimator::pretrained()?.diagnose(image.view(), mask.view())?;
    /// assert!(found.quality > 0.0 && found.quality < 1.0);
    /// # Ok::<(), sqe::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::File`] only if the embedded file is damaged.
    pub fn pretrained() -> Result<Self, Error> {
        Self::from_bytes(Path::new("faults.safetensors"), PRETRAINED)
    }

    /// Content of the file of [`Self::pretrained`], such as to record its hash or to write it elsewhere.
    #[must_use]
    pub fn pretrained_bytes() -> &'static [u8] {
        PRETRAINED
    }

    /// Reads an estimator from the content of its file; errors name `path`.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        Self::read(ModelFile::from_bytes(path, bytes)?)
    }

    fn read(mut file: ModelFile) -> Result<Self, Error> {
        file.expect("format", FORMAT)?;
        file.expect("faults", &names())?;
        let mut values = |name: &str, expected: usize| -> Result<Vec<f32>, Error> {
            let values: Vec<f32> = file.vector(name)?;
            if values.len() == expected { Ok(values) } else { Err(file.damaged(name).into()) }
        };
        let (mean, scale) = (values("mean", LocalStatistics::LEN)?, values("scale", LocalStatistics::LEN)?);
        let biases = [values("hidden.bias", HIDDEN)?, values("output.bias", OUTPUTS)?];
        let mut weights = |name: &str, shape: (usize, usize)| -> Result<_, Error> {
            let values = file.matrix(name)?;
            if values.dim() == shape { Ok(values) } else { Err(file.damaged(name).into()) }
        };
        let weights =
            [weights("hidden.weight", (LocalStatistics::LEN, HIDDEN))?, weights("output.weight", (HIDDEN, OUTPUTS))?];
        if let Some(&bad) = scale.iter().find(|s| **s <= 0.0) {
            return Err(file.out_of_range("scale", bad, "positive").into());
        }
        let mut all = weights.iter().flatten().chain(biases.iter().flatten());
        if let Some(&bad) = all.find(|v| v.abs() > LARGEST) {
            return Err(file.out_of_range("weight or bias", bad, "in [-1e6, 1e6]").into());
        }
        let ([hidden, output], [hidden_bias, output_bias]) = (weights, biases);
        Ok(Self { mean, scale, hidden: (hidden, hidden_bias.into()), output: (output, output_bias.into()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::{FaultParams, FaultSet, SpoiledDefect};
    use frozen_backbone::model_file::ModelFileError;

    fn trained() -> FaultEstimator {
        let row = |shift: f32| LocalStatistics((0..LocalStatistics::LEN).map(|i| (i % 7) as f32 + shift).collect());
        let set = |i: usize| FaultSet {
            photo: i,
            clean: row(0.1 * i as f32),
            visibility: 1.0 + i as f64,
            area: 0.01,
            at_gains: vec![row(0.1 * i as f32)],
            spoiled: vec![SpoiledDefect { fault: Fault::Seam, strength: 1.0, statistics: row(2.0) }],
        };
        let sets: Vec<FaultSet> = (0..4).map(set).collect();
        FaultEstimator::learn(&sets, &FaultParams::default().with_epochs(2)).unwrap().0
    }

    #[test]
    fn what_is_saved_is_loaded_and_what_is_damaged_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("faults.safetensors");
        let estimator = trained();
        estimator.save(&path).unwrap();
        assert_eq!(FaultEstimator::load(&path).unwrap(), estimator);
        let bytes = std::fs::read(&path).unwrap();
        for length in [0, 7, 100, bytes.len() - 1] {
            let cut = FaultEstimator::from_bytes(&path, &bytes[..length]);
            assert!(matches!(cut, Err(Error::File(ModelFileError::Damaged { .. }))), "{length}");
        }
        ModelParts::new("sqe-1", Vec::new()).write(&path).unwrap();
        let other = FaultEstimator::load(&path).unwrap_err();
        assert!(matches!(other, Error::File(ModelFileError::Mismatch { field: "format", .. })), "{other}");
        ModelParts::new(FORMAT, Vec::new()).with_field("faults", names()).write(&path).unwrap();
        assert!(matches!(FaultEstimator::load(&path), Err(Error::File(ModelFileError::Damaged { .. }))));
        let mut huge = estimator.clone();
        huge.output.0[[3, 1]] = -1e7;
        let flat = FaultEstimator { scale: vec![0.0; LocalStatistics::LEN], ..estimator };
        for bad in [huge, flat] {
            bad.save(&path).unwrap();
            assert!(matches!(FaultEstimator::load(&path), Err(Error::File(ModelFileError::Range { .. }))));
        }
    }
}
