//! Folders in any other arrangement, named one by one.

use std::path::{Path, PathBuf};

use super::listing::Root;
use super::plan::{Masks, Part, Plan, require};
use crate::dataset::{Dataset, DatasetError, Policy};

/// Loader of folders that follow no published layout. Folders are relative to the root.
///
/// Masks pair with images by stem, as in the MVTec AD layout. Files are listed, not decoded, and never written.
///
/// ```no_run
/// use adbench::dataset::Policy;
/// use adbench::loaders::Folder;
/// let data = Folder::new("caps", "data/caps")
///     .with_train("good_2024")
///     .with_good("good_2025")
///     .with_defect("dent", "rejects/dent", Some("masks/dent".as_ref()))
///     .with_defect("smear", "rejects/smear", None) // image figures only
///     .index(Policy::Strict)?;
/// # Ok::<(), adbench::dataset::DatasetError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Folder {
    name: String,
    root: PathBuf,
    train: Vec<PathBuf>,
    test: Vec<(Option<String>, PathBuf, Option<PathBuf>)>,
}

impl Folder {
    /// Creates a loader of a dataset of this name below `root`, without folders yet.
    #[must_use]
    pub fn new(name: impl Into<String>, root: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), root: root.into(), train: Vec::new(), test: Vec::new() }
    }

    /// Adds a folder of good training images.
    #[must_use]
    pub fn with_train(mut self, folder: impl Into<PathBuf>) -> Self {
        self.train.push(folder.into());
        self
    }

    /// Adds a folder of good test images.
    #[must_use]
    pub fn with_good(mut self, folder: impl Into<PathBuf>) -> Self {
        self.test.push((None, folder.into(), None));
        self
    }

    /// Adds a folder of test images with one kind of defect, and the folder of their masks. Without masks the kind has
    /// image figures only.
    #[must_use]
    pub fn with_defect(mut self, kind: impl Into<String>, folder: impl Into<PathBuf>, masks: Option<&Path>) -> Self {
        self.test.push((Some(kind.into()), folder.into(), masks.map(Path::to_owned)));
        self
    }

    /// Indexes the folders.
    ///
    /// # Errors
    /// As [`Layout::index`](super::Layout::index).
    pub fn index(&self, policy: Policy) -> Result<Dataset, DatasetError> {
        require(&self.root, || "check the path".to_owned())?;
        let mut plan = Plan::new(self.name.clone(), Root::new(&self.root)?);
        let existing = |folder: &Path| {
            let path = self.root.join(folder);
            require(&path, || "check the name given for it".to_owned()).map(|()| path)
        };
        for folder in &self.train {
            plan.train.push(Part::new(None, existing(folder)?, Masks::Absent));
        }
        for (kind, folder, masks) in &self.test {
            let masks = masks.as_ref().map_or(Masks::Absent, |folder| Masks::Required(self.root.join(folder)));
            plan.test.push(Part::new(kind.clone(), existing(folder)?, masks));
        }
        plan.index(policy)
    }
}
