//! Folder listings, shared by all loaders: sorted, without dotfiles, inside the root, by stem.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use imgkit::file::escaped;
use imgkit::image_io::{FileKind, file_kind};

use crate::dataset::{DatasetError, Finding};

/// A dataset's root, which no symbolic link may lead out of.
#[derive(Debug)]
pub(super) struct Root {
    path: PathBuf,
    real: PathBuf,
}

impl Root {
    pub(super) fn new(path: &Path) -> Result<Self, DatasetError> {
        let real = fs::canonicalize(path).map_err(|source| DatasetError::Io { path: path.into(), source })?;
        Ok(Self { path: path.into(), real })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where a path leads when that is outside the root. A dangling link counts as inside: reading it says what is
    /// wrong.
    pub(super) fn escape(&self, path: &Path) -> Option<PathBuf> {
        fs::canonicalize(path).ok().filter(|target| !target.starts_with(&self.real))
    }
}

struct Entry {
    name: String,
    path: PathBuf,
    kind: FileKind,
}

/// The visible entries of a folder, in byte order of their names. Links out of the root are noted and left out.
fn entries(root: &Root, folder: &Path, findings: &mut Vec<Finding>) -> Result<Vec<Entry>, DatasetError> {
    let fail = |source| DatasetError::Io { path: folder.into(), source };
    let mut list = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let name = escaped(entry.file_name());
        if name.starts_with('.') {
            continue;
        }
        let path = entry.path();
        // The type comes with the listing: only links cost further calls to the system.
        let kind = entry.file_type().map_err(fail)?;
        if kind.is_symlink()
            && let Some(target) = root.escape(&path)
        {
            findings.push(Finding::PathEscapesRoot { path, target });
            continue;
        }
        list.push(Entry { name, path, kind: file_kind(&entry).map_err(fail)? });
    }
    list.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(list)
}

/// The visible folders in a folder, in byte order of their names: (name, path).
pub(super) fn folders(
    root: &Root,
    folder: &Path,
    findings: &mut Vec<Finding>,
) -> Result<Vec<(String, PathBuf)>, DatasetError> {
    let all = entries(root, folder, findings)?.into_iter();
    Ok(all.filter(|e| e.kind == FileKind::Folder).map(|e| (e.name, e.path)).collect())
}

/// The image files of a folder, in byte order of their stems.
#[derive(Debug, Default)]
pub(super) struct ImageFiles {
    by_stem: Vec<(String, PathBuf)>,
    ambiguous: BTreeSet<String>,
    files: usize,
}

impl ImageFiles {
    /// Lists the photos of a folder; masks beside them are passed over.
    pub(super) fn photos(root: &Root, folder: &Path, findings: &mut Vec<Finding>) -> Result<Self, DatasetError> {
        Self::list(root, folder, |kind| *kind == FileKind::Photo, findings)
    }

    /// Lists the masks of a folder: every image, or where the photos are in the same folder those named as masks.
    pub(super) fn masks(
        root: &Root,
        folder: &Path,
        photos: Option<&Path>,
        findings: &mut Vec<Finding>,
    ) -> Result<Self, DatasetError> {
        let real = |path: &Path| fs::canonicalize(path).ok();
        let beside = photos.is_some_and(|photos| real(photos) == real(folder));
        let is_mask = move |kind: &FileKind| *kind == FileKind::Mask || (*kind == FileKind::Photo && !beside);
        Self::list(root, folder, is_mask, findings)
    }

    /// Lists a folder. Of files that share a stem none is kept; images of a kind that is not read and other files are
    /// noted and left out. A folder that a link leads out of the root is noted and not read.
    fn list(
        root: &Root,
        folder: &Path,
        belongs: impl Fn(&FileKind) -> bool,
        findings: &mut Vec<Finding>,
    ) -> Result<Self, DatasetError> {
        if let Some(target) = root.escape(folder) {
            let finding = Finding::PathEscapesRoot { path: folder.into(), target };
            // Listing the folder above has noted a link as such already.
            if !findings.contains(&finding) {
                findings.push(finding);
            }
            return Ok(Self::default());
        }
        let mut all: Vec<(String, PathBuf)> = Vec::new();
        let mut beside: Vec<(String, PathBuf)> = Vec::new();
        for Entry { name, path, kind } in entries(root, folder, findings)? {
            match kind {
                FileKind::Folder => {}
                FileKind::NotRead(reason) => findings.push(Finding::NotRead { path, reason }),
                kind if belongs(&kind) => {
                    let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
                    all.push((stem.to_owned(), path));
                }
                FileKind::Mask => beside.push((name, path)),
                FileKind::Photo => {}
                _ => findings.push(Finding::IgnoredFile { path }),
            }
        }
        all.sort();
        let has_photo = |name: &str| {
            let of = name.rsplit_once("_mask.").map_or(name, |(of, _)| of);
            all.binary_search_by(|(stem, _)| stem.as_str().cmp(of)).is_ok()
        };
        for (_, path) in beside.into_iter().filter(|(name, _)| !has_photo(name)) {
            let reason = "named as a mask among the images; rename it if it is a photo".to_owned();
            findings.push(Finding::NotRead { path, reason });
        }
        let files = all.len();
        let mut ambiguous = BTreeSet::new();
        for same in all.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() > 1) {
            let of = |(_, second): &(String, PathBuf)| Finding::AmbiguousStem {
                first: same[0].1.clone(),
                second: second.clone(),
            };
            findings.extend(same[1..].iter().map(of));
            ambiguous.insert(same[0].0.clone());
        }
        if !ambiguous.is_empty() {
            all.retain(|(stem, _)| !ambiguous.contains(stem));
        }
        Ok(Self { by_stem: all, ambiguous, files })
    }

    pub(super) fn get(&self, stem: &str) -> Option<&PathBuf> {
        let at = self.by_stem.binary_search_by(|(s, _)| s.as_str().cmp(stem)).ok()?;
        Some(&self.by_stem[at].1)
    }

    /// Whether several files share this stem, so that none was kept.
    pub(super) fn is_ambiguous(&self, stem: &str) -> bool {
        self.ambiguous.contains(stem)
    }

    /// Stems and paths.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &PathBuf)> {
        self.by_stem.iter().map(|(stem, path)| (stem.as_str(), path))
    }

    /// Image files in the folder, those without a stem of their own included.
    pub(super) fn files(&self) -> usize {
        self.files
    }
}
