#![doc = include_str!("../README.md")]

mod backbone;
mod bottleneck;
mod error;
mod geometry;
mod kernels;
mod layout;
mod lite0;
pub mod ops;

pub use backbone::{Backbone, Level, Pyramid, fnv1a};
pub use error::Error;
pub use geometry::Window;
pub use lite0::EfficientNetLite0;
pub use ops::Activation;
