//! Atomic file writing: a reader never sees half of a file.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Failure to write a result file.
#[derive(Debug, Error)]
#[non_exhaustive]
#[error("{}: cannot be written ({source}); check that its folder exists and that you may write there", .path.display())]
pub struct WriteError {
    /// The file asked for.
    pub path: PathBuf,
    /// The operating system's reason.
    pub source: io::Error,
}

impl WriteError {
    /// Reports that the file at `path` cannot be written.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self { path: path.into(), source }
    }
}

/// Writes `content` to `path` by way of a temporary file in the same folder, then renames it over `path`.
///
/// A reader finds the old file or the new one, never a part; after an error the old file is untouched.
///
/// # Errors
/// [`WriteError`] when the temporary file cannot be written or renamed.
pub fn write_atomic(path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Result<(), WriteError> {
    write_atomic_with(path, |file| file.write_all(content.as_ref()))
}

/// Writes a file as [`write_atomic`] does, with content that `write` puts into the temporary file.
///
/// # Errors
/// As [`write_atomic`], and those of `write`.
pub fn write_atomic_with(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), WriteError> {
    let path = path.as_ref();
    let fail = |source| WriteError { path: path.into(), source };
    let temporary = temporary(path).ok_or_else(|| fail(io::Error::from(io::ErrorKind::InvalidInput)))?;
    let written = File::create(&temporary).and_then(|mut file| {
        write(&mut file)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&temporary, path)).map_err(|source| {
        // The rename failed or the disk is full: the leftover is of no use, and removing it may fail for the same
        // reason.
        let _ = fs::remove_file(&temporary);
        fail(source)
    })
}

/// A name for a temporary file next to `path`; `None` when that names no file.
fn temporary(path: &Path) -> Option<PathBuf> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name()?);
    name.push(format!(".{}.tmp", std::process::id()));
    Some(path.with_file_name(name))
}
