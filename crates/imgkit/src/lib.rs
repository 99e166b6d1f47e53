#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "image")]
pub mod convert;
pub mod file;
mod geometry;
pub mod hash;
pub mod image_io;
pub mod level;
mod parameter;
#[cfg(feature = "resize")]
pub mod resize;
pub mod rng;

pub use ndarray;

pub use geometry::{Rect, Size, bounding_box};
pub use parameter::{ParameterError, ensure};
