//! The VisA dataset: raw, as its authors publish it, and the reorganized copies in use.
//!
//! ```text
//! <root>/split_csv/{1cls,2cls_highshot,2cls_fewshot}.csv
//! <root>/<category>/Data/Images/{Normal,Anomaly}/000.JPG
//! <root>/<category>/Data/Masks/Anomaly/000.png            (class ids 1 to 9, not 255)
//!
//! <root>/[1cls/]<category>/{train/good,test/{good,bad},ground_truth/bad}
//! <root>/[1cls/]<category>/{train/ok,test/{ok,ko},ground_truth/ko}
//! ```
//!
//! Source: Y. Zou et al., "SPot-the-Difference Self-Supervised Pre-training for Anomaly Detection and Segmentation",
//! ECCV 2022.

use std::path::{Path, PathBuf};

use imgkit::image_io::ImageList;

use super::counts::{self, Counts};
use super::layout::{BY_NAME, Layout, good_training_images};
use super::plan::{Plan, categories, category_folder, names_are_published, require, training_images};
use super::table::Table;
use crate::dataset::{Dataset, DatasetError, Policy};

const GOOD: [&str; 2] = ["good", "ok"];
/// Folder of the published tables.
const TABLES: &str = "split_csv";
/// Folder of the categories in some copies.
const COPY: &str = "1cls";

/// Published splits of VisA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum VisaSplit {
    /// `1cls`: training on good images only. The one that reorganized copies have.
    #[default]
    OneClass,
    /// `2cls_highshot`: training with anomalous images, many.
    TwoClassHighShot,
    /// `2cls_fewshot`: training with anomalous images, few.
    TwoClassFewShot,
}

impl VisaSplit {
    /// Name of the table, without its extension.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OneClass => "1cls",
            Self::TwoClassHighShot => "2cls_highshot",
            Self::TwoClassFewShot => "2cls_fewshot",
        }
    }
}

/// The VisA dataset, as published (`split_csv`, `<category>/Data`) or as a copy in folders, perhaps below `1cls`.
///
/// The root is the dataset's folder or, of a copy in folders, that of one category. Masks of the published dataset hold
/// class ids; as a binary mask every id counts. [`Dataset::kinds_from_class_ids`] makes them kinds of defect. 500 file
/// names occur among both the normal and the anomalous images, so that an image's id is its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Visa {
    split: VisaSplit,
}

impl Visa {
    /// Creates the layout with this split. Copies in folders have [`VisaSplit::OneClass`] only.
    #[must_use]
    pub const fn new(split: VisaSplit) -> Self {
        Self { split }
    }

    /// The table of a published root.
    fn table(&self, root: &Path) -> Option<Table> {
        let folder = root.join(TABLES);
        let table = Table::new(folder.join(self.split.name()).with_extension("csv")).with_root(root).with_class_ids();
        let table = if self.split == VisaSplit::OneClass { table } else { table.with_train_anomalies() };
        folder.is_dir().then_some(table)
    }
}

impl Layout for Visa {
    fn name(&self) -> &'static str {
        match self.split {
            VisaSplit::OneClass => "visa",
            VisaSplit::TwoClassHighShot => "visa-2cls-highshot",
            VisaSplit::TwoClassFewShot => "visa-2cls-fewshot",
        }
    }

    fn recognize(&self, root: &Path) -> Result<String, String> {
        if self.split != VisaSplit::OneClass {
            return Err(BY_NAME.to_owned());
        }
        match [TABLES, COPY].into_iter().find(|folder| root.join(folder).is_dir()) {
            Some(folder) => Ok(format!("there is a folder {folder}")),
            None => names_are_published(root, &GOOD, self.published())
                .map_err(|lack| format!("neither {TABLES} nor {COPY}, and {lack}")),
        }
    }

    fn categories(&self, root: &Path) -> Result<Vec<String>, DatasetError> {
        require(root, || "check the path".to_owned())?;
        match self.table(root) {
            Some(table) => table.categories(),
            None => categories(&top(root), &GOOD),
        }
    }

    fn index(&self, root: &Path, category: Option<&str>, policy: Policy) -> Result<Dataset, DatasetError> {
        require(root, || "check the path".to_owned())?;
        let data = match (self.table(root), category) {
            (Some(table), category) => of_table(table, root, category)?,
            (None, _) => {
                if self.split != VisaSplit::OneClass {
                    let advice = format!("a copy in folders has no split {}; use the raw dataset", self.split.name());
                    return Err(DatasetError::MissingFolder { path: root.join(TABLES), advice });
                }
                let mut plan = Plan::category(&category_folder(&top(root), category, &GOOD), &GOOD)?;
                // Copies keep the ids or convert them to white; neither is a gray level.
                plan.has_class_ids = true;
                plan.index(Policy::Skip)?
            }
        };
        counts::check(data, self.published(), policy)
    }

    fn training_images(&self, root: &Path, category: Option<&str>) -> Result<ImageList, DatasetError> {
        match self.table(root) {
            None => training_images(&category_folder(&top(root), category, &GOOD), &GOOD),
            Some(table) => Ok(good_training_images(&of_table(table, root, category)?)),
        }
    }

    fn published(&self) -> &'static [(&'static str, Counts)] {
        if self.split == VisaSplit::OneClass { &counts::VISA } else { &[] }
    }
}

/// A category of the published tables.
fn of_table(table: Table, root: &Path, category: Option<&str>) -> Result<Dataset, DatasetError> {
    match category {
        Some(category) => table.with_category(category).index(Policy::Skip),
        None => {
            let categories = table.categories()?;
            Err(DatasetError::SeveralCategories { path: root.into(), categories })
        }
    }
}

/// The folder of the categories in a copy.
fn top(root: &Path) -> PathBuf {
    let inner = root.join(COPY);
    if inner.is_dir() { inner } else { root.into() }
}
