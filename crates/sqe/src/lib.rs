#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod density_ratio;
mod descriptors;
mod error;
mod faults;
mod features;
mod file;
mod monotonicity;
mod network;
mod objective;
mod ranking;
mod warm_start;
mod weighting;

pub use {frozen_backbone, imgkit, ndarray};

pub use density_ratio::DensityRatio;
pub use descriptors::{DESCRIPTORS, Descriptors};
pub use error::Error;
pub use faults::{
    Composite, Diagnosis, Fault, FaultEstimator, FaultParams, FaultReport, FaultSet, LocalStatistics, Spoiled,
    SpoiledDefect,
};
pub use features::QualityFeatures;
pub use monotonicity::{Degradation, MonotonicityReport};
pub use network::{Head, HeadInput, Sqe};
pub use ranking::{pair_accuracy, spearman};
pub use warm_start::{RankedVersions, WarmStartParams, WarmStartReport};
pub use weighting::{effective_sample_size, keep_best, mean_one_weights, temper_to_ess};
