#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod detectors;
mod error;
mod features;
mod persistence;
mod training;

pub use bilevel;

pub use detectors::ensemble::Ensemble;
pub use detectors::gaussian::{GaussianDetector, GaussianParams};
pub use detectors::memory::{MemoryDetector, MemoryParams};
pub use detectors::patch::{Fusion, PatchDetector};
pub use detectors::projected::Projected;
pub use detectors::threshold::Threshold;
pub use detectors::tiled::Tiled;
pub use detectors::{Detector, Prediction};
pub use error::Error;
pub use features::projection::ChannelProjection;
pub use persistence::{Parts, load};
pub use sqe::{effective_sample_size, mean_one_weights};
pub use training::anomaly_source::{Anomaly, AnomalySource, SourceError};
pub use training::checkpoint::Checkpoint;
pub use training::fit::{FitOutcome, OuterProblem, Report, fit};
pub use training::observer::{NoObserver, Observe, Progress};
pub use training::params::{TrainParams, Weighting};
pub use training::report::{MeanWeight, RoundReport, SEVERITY_BANDS};
pub use training::validation_anomalies::{FewShotSet, LabeledDefect, ValidationAnomalies, image_hash};
