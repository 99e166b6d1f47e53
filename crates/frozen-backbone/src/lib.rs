#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod attention;
mod backbone;
mod bottleneck;
mod dino2;
mod dino3;
mod error;
mod feature_map;
mod geometry;
mod kernels;
mod lite;
mod lite0;
pub mod model_file;
mod resnet;
mod transformer;
mod weights;

pub use {imgkit, ndarray};

pub use backbone::{Backbone, Level, Pyramid};
pub use dino2::{DinoV2, DinoVariant};
pub use dino3::DinoV3;
pub use error::{Error, WeightsError};
pub use lite::{EfficientNetLite, LiteVariant};
pub use lite0::EfficientNetLite0;
pub use resnet::WideResNet50;
pub use weights::Weights;
