//! Files of interrupted training runs.

use std::path::Path;

use frozen_backbone::model_file::{ModelFile, ModelParts, ModelTensor};

use crate::error::Error;
use crate::training::adam::Adam;
use crate::training::checkpoint::Checkpoint;
use crate::training::report::RoundReport;

const CHECKPOINT: &str = "bisqad-checkpoint-4";

impl Checkpoint {
    /// Saves the state. `run` names what it belongs to, in lines: parameters, and the contents of the data.
    ///
    /// # Errors
    /// [`Error::File`] if the path cannot be written or a number of the state is not finite.
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
    /// [`Error::File`] if it is unreadable or not whole, [`Error::OtherRun`] with the first line that differs if it
    /// belongs to another run.
    pub fn load(path: &Path, run: &str) -> Result<Self, Error> {
        let mut file = ModelFile::read(path)?;
        file.expect("format", CHECKPOINT)?;
        if let Some((found, expected)) = first_difference(file.field("run"), run) {
            return Err(Error::OtherRun {
                path: path.to_owned(),
                found: found.to_owned(),
                expected: expected.to_owned(),
            });
        }
        let mut adam = |name: &str| -> Result<Adam, Error> {
            let tensor = format!("{name}.adam");
            let numbers: Vec<f64> = file.vector(&tensor)?;
            let &[learning_rate, weight_decay, step] = numbers.as_slice() else {
                return Err(file.damaged(&tensor).into());
            };
            for rate in [learning_rate, weight_decay] {
                file.ensure(rate >= 0.0, &tensor, rate, "at least 0 where it is a rate")?;
            }
            let step = file.whole(&tensor, step, 1 << 53, "a whole number of steps")? as u64;
            let first: Vec<f64> = file.vector(&format!("{name}.first"))?;
            let second: Vec<f64> = file.vector(&format!("{name}.second"))?;
            if first.len() != second.len() {
                return Err(file.damaged(&format!("{name}.second")).into());
            }
            if let Some(&moment) = second.iter().find(|m| **m < 0.0) {
                return Err(file.out_of_range(&format!("{name}.second"), moment, "at least 0").into());
            }
            Ok(Adam { learning_rate, weight_decay, step, first, second })
        };
        let (theta_adam, quality_adam) = (adam("theta")?, adam("quality")?);
        let rounds: Vec<f64> = file.vector("rounds")?;
        let rounds = RoundReport::read_all(&rounds).ok_or_else(|| file.damaged("rounds"))?;
        let (theta, quality): (Vec<f64>, Vec<f64>) = (file.vector("theta")?, file.vector("quality")?);
        for (name, values, moments) in
            [("theta", &theta, &theta_adam.first), ("quality", &quality, &quality_adam.first)]
        {
            if values.len() != moments.len() {
                return Err(file.damaged(name).into());
            }
            if let Some(&value) = values.iter().find(|v| v.abs() > f64::from(f32::MAX)) {
                return Err(file.out_of_range(name, value, "a 32-bit number").into());
            }
        }
        Ok(Self { theta, theta_adam, quality, quality_adam, rounds })
    }
}

/// The first lines of two texts that differ; "nothing" stands for a line that is not there.
fn first_difference<'a>(found: &'a str, expected: &'a str) -> Option<(&'a str, &'a str)> {
    let (mut found, mut expected) = (found.lines(), expected.lines());
    loop {
        match (found.next(), expected.next()) {
            (None, None) => return None,
            (a, b) if a == b => {}
            (a, b) => return Some((a.unwrap_or("nothing"), b.unwrap_or("nothing"))),
        }
    }
}
