//! Atomic file writing: a reader never sees half of a file, and nothing but a regular file is ever replaced.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};
use thiserror::Error;

/// Text of a path or a name for people, CSV and JSON: valid UTF-8 without control characters. What is neither is
/// escaped, `\xff` for a byte and `\u{1b}` for a character.
///
/// ```
/// use imgkit::file::escaped;
/// assert_eq!(escaped("Teile/ä b.png"), "Teile/ä b.png");
/// assert_eq!(escaped("a\u{1b}[31m.png"), "a\\u{1b}[31m.png");
/// ```
#[must_use]
pub fn escaped(path: impl AsRef<Path>) -> String {
    let mut text = String::new();
    for chunk in path.as_ref().as_os_str().as_encoded_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() { text.extend(c.escape_unicode()) } else { text.push(c) }
        }
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

/// Failure to write a result file.
#[derive(Debug, Error)]
#[non_exhaustive]
#[error("{}: cannot be written ({source}); check that its folder exists and that you may write there", escaped(path))]
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
/// A reader finds the old file or the new one, never a part; after an error the old file is untouched. The temporary
/// file has a random name and is created exclusively, so that any number of processes may write at once, on any number
/// of machines that share the folder.
///
/// # Errors
/// [`WriteError`] when the temporary file cannot be written or renamed, or when `path` is there and is no regular file:
/// a folder, a symbolic link, a device, a pipe.
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
    check_replaceable(path)?;
    let written = temporary(path).and_then(|mut temporary| {
        write(temporary.as_file_mut())?;
        temporary.as_file().sync_all()?;
        temporary.persist(path).map(drop).map_err(|e| e.error)
    });
    written.map_err(|source| WriteError::new(path, source))
}

/// Checks that a file may be written at `path`: nothing is there, or a regular file is.
///
/// # Errors
/// [`WriteError`] for a path without a file name, and where a folder, a symbolic link, a device or a pipe is.
pub fn check_replaceable(path: &Path) -> Result<(), WriteError> {
    let refuse = |reason: String| Err(WriteError::new(path, io::Error::new(io::ErrorKind::InvalidInput, reason)));
    if path.file_name().is_none() {
        return refuse("the path names no file".to_owned());
    }
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(found) if found.is_dir() => refuse("it is a folder".to_owned()),
        Ok(found) if found.is_symlink() => refuse("it is a symbolic link, which is not followed".to_owned()),
        Ok(_) => refuse("it is a device, a pipe or a socket".to_owned()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(WriteError::new(path, source)),
    }
}

/// Creates `folder` with those above it where they are missing, and checks that files can be created in it. The check
/// leaves no trace and disturbs no other process.
///
/// # Errors
/// [`WriteError`] when the folder cannot be created or written to.
pub fn prepare_folder(folder: impl AsRef<Path>) -> Result<(), WriteError> {
    let folder = folder.as_ref();
    let ready = fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder));
    ready.map(drop).map_err(|source| WriteError::new(folder, source))
}

/// Whether `path` is the folder `folder` or lies in it, through links and `..`. Neither has to be there yet.
///
/// ```
/// use imgkit::file::lies_in;
/// use std::path::Path;
/// assert!(lies_in(Path::new("photos/new/../out"), Path::new("./photos")));
/// assert!(!lies_in(Path::new("photos2"), Path::new("photos")));
/// ```
#[must_use]
pub fn lies_in(path: &Path, folder: &Path) -> bool {
    resolved(path).starts_with(resolved(folder))
}

/// The path without links and `..`, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let known = absolute.ancestors().find_map(|part| Some((part.canonicalize().ok()?, part)));
    let Some((mut real, part)) = known else { return absolute };
    for step in absolute.strip_prefix(part).into_iter().flatten() {
        if step == ".." {
            real.pop();
        } else {
            real.push(step)
        }
    }
    real
}

/// A new file of a random name next to `path`, with the permissions of any new file; removed when it is dropped.
fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(".").suffix(".tmp").rand_bytes(12);
    #[cfg(unix)]
    let builder = {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666)) // the umask takes its share
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    builder.tempfile_in(folder.unwrap_or(Path::new(".")))
}
