//! What can go wrong.

use std::path::PathBuf;

use crate::training::anomaly_source::SourceError;

/// Every failure of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter is out of range.
    #[error("parameter `{name}` is {value}, but must be {expected}")]
    Parameter {
        /// Field name.
        name: &'static str,
        /// Offending value.
        value: f64,
        /// Range in words.
        expected: &'static str,
    },
    /// Too few normal images to hold some out.
    #[error("{found} normal images, but at least {needed} are needed: some are held out to steer and to calibrate")]
    TooFewNormals {
        /// Images given.
        found: usize,
        /// Images needed.
        needed: usize,
    },
    /// The source of anomalies failed.
    #[error("the anomaly source failed for mechanism {mechanism}, sample {index}")]
    Source {
        /// Mechanism number.
        mechanism: usize,
        /// Sample number.
        index: u64,
        /// Error of the source's last try.
        source: SourceError,
    },
    /// Lengths that must agree do not.
    #[error("{what} has {found} entries, expected {expected}")]
    Length {
        /// Which array.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The required length.
        expected: usize,
    },
    /// The optimisation left the finite numbers.
    #[error("{what} is not finite at step {step}: lower the learning rate")]
    Diverged {
        /// Which quantity.
        what: &'static str,
        /// Step number.
        step: usize,
    },
    /// No real defect was given to steer by.
    #[error("the meta set holds no real defect: give at least one, or use the held-out mechanism")]
    EmptyFewShotSet,
    /// A real defect cannot steer.
    #[error("real defect `{name}`: {reason}")]
    UnusableDefect {
        /// Its name.
        name: String,
        /// Why, and what to do.
        reason: String,
    },
    /// A real defect that steers is also trained or tested on.
    #[error("real defect `{name}` steers the training and is also {place}: leave it out of one of them")]
    TestLeak {
        /// Its name.
        name: String,
        /// Where else it is.
        place: String,
    },
    /// Every weight is zero.
    #[error("all weights are zero at step {step}: lower the quality learning rate or raise the crowding penalty")]
    ZeroWeights {
        /// Step number.
        step: usize,
    },
    /// The upper level failed.
    #[error("upper level at step {step}")]
    Upper {
        /// Step number.
        step: usize,
        /// Cause.
        source: bilevel::Error,
    },
    /// The observer asked to stop.
    #[error("stopped on request after round {rounds}: continue from the last checkpoint")]
    Stopped {
        /// Finished rounds.
        rounds: usize,
    },
    /// A file does not belong here.
    #[error("{}: {field} is `{found}`, expected `{expected}`: it was saved by another detector", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// Which metadata field.
        field: &'static str,
        /// What it says.
        found: String,
        /// What it should say.
        expected: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// A detector has no file form.
    #[error("a detector called `{detector}` cannot be saved: only those of this crate can, alone or in each other")]
    Unsaved {
        /// Its name.
        detector: &'static str,
    },
    /// The backbone refused an image.
    #[error(transparent)]
    Backbone(#[from] frozen_backbone::Error),
    /// The quality estimator refused a sample.
    #[error(transparent)]
    Quality(#[from] sqe::Error),
    /// A tensor operation failed.
    #[error("network: {0}")]
    Network(#[from] candle_core::Error),
}
