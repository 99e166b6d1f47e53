//! The `Dataset`: the index of one category's files, whatever its layout.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use imgkit::Size;
use imgkit::image_io::{MaskRule, PhotoFile, ReadError, read_photo_file};
use ndarray::ArrayView2;
use rayon::prelude::*;

use super::error::DatasetError;
use super::finding::{Finding, Severity};
use super::sample::{Sample, class_ids};
use super::split::{Split, SplitName, Test, Train};

/// Policy on samples whose files are faulty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Policy {
    /// Refuse the dataset, listing every finding.
    #[default]
    Strict,
    /// Leave the samples out and list them in [`Dataset::findings`]; no other sample takes their place.
    Skip,
}

/// Dataset of one category: its training and test samples, in byte order of their ids.
#[derive(Debug, Clone)]
pub struct Dataset {
    category: String,
    root: PathBuf,
    train: Split<Train>,
    test: Split<Test>,
    findings: Vec<Finding>,
    policy: Policy,
}

impl Dataset {
    /// Creates a dataset from what a loader found.
    ///
    /// # Errors
    /// [`DatasetError::Findings`] when the policy is strict and any finding is an error.
    pub fn new(
        category: String,
        root: PathBuf,
        train: Split<Train>,
        test: Split<Test>,
        findings: Vec<Finding>,
        policy: Policy,
    ) -> Result<Self, DatasetError> {
        refuse(&root, &findings, policy)?;
        Ok(Self { category, root, train, test, findings, policy })
    }

    /// Name of the category.
    #[must_use]
    pub fn category(&self) -> &str {
        &self.category
    }

    /// Folder of the category, or of the table.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Training samples.
    #[must_use]
    pub fn train(&self) -> &Split<Train> {
        &self.train
    }

    /// Test samples.
    #[must_use]
    pub fn test(&self) -> &Split<Test> {
        &self.test
    }

    /// Findings: warnings, and under [`Policy::Skip`] also what was left out.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Defect kinds of the test samples, in byte order.
    #[must_use]
    pub fn kinds(&self) -> Vec<&str> {
        self.test.samples().iter().filter_map(Sample::kind).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Adds findings and applies a policy to all.
    pub(crate) fn with_findings(mut self, findings: Vec<Finding>, policy: Policy) -> Result<Self, DatasetError> {
        self.findings.extend(findings);
        self.policy = policy;
        refuse(&self.root, &self.findings, policy)?;
        Ok(self)
    }

    /// Replaces the kind of defect of each test sample by the class ids of its mask, such as `class 3` or `class 1+4`.
    ///
    /// Kinds of samples whose masks hold no ids stay. Decodes the masks. Ids at the borders of defects are approximate.
    ///
    /// # Errors
    /// The first mask's [`ReadError`].
    pub fn kinds_from_class_ids(mut self) -> Result<Self, ReadError> {
        let ids: Vec<Vec<u8>> = self.test.samples().par_iter().map(class_ids).collect::<Result<_, _>>()?;
        let mut ids = ids.into_iter();
        self.test = self.test.map(|sample| match ids.next() {
            Some(ids) if sample.is_anomalous() && !ids.is_empty() => {
                let names: Vec<String> = ids.iter().map(u8::to_string).collect();
                sample.with_kind(format!("class {}", names.join("+")))
            }
            _ => sample,
        });
        Ok(self)
    }

    /// Decodes every image and mask, in parallel, and checks sizes and whether masks fit their labels.
    ///
    /// # Errors
    /// [`DatasetError::Findings`], listing everything found, when the policy is strict and any finding is an error.
    /// Under [`Policy::Skip`] the samples concerned are left out and listed in [`Dataset::findings`].
    pub fn validate(self) -> Result<Self, DatasetError> {
        self.validate_with(|_| ())
    }

    /// [`Dataset::validate`] with progress: calls `done` for each sample once it is decoded, in any order, from any
    /// thread.
    ///
    /// # Errors
    /// As [`Dataset::validate`].
    pub fn validate_with(mut self, done: impl Fn(&Sample) + Sync) -> Result<Self, DatasetError> {
        let (found, bad_train) = check(&self.train, &done);
        self.findings.extend(found);
        let (found, bad_test) = check(&self.test, &done);
        self.findings.extend(found);
        refuse(&self.root, &self.findings, self.policy)?;
        self.train.retain(|s| !bad_train.contains(s.id()));
        self.test.retain(|s| !bad_test.contains(s.id()));
        Ok(self)
    }
}

fn refuse(root: &Path, findings: &[Finding], policy: Policy) -> Result<(), DatasetError> {
    if policy == Policy::Strict && findings.iter().any(|f| f.severity() == Severity::Error) {
        return Err(DatasetError::findings(root, findings.to_vec()));
    }
    Ok(())
}

/// The findings of a split, in the order of its samples, and the ids of the samples that cannot be used.
fn check<S: SplitName + Sync>(split: &Split<S>, done: &(impl Fn(&Sample) + Sync)) -> (Vec<Finding>, BTreeSet<String>) {
    let check = |sample: &Sample| {
        let found = check_sample(sample);
        done(sample);
        found
    };
    let per_sample: Vec<Vec<Finding>> = split.samples().par_iter().map(check).collect();
    let is_error = |f: &Finding| f.severity() == Severity::Error;
    let pairs = split.samples().iter().zip(&per_sample);
    let bad = pairs.filter(|(_, found)| found.iter().any(is_error)).map(|(s, _)| s.id().to_owned()).collect();
    (per_sample.into_iter().flatten().collect(), bad)
}

fn check_sample(sample: &Sample) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut image_size = None;
    match read_photo_file(sample.image_path()) {
        Err(error) => found.push(Finding::from_read_error(error)),
        Ok(PhotoFile { photo, notes, .. }) => {
            image_size = Some(Size::from((photo.dim().0, photo.dim().1)));
            let path = sample.image_path();
            found.extend(notes.iter().map(|note| Finding::Oddity { path: path.to_owned(), note: note.to_string() }));
        }
    }
    let Some(mask_path) = sample.mask_path() else { return found };
    let mask_file = match sample.read_mask(MaskRule::NonZero) {
        Ok(mask_file) => mask_file,
        Err(DatasetError::Read(error)) => {
            found.push(Finding::from_read_error(error));
            return found;
        }
        // The sample has a mask file, so that nothing else can be wrong.
        Err(_) => return found,
    };
    let (image, mask) = (sample.image_path().to_owned(), mask_path.to_owned());
    let mask_size = Size::from(mask_file.mask.dim());
    if let Some(image_size) = image_size.filter(|&size| size != mask_size) {
        found.push(Finding::SizeMismatch { image: image.clone(), mask: mask.clone(), image_size, mask_size });
    }
    if mask_file.gray_pixels > 0 {
        found.push(Finding::GrayMask { mask: mask.clone(), pixels: mask_file.gray_pixels });
    }
    let pixels = mask_file.mask.iter().filter(|&&m| m).count();
    if pixels > 0 && marks_border(mask_file.mask.view()) {
        let mask = mask.clone();
        let is_full = pixels == mask_file.mask.len();
        found.push(if is_full { Finding::FullMask { mask } } else { Finding::FrameMask { mask } });
    }
    if sample.is_anomalous() && pixels == 0 {
        found.push(Finding::EmptyMaskForAnomalous { image, mask });
    } else if !sample.is_anomalous() && pixels > 0 {
        found.push(Finding::NonEmptyMaskForNormal { image, mask, pixels });
    }
    found
}

/// Whether every pixel of a mask's outermost rows and columns is marked.
fn marks_border(mask: ArrayView2<'_, bool>) -> bool {
    let (height, width) = mask.dim();
    let edge = |(y, x): (usize, usize)| y == 0 || x == 0 || y + 1 == height || x + 1 == width;
    mask.indexed_iter().all(|(at, &marked)| marked || !edge(at))
}
