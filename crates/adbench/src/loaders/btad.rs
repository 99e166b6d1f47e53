//! The BTAD (beanTech) layout.
//!
//! ```text
//! BTech_Dataset_transformed/<01|02|03>/train/ok/0000.bmp
//! BTech_Dataset_transformed/<01|02|03>/test/{ok,ko}/0000.bmp
//! BTech_Dataset_transformed/<01|02|03>/ground_truth/ko/0000.png
//! ```
//!
//! Images and masks are `.bmp` or `.png`, whatever the category (product). Categories differ a lot in prevalence, so
//! that average precision and F1 cannot be compared across them.
//!
//! Source: P. Mishra et al., "VT-ADL", ISIE 2021.

use std::path::{Path, PathBuf};

use imgkit::image_io::ImageList;

use super::counts::{self, Counts};
use super::layout::Layout;
use super::plan::{Plan, categories, category_folder, training_images};
use crate::dataset::{Dataset, DatasetError, Policy};

const TOP: &str = "BTech_Dataset_transformed";
const GOOD: [&str; 2] = ["ok", "good"];

/// The BTAD layout: `train/ok`, `test/ok`, `test/ko` and `ground_truth/ko` in the folder of each product.
///
/// The root is the dataset's folder, the folder that holds it, or that of one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Btad;

impl Layout for Btad {
    fn name(&self) -> &'static str {
        "btad"
    }

    fn categories(&self, root: &Path) -> Result<Vec<String>, DatasetError> {
        categories(&top(root), &GOOD)
    }

    fn index(&self, root: &Path, category: Option<&str>, policy: Policy) -> Result<Dataset, DatasetError> {
        let data = Plan::category(&category_folder(&top(root), category, &GOOD), &GOOD)?.index(Policy::Skip)?;
        counts::check(data, self.published(), policy)
    }

    fn training_images(&self, root: &Path, category: Option<&str>) -> Result<ImageList, DatasetError> {
        training_images(&category_folder(&top(root), category, &GOOD), &GOOD)
    }

    fn published(&self) -> &'static [(&'static str, Counts)] {
        &counts::BTAD
    }
}

/// Whether the root holds the dataset's folder under its published name.
pub(super) fn is_marked(root: &Path) -> bool {
    root.join(TOP).is_dir()
}

/// The folder of the categories, or the root when it does not hold that folder.
fn top(root: &Path) -> PathBuf {
    if is_marked(root) { root.join(TOP) } else { root.into() }
}
