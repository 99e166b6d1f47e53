#![cfg_attr(all(feature = "image", feature = "resize"), doc = include_str!("../README.md"))]
#![cfg_attr(not(all(feature = "image", feature = "resize")), doc = "Image tools for numerical work on ndarray arrays.")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod boxes;
pub mod components;
pub mod contour;
#[cfg(feature = "image")]
pub mod convert;
pub mod distance;
pub mod file;
mod finite;
pub mod gaussian;
mod geometry;
pub mod hash;
pub mod hull;
pub mod image_io;
pub mod level;
mod parameter;
pub mod plane;
pub mod rank;
#[cfg(feature = "resize")]
pub mod resize;
pub mod rng;
pub mod robust;
pub mod seam;
pub mod simd;
pub mod wavelet;

pub use ndarray;

pub use finite::first_non_finite;
pub use geometry::{Rect, Size, bounding_box};
pub use parameter::{ParameterError, ensure};
