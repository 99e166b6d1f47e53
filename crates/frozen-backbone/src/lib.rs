#![doc = include_str!("../README.md")]

mod backbone;
mod depthwise;
mod error;
mod geometry;
mod lite0;
mod matmul;
pub mod ops;

pub use backbone::{Backbone, Level, Pyramid};
pub use error::Error;
pub use geometry::Window;
pub use lite0::EfficientNetLite0;
pub use ops::Activation;
