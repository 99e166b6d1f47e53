//! The MPDD dataset: metal parts at many angles, in MVTec AD's layout.
//!
//! Source: S. Jezek et al., "Deep learning-based defect detection of metal parts: evaluating current methods in complex
//! conditions", ICUMT 2021.

use std::path::Path;

use imgkit::image_io::ImageList;

use super::counts::{self, Counts};
use super::layout::Layout;
use super::plan::{Plan, categories, category_folder, names_are_published, training_images};
use crate::dataset::{Dataset, DatasetError, Policy};

const GOOD: [&str; 1] = ["good"];

/// The MPDD dataset in the layout of [`Mvtec`](super::Mvtec), with its own published numbers of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mpdd;

impl Layout for Mpdd {
    fn name(&self) -> &'static str {
        "mpdd"
    }

    fn recognize(&self, root: &Path) -> Result<String, String> {
        let found = names_are_published(root, &GOOD, self.published())?;
        // A product of one's own may be called `connector`, too: alone it is read as MVTec AD's, which is the same
        // files.
        let is_single = categories(root, &GOOD).is_ok_and(|names| names.len() < 2);
        if is_single { Err("one category is no sign of it".to_owned()) } else { Ok(found) }
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
        &counts::MPDD
    }
}
