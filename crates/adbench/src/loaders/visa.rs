//! The VisA dataset: raw, as its authors publish it, and the reorganised copies in use.
//!
//! ```text
//! <root>/split_csv/{1cls,2cls_highshot,2cls_fewshot}.csv
//! <root>/<object>/Data/Images/{Normal,Anomaly}/000.JPG
//! <root>/<object>/Data/Masks/Anomaly/000.png            (class ids 1 to 9, not 255)
//!
//! <root>/[1cls/]<object>/{train/good,test/{good,bad},ground_truth/bad}
//! <root>/[1cls/]<object>/{train/ok,test/{ok,ko},ground_truth/ko}
//! ```
//!
//! Source: Y. Zou et al., "SPot-the-Difference Self-Supervised Pre-training for Anomaly Detection and Segmentation",
//! ECCV 2022.

use std::path::{Path, PathBuf};

use super::plan::{Plan, categories, require};
use super::published::{self, Source};
use super::table::Table;
use crate::dataset::{Dataset, DatasetError, Policy};

const GOOD: [&str; 2] = ["good", "ok"];

/// The published splits of the raw dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VisaSplit {
    /// `1cls`: training on good images only. The one that reorganised copies have.
    #[default]
    OneClass,
    /// `2cls_highshot`: training with anomalous images, many.
    TwoClassHighShot,
    /// `2cls_fewshot`: training with anomalous images, few.
    TwoClassFewShot,
}

impl VisaSplit {
    /// The table's name, without its extension.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OneClass => "1cls",
            Self::TwoClassHighShot => "2cls_highshot",
            Self::TwoClassFewShot => "2cls_fewshot",
        }
    }
}

/// Loader of VisA. Files are listed, not decoded, and never written.
///
/// Masks of the raw dataset hold class ids; as a binary mask every id counts. [`Dataset::kinds_from_class_ids`] makes
/// them kinds of defect. 500 file names occur among both the normal and the anomalous images, so that an image's id is
/// its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Visa {
    split: VisaSplit,
}

impl Visa {
    /// A loader of this split.
    #[must_use]
    pub fn new(split: VisaSplit) -> Self {
        Self { split }
    }

    /// The objects below a root, in byte order.
    ///
    /// # Errors
    /// [`DatasetError::MissingFolder`], [`DatasetError::Io`], [`DatasetError::Table`] when root or table cannot be read.
    pub fn categories(&self, root: impl AsRef<Path>) -> Result<Vec<String>, DatasetError> {
        let root = root.as_ref();
        require(root, || "check the path".to_owned())?;
        match self.table(root) {
            Some(table) => table.categories(),
            None => categories(&reorganised(root), &GOOD),
        }
    }

    /// Indexes one object, refusing it when anything is wrong with its files.
    ///
    /// # Errors
    /// As [`Table::index`] for the raw dataset and as [`Mvtec::index`](crate::loaders::Mvtec::index) for reorganised copies,
    /// which have the split `1cls` only.
    pub fn index(&self, root: impl AsRef<Path>, object: &str) -> Result<Dataset, DatasetError> {
        self.index_with(root, object, Policy::Strict)
    }

    /// Indexes one object under a policy. See [`Visa::index`].
    ///
    /// # Errors
    /// As [`Visa::index`]; under [`Policy::Skip`] there is no [`DatasetError::Findings`].
    pub fn index_with(&self, root: impl AsRef<Path>, object: &str, policy: Policy) -> Result<Dataset, DatasetError> {
        let root = root.as_ref();
        require(root, || "check the path".to_owned())?;
        let data = match self.table(root) {
            Some(table) => table.category(object).index_with(Policy::Skip)?,
            None => {
                if self.split != VisaSplit::OneClass {
                    let advice = format!("a reorganised copy has no split {}; use the raw dataset", self.split.name());
                    return Err(DatasetError::MissingFolder { path: root.join("split_csv"), advice });
                }
                let mut plan = Plan::category(&reorganised(root).join(object), &GOOD)?;
                // Copies keep the ids or convert them to white; neither is a grey level.
                plan.has_class_ids = true;
                plan.index(Policy::Skip)?
            }
        };
        if self.split == VisaSplit::OneClass {
            published::check(data, Source::Visa, policy)
        } else {
            data.with_findings(Vec::new(), policy)
        }
    }

    fn table(&self, root: &Path) -> Option<Table> {
        let folder = root.join("split_csv");
        let table = Table::new(folder.join(self.split.name()).with_extension("csv")).root(root).with_class_ids();
        let table = if self.split == VisaSplit::OneClass { table } else { table.with_train_anomalies() };
        folder.is_dir().then_some(table)
    }
}

/// The folder of the objects in a reorganised copy.
fn reorganised(root: &Path) -> PathBuf {
    let inner = root.join("1cls");
    if inner.is_dir() { inner } else { root.into() }
}
