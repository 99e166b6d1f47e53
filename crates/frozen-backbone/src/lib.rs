#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod attention;
mod backbone;
mod bottleneck;
mod dino;
mod error;
mod feature_map;
mod geometry;
mod kernels;
mod lite;
mod lite0;
pub mod model_file;
mod resnet;
mod weights;

pub use {imgkit, ndarray};

pub use backbone::{Backbone, Level, Pyramid};
pub use dino::{DinoV2, DinoVariant};
pub use error::{Error, WeightsError};
pub use lite::{EfficientNetLite, LiteVariant};
pub use lite0::EfficientNetLite0;
pub use resnet::WideResNet50;
pub use weights::Weights;
