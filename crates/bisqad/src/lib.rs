#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod detectors;
mod error;
mod evidence;
mod features;
pub mod logistic;
mod parameters;
mod persistence;
mod selection;
mod training;
mod views;
mod weighting;

pub use {bilevel, frozen_backbone, imgkit, ndarray, sqe};

pub use detectors::ensemble::Ensemble;
pub use detectors::evidence::EvidenceDetector;
pub use detectors::gaussian::{GaussianDetector, GaussianParams};
pub use detectors::memory::{MemoryDetector, MemoryParams};
pub use detectors::outliers::Outliers;
pub use detectors::patch::{Fusion, PatchDetector};
pub use detectors::projected::Projected;
pub use detectors::provenance::{Provenance, image_hash};
pub use detectors::threshold::Threshold;
pub use detectors::tiled::Tiled;
pub use detectors::windowed::Windowed;
pub use detectors::{Detector, Prediction};
pub use error::{DefectError, Error};
pub use evidence::EvidenceKind;
pub use evidence::distances::PlaceDistances;
pub use features::projection::ChannelProjection;
pub use persistence::format::Persist;
pub use persistence::load::{load, save};
pub use selection::candidate::EvidenceSum;
pub use selection::fit::EvidenceOutcome;
pub use selection::params::EvidenceParams;
pub use selection::report::{CandidateFigures, LeftOutMechanism, SelectionReport, Suspect};
pub use training::anomaly_source::{Anomaly, AnomalySource, SourceError};
pub use training::checkpoint::Checkpoint;
pub use training::fit::{FitOutcome, FitReport, OuterProblem, SplitSizes, check_normals, fit};
pub use training::observer::{NoObserver, Observe, Progress};
pub use training::params::{TrainParams, Weighting};
pub use training::report::{MeanWeight, RoundReport, SEVERITY_BANDS};
pub use training::validation_anomalies::{FewShotSet, LabeledDefect, ValidationAnomalies};
pub use weighting::{DefectPatches, HeadProblem, NormalsProblem, PatchRows, RowExpansion};
