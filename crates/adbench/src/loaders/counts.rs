//! Numbers of images of the published datasets, so that a copy can be checked.

use crate::dataset::{Dataset, DatasetError, Finding, Policy};

/// Numbers of images of one category.
///
/// ```
/// use adbench::loaders::{Layout, Mvtec};
/// let total: usize = Mvtec.published().iter().map(|(_, c)| c.test_good + c.test_anomalous).sum();
/// assert_eq!(total, 1725);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Training images.
    pub train: usize,
    /// Good test images.
    pub test_good: usize,
    /// Anomalous test images.
    pub test_anomalous: usize,
}

type Line = (&'static str, Counts);

pub(super) const MVTEC: [Line; 15] = [
    ("bottle", Counts::new(209, 20, 63)),
    ("cable", Counts::new(224, 58, 92)),
    ("capsule", Counts::new(219, 23, 109)),
    ("carpet", Counts::new(280, 28, 89)),
    ("grid", Counts::new(264, 21, 57)),
    ("hazelnut", Counts::new(391, 40, 70)),
    ("leather", Counts::new(245, 32, 92)),
    ("metal_nut", Counts::new(220, 22, 93)),
    ("pill", Counts::new(267, 26, 141)),
    ("screw", Counts::new(320, 41, 119)),
    ("tile", Counts::new(230, 33, 84)),
    ("toothbrush", Counts::new(60, 12, 30)),
    ("transistor", Counts::new(213, 60, 40)),
    ("wood", Counts::new(247, 19, 60)),
    ("zipper", Counts::new(240, 32, 119)),
];

/// The numbers of the published files; the article gives 1772 training images.
pub(super) const MVTEC_LOCO: [Line; 5] = [
    ("breakfast_box", Counts::new(351, 102, 173)),
    ("juice_bottle", Counts::new(335, 94, 236)),
    ("pushpins", Counts::new(372, 138, 172)),
    ("screw_bag", Counts::new(360, 122, 219)),
    ("splicing_connectors", Counts::new(360, 119, 193)),
];

pub(super) const MPDD: [Line; 6] = [
    ("bracket_black", Counts::new(289, 32, 47)),
    ("bracket_brown", Counts::new(185, 26, 51)),
    ("bracket_white", Counts::new(110, 30, 30)),
    ("connector", Counts::new(128, 30, 14)),
    ("metal_plate", Counts::new(54, 26, 71)),
    ("tubes", Counts::new(122, 32, 69)),
];

pub(super) const VISA: [Line; 12] = [
    ("candle", Counts::new(900, 100, 100)),
    ("capsules", Counts::new(542, 60, 100)),
    ("cashew", Counts::new(450, 50, 100)),
    ("chewinggum", Counts::new(453, 50, 100)),
    ("fryum", Counts::new(450, 50, 100)),
    ("macaroni1", Counts::new(900, 100, 100)),
    ("macaroni2", Counts::new(900, 100, 100)),
    ("pcb1", Counts::new(904, 100, 100)),
    ("pcb2", Counts::new(901, 100, 100)),
    ("pcb3", Counts::new(905, 101, 100)),
    ("pcb4", Counts::new(904, 101, 100)),
    ("pipe_fryum", Counts::new(450, 50, 100)),
];

pub(super) const BTAD: [Line; 3] =
    [("01", Counts::new(400, 21, 49)), ("02", Counts::new(399, 30, 200)), ("03", Counts::new(1000, 400, 41))];

impl Counts {
    const fn new(train: usize, test_good: usize, test_anomalous: usize) -> Self {
        Self { train, test_good, test_anomalous }
    }

    /// Counts the images of a dataset.
    #[must_use]
    pub fn of(data: &Dataset) -> Self {
        let anomalous = data.test().anomalous();
        Self { train: data.train().len(), test_good: data.test().len() - anomalous, test_anomalous: anomalous }
    }

    /// Compares the numbers with the published ones: one warning for each that differs.
    #[must_use]
    pub fn compare(self, category: &str, published: Self) -> Vec<Finding> {
        let pairs = [
            ("train", self.train, published.train),
            ("good test", self.test_good, published.test_good),
            ("anomalous test", self.test_anomalous, published.test_anomalous),
        ];
        let differing = pairs.into_iter().filter(|(_, found, published)| found != published);
        differing
            .map(|(what, found, published)| Finding::CountMismatch {
                category: category.to_owned(),
                what,
                found,
                published,
            })
            .collect()
    }
}

/// Warns when a category with a published name has other numbers of images. `data` was indexed under [`Policy::Skip`],
/// so that a strict refusal lists these warnings, too.
pub(super) fn check(data: Dataset, published: &[Line], policy: Policy) -> Result<Dataset, DatasetError> {
    let category = published.iter().find(|(name, _)| *name == data.category());
    let found = category.map(|(name, published)| Counts::of(&data).compare(name, *published));
    data.with_findings(found.unwrap_or_default(), policy)
}
