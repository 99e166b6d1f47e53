//! A folder that fills with photos, looked at again and again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use imgkit::image_io::NotRead;
use imgkit::image_io::list_images;

use crate::error::Error;

/// Number of looks in a row at which a file that cannot be read is the same, after which no more of it is waited for.
const PATIENCE: u32 = 10;

/// Watch over a folder that fills with photos. It holds no time: [`Self::poll`] is called in intervals.
///
/// A file is complete when size and time of change are those of the look before. A file that was complete and cannot be
/// read may be half of a photo, whose writer pauses: it is tried again as soon as it changes, and once more, for the
/// last time, when it has stayed the same for ten looks. A file that changes after that is a new arrival.
///
/// ```
/// use maphc2f::FolderWatch;
/// let folder = tempfile::tempdir()?;
/// let mut watch = FolderWatch::new(folder.path())?;
/// std::fs::write(folder.path().join("a.png"), "a photo")?;
/// assert!(watch.poll()?.is_empty(), "it may still grow");
/// let arrived = watch.poll()?;
/// assert!(arrived.len() == 1 && arrived[0].path.ends_with("a.png"));
/// watch.done(&arrived[0].path);
/// assert!(watch.poll()?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FolderWatch {
    folder: PathBuf,
    looks: u64,
    files: BTreeMap<PathBuf, Watched>,
}

/// Size and time of change of a file.
type Stamp = (u64, Option<SystemTime>);

#[derive(Debug)]
struct Watched {
    stamp: Stamp,
    /// The look that first saw it.
    since: u64,
    /// Looks in a row at which it was the same.
    same: u32,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    /// Could not be read.
    Tried,
    Done,
}

/// File of a watched folder that is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrival {
    /// The file.
    pub path: PathBuf,
    /// Why it is not read, of a file that only looks like an image.
    pub not_read: Option<NotRead>,
    /// Whether it was waited for long enough: if it cannot be read now, it is not half of a photo.
    pub is_final: bool,
}

impl FolderWatch {
    /// Starts to watch a folder. The photos that it holds already arrive, too.
    ///
    /// # Errors
    /// [`Error::Folder`] if it cannot be found.
    pub fn new(folder: &Path) -> Result<Self, Error> {
        // the lines of a run must name photos as those of the next run do, wherever it is started
        let found = fs::canonicalize(folder).and_then(|path| fs::read_dir(&path).map(|_| path));
        let folder = found.map_err(|source| Error::Folder { path: folder.to_owned(), source })?;
        Ok(Self { folder, looks: 0, files: BTreeMap::new() })
    }

    /// The folder, as an absolute path.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Looks at the folder; returns the files that have become complete, in order of arrival: by the look that first
    /// saw them, the time of their last change, and name. Each must be answered by [`Self::done`] or
    /// [`Self::wait_for`], or it is returned again.
    ///
    /// # Errors
    /// [`Error::Folder`] if the folder cannot be listed.
    pub fn poll(&mut self) -> Result<Vec<Arrival>, Error> {
        let list = list_images(&self.folder).map_err(|source| Error::Folder { path: self.folder.clone(), source })?;
        self.looks += 1;
        let files = list.photos.into_iter().map(|path| (path, None));
        let files = files.chain(list.not_read.into_iter().map(|file| (file.path.clone(), Some(file))));
        let mut before = std::mem::take(&mut self.files);
        let mut ready = Vec::new();
        for (path, not_read) in files {
            // gone since it was listed, or a link that leads nowhere
            let stamp = fs::metadata(&path).map_or((0, None), |found| (found.len(), found.modified().ok()));
            let new = Watched { stamp, since: self.looks, same: 0, state: State::Waiting };
            let file = match before.remove(&path) {
                Some(file) if file.stamp == stamp => Watched { same: file.same.saturating_add(1), ..file },
                Some(Watched { state: State::Done, .. }) | None => new,
                Some(file) => Watched { since: file.since, ..new },
            };
            let is_final = file.same >= PATIENCE;
            let is_ready = match file.state {
                State::Waiting => file.same >= 1 && (not_read.is_none() || is_final),
                State::Tried => is_final,
                State::Done => false,
            };
            if is_ready {
                ready.push((file.since, stamp.1, Arrival { path: path.clone(), not_read, is_final }));
            }
            self.files.insert(path, file);
        }
        ready.sort_by(|a, b| (a.0, a.1, &a.2.path).cmp(&(b.0, b.1, &b.2.path)));
        Ok(ready.into_iter().map(|(_, _, arrival)| arrival).collect())
    }

    /// Says that a file needs no more looks until it changes.
    pub fn done(&mut self, path: &Path) {
        self.set(path, State::Done);
    }

    /// Says that a file could not be read and may be half of a photo.
    pub fn wait_for(&mut self, path: &Path) {
        self.set(path, State::Tried);
    }

    fn set(&mut self, path: &Path, state: State) {
        if let Some(file) = self.files.get_mut(path) {
            file.state = state;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::Duration;

    /// Names of the arrivals at one look, those waited for long enough with a `!`.
    fn look(watch: &mut FolderWatch) -> Vec<String> {
        let name =
            |a: &Arrival| format!("{}{}", a.path.file_name().unwrap().display(), if a.is_final { "!" } else { "" });
        watch.poll().unwrap().iter().map(name).collect()
    }

    fn write(path: &Path, bytes: &[u8], second: u64) {
        fs::write(path, bytes).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + second);
        File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn files_arrive_when_they_stay_the_same_in_order_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = FolderWatch::new(folder.path()).unwrap();
        let at = |name: &str| watch.folder().join(name);
        let (a, b, c) = (at("a.png"), at("b.png"), at("c.png"));
        assert!(look(&mut watch).is_empty());
        write(&c, b"cc", 1);
        write(&a, b"aa", 2);
        assert!(look(&mut watch).is_empty(), "seen for the first time");
        write(&a, b"aaa", 2); // it grows
        write(&b, b"bb", 0); // seen last, whatever its time
        assert_eq!(look(&mut watch), ["c.png"]);
        assert_eq!(look(&mut watch), ["c.png", "a.png", "b.png"], "none was answered for");
        [&a, &b, &c].into_iter().for_each(|path| watch.done(path));
        (0..20).for_each(|_| assert!(look(&mut watch).is_empty()));
        write(&b, b"bb", 9); // replaced
        assert!(look(&mut watch).is_empty());
        assert_eq!(look(&mut watch), ["b.png"]);
        watch.done(&b);
        fs::remove_file(&a).unwrap();
        assert!(look(&mut watch).is_empty());
        write(&a, b"aaa", 2); // it comes again
        assert!(look(&mut watch).is_empty());
        assert_eq!(look(&mut watch), ["a.png"]);
        fs::remove_dir_all(folder.path()).unwrap();
        assert!(matches!(watch.poll(), Err(Error::Folder { .. })));
        assert!(FolderWatch::new(folder.path()).is_err());
    }

    #[test]
    fn half_of_a_file_is_waited_for_until_it_grows_or_patience_ends() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = FolderWatch::new(folder.path()).unwrap();
        let half = watch.folder().join("half.png");
        write(&half, b"ha", 1);
        assert!(look(&mut watch).is_empty());
        assert_eq!(look(&mut watch), ["half.png"]);
        watch.wait_for(&half);
        for _ in 2..PATIENCE {
            assert!(look(&mut watch).is_empty());
        }
        write(&half, b"half", 2);
        assert!(look(&mut watch).is_empty());
        assert_eq!(look(&mut watch), ["half.png"]);
        watch.wait_for(&half);
        (2..PATIENCE).for_each(|_| assert!(look(&mut watch).is_empty()));
        assert_eq!(look(&mut watch), ["half.png!"]);
        watch.done(&half);
        (0..20).for_each(|_| assert!(look(&mut watch).is_empty()));
        // what only looks like an image arrives when it has been waited for, and a mask never
        write(&watch.folder().join("x.webp"), b"no", 3);
        write(&watch.folder().join("half_mask.png"), b"no", 3);
        (0..PATIENCE).for_each(|_| assert!(look(&mut watch).is_empty()));
        let found = watch.poll().unwrap();
        assert!(found.len() == 1 && found[0].is_final && found[0].not_read.is_some(), "{found:?}");
    }
}
