//! The error of loaders and of the validation of a dataset.
//!
//! One of three error enums of the crate, one for each feature: metrics have
//! [`MetricError`](crate::metrics::MetricError), reports `ReportError`. Stable: the variants and their fields. The type
//! behind a boxed source is not.

use std::fmt;
use std::path::{Path, PathBuf};

use imgkit::Size;
use imgkit::file::escaped;
use imgkit::image_io::ReadError;
use thiserror::Error;

use super::finding::{Finding, Severity};

/// Failure of indexing or validating a dataset.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// A folder of the layout is missing.
    #[error("{}: no such folder; {advice}", escaped(path))]
    MissingFolder {
        /// The folder looked for.
        path: PathBuf,
        /// What to do.
        advice: String,
    },
    /// A folder that must hold images holds none.
    #[error("{}: no image in the folder; {advice}", escaped(path))]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
        /// What to do.
        advice: String,
    },
    /// A root holds several categories and none was named.
    #[error("{}: holds several categories; name one of {}", escaped(path), .categories.join(", "))]
    SeveralCategories {
        /// The root.
        path: PathBuf,
        /// Its categories.
        categories: Vec<String>,
    },
    /// The files at a root are arranged as no known layout is.
    #[error("{}: no known layout ({}); check the path, or name a layout", escaped(path), listed(.lacks))]
    UnknownLayout {
        /// The root.
        path: PathBuf,
        /// Each layout and what the root lacks of it.
        lacks: Vec<(&'static str, String)>,
    },
    /// The operating system refused to list a folder or to read a table.
    #[error("{}: cannot be read ({source}); check the path and that you may read it", escaped(path))]
    Io {
        /// The folder or the table.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file that lists a dataset is not JSON of the expected form.
    #[error("{}: cannot be understood ({source}); restore the file", escaped(path))]
    Listing {
        /// The file.
        path: PathBuf,
        /// The parser's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The header of a table is not CSV.
    #[error("{}: the header cannot be read ({source}); save the table as CSV", escaped(path))]
    TableHeader {
        /// The table.
        path: PathBuf,
        /// The parser's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A table lacks a column.
    #[error("{}: no column {column}; the header must be image,split,label,mask", escaped(path))]
    MissingColumn {
        /// The table.
        path: PathBuf,
        /// The column that is missing.
        column: &'static str,
    },
    /// A table has no line for the category, or none at all.
    #[error("{}: no line{}; list the images", escaped(path), of_category(.category.as_deref()))]
    EmptyTable {
        /// The table.
        path: PathBuf,
        /// The category asked for; `None` for the whole table.
        category: Option<String>,
    },
    /// An image that is anomalous or without a label has no mask.
    #[error("{}: no mask of its defect; use image figures only, or add the mask", escaped(image))]
    NoMask {
        /// The image.
        image: PathBuf,
    },
    /// Masks of one image differ in size, so that they cannot be merged.
    #[error(
        "{}: mask of {mask_size}, another of {first_size} (height x width, {}); export all at the image's size",
        escaped(mask),
        escaped(image)
    )]
    UnequalMasks {
        /// The image.
        image: PathBuf,
        /// The mask that differs from the first.
        mask: PathBuf,
        /// Its size.
        mask_size: Size,
        /// Size of the first mask.
        first_size: Size,
    },
    /// An image or a mask cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The files are not as they should be: a heading line, then one line for each finding.
    #[error("{0}")]
    Findings(FindingList),
}

fn of_category(category: Option<&str>) -> String {
    category.map_or_else(|| " below the header".to_owned(), |name| format!(" of category {name}"))
}

fn listed(lacks: &[(&'static str, String)]) -> String {
    lacks.iter().map(|(layout, lack)| format!("{layout}: {lack}")).collect::<Vec<_>>().join("; ")
}

impl DatasetError {
    pub(crate) fn findings(root: &Path, findings: Vec<Finding>) -> Self {
        Self::Findings(FindingList { root: root.into(), findings })
    }
}

/// All findings of one dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingList {
    root: PathBuf,
    findings: Vec<Finding>,
}

impl FindingList {
    /// Findings as a slice.
    #[must_use]
    pub fn as_slice(&self) -> &[Finding] {
        &self.findings
    }
}

impl fmt::Display for FindingList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.findings.iter().filter(|x| x.severity() == Severity::Error).count();
        let warnings = self.findings.len() - errors;
        write!(
            f,
            "{}: {errors} errors and {warnings} warnings; mend them, or leave these samples out",
            escaped(&self.root)
        )?;
        self.findings.iter().try_for_each(|finding| write!(f, "\n  {finding}"))
    }
}
