#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod appearance;
pub mod calibration;
mod compose;
mod contract;
pub mod control;
mod defect;
mod domain;
mod error;
mod foreground;
pub mod fracture;
pub mod noise;
mod params;
pub mod pitting;
pub mod replay;
mod sample;
pub mod warpage;

pub use compose::{Composite, compose};
pub use defect::{Defect, DefectModel, Measures, Mechanism, Tint};
pub use domain::{Bbox, Domain};
pub use error::Error;
pub use foreground::{Foreground, estimate_foreground};
pub use sample::{Record, Sample, SampleKey, Synthesize};
