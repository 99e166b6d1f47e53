//! Staging: files are written aside and get their final names when all of them are there.
//!
//! A folder of its own, with a random name, belongs to every block of every process, so that no process can touch what
//! another is writing. No process needs to wait for another: samples are a pure function of the run, so two that make
//! the same block give the same names to the same bytes. A lock on a file in the folder tells live work from leftovers:
//! the system drops it when its process ends in any way. Where a file system knows no locks, leftovers stay.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use imgkit::file::check_replaceable;
use tempfile::{Builder, TempDir, TempPath};

use super::error::Error;
use super::files::Hash;
use super::layout::{checksums, manifest_block};

/// Start of the names of staging folders, in the output folder.
const MARK: &str = ".block-";

/// File in a staging folder that its process holds a lock on. The other names in there begin with no dot.
const LOCK: &str = ".lock";

/// A folder of this process, in the output folder, for files that are not whole.
pub(super) struct Staging<'a> {
    out: &'a Path,
    folder: TempDir,
    /// Held until the folder is gone.
    _lock: File,
}

impl<'a> Staging<'a> {
    /// Creates the folder; its name says what it is for.
    pub(super) fn new(out: &'a Path, purpose: &str) -> Result<Self, Error> {
        loop {
            let folder = Builder::new().prefix(&format!("{MARK}{purpose}.")).rand_bytes(12).tempdir_in(out);
            let folder = folder.map_err(Error::output(out))?;
            let path = folder.path().join(LOCK);
            // between these steps another process may take the folder for a leftover and remove it: then try again
            let lock = match File::create_new(&path) {
                Ok(lock) => lock,
                Err(e) if e.kind() == io::ErrorKind::NotFound && !folder.path().exists() => continue,
                Err(e) => return Err(Error::output(&path)(e)),
            };
            match lock.try_lock() {
                Err(fs::TryLockError::WouldBlock) => continue,
                Ok(()) | Err(fs::TryLockError::Error(_)) => {} // without locks nobody removes leftovers
            }
            if path.exists() {
                return Ok(Self { out, folder, _lock: lock });
            }
        }
    }

    /// Path of the file `name` until it is published.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name.replace('/', "@"))
    }

    /// Creates the file `name` aside.
    pub(super) fn create(&self, name: &str) -> Result<File, Error> {
        let path = self.path(name);
        OpenOptions::new().write(true).create_new(true).open(&path).map_err(Error::output(&path))
    }

    /// Writes the file `name` aside.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        self.create(name)?.write_all(bytes).map_err(Error::output(&self.path(name)))
    }

    /// Gives the file `name` its final name, over the file that is there.
    pub(super) fn publish(&self, name: &str) -> Result<(), Error> {
        let path = self.place(name)?;
        check_replaceable(&path)?;
        fs::rename(self.path(name), &path).map_err(Error::output(&path))
    }

    /// Gives the file `name` its final name if there is no file; returns whether there was none.
    pub(super) fn publish_new(&self, name: &str) -> Result<bool, Error> {
        let path = self.place(name)?;
        let staged = TempPath::try_from_path(self.path(name)).map_err(Error::output(&path))?;
        match staged.persist_noclobber(&path) {
            Ok(()) => Ok(true),
            Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(e) => Err(Error::output(&path)(e.error)),
        }
    }

    /// Final path of a file, in a folder that exists.
    fn place(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.out.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::output(folder))?;
        }
        Ok(path)
    }
}

/// Removes the staging folders in `out` whose processes have ended. What cannot be removed stays.
pub(super) fn remove_leftovers(out: &Path) {
    for entry in fs::read_dir(out).into_iter().flatten().flatten() {
        let is_staging = entry.file_name().to_string_lossy().starts_with(MARK);
        if is_staging && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let _ = remove_if_dead(&entry.path());
        }
    }
}

fn remove_if_dead(folder: &Path) -> io::Result<()> {
    let path = folder.join(LOCK);
    match OpenOptions::new().read(true).write(true).open(&path) {
        Ok(lock) => {
            lock.try_lock()?;
            // the lock goes last, so that what a kill leaves now can be told from live work, too
            for entry in fs::read_dir(folder)?.flatten().filter(|entry| entry.file_name() != LOCK) {
                fs::remove_file(entry.path())?;
            }
            fs::remove_file(&path)?;
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    fs::remove_dir(folder) // fails if its process has put a file there meanwhile
}

/// A block whose files are written aside.
pub(super) struct StagedBlock<'a> {
    staging: Staging<'a>,
    /// Path relative to the output folder, and hash.
    files: Vec<(String, String)>,
}

impl<'a> StagedBlock<'a> {
    pub(super) fn new(out: &'a Path, block: u64) -> Result<Self, Error> {
        Ok(Self { staging: Staging::new(out, &format!("{block:06}"))?, files: Vec::new() })
    }

    /// Path of the file `name` until the block is published.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.staging.path(name)
    }

    /// Creates the file `name` aside.
    pub(super) fn create(&self, name: &str) -> Result<File, Error> {
        self.staging.create(name)
    }

    /// Writes a file aside; returns its name and hash.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(String, String), Error> {
        self.staging.write(name, bytes)?;
        Ok((name.to_owned(), Hash::of(bytes)))
    }

    /// Adds files that were written, with their hashes.
    pub(super) fn add(&mut self, files: impl IntoIterator<Item = (String, String)>) {
        self.files.extend(files);
    }

    /// Gives every file its final name, the block's manifest last.
    pub(super) fn publish(mut self, block: u64, lines: &str) -> Result<(), Error> {
        let manifest = self.write(&manifest_block(block), lines.as_bytes())?;
        let last = manifest.0.clone();
        self.files.push(manifest);
        let text: String = self.files.iter().map(|(name, hash)| format!("{hash}  {name}\n")).collect();
        let (sums, _) = self.write(&checksums(block), text.as_bytes())?;
        let files = self.files.iter().map(|(name, _)| name).filter(|name| **name != last);
        files.chain([&sums, &last]).try_for_each(|name| self.staging.publish(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn live_work_stays_and_leftovers_go() {
        let out = tempfile::tempdir().unwrap();
        let live = Staging::new(out.path(), "000000").unwrap();
        live.write("a/b", b"text").unwrap();
        // a process that was killed: at any of its steps, and while it removed another's folder
        for (name, files) in [("x", &[][..]), ("y", &[LOCK]), ("z", &[LOCK, "a@b", "c"])] {
            let folder = out.path().join(format!("{MARK}000000.{name}"));
            fs::create_dir(&folder).unwrap();
            files.iter().for_each(|file| fs::write(folder.join(file), "").unwrap());
        }
        remove_leftovers(out.path());
        assert_eq!(names(out.path()).len(), 1, "{:?}", names(out.path()));
        live.publish("a/b").unwrap();
        assert_eq!(fs::read(out.path().join("a/b")).unwrap(), b"text");
        drop(live);
        assert_eq!(names(out.path()), ["a"]);
    }

    #[test]
    fn one_of_many_creates_a_file_and_no_living_folder_is_removed() {
        let out = tempfile::tempdir().unwrap();
        for round in 0..20 {
            let name = format!("run-{round}.json");
            let create = |text: String| {
                remove_leftovers(out.path());
                let staging = Staging::new(out.path(), "run").unwrap();
                remove_leftovers(out.path());
                staging.write(&name, text.as_bytes()).unwrap();
                staging.publish_new(&name).unwrap()
            };
            let created = std::thread::scope(|scope| {
                let create = &create;
                let threads: Vec<_> = (0..8).map(|i| scope.spawn(move || create(i.to_string().repeat(99)))).collect();
                threads.into_iter().map(|t| t.join().unwrap()).filter(|created| *created).count()
            });
            assert_eq!(created, 1);
            let text = fs::read_to_string(out.path().join(name)).unwrap();
            assert!(text.len() == 99 && text.chars().all(|c| text.starts_with(c)), "{text}");
        }
        assert!(names(out.path()).iter().all(|name| !name.starts_with('.')));
    }
}
