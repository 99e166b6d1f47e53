#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod dataset;
pub mod finding;
pub mod loaders;
pub mod metrics;
pub mod protocol;
pub mod report;
pub mod smoothing;
pub mod split;

pub use {imgkit, ndarray};

pub use dataset::{Dataset, Policy};
pub use finding::{DatasetError, Finding, Severity};
pub use loaders::btad::Btad;
pub use loaders::folder::Folder;
pub use loaders::mvtec::Mvtec;
pub use loaders::table::Table;
pub use loaders::visa::{Visa, VisaSplit};
pub use metrics::{MetricError, PixelPool, Reducer, auroc, average_precision, f1_max};
pub use report::{Outcome, Report, ReportBuilder, ReportError};
pub use split::{Sample, SampleError, Split, Test, Train, Validation};
