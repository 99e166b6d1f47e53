//! The `Dataset`: the index of one category's files, whatever its layout.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use imgkit::Size;
use imgkit::image_io::{MaskRule, Photo, PhotoFile, ReadError, read_mask, read_photo_file};
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::defect_type::{DefectType, names_of, unknown};
use super::error::DatasetError;
use super::finding::{Finding, Severity};
use super::sample::{Sample, class_ids};
use super::split::{Split, SplitName, Test, Train, Validation};

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

/// Dataset of one category: its training and test samples, in byte order of their ids, and validation samples where
/// the dataset sets some aside.
#[derive(Debug, Clone)]
pub struct Dataset {
    category: String,
    root: PathBuf,
    train: Split<Train>,
    validation: Split<Validation>,
    test: Split<Test>,
    defect_types: Vec<DefectType>,
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
        let (validation, defect_types) = (Split::new(Vec::new()), Vec::new());
        Ok(Self { category, root, train, validation, test, defect_types, findings, policy })
    }

    /// Sets the validation samples that the dataset sets aside.
    #[must_use]
    pub fn with_validation(self, validation: Split<Validation>) -> Self {
        Self { validation, ..self }
    }

    /// Sets what the gray values in masks stand for.
    #[must_use]
    pub fn with_defect_types(self, defect_types: Vec<DefectType>) -> Self {
        Self { defect_types, ..self }
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

    /// Validation samples that the dataset sets aside; empty where it sets none. [`Split::hold_out_every`] makes some.
    #[must_use]
    pub fn validation(&self) -> &Split<Validation> {
        &self.validation
    }

    /// What the gray values in masks stand for; empty where the dataset does not tell.
    #[must_use]
    pub fn defect_types(&self) -> &[DefectType] {
        &self.defect_types
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

    /// Replaces the kind of defect of each test sample by the class ids of its masks, such as `class 3` or `class 1+4`,
    /// or by their names where the dataset has [`Dataset::defect_types`].
    ///
    /// Kinds of samples whose masks hold no ids stay. Decodes the masks. Ids at the borders of defects are approximate.
    ///
    /// # Errors
    /// The first mask's [`ReadError`].
    pub fn kinds_from_class_ids(mut self) -> Result<Self, ReadError> {
        let ids: Vec<Vec<u8>> = self.test.samples().par_iter().map(class_ids).collect::<Result<_, _>>()?;
        let mut ids = ids.into_iter();
        let types = &self.defect_types;
        self.test = self.test.map(|sample| match ids.next() {
            Some(ids) if sample.is_anomalous() && !ids.is_empty() => sample.with_kind(names_of(types, &ids)),
            _ => sample,
        });
        Ok(self)
    }

    /// Decodes every image and mask, in parallel, and checks sizes, whether masks fit their labels, and whether an
    /// image is in both splits or under both labels.
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
        let types = &self.defect_types;
        let (found, bad_train, mut contents) = check(&self.train, types, &done);
        self.findings.extend(found);
        let (found, bad_validation, of_validation) = check(&self.validation, types, &done);
        self.findings.extend(found);
        contents.extend(of_validation);
        let (found, bad_test, of_test) = check(&self.test, types, &done);
        self.findings.extend(found);
        contents.extend(of_test);
        self.findings.extend(shared(&contents));
        refuse(&self.root, &self.findings, self.policy)?;
        self.train.retain(|s| !bad_train.contains(s.id()));
        self.validation.retain(|s| !bad_validation.contains(s.id()));
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

/// What an image shows, by its content, and where it stands.
struct Content {
    hash: [u8; 32],
    path: PathBuf,
    role: &'static str,
}

/// The findings of a split, in the order of its samples, the ids of the samples that cannot be used, and the contents
/// of its images.
fn check<S: SplitName + Sync>(
    split: &Split<S>,
    types: &[DefectType],
    done: &(impl Fn(&Sample) + Sync),
) -> (Vec<Finding>, BTreeSet<String>, Vec<Content>) {
    let check = |sample: &Sample| {
        let found = check_sample(sample, types);
        done(sample);
        found
    };
    let (per_sample, hashes): (Vec<Vec<Finding>>, Vec<Option<[u8; 32]>>) =
        split.samples().par_iter().map(check).unzip();
    let is_error = |f: &Finding| f.severity() == Severity::Error;
    let pairs = split.samples().iter().zip(&per_sample);
    let bad = pairs.filter(|(_, found)| found.iter().any(is_error)).map(|(s, _)| s.id().to_owned()).collect();
    let role = |sample: &Sample| match (S::NAME, sample.is_anomalous()) {
        (name, false) if name == Train::NAME => "good training image",
        (name, true) if name == Train::NAME => "anomalous training image",
        (name, false) if name == Validation::NAME => "good validation image",
        (name, true) if name == Validation::NAME => "anomalous validation image",
        (_, true) => "anomalous test image",
        (_, false) if !sample.is_labeled() => "test image without a label",
        (_, false) => "good test image",
    };
    let contents = split.samples().iter().zip(hashes).filter_map(|(sample, hash)| {
        Some(Content { hash: hash?, path: sample.image_path().to_owned(), role: role(sample) })
    });
    (per_sample.into_iter().flatten().collect(), bad, contents.collect())
}

/// One finding for each image that shows what an earlier one of another split or label does.
fn shared(contents: &[Content]) -> Vec<Finding> {
    let mut first: BTreeMap<[u8; 32], &Content> = BTreeMap::new();
    let mut findings = Vec::new();
    for content in contents {
        let earlier = first.entry(content.hash).or_insert(content);
        if earlier.role != content.role {
            findings.push(Finding::SharedImage {
                first: earlier.path.clone(),
                first_role: earlier.role,
                second: content.path.clone(),
                second_role: content.role,
            });
        }
    }
    findings
}

/// SHA-256 of what an image shows: size, depth and pixels, whatever the format of its file.
fn hash(photo: &Photo) -> [u8; 32] {
    let mut hash = Sha256::new();
    let (height, width, channels) = photo.dim();
    hash.update(format!("{height} {width} {channels} {}\n", photo.bits()));
    match photo {
        Photo::U8(pixels) => pixels.outer_iter().for_each(|row| hash.update(row.iter().copied().collect::<Vec<u8>>())),
        _ => photo.to_f32().outer_iter().for_each(|row| {
            hash.update(row.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>());
        }),
    }
    hash.finalize().into()
}

fn check_sample(sample: &Sample, types: &[DefectType]) -> (Vec<Finding>, Option<[u8; 32]>) {
    let (mut found, hash, size) = match read_photo_file(sample.image_path()) {
        Err(error) => (vec![Finding::from_read_error(error)], None, None),
        Ok(PhotoFile { photo, notes, .. }) => {
            let path = sample.image_path();
            let odd = notes.iter().map(|note| Finding::Oddity { path: path.to_owned(), note: note.to_string() });
            (odd.collect(), Some(hash(&photo)), Some(Size::from((photo.dim().0, photo.dim().1))))
        }
    };
    check_masks(sample, size, types, &mut found);
    (found, hash)
}

/// Checks the masks of a sample, each and together.
fn check_masks(sample: &Sample, image_size: Option<Size>, types: &[DefectType], found: &mut Vec<Finding>) {
    let image = || sample.image_path().to_owned();
    let Some(first) = sample.mask_path().map(Path::to_owned) else { return };
    let mut merged: Option<Array2<bool>> = None;
    let mut are_whole = true;
    for path in sample.mask_paths() {
        let mask = || path.clone();
        let read = match read_mask(path, MaskRule::NonZero) {
            Ok(read) => read,
            Err(error) => {
                found.push(Finding::from_read_error(error));
                are_whole = false;
                continue;
            }
        };
        let mask_size = Size::from(read.mask.dim());
        let expected = image_size.or(merged.as_ref().map(|merged| merged.dim().into()));
        if let Some(image_size) = expected.filter(|&size| size != mask_size) {
            found.push(Finding::SizeMismatch { image: image(), mask: mask(), image_size, mask_size });
        }
        // Ids are no gray levels.
        if read.gray_pixels > 0 && !sample.has_class_ids() {
            found.push(Finding::GrayMask { mask: mask(), pixels: read.gray_pixels });
        }
        match &mut merged {
            Some(merged) if merged.dim() == read.mask.dim() => merged.zip_mut_with(&read.mask, |all, one| *all |= one),
            Some(_) => are_whole = false,
            None => merged = Some(read.mask),
        }
    }
    let Some(merged) = merged.filter(|_| are_whole) else { return };
    let pixels = merged.iter().filter(|&&m| m).count();
    if pixels > 0 && marks_border(merged.view()) {
        let mask = first.clone();
        let is_full = pixels == merged.len();
        found.push(if is_full { Finding::FullMask { mask } } else { Finding::FrameMask { mask } });
    }
    if sample.is_anomalous() && pixels == 0 {
        found.push(Finding::EmptyMaskForAnomalous { image: image(), mask: first.clone() });
    } else if !sample.is_anomalous() && pixels > 0 {
        found.push(Finding::NonEmptyMaskForNormal { image: image(), mask: first.clone(), pixels });
    }
    if !types.is_empty() {
        match class_ids(sample) {
            Ok(ids) => {
                let values = unknown(types, sample, &ids).into_iter();
                found.extend(values.map(|value| Finding::UnknownDefectType { mask: first.clone(), value }));
            }
            Err(error) => found.push(Finding::from_read_error(error)),
        }
    }
}

/// Whether every pixel of a mask's outermost rows and columns is marked.
fn marks_border(mask: ArrayView2<'_, bool>) -> bool {
    let (height, width) = mask.dim();
    let edge = |(y, x): (usize, usize)| y == 0 || x == 0 || y + 1 == height || x + 1 == width;
    mask.indexed_iter().all(|(at, &marked)| marked || !edge(at))
}
