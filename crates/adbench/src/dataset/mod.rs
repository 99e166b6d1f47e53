//! Datasets: samples, typed splits, and everything that is wrong with their files.
//!
//! A [loader](crate::loaders) gives a [`Dataset`]: the samples of one category in a [`Split`] for training and one for
//! testing, perhaps one for validation, and the [`Finding`]s. Nothing is decoded before a sample is read or the dataset
//! is validated.

mod defect_type;
mod error;
mod finding;
mod index;
mod sample;
mod split;

pub use defect_type::DefectType;
pub use error::{DatasetError, FindingList};
pub use finding::{Finding, Severity};
pub use index::{Dataset, Policy};
pub use sample::{Sample, class_ids};
pub use split::{Scores, Split, SplitName, Test, Train, Tunable, Validation};
