#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod geometry;
pub mod level;
mod parameter;
pub mod rng;

pub use ndarray;

pub use geometry::{Rect, Size, bounding_box};
pub use parameter::{ParameterError, ensure};
