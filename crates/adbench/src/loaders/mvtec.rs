//! The MVTec AD layout, which many other sets and most custom data share.
//!
//! ```text
//! <category>/train/good/000.png
//! <category>/test/good/000.png
//! <category>/test/<kind>/000.png
//! <category>/ground_truth/<kind>/000_mask.png   (or 000.png)
//! ```
//!
//! Source: P. Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 129, 2021. License: CC BY-NC-SA 4.0.

use std::path::Path;

use imgkit::image_io::ImageList;

use super::counts::{self, Counts};
use super::layout::Layout;
use super::plan::{Plan, categories, category_folder, good_name_of, training_images};
use crate::dataset::{Dataset, DatasetError, Policy};

const GOOD: [&str; 1] = ["good"];

/// The MVTec AD layout: `train/good`, `test/good`, `test/<kind>` and `ground_truth/<kind>` in the folder of each
/// category.
///
/// The root is the folder of the categories or that of one category. A mask belongs to the image with its **stem**
/// (`<stem>_mask`, else `<stem>`), never to the one at its position, so that one missing mask does not shift the
/// others. Dotfiles and files among the folders are ignored. A category that has the name of a published one and other
/// numbers of images gets a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mvtec;

impl Layout for Mvtec {
    fn name(&self) -> &'static str {
        "mvtec"
    }

    fn recognize(&self, root: &Path) -> Result<String, String> {
        let names = categories(root, &["good", "ok"]).map_err(|e| e.to_string())?;
        let first = names.first().filter(|first| good_name_of(root, first, &["good", "ok"]) == Some("good"));
        first.map(|first| format!("{first} has train/good")).ok_or_else(|| "no folder with train/good".to_owned())
    }

    fn categories(&self, root: &Path) -> Result<Vec<String>, DatasetError> {
        categories(root, &GOOD)
    }

    fn index(&self, root: &Path, category: Option<&str>, policy: Policy) -> Result<Dataset, DatasetError> {
        let data = Plan::category(&category_folder(root, category, &GOOD), &GOOD)?.index(Policy::Skip)?;
        counts::check(data, self.published(), policy)
    }

    fn training_images(&self, root: &Path, category: Option<&str>) -> Result<ImageList, DatasetError> {
        training_images(&category_folder(root, category, &GOOD), &GOOD)
    }

    fn published(&self) -> &'static [(&'static str, Counts)] {
        &counts::MVTEC
    }
}
