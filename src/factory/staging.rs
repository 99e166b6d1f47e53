//! Staging of a block: its files are written aside and get their final names when all of them are there.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::files::Hash;
use super::layout::{checksums, manifest_block};

/// A block whose files are written aside, in a folder of this process.
pub(super) struct StagedBlock<'a> {
    out: &'a Path,
    folder: PathBuf,
    /// Path relative to the output folder, and hash.
    files: Vec<(String, String)>,
}

impl<'a> StagedBlock<'a> {
    /// Makes the folder. Leftovers of the block, from a process that was killed, are removed.
    pub(super) fn new(out: &'a Path, block: u64) -> Result<Self, Error> {
        let mark = format!(".block-{block:06}.");
        let entries = fs::read_dir(out).map_err(Error::output(out))?;
        for entry in entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with(&mark)) {
            fs::remove_dir_all(entry.path()).map_err(Error::output(&entry.path()))?;
        }
        let folder = out.join(format!("{mark}{}", std::process::id()));
        fs::create_dir(&folder).map_err(Error::output(&folder))?;
        Ok(Self { out, folder, files: Vec::new() })
    }

    /// Path of the file `name` until the block is published.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name.replace('/', "@"))
    }

    /// Writes a file aside; returns its name and hash.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(String, String), Error> {
        let path = self.path(name);
        fs::write(&path, bytes).map_err(Error::output(&path))?;
        Ok((name.to_owned(), Hash::of(bytes)))
    }

    /// Adds files that were written, with their hashes.
    pub(super) fn add(&mut self, files: impl IntoIterator<Item = (String, String)>) {
        self.files.extend(files);
    }

    /// Gives every file its final name, the block's manifest last.
    pub(super) fn publish(mut self, block: u64, lines: &str) -> Result<(), Error> {
        let manifest = self.write(&manifest_block(block), lines.as_bytes())?;
        self.files.push(manifest);
        let text: String = self.files.iter().map(|(name, hash)| format!("{hash}  {name}\n")).collect();
        let (sums, _) = self.write(&checksums(block), text.as_bytes())?;
        let (last, files) = self.files.split_last().map_or((None, &[][..]), |(last, files)| (Some(last), files));
        for name in files.iter().map(|(name, _)| name).chain([&sums]).chain(last.map(|(name, _)| name)) {
            let path = self.out.join(name);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(Error::output(folder))?;
            }
            fs::rename(self.path(name), &path).map_err(Error::output(&path))?;
        }
        Ok(())
    }
}

impl Drop for StagedBlock<'_> {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok(); // the next run removes what this could not
    }
}
