#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod dataset;
pub mod loaders;
pub mod metrics;
pub mod protocol;
pub mod report;
pub mod smoothing;

pub use {imgkit, ndarray};
