//! The state of an interrupted training.

use std::path::Path;

use super::{File, Parts, vector};
use crate::error::Error;
use crate::training::adam::Adam;
use crate::training::checkpoint::Checkpoint;
use crate::training::report::RoundReport;

const CHECKPOINT: &str = "bisqad-checkpoint-3";

impl Checkpoint {
    /// Writes the state after the last finished round. `run` names what it belongs to (data, parameters).
    ///
    /// # Errors
    /// [`Error::File`] if the path cannot be written.
    pub fn save(&self, path: &Path, run: &str) -> Result<(), Error> {
        let rounds: Vec<f64> = self.rounds.iter().flat_map(RoundReport::numbers).collect();
        let adam = |a: &Adam| vector(vec![a.learning_rate, a.weight_decay, a.step as f64]);
        let tensors = vec![
            ("theta".to_owned(), vector(self.theta.clone())?),
            ("theta.adam".to_owned(), adam(&self.theta_adam)?),
            ("theta.first".to_owned(), vector(self.theta_adam.first.clone())?),
            ("theta.second".to_owned(), vector(self.theta_adam.second.clone())?),
            ("quality".to_owned(), vector(self.quality.clone())?),
            ("quality.adam".to_owned(), adam(&self.quality_adam)?),
            ("quality.first".to_owned(), vector(self.quality_adam.first.clone())?),
            ("quality.second".to_owned(), vector(self.quality_adam.second.clone())?),
            ("rounds".to_owned(), vector(rounds)?),
        ];
        Parts::new(CHECKPOINT, tensors).with("run", run.to_owned()).write(path)
    }

    /// Reads a state that was saved for the same `run`.
    ///
    /// # Errors
    /// [`Error::File`] if unreadable or damaged, [`Error::Mismatch`] if it belongs to another run.
    pub fn load(path: &Path, run: &str) -> Result<Self, Error> {
        let mut file = File::read(path)?;
        file.expect("format", CHECKPOINT)?;
        file.expect("run", run)?;
        let mut adam = |name: &str| -> Result<Adam, Error> {
            let numbers: Vec<f64> = file.vector(&format!("{name}.adam"))?;
            let &[learning_rate, weight_decay, step] = numbers.as_slice() else { return Err(file.damaged(name)) };
            let (first, second) = (file.vector(&format!("{name}.first"))?, file.vector(&format!("{name}.second"))?);
            Ok(Adam { learning_rate, weight_decay, step: step as u64, first, second })
        };
        let (theta_adam, quality_adam) = (adam("theta")?, adam("quality")?);
        let rounds: Vec<f64> = file.vector("rounds")?;
        let rounds = RoundReport::read_all(&rounds).ok_or_else(|| file.damaged("rounds"))?;
        Ok(Self { theta: file.vector("theta")?, theta_adam, quality: file.vector("quality")?, quality_adam, rounds })
    }
}
