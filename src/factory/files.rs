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

/// Reads the text of a regular file of at most `limit` bytes.
pub(super) fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    let mut text = String::new();
    open_regular(path)?.take(limit + 1).read_to_string(&mut text)?;
    if text.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it has more than {limit} bytes")));
    }
    Ok(text)
}
