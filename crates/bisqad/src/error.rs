//! The error type of the crate.
//!
//! Stable: the variants, their fields, and that `source()` gives the cause. The words of the messages may change.

use std::path::PathBuf;

use frozen_backbone::model_file::ModelFileError;
use imgkit::file::escaped;
use imgkit::{ParameterError, Size};

/// Boxed cause of an error, of a type that is not part of the stable interface.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Failure of fitting, prediction, saving or loading.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter is out of range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// There are too few normal images to hold some out.
    #[error(
        "{found} normal images, but at least {needed} are needed: some are held out for validation and calibration"
    )]
    TooFewNormals {
        /// Images given.
        found: usize,
        /// Images needed.
        needed: usize,
    },
    /// No candidate fits the budget.
    #[error(
        "{what} may be {allowed} {unit}, but the smallest candidate, at {side} px a side, needs about {needed:.0}: allow \
         more, or a smaller side"
    )]
    Budget {
        /// What is limited.
        what: &'static str,
        /// Its unit.
        unit: &'static str,
        /// Limit.
        allowed: f64,
        /// What the smallest candidate needs.
        needed: f64,
        /// Its shorter side, px.
        side: usize,
    },
    /// The source of anomalies failed repeatedly.
    #[error("the anomaly source failed for mechanism {mechanism}, sample {index}")]
    Source {
        /// Mechanism number.
        mechanism: usize,
        /// Sample number of the first try.
        index: u64,
        /// Error of the last try.
        source: Cause,
    },
    /// Lengths that must agree do not.
    #[error("{what} has {found} entries, expected {expected}")]
    Length {
        /// Array in question.
        what: &'static str,
        /// Its length.
        found: usize,
        /// Required length.
        expected: usize,
    },
    /// Two arrays that belong to one image differ in size.
    #[error("{what} is {found}, expected {expected}")]
    Shape {
        /// Array in question.
        what: &'static str,
        /// Size required.
        expected: Size,
        /// Size found.
        found: Size,
    },
    /// The optimization left the finite numbers.
    #[error("{what} is not finite at step {step}: lower the learning rate, or take another seed")]
    Diverged {
        /// Quantity in question.
        what: &'static str,
        /// Step number.
        step: usize,
    },
    /// Too few of the normal images differ from each other.
    #[error(
        "{found} normal images, but only {different} that differ from each other and are not of one color throughout, \
         and at least {needed} are needed: add photos of other pieces"
    )]
    TooFewDifferent {
        /// Images given.
        found: usize,
        /// Those that differ from all before them and hold two values at least.
        different: usize,
        /// Images needed.
        needed: usize,
    },
    /// The normal images leave no variation to measure deviations by.
    #[error("the normal images hardly differ at position {position} of the feature grid: add photos of other pieces")]
    Degenerate {
        /// Position, row by row over the grid.
        position: usize,
    },
    /// A score is NaN or infinite, so that it is neither good nor anomalous.
    #[error(
        "{detector} gives a score of {value}, which is neither good nor anomalous: its file may be damaged, train it \
         again"
    )]
    NotFinite {
        /// Name of the detector.
        detector: &'static str,
        /// The score.
        value: f64,
    },
    /// A detector holds no scores of held-out normal images to choose a threshold from.
    #[error(
        "{detector} holds no scores of held-out good images: calibrate a threshold on some, or give one (--threshold)"
    )]
    NotCalibrated {
        /// Name of the detector.
        detector: &'static str,
    },
    /// A checkpoint belongs to another run.
    #[error(
        "{} belongs to another run: it was saved with `{found}`, this run has `{expected}`; restore what changed, or \
         train from the start (without --resume)",
        escaped(path)
    )]
    OtherRun {
        /// The checkpoint.
        path: PathBuf,
        /// First line of the run that differs, in the file.
        found: String,
        /// The same line of this run.
        expected: String,
    },
    /// No labeled defect was given.
    #[error("the few-shot set holds no defect: give at least one, or validate on the held-out mechanism")]
    EmptyFewShotSet,
    /// A labeled defect cannot be used.
    #[error("labeled defect `{name}`: {source}")]
    UnusableDefect {
        /// Its name.
        name: String,
        /// Cause.
        source: DefectError,
    },
    /// A labeled defect used for validation is also trained or tested on.
    #[error("labeled defect `{name}` is used for validation and is also {place}: leave it out of one of them")]
    TestLeak {
        /// Its name.
        name: String,
        /// The other place it occurs at.
        place: String,
    },
    /// Every sample weight is zero.
    #[error("all weights are zero at step {step}: lower the quality learning rate or raise the ESS penalty")]
    ZeroWeights {
        /// Step number.
        step: usize,
    },
    /// The gradient of the upper level could not be computed.
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
    /// A file cannot be read or written, is damaged, or belongs to another model.
    #[error(transparent)]
    File(#[from] ModelFileError),
    /// A normal image is to be added that is known, or removed that is not.
    #[error("{}", if *is_known {
        "the image is one of the normal images of the detector already: leave it out"
    } else {
        "the image is none of the normal images of the detector: give the file that it was trained on, at the same side"
    })]
    KnownNormal {
        /// Whether the detector knows it.
        is_known: bool,
    },
    /// A detector has no file format.
    #[error("a detector called `{detector}` cannot be saved: only those of this crate can, alone or in each other")]
    Unsaved {
        /// Its name.
        detector: &'static str,
    },
    /// The backbone rejected an image.
    #[error(transparent)]
    Backbone(#[from] frozen_backbone::Error),
    /// The quality estimator rejected a sample.
    #[error(transparent)]
    Quality(#[from] sqe::Error),
}

/// Reason why a labeled defect cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DefectError {
    /// Image and mask differ in size.
    #[error("its mask is {mask}, the image {image}: give the mask of this image")]
    MaskSize {
        /// Size of the mask.
        mask: Size,
        /// Size of the image.
        image: Size,
    },
    /// The mask marks no pixel.
    #[error("its mask marks no pixel: leave it out, or give its mask")]
    EmptyMask,
    /// The image holds NaN or infinite values.
    #[error("it holds values that are not finite")]
    NotFinite,
    /// Two defects have the same image.
    #[error("it is the same picture as `{other}`: give each defect once")]
    Duplicate {
        /// Name of the earlier defect.
        other: String,
    },
}
