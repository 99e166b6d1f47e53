//! Files on disk: reading that follows no link and ends.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

pub(super) use crate::sha256::Hash;

/// Opens a regular file to read it. What a link, a pipe or a device says is not waited for.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    if fs::symlink_metadata(path)?.is_file() {
        File::open(path)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
    }
}

/// Reads a regular file of at most `limit` bytes.
pub(super) fn read_regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it has more than {limit} bytes")));
    }
    Ok(bytes)
}

/// Reads the text of a regular file of at most `limit` bytes.
pub(super) fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    String::from_utf8(read_regular(path, limit)?).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}
