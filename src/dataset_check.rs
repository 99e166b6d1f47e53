//! Check of a dataset on disk: every fault of its files, and its numbers of images beside the published ones.

use std::path::Path;

use adbench::dataset::{Dataset, DatasetError, Policy, Severity};
use adbench::loaders::{Counts, Folder, Layout};
use imgkit::file::escaped;

use crate::error::Error;

/// Arrangement of the files of a dataset.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Arrangement {
    /// A known layout with its categories.
    Layout(&'static dyn Layout),
    /// Folders named one by one.
    Folder(Folder),
}

/// Check of one category, in a [`DatasetCheck`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CategoryCheck {
    /// Name of the category.
    pub name: String,
    /// Numbers of images that can be used; `None` if the category cannot be indexed.
    pub counts: Option<Counts>,
    /// Published numbers, if there are any.
    pub published: Option<Counts>,
    /// What is wrong, one line each.
    pub faults: Vec<String>,
    /// What is unusual, one line each.
    pub warnings: Vec<String>,
}

/// Result of checking a dataset: everything that is wrong with it, all at once.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DatasetCheck {
    /// Category by category.
    pub categories: Vec<CategoryCheck>,
    /// Warnings about the dataset as a whole.
    pub warnings: Vec<String>,
}

impl DatasetCheck {
    /// Number of faults.
    #[must_use]
    pub fn faults(&self) -> usize {
        self.categories.iter().map(|c| c.faults.len()).sum()
    }

    /// Number of warnings.
    #[must_use]
    pub fn warnings(&self) -> usize {
        self.warnings.len() + self.categories.iter().map(|c| c.warnings.len()).sum::<usize>()
    }
}

/// Lists every fault of the dataset at `root`. Decodes every file if `decode`; never writes. `progress` is called after
/// each file that was decoded.
///
/// # Errors
/// [`Error::Dataset`] if the root cannot be listed; [`Error::NoCategory`] if it holds no category.
pub fn check_dataset(
    arrangement: &Arrangement,
    root: &Path,
    decode: bool,
    progress: &(dyn Fn() + Sync),
) -> Result<DatasetCheck, Error> {
    let (names, published) = match arrangement {
        Arrangement::Layout(layout) => (layout.categories(root)?, layout.published()),
        Arrangement::Folder(_) => {
            (vec![root.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()], &[][..])
        }
    };
    if names.is_empty() {
        return Err(Error::NoCategory { path: root.to_owned() });
    }
    let index = |name: &str| -> Result<Dataset, DatasetError> {
        let data = match arrangement {
            Arrangement::Layout(layout) => layout.index(root, Some(name), Policy::Skip),
            Arrangement::Folder(folder) => folder.index(Policy::Skip),
        };
        if decode { data?.validate_with(|_| progress()) } else { data }
    };
    let check = |name: &String| {
        let published = published.iter().find(|(n, _)| n == name).map(|(_, counts)| *counts);
        let mut check =
            CategoryCheck { name: name.clone(), counts: None, published, faults: Vec::new(), warnings: Vec::new() };
        match index(name) {
            Err(e) => check.faults.push(e.to_string()),
            Ok(data) => {
                check.counts = Some(Counts::of(&data));
                for finding in data.findings() {
                    let is_fault = finding.severity() == Severity::Error;
                    let list = if is_fault { &mut check.faults } else { &mut check.warnings };
                    list.push(finding.to_string());
                }
            }
        }
        check
    };
    let categories: Vec<CategoryCheck> = names.iter().map(check).collect();
    let missing = published.iter().filter(|(name, _)| names.len() > 1 && !names.iter().any(|n| n == name));
    let warnings = missing.map(|(name, _)| format!("{}: published category {name} is missing", escaped(root)));
    Ok(DatasetCheck { categories, warnings: warnings.collect() })
}
