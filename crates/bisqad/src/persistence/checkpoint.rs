//! Files of interrupted training runs.

use std::path::Path;

use frozen_backbone::model_file::{ModelFile, ModelParts, ModelTensor};

use crate::error::Error;
use crate::training::adam::Adam;
use crate::training::checkpoint::Checkpoint;
use crate::training::report::RoundReport;

const CHECKPOINT: &str = "bisqad-checkpoint-3";

impl Checkpoint {
    /// Saves the state. `run` names what it belongs to (data, parameters).
    ///
    /// # Errors
    /// [`Error::File`] if the path cannot be written.
    pub fn save(&self, path: &Path, run: &str) -> Result<(), Error> {
        let rounds: Vec<f64> = self.rounds.iter().flat_map(RoundReport::numbers).collect();
        let adam = |a: &Adam| ModelTensor::vector(&[a.learning_rate, a.weight_decay, a.step as f64]);
        let tensors = vec![
            ("theta".to_owned(), ModelTensor::vector(&self.theta)),
            ("theta.adam".to_owned(), adam(&self.theta_adam)),
            ("theta.first".to_owned(), ModelTensor::vector(&self.theta_adam.first)),
            ("theta.second".to_owned(), ModelTensor::vector(&self.theta_adam.second)),
            ("quality".to_owned(), ModelTensor::vector(&self.quality)),
            ("quality.adam".to_owned(), adam(&self.quality_adam)),
            ("quality.first".to_owned(), ModelTensor::vector(&self.quality_adam.first)),
            ("quality.second".to_owned(), ModelTensor::vector(&self.quality_adam.second)),
            ("rounds".to_owned(), ModelTensor::vector(&rounds)),
        ];
        Ok(ModelParts::new(CHECKPOINT, tensors).with_field("run", run).write(path)?)
    }

    /// Loads a state that was saved for the same `run`.
    ///
    /// # Errors
    /// [`Error::File`] if it is unreadable or not whole, or belongs to another run.
    pub fn load(path: &Path, run: &str) -> Result<Self, Error> {
        let mut file = ModelFile::read(path)?;
        file.expect("format", CHECKPOINT)?;
        file.expect("run", run)?;
        let mut adam = |name: &str| -> Result<Adam, Error> {
            let numbers: Vec<f64> = file.vector(&format!("{name}.adam"))?;
            let &[learning_rate, weight_decay, step] = numbers.as_slice() else {
                return Err(file.damaged(name).into());
            };
            let first: Vec<f64> = file.vector(&format!("{name}.first"))?;
            let second: Vec<f64> = file.vector(&format!("{name}.second"))?;
            if first.len() != second.len() {
                return Err(file.damaged(name).into());
            }
            Ok(Adam { learning_rate, weight_decay, step: step as u64, first, second })
        };
        let (theta_adam, quality_adam) = (adam("theta")?, adam("quality")?);
        let rounds: Vec<f64> = file.vector("rounds")?;
        let rounds = RoundReport::read_all(&rounds).ok_or_else(|| file.damaged("rounds"))?;
        let (theta, quality): (Vec<f64>, Vec<f64>) = (file.vector("theta")?, file.vector("quality")?);
        if theta.len() != theta_adam.first.len() || quality.len() != quality_adam.first.len() {
            return Err(file.damaged("theta.first").into());
        }
        Ok(Self { theta, theta_adam, quality, quality_adam, rounds })
    }
}
