//! Lines of inspections in a file, written as they come.

use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use imgkit::file::check_replaceable;
use serde::Deserialize;
use serde::de::Error as _;

use super::line::InspectionLine;
use crate::error::Error;

/// File of [`InspectionLine`]s in JSON Lines, one process at a time. Each line is in the file when [`Self::push`]
/// returns.
#[derive(Debug)]
pub struct LineFile {
    path: PathBuf,
    file: File,
    /// Photos that have a line, with the SHA-256 of their content.
    known: HashSet<(String, String)>,
}

/// What every line starts with.
const START: &[u8] = b"{\"schema\":";

/// What tells a photo of an earlier line.
#[derive(Deserialize)]
struct Known {
    photo: String,
    photo_sha256: Option<String>,
}

impl LineFile {
    /// Creates a file without lines, in the place of an earlier one.
    ///
    /// # Errors
    /// [`Error::Write`] where something else than a regular file is, [`Error::Output`] if the file cannot be written or
    /// another process writes to it.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let file = open(path)?;
        file.set_len(0).map_err(|e| Error::output(path, e))?;
        Ok(Self { path: path.to_owned(), file, known: HashSet::new() })
    }

    /// Goes on with a file that may hold lines already. A last line that was cut off is none and is taken off the file.
    ///
    /// # Errors
    /// Those of [`Self::create`]; [`Error::NotALine`] if a line is not of an inspection: the file is left as it is.
    pub fn resume(path: &Path) -> Result<Self, Error> {
        let mut file = open(path)?;
        let fail = |e| Error::output(path, e);
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(fail)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let mut known = HashSet::new();
        for (i, line) in bytes.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            let parsed = serde_json::from_slice::<Known>(line);
            let Known { photo, photo_sha256 } =
                parsed.map_err(|source| Error::NotALine { path: path.to_owned(), line: i + 1, source })?;
            known.extend(photo_sha256.map(|sha256| (photo, sha256)));
        }
        // what follows the last line is its cut-off successor; alone it must look like one
        let rest = bytes.get(whole..).unwrap_or_default();
        if whole == 0 && !(rest.starts_with(START) || START.starts_with(rest)) {
            let source = serde_json::Error::custom("a line without an end");
            return Err(Error::NotALine { path: path.to_owned(), line: 1, source });
        }
        file.set_len(whole as u64).map_err(fail)?;
        file.seek(SeekFrom::End(0)).map_err(fail)?;
        Ok(Self { path: path.to_owned(), file, known })
    }

    /// Number of photos that have a line, counted by path and content.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether no photo has a line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether a photo of this path, as lines write it, and of this content has a line.
    #[must_use]
    pub fn holds(&self, photo: &str, sha256: &str) -> bool {
        self.known.contains(&(photo.to_owned(), sha256.to_owned()))
    }

    /// Adds a line.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn push(&mut self, line: &InspectionLine) -> Result<(), Error> {
        let mut text = line.to_json();
        text.push('\n');
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.flush());
        written.map_err(|e| Error::output(&self.path, e))?;
        self.known.extend(line.photo_sha256.clone().map(|sha256| (line.photo.clone(), sha256)));
        Ok(())
    }
}

/// Opens a file for this process alone.
fn open(path: &Path) -> Result<File, Error> {
    check_replaceable(path)?;
    let file = File::options().create(true).truncate(false).read(true).write(true).open(path);
    let file = file.map_err(|e| Error::output(path, e))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Error::output(path, "another inspection is writing there")),
        _ => Ok(file), // some file systems have no locks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_is_gone_on_with_after_its_last_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.jsonl");
        let whole =
            "{\"schema\":1,\"photo\":\"a.png\",\"photo_sha256\":\"ab\"}\n{\"photo\":\"b.png\",\"photo_sha256\":null}\n";
        fs::write(&path, format!("{whole}{{\"schema\":1,\"pho")).unwrap();
        let file = LineFile::resume(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), whole);
        assert_eq!((file.len(), file.holds("a.png", "ab"), file.holds("a.png", "cd")), (1, true, false));
        assert!(!file.holds("b.png", "ab") && !file.holds("c.png", "ab"));
        // one process at a time
        assert!(matches!(LineFile::resume(&path), Err(Error::Output { .. })));
        drop(file);
        assert!(LineFile::create(&path).unwrap().is_empty());
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
    }

    #[test]
    fn a_file_of_something_else_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        for (text, number) in [("{\"photo\":\"a\"}\nmy notes\n", 2), ("my notes", 1), ("[1]\n", 1)] {
            fs::write(&path, text).unwrap();
            let refused = LineFile::resume(&path).unwrap_err();
            assert!(matches!(refused, Error::NotALine { line, .. } if line == number), "{text}: {refused}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        let missing = folder.path().join("none/lines.jsonl");
        assert!(matches!(LineFile::create(&missing), Err(Error::Output { path, .. }) if path == missing));
        assert!(matches!(LineFile::create(folder.path()), Err(Error::Write(_))));
    }
}
