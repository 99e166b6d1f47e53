#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod calibration;
mod descriptors;
mod error;
mod evidence;
mod file;
mod network;
mod ranking;
mod warm_start;
mod weighting;

pub use calibration::{Calibration, Degradation};
pub use descriptors::{DESCRIPTORS, Descriptors};
pub use error::Error;
pub use evidence::Evidence;
pub use network::{Head, Sqe};
pub use ranking::{pair_accuracy, ranking_loss, spearman};
pub use warm_start::{Ladder, WarmStart, WarmStartParams};
pub use weighting::{effective_sample_size, evened, keep_best, normalised};
