//! Failures of the factory: where, what, what to do.

use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Every failure of the dataset factory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is out of range.
    #[error("{name} `{value}`: {expected}")]
    Setting {
        /// Its name, as the command line has it.
        name: &'static str,
        /// The value given.
        value: String,
        /// What it must be.
        expected: String,
    },
    /// The good photos cannot be found.
    #[error("{}: {reason}", path.display())]
    Photos {
        /// The folder.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A good photo or its foreground mask cannot be used.
    #[error("{reason}")]
    Source {
        /// The photo, relative to the folder of the good photos.
        source_path: String,
        /// The file, what is wrong, what to do.
        reason: String,
    },
    /// Some good photos cannot be used, and that was to be an error.
    #[error("{} of {total} photos cannot be used: {}; mend or remove them", reasons.len(), reasons.join("; "))]
    Unreadable {
        /// One reason a photo.
        reasons: Vec<String>,
        /// Photos looked at.
        total: usize,
    },
    /// The output folder holds something else.
    #[error("{}: {reason}", path.display())]
    Run {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A manifest cannot be read.
    #[error("{}: {reason}", path.display())]
    Manifest {
        /// The piece of the manifest.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// An output cannot be written.
    #[error("{}: cannot be written ({reason}): make room or choose another folder, then resume", path.display())]
    Output {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The defect or its refinement failed.
    #[error(transparent)]
    Pipeline(#[from] crate::Error),
}

impl From<imgkit::file::WriteError> for Error {
    fn from(e: imgkit::file::WriteError) -> Self {
        Self::Output { path: e.path, reason: e.source.to_string() }
    }
}

impl Error {
    /// For `map_err` of anything written to `path`.
    pub(super) fn output<E: Display>(path: &Path) -> impl FnOnce(E) -> Self + '_ {
        move |e| Self::Output { path: path.to_owned(), reason: e.to_string() }
    }
}
