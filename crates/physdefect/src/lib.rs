#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod abrasion;
mod annotation;
pub mod appearance;
pub mod baselines;
pub mod calibration;
mod compose;
mod defect;
mod domain;
pub mod edge_loss;
mod error;
mod finalize;
mod foreground;
pub mod fracture;
pub mod noise;
mod outline;
mod params;
pub mod pitting;
mod place;
pub mod registry;
#[cfg(feature = "serde")]
pub mod replay;
mod runs;
mod sample;
mod texture;
pub mod unevenness;
pub mod visibility;
pub mod warpage;

pub use imgkit;
pub use ndarray;

pub use compose::{Composite, compose};
pub use defect::{Defect, Measures, Mechanism, MechanismKind, Tint};
pub use domain::Domain;
pub use error::Error;
#[cfg(feature = "serde")]
pub use error::JsonError;
pub use foreground::{
    Foreground, ForegroundFit, ForegroundModel, ForegroundParams, FrameReason, SetKind, estimate_foreground,
};
pub use place::Place;
pub use sample::{Record, Sample, SampleKey, Synthesizer};
