//! How many images the published datasets have, so that a copy can be checked.

use crate::dataset::{Dataset, DatasetError, Finding, Policy};

/// A published dataset or split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// MVTec AD.
    Mvtec,
    /// VisA, split `1cls`.
    Visa,
    /// BTAD.
    Btad,
}

/// The numbers of images of one category.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Training images.
    pub train: usize,
    /// Good test images.
    pub test_good: usize,
    /// Anomalous test images.
    pub test_anomalous: usize,
}

type Line = (&'static str, usize, usize, usize);

const MVTEC: [Line; 15] = [
    ("bottle", 209, 20, 63),
    ("cable", 224, 58, 92),
    ("capsule", 219, 23, 109),
    ("carpet", 280, 28, 89),
    ("grid", 264, 21, 57),
    ("hazelnut", 391, 40, 70),
    ("leather", 245, 32, 92),
    ("metal_nut", 220, 22, 93),
    ("pill", 267, 26, 141),
    ("screw", 320, 41, 119),
    ("tile", 230, 33, 84),
    ("toothbrush", 60, 12, 30),
    ("transistor", 213, 60, 40),
    ("wood", 247, 19, 60),
    ("zipper", 240, 32, 119),
];

const VISA: [Line; 12] = [
    ("candle", 900, 100, 100),
    ("capsules", 542, 60, 100),
    ("cashew", 450, 50, 100),
    ("chewinggum", 453, 50, 100),
    ("fryum", 450, 50, 100),
    ("macaroni1", 900, 100, 100),
    ("macaroni2", 900, 100, 100),
    ("pcb1", 904, 100, 100),
    ("pcb2", 901, 100, 100),
    ("pcb3", 905, 101, 100),
    ("pcb4", 904, 101, 100),
    ("pipe_fryum", 450, 50, 100),
];

const BTAD: [Line; 3] = [("01", 400, 21, 49), ("02", 399, 30, 200), ("03", 1000, 400, 41)];

/// The published categories and their numbers of images.
///
/// ```
/// use adbench::loaders::published::{Source, counts};
/// let total: usize = counts(Source::Mvtec).map(|(_, c)| c.test_good + c.test_anomalous).sum();
/// assert_eq!(total, 1725);
/// ```
pub fn counts(source: Source) -> impl Iterator<Item = (&'static str, Counts)> {
    let table: &'static [Line] = match source {
        Source::Mvtec => &MVTEC,
        Source::Visa => &VISA,
        Source::Btad => &BTAD,
    };
    table.iter().map(|&(name, train, test_good, test_anomalous)| (name, Counts { train, test_good, test_anomalous }))
}

impl Counts {
    /// The numbers of images of a dataset as it is.
    #[must_use]
    pub fn of(data: &Dataset) -> Self {
        let anomalous = data.test().anomalous();
        Self { train: data.train().len(), test_good: data.test().len() - anomalous, test_anomalous: anomalous }
    }

    /// One warning for each number that differs from the published one.
    #[must_use]
    pub fn compare(self, category: &str, official: Self) -> Vec<Finding> {
        let pairs = [
            ("train", self.train, official.train),
            ("good test", self.test_good, official.test_good),
            ("anomalous test", self.test_anomalous, official.test_anomalous),
        ];
        let differing = pairs.into_iter().filter(|(_, found, official)| found != official);
        differing
            .map(|(what, found, official)| Finding::CountMismatch {
                category: category.to_owned(),
                what,
                found,
                official,
            })
            .collect()
    }
}

/// Warns when a category with a published name has other numbers of images. `data` was indexed under [`Policy::Skip`], so
/// that a strict refusal lists these warnings, too.
pub(super) fn check(data: Dataset, source: Source, policy: Policy) -> Result<Dataset, DatasetError> {
    let official = counts(source).find(|(name, _)| *name == data.name());
    let found = official.map(|(name, official)| Counts::of(&data).compare(name, official));
    data.with_findings(found.unwrap_or_default(), policy)
}
