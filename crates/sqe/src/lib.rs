#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod descriptors;
mod error;
mod features;
mod file;
mod monotonicity;
mod network;
mod ranking;
mod warm_start;
mod weighting;

pub use descriptors::{DESCRIPTORS, Descriptors};
pub use error::Error;
pub use features::Evidence;
pub use monotonicity::{Calibration, Degradation};
pub use network::{Head, Sqe};
pub use ranking::{pair_accuracy, ranking_loss, spearman};
pub use warm_start::{Ladder, WarmStart, WarmStartParams};
pub use weighting::{effective_sample_size, evened, keep_best, normalised};
