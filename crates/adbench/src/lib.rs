#![cfg_attr(all(feature = "loaders", feature = "report"), doc = include_str!("../README.md"))]
#![cfg_attr(not(all(feature = "loaders", feature = "report")), doc = "Exact metrics of image anomaly detection.")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "loaders")]
pub mod dataset;
#[cfg(feature = "loaders")]
pub mod loaders;
pub mod metrics;
#[cfg(feature = "protocols")]
pub mod protocol;
#[cfg(feature = "report")]
pub mod report;
#[cfg(feature = "protocols")]
pub mod smoothing;

pub use {imgkit, ndarray};
