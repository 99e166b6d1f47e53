#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod adam;
mod detector;
mod discriminator;
mod ensemble;
mod error;
mod file;
mod gaussian;
pub mod hypergradient;
mod loss;
mod map;
mod memory;
mod normals;
mod params;
mod patches;
mod search;
mod source;
mod trainer;
mod training;
mod weights;
mod whitening;

pub use detector::{Detector, Fusion, PatchDetector, Prediction, Threshold};
pub use ensemble::Ensemble;
pub use error::Error;
pub use gaussian::{GaussianDetector, GaussianParams};
pub use loss::bce_with_logits;
pub use params::{TrainParams, Weighting};
pub use source::{Anomaly, AnomalySource};
pub use training::{Checkpoint, Fitted, Observe, Progress, Report, RoundReport, Silent, fit, fit_memory};
pub use weights::{effective_sample_size, normalised};
