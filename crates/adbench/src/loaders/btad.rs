//! The BTAD (beanTech) layout.
//!
//! ```text
//! BTech_Dataset_transformed/<01|02|03>/train/ok/0000.bmp
//! BTech_Dataset_transformed/<01|02|03>/test/{ok,ko}/0000.bmp
//! BTech_Dataset_transformed/<01|02|03>/ground_truth/ko/0000.png
//! ```
//!
//! Images and masks are `.bmp` or `.png`, whatever the product. Products differ a lot in prevalence, so that average
//! precision and F1 cannot be compared across them.
//!
//! Source: P. Mishra et al., "VT-ADL", ISIE 2021.

use std::path::{Path, PathBuf};

use super::plan::{Plan, categories};
use super::published::{self, Source};
use crate::dataset::{Dataset, DatasetError, Policy};

const TOP: &str = "BTech_Dataset_transformed";
const GOOD: [&str; 2] = ["ok", "good"];

/// Loader of the BTAD layout. Files are listed, not decoded, and never written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Btad;

impl Btad {
    /// The products of a dataset, in byte order. `root` is the dataset's folder, the folder that holds it, or a product's.
    ///
    /// # Errors
    /// [`DatasetError::MissingFolder`] when the root is not a folder, [`DatasetError::Io`] when it cannot be listed.
    pub fn categories(root: impl AsRef<Path>) -> Result<Vec<String>, DatasetError> {
        let (folder, product) = locate(root.as_ref());
        product.map_or_else(|| categories(&folder, &GOOD), |name| Ok(vec![name]))
    }

    /// Indexes one product, refusing it when anything is wrong with its files. `root` as for [`Btad::categories`].
    ///
    /// # Errors
    /// As [`Mvtec::index`](crate::loaders::Mvtec::index).
    pub fn index(root: impl AsRef<Path>, product: &str) -> Result<Dataset, DatasetError> {
        Self::index_with(root, product, Policy::Strict)
    }

    /// Indexes one product under a policy. See [`Btad::index`].
    ///
    /// # Errors
    /// As [`Btad::index`]; under [`Policy::Skip`] there is no [`DatasetError::Findings`].
    pub fn index_with(root: impl AsRef<Path>, product: &str, policy: Policy) -> Result<Dataset, DatasetError> {
        let (folder, _) = locate(root.as_ref());
        let data = Plan::category(&folder.join(product), &GOOD)?.index(Policy::Skip)?;
        published::check(data, Source::Btad, policy)
    }
}

/// The folder of the products, and the product when the root is one's own folder.
fn locate(root: &Path) -> (PathBuf, Option<String>) {
    let inner = root.join(TOP);
    if inner.is_dir() {
        return (inner, None);
    }
    let is_product = GOOD.iter().any(|good| root.join("train").join(good).is_dir());
    match (is_product, root.parent(), root.file_name()) {
        (true, Some(parent), Some(name)) => (parent.into(), Some(name.to_string_lossy().into_owned())),
        _ => (root.into(), None),
    }
}
