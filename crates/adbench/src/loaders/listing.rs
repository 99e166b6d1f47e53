//! Folder listings that every loader shares: sorted, without dotfiles, by stem.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::finding::{DatasetError, Finding};

const EXTENSIONS: [&str; 4] = ["png", "jpg", "jpeg", "bmp"];

/// The visible entries of a folder, in byte order of their names: (name, path).
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, DatasetError> {
    let fail = |source| DatasetError::Io { path: folder.into(), source };
    let mut list = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            list.push((name, entry.path()));
        }
    }
    list.sort();
    Ok(list)
}

/// The visible folders in a folder, in byte order of their names.
pub(super) fn folders(folder: &Path) -> Result<Vec<(String, PathBuf)>, DatasetError> {
    Ok(entries(folder)?.into_iter().filter(|(_, path)| path.is_dir()).collect())
}

/// The image files of a folder by stem.
#[derive(Debug, Default)]
pub(super) struct ImageFiles {
    by_stem: BTreeMap<String, PathBuf>,
    ambiguous: BTreeSet<String>,
    files: usize,
}

impl ImageFiles {
    /// Lists a folder. Of files that share a stem none is kept; other files than images are noted and ignored.
    pub(super) fn list(folder: &Path, findings: &mut Vec<Finding>) -> Result<Self, DatasetError> {
        let mut by_stem: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for (_, path) in entries(folder)?.into_iter().filter(|(_, path)| !path.is_dir()) {
            let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
            if !EXTENSIONS.contains(&extension.as_str()) {
                findings.push(Finding::IgnoredFile { path });
                continue;
            }
            let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
            by_stem.entry(stem).or_default().push(path);
        }
        let files = by_stem.values().map(Vec::len).sum();
        let (mut single, mut ambiguous) = (BTreeMap::new(), BTreeSet::new());
        for (stem, paths) in by_stem {
            match paths.as_slice() {
                [path] => drop(single.insert(stem, path.clone())),
                [first, rest @ ..] => {
                    let of = |second: &PathBuf| Finding::AmbiguousStem { first: first.clone(), second: second.clone() };
                    findings.extend(rest.iter().map(of));
                    ambiguous.insert(stem);
                }
                [] => {}
            }
        }
        Ok(Self { by_stem: single, ambiguous, files })
    }

    pub(super) fn get(&self, stem: &str) -> Option<&PathBuf> {
        self.by_stem.get(stem)
    }

    /// Whether several files share this stem, so that none was kept.
    pub(super) fn is_ambiguous(&self, stem: &str) -> bool {
        self.ambiguous.contains(stem)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &PathBuf)> {
        self.by_stem.iter()
    }

    /// Image files in the folder, those without a stem of their own included.
    pub(super) fn files(&self) -> usize {
        self.files
    }
}
