#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod adam;
mod detector;
mod discriminator;
mod drawing;
mod ensemble;
mod error;
mod file;
mod gaussian_detector;
mod gaussians;
pub mod hypergradient;
mod loss;
mod map;
mod memory;
mod memory_detector;
mod meta;
mod normals;
mod params;
mod patches;
mod projection;
mod reading;
mod round;
mod search;
mod shrinkage;
mod source;
mod threshold;
mod tiled;
mod trainer;
mod training;
mod weights;
mod whitening;

pub use detector::{Detector, Fusion, PatchDetector, Prediction};
pub use ensemble::Ensemble;
pub use error::Error;
pub use file::{Parts, load};
pub use gaussian_detector::{GaussianDetector, GaussianParams};
pub use memory_detector::{MemoryDetector, MemoryParams};
pub use meta::{FewShot, MetaSource, RealDefect, image_content};
pub use params::{TrainParams, Weighting};
pub use projection::{ChannelProjection, Projected};
pub use round::{MeanWeight, RoundReport, SEVERITY_BANDS};
pub use source::{Anomaly, AnomalySource};
pub use sqe::{effective_sample_size, normalised};
pub use threshold::Threshold;
pub use tiled::Tiled;
pub use training::{Checkpoint, Fitted, Observe, Progress, Report, Silent, Upper, fit};
