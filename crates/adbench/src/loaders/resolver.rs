//! Paths that a file lists: not trusted, and never out of the root.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::listing::Root;
use crate::dataset::Finding;

/// Resolves paths that a file lists, relative to a root.
#[derive(Debug)]
pub(super) struct Resolver {
    root: Root,
    /// Targets of the folders of the files where they are outside the root; each folder is looked up once.
    escapes: BTreeMap<PathBuf, Option<PathBuf>>,
}

impl Resolver {
    pub(super) fn new(root: Root) -> Self {
        Self { root, escapes: BTreeMap::new() }
    }

    pub(super) fn root(&self) -> &Path {
        self.root.path()
    }

    /// A path as id, with `/`, and as path; the id is empty for the root itself.
    ///
    /// # Errors
    /// [`Finding::PathEscapesRoot`] for an absolute path, one with `..`, and one that a link leads out of the root.
    pub(super) fn resolve(&mut self, given: &str) -> Result<(String, PathBuf), Finding> {
        let escaping = |target: PathBuf| Finding::PathEscapesRoot { path: given.into(), target };
        let mut parts = Vec::new();
        for part in Path::new(given).components() {
            match part {
                Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
                Component::CurDir => {}
                _ => return Err(escaping(given.into())),
            }
        }
        let path = parts.iter().fold(self.root.path().to_owned(), |path, part| path.join(part));
        let folder = path.parent().filter(|_| !parts.is_empty()).unwrap_or(self.root.path()).to_owned();
        let root = &self.root;
        let target = self.escapes.entry(folder).or_insert_with_key(|folder| root.escape(folder)).clone();
        let is_link = fs::symlink_metadata(&path).is_ok_and(|m| m.is_symlink());
        match target.or_else(|| if is_link { self.root.escape(&path) } else { None }) {
            Some(target) => Err(escaping(target)),
            None => Ok((parts.join("/"), path)),
        }
    }
}
