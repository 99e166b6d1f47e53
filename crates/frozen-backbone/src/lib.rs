#![doc = include_str!("../README.md")]

mod attention;
mod backbone;
mod bottleneck;
mod dino;
mod error;
mod feature_map;
mod geometry;
mod kernels;
mod layout;
mod lite;
mod lite0;
pub mod ops;
mod resnet;
mod weights;

pub use backbone::{Backbone, Level, Pyramid};
pub use dino::{DinoV2, DinoVariant};
pub use error::{Error, WeightsError};
pub use geometry::Window;
pub use lite::{EfficientNetLite, LiteVariant};
pub use lite0::EfficientNetLite0;
pub use ops::Activation;
pub use resnet::WideResNet50;
pub use weights::{Weights, fnv1a};
