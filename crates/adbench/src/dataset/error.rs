//! The error of loaders and of the validation of a dataset.

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::finding::{Finding, Severity};

/// Why a dataset could not be indexed or validated.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// A folder of the layout is missing.
    #[error("{}: no such folder; {advice}", .path.display())]
    MissingFolder {
        /// The folder looked for.
        path: PathBuf,
        /// What to do.
        advice: String,
    },
    /// A folder that must hold images holds none.
    #[error("{}: no image in the folder; {advice}", .path.display())]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
        /// What to do.
        advice: String,
    },
    /// A root holds several categories and none was named.
    #[error("{}: holds several categories; name one of {}", .path.display(), .categories.join(", "))]
    SeveralCategories {
        /// The root.
        path: PathBuf,
        /// Its categories.
        categories: Vec<String>,
    },
    /// The files at a root are arranged as no known layout is.
    #[error(
        "{}: no known layout; MVTec AD needs <category>/train/good, BTAD <category>/train/ok, VisA split_csv or 1cls, \
         and a table is a CSV file",
        .path.display()
    )]
    UnknownLayout {
        /// The root.
        path: PathBuf,
    },
    /// The operating system refused to list a folder.
    #[error("{}: cannot be listed ({source}); check that it is a folder and that you may read it", .path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A table cannot be read at all, or lacks a column.
    #[error("{}: {reason}", .path.display())]
    Table {
        /// The table.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The files are not as they should be: a heading line, then one line for each finding.
    #[error("{0}")]
    Findings(FindingList),
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
    /// The findings.
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
            "{}: {errors} errors and {warnings} warnings; mend them, or skip them with Policy::Skip",
            self.root.display()
        )?;
        self.findings.iter().try_for_each(|finding| write!(f, "\n  {finding}"))
    }
}
