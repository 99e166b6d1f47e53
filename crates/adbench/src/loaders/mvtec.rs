//! The MVTec AD layout, which many other sets and most custom data share.
//!
//! ```text
//! <category>/train/good/000.png
//! <category>/test/good/000.png
//! <category>/test/<kind>/000.png
//! <category>/ground_truth/<kind>/000_mask.png   (or 000.png)
//! ```
//!
//! Source: P. Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 129, 2021. Licence: CC BY-NC-SA 4.0.

use std::path::Path;

use super::plan::{Plan, categories};
use super::published::{self, Source};
use crate::dataset::{Dataset, DatasetError, Policy};

/// Loader of the MVTec AD layout. Files are listed, not decoded, and never written.
///
/// A mask belongs to the image with its **stem** (`<stem>_mask`, else `<stem>`), never to the one at its position, so
/// that one missing mask does not shift the others. Dotfiles and files among the folders are ignored. A category with
/// the name of an official one is warned of when it has other numbers of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mvtec;

impl Mvtec {
    /// The categories below a dataset's root, in byte order: every folder that holds `train/good`.
    ///
    /// # Errors
    /// [`DatasetError::MissingFolder`] when the root is not a folder, [`DatasetError::Io`] when it cannot be listed.
    pub fn categories(root: impl AsRef<Path>) -> Result<Vec<String>, DatasetError> {
        categories(root.as_ref(), &["good"])
    }

    /// Indexes one category, refusing it when anything is wrong with its files.
    ///
    /// # Errors
    /// [`DatasetError::Findings`] lists everything that is wrong at once; [`DatasetError::MissingFolder`],
    /// [`DatasetError::EmptyFolder`] and [`DatasetError::Io`] when there is nothing to index.
    pub fn index(category: impl AsRef<Path>) -> Result<Dataset, DatasetError> {
        Self::index_with(category, Policy::Strict)
    }

    /// Indexes one category under a policy. See [`Mvtec::index`].
    ///
    /// # Errors
    /// As [`Mvtec::index`]; under [`Policy::Skip`] there is no [`DatasetError::Findings`].
    pub fn index_with(category: impl AsRef<Path>, policy: Policy) -> Result<Dataset, DatasetError> {
        let data = Plan::category(category.as_ref(), &["good"])?.index(Policy::Skip)?;
        published::check(data, Source::Mvtec, policy)
    }
}
