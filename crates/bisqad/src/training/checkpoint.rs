//! The state of a training run between two rounds.

use crate::training::adam::Adam;
use crate::training::report::RoundReport;

/// State of a training run after a round, from which it can be resumed to the same bits.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    pub(crate) theta: Vec<f64>,
    pub(crate) theta_adam: Adam,
    pub(crate) quality: Vec<f64>,
    pub(crate) quality_adam: Adam,
    pub(crate) rounds: Vec<RoundReport>,
}

impl Checkpoint {
    /// Number of finished rounds.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.rounds.len()
    }
}
