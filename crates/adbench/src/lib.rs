#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod dataset;
pub mod file;
pub mod finding;
pub mod image_io;
pub mod loaders;
pub mod metrics;
pub mod protocol;
pub mod report;
pub mod resize;
pub mod smoothing;
pub mod split;
pub mod tiff_map;

pub use dataset::{Dataset, Policy};
pub use finding::{DatasetError, Finding, Severity};
pub use image_io::{MaskFile, Photo, ReadError, read_mask, read_photo};
pub use loaders::btad::Btad;
pub use loaders::folder::Folder;
pub use loaders::mvtec::Mvtec;
pub use loaders::table::Table;
pub use loaders::visa::{Visa, VisaSplit};
pub use metrics::{MetricError, PixelPool, Reducer, auroc, average_precision, f1_max};
pub use report::{Outcome, Report, ReportBuilder, ReportError};
pub use split::{Sample, Split, Test, Train, Validation};
