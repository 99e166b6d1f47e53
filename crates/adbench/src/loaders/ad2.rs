//! The MVTec AD 2 layout: a public test set, and two whose ground truth is kept back.
//!
//! ```text
//! <category>/train/good/000_regular.png
//! <category>/validation/good/000_regular.png
//! <category>/test_public/{good,bad}/000_{regular,overexposed,underexposed,shift_1,shift_2,shift_3}.png
//! <category>/test_public/ground_truth/bad/000_regular_mask.png
//! <category>/{test_private,test_private_mixed}/000.png
//! ```
//!
//! Source: L. Heckler-Kram et al., "The MVTec AD 2 Dataset: Advanced Scenarios for Unsupervised Anomaly Detection",
//! arXiv 2503.21622, 2025. License: CC BY-NC-SA 4.0.

use std::path::Path;

use imgkit::image_io::ImageList;

use super::layout::{BY_NAME, Layout};
use super::listing::{Root, folders};
use super::plan::{Masks, Part, Plan, categories, category_folder, own_name, require, training_images};
use crate::dataset::{Dataset, DatasetError, Policy};

const GOOD: [&str; 1] = ["good"];
const TRUTH: &str = "ground_truth";

/// Test sets of MVTec AD 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Ad2Split {
    /// `test_public`, with ground truth.
    #[default]
    Public,
    /// `test_private`: images without labels, under the light of the training images.
    Private,
    /// `test_private_mixed`: images without labels, under light seen and not seen in training.
    PrivateMixed,
}

impl Ad2Split {
    /// Name of the folder.
    #[must_use]
    pub fn folder(self) -> &'static str {
        match self {
            Self::Public => "test_public",
            Self::Private => "test_private",
            Self::PrivateMixed => "test_private_mixed",
        }
    }
}

/// The MVTec AD 2 layout. The root is the folder of the categories or that of one category.
///
/// [`Sample::condition`](crate::dataset::Sample::condition) is the light that an image's name tells of. Samples of the
/// private test sets have no label: a detector gives maps of them, to be sent to the authors' server, and no figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MvtecAd2 {
    split: Ad2Split,
}

impl MvtecAd2 {
    /// Creates the layout with this test set.
    #[must_use]
    pub const fn new(split: Ad2Split) -> Self {
        Self { split }
    }
}

impl Layout for MvtecAd2 {
    fn name(&self) -> &'static str {
        match self.split {
            Ad2Split::Public => "mvtec-ad2",
            Ad2Split::Private => "mvtec-ad2-private",
            Ad2Split::PrivateMixed => "mvtec-ad2-private-mixed",
        }
    }

    fn recognize(&self, root: &Path) -> Result<String, String> {
        if self.split != Ad2Split::Public {
            return Err(BY_NAME.to_owned());
        }
        let names = categories(root, &GOOD).map_err(|e| e.to_string())?;
        let first = names.first().ok_or("no folder with train/good")?;
        let folder = self.split.folder();
        if category_folder(root, Some(first), &GOOD).join(folder).is_dir() {
            return Ok(format!("{first} has {folder}"));
        }
        Err(format!("{first} has no {folder}"))
    }

    fn categories(&self, root: &Path) -> Result<Vec<String>, DatasetError> {
        categories(root, &GOOD)
    }

    fn index(&self, root: &Path, category: Option<&str>, policy: Policy) -> Result<Dataset, DatasetError> {
        let folder = category_folder(root, category, &GOOD);
        require(&folder, || "check the path".to_owned())?;
        let (train, test) = (folder.join("train"), folder.join(self.split.folder()));
        for needed in [&train.join(GOOD[0]), &test] {
            let advice = || format!("a category needs train/good and {}", self.split.folder());
            require(needed, advice)?;
        }
        let mut plan = Plan::new(own_name(&folder), Root::new(&folder)?);
        plan.condition = condition;
        plan.train_on(&train, GOOD[0])?;
        plan.validate_on(folder.join("validation").join(GOOD[0]));
        if self.split != Ad2Split::Public {
            plan.test.push(Part::without_label(test));
            return plan.index(policy);
        }
        let truth = test.join(TRUTH);
        let of_masks = match truth.is_dir() {
            true => folders(&plan.root, &truth, &mut plan.findings)?,
            false => Vec::new(),
        };
        let kinds = folders(&plan.root, &test, &mut plan.findings)?;
        for (kind, images) in kinds.iter().filter(|(name, _)| name != TRUTH) {
            let part = if kind == GOOD[0] {
                Part::new(None, images.clone(), Masks::Absent)
            } else {
                Part::new(Some(kind.clone()), images.clone(), Masks::Required(truth.join(kind)))
            };
            plan.test.push(part);
        }
        let has_images = |kind: &str| kind != GOOD[0] && kinds.iter().any(|(name, _)| name == kind);
        plan.spare_masks.extend(of_masks.into_iter().filter(|(kind, _)| !has_images(kind)).map(|(_, path)| path));
        plan.index(policy)
    }

    fn training_images(&self, root: &Path, category: Option<&str>) -> Result<ImageList, DatasetError> {
        training_images(&category_folder(root, category, &GOOD), &GOOD)
    }
}

/// The light that a stem such as `003_shift_1` tells of: what follows the image's number.
fn condition(stem: &str) -> Option<String> {
    let (number, light) = stem.split_once('_')?;
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    (is_number && !light.is_empty()).then(|| light.to_owned())
}

#[cfg(test)]
mod tests {
    use super::condition;

    #[test]
    fn the_light_is_what_follows_the_number() {
        let of = |stem| condition(stem);
        assert_eq!(of("003_shift_1").as_deref(), Some("shift_1"));
        assert_eq!(of("000_regular").as_deref(), Some("regular"));
        assert_eq!([of("000"), of("000_"), of("_regular"), of("can_regular")], [None, None, None, None]);
    }
}
