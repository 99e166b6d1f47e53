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
use super::plan::{Plan, categories, category_folder, good_name_of, training_images};
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

    fn recognize(&self, root: &Path) -> Result<String, String> {
        if root.join(TOP).is_dir() {
            return Ok(format!("there is a folder {TOP}"));
        }
        // A folder with both is MVTec AD's.
        let names = categories(root, &["good", "ok"]).map_err(|e| e.to_string())?;
        let first = names.first().filter(|first| good_name_of(root, first, &["good", "ok"]) == Some("ok"));
        let lack = || format!("neither a folder {TOP} nor one with train/ok");
        first.map(|first| format!("{first} has train/ok")).ok_or_else(lack)
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

/// The folder of the categories, or the root when it does not hold that folder.
fn top(root: &Path) -> PathBuf {
    if root.join(TOP).is_dir() { root.join(TOP) } else { root.into() }
}
