//! One clear line per failure: where, what, what to do.

use std::path::{Path, PathBuf};

/// Every failure of the composed pipeline.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A folder cannot be listed or holds nothing to work on.
    #[error("{}: {reason}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A photo is too small for the network.
    #[error("{}: the image is {height}x{width}, but at least {minimum} px a side are needed: use larger photos", path.display())]
    TooSmall {
        /// The photo.
        path: PathBuf,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// Smallest side.
        minimum: usize,
    },
    /// The object could not be told from its background.
    #[error("{name}: {source}; check that the photo shows the product")]
    Foreground {
        /// Which photo.
        name: String,
        /// Why.
        source: physdefect::Error,
    },
    /// An output cannot be written.
    #[error("{}: cannot be written ({reason}): choose another output folder", path.display())]
    Output {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Pictures on one sheet differ in size.
    #[error("a row of the sheet has {found} cells, the others have {expected}")]
    Sheet {
        /// Cells in the row.
        found: usize,
        /// Cells in the first row.
        expected: usize,
    },
    /// A photo could not be read.
    #[error(transparent)]
    Read(#[from] imgkit::image_io::ReadError),
    /// A sample of a dataset could not be read.
    #[error(transparent)]
    Sample(#[from] adbench::dataset::SampleError),
    /// A dataset is not in order.
    #[error(transparent)]
    Dataset(#[from] adbench::dataset::DatasetError),
    /// A figure could not be computed.
    #[error(transparent)]
    Metric(#[from] adbench::metrics::MetricError),
    /// A report could not be made.
    #[error(transparent)]
    Report(#[from] adbench::report::ReportError),
    /// A table could not be written.
    #[error(transparent)]
    Table(#[from] imgkit::file::WriteError),
    /// A resize failed.
    #[error(transparent)]
    Resize(#[from] imgkit::resize::ResizeError),
    /// A defect could not be made.
    #[error(transparent)]
    Defect(#[from] physdefect::Error),
    /// A refinement failed.
    #[error(transparent)]
    Refine(#[from] pde_refine::Error),
    /// The backbone refused an image.
    #[error(transparent)]
    Backbone(#[from] frozen_backbone::Error),
    /// The quality estimator failed.
    #[error(transparent)]
    Quality(#[from] sqe::Error),
    /// Training or detection failed.
    #[error(transparent)]
    Detector(#[from] bisqad::Error),
}

impl Error {
    pub(crate) fn output(path: &Path, error: &dyn std::fmt::Display) -> Self {
        Self::Output { path: path.to_owned(), reason: error.to_string() }
    }
}
