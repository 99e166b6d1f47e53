//! Samples and splits. The split is part of the type, so that nothing is tuned on the test images by accident.

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use imgkit::image_io::{MaskFile, MaskRule, Photo, ReadError, read_class_ids, read_mask, read_photo, read_size};
use ndarray::Array2;
use thiserror::Error;

use crate::metrics::MetricError;

/// One image of a dataset, with its ground truth. Holds paths only: nothing is decoded until asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    id: String,
    image: PathBuf,
    mask: Option<PathBuf>,
    kind: Option<String>,
    has_class_ids: bool,
}

impl Sample {
    /// A sample. `id` is the image's path relative to the dataset's root, with `/`; `kind` is `None` for a good image.
    #[must_use]
    pub fn new(id: String, image: PathBuf, mask: Option<PathBuf>, kind: Option<String>) -> Self {
        Self { id, image, mask, kind, has_class_ids: false }
    }

    /// The sample, whose mask holds class ids instead of black and white.
    #[must_use]
    pub fn with_class_ids(self) -> Self {
        Self { has_class_ids: true, ..self }
    }

    pub(crate) fn with_kind(self, kind: String) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// The image's path relative to the dataset's root, with `/` on every platform.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The image file.
    #[must_use]
    pub fn image_path(&self) -> &Path {
        &self.image
    }

    /// The mask file, where there is one.
    #[must_use]
    pub fn mask_path(&self) -> Option<&Path> {
        self.mask.as_deref()
    }

    /// The kind of defect, or `None` for a good image.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// Whether the image shows a defect.
    #[must_use]
    pub fn is_anomalous(&self) -> bool {
        self.kind.is_some()
    }

    /// Decodes the image.
    ///
    /// # Errors
    /// As [`read_photo`].
    pub fn read_image(&self) -> Result<Photo, ReadError> {
        read_photo(&self.image)
    }

    /// Decodes the mask by the given rule, or makes an all-`false` one of the image's size.
    ///
    /// # Errors
    /// [`SampleError::Read`] as [`read_mask`]; [`SampleError::NoMask`] for an anomalous image without a mask file; without one for a good image,
    /// the image's header is read and must be readable.
    pub fn read_mask(&self, rule: MaskRule) -> Result<MaskFile, SampleError> {
        if let Some(path) = &self.mask {
            let read = read_mask(path, rule)?;
            // Ids are no grey levels: nothing to warn of.
            return Ok(if self.has_class_ids { MaskFile::new(read.mask) } else { read });
        }
        if self.is_anomalous() {
            return Err(SampleError::NoMask { image: self.image.clone() });
        }
        let size = read_size(&self.image)?;
        Ok(MaskFile::new(Array2::from_elem((size.height, size.width), false)))
    }
}

/// The ground truth of a sample cannot be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SampleError {
    /// The image shows a defect and the dataset has no mask for it.
    #[error("{}: no mask of its defect; use image figures only, or add the mask", .image.display())]
    NoMask {
        /// The image.
        image: PathBuf,
    },
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// The class ids of a sample whose mask holds them, ascending and without the background's 0; empty for other samples.
///
/// # Errors
/// As [`read_class_ids`].
pub fn class_ids(sample: &Sample) -> Result<Vec<u8>, ReadError> {
    let Some(path) = sample.mask_path().filter(|_| sample.has_class_ids) else { return Ok(Vec::new()) };
    let ids: BTreeSet<u8> = read_class_ids(path)?.iter().copied().filter(|&id| id != 0).collect();
    Ok(ids.into_iter().collect())
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Train {}
    impl Sealed for super::Validation {}
    impl Sealed for super::Test {}
}

/// Marks a split; implemented by [`Train`], [`Validation`] and [`Test`] only.
pub trait SplitName: sealed::Sealed {
    /// `train`, `validation` or `test`.
    const NAME: &'static str;
}

/// Marks the splits that thresholds and checkpoints may be chosen on: [`Train`] and [`Validation`], never [`Test`].
pub trait Tunable: SplitName {}

/// The images to learn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Train {}
/// The images to choose thresholds and checkpoints on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validation {}
/// The images to report on, and for nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {}

impl SplitName for Train {
    const NAME: &'static str = "train";
}
impl SplitName for Validation {
    const NAME: &'static str = "validation";
}
impl SplitName for Test {
    const NAME: &'static str = "test";
}
impl Tunable for Train {}
impl Tunable for Validation {}

/// The samples of one split, in byte order of their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split<S> {
    samples: Vec<Sample>,
    name: PhantomData<S>,
}

impl<S: SplitName> Split<S> {
    /// A split of these samples, put in byte order of their ids.
    #[must_use]
    pub fn new(mut samples: Vec<Sample>) -> Self {
        samples.sort_by(|a, b| a.id.as_bytes().cmp(b.id.as_bytes()));
        Self { samples, name: PhantomData }
    }

    /// The samples.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is no sample.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The number of anomalous samples.
    #[must_use]
    pub fn anomalous(&self) -> usize {
        self.samples.iter().filter(|s| s.is_anomalous()).count()
    }

    /// Attaches one score to each sample, in order.
    ///
    /// # Errors
    /// [`MetricError::LengthMismatch`] when there is not one score a sample, [`MetricError::NonFinite`] for NaN or
    /// an infinity.
    pub fn with_scores(&self, scores: Vec<f32>) -> Result<Scores<S>, MetricError> {
        if scores.len() != self.len() {
            return Err(MetricError::LengthMismatch { scores: scores.len(), labels: self.len() });
        }
        crate::metrics::check_finite(&scores)?;
        let labels = self.samples.iter().map(Sample::is_anomalous).collect();
        Ok(Scores { scores, labels, name: PhantomData })
    }

    pub(crate) fn map(self, change: impl FnMut(Sample) -> Sample) -> Self {
        Self { samples: self.samples.into_iter().map(change).collect(), name: PhantomData }
    }

    pub(crate) fn retain(&mut self, keep: impl FnMut(&Sample) -> bool) {
        self.samples.retain(keep);
    }
}

impl Split<Train> {
    /// Holds out every `k`-th sample (the first, the `k + 1`-th and so on) for validation.
    ///
    /// # Errors
    /// [`MetricError::InvalidParameter`] when `k < 2`, which would leave nothing to train on.
    pub fn hold_out_every(&self, k: usize) -> Result<(Self, Split<Validation>), MetricError> {
        if k < 2 {
            return Err(MetricError::InvalidParameter { name: "k", value: k as f64, allowed: "at least 2" });
        }
        let pick = |held: bool| {
            let indexed = self.samples.iter().enumerate();
            indexed.filter(|(i, _)| (i % k == 0) == held).map(|(_, s)| s.clone()).collect()
        };
        Ok((Self::new(pick(false)), Split::new(pick(true))))
    }
}

/// One score a sample of a split.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores<S> {
    scores: Vec<f32>,
    labels: Vec<bool>,
    name: PhantomData<S>,
}

impl<S: SplitName> Scores<S> {
    /// The scores, in the split's order.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.scores
    }

    /// `true` for anomalous samples, in the split's order.
    #[must_use]
    pub fn labels(&self) -> &[bool] {
        &self.labels
    }

    /// [`auroc`](crate::metrics::auroc) of these scores.
    ///
    /// # Errors
    /// [`MetricError::MissingClass`] when all samples are good or all are anomalous.
    pub fn auroc(&self) -> Result<f64, MetricError> {
        crate::metrics::auroc(&self.scores, &self.labels)
    }
}

impl<S: Tunable> Scores<S> {
    /// The smallest score that at least the fraction `q` of the good samples does not exceed: with the rule
    /// `score > threshold`, at most `1 - q` of the good samples are called anomalous.
    ///
    /// It exists for [`Train`] and [`Validation`] only; test scores are refused by the compiler:
    ///
    /// ```compile_fail
    /// # use adbench::{Split, Test};
    /// let scores = Split::<Test>::new(vec![]).with_scores(vec![]).unwrap();
    /// scores.threshold_at_quantile(0.99);
    /// ```
    ///
    /// # Errors
    /// [`MetricError::InvalidParameter`] when `q` is outside `[0, 1]`, [`MetricError::MissingClass`] without a good sample.
    pub fn threshold_at_quantile(&self, q: f64) -> Result<f32, MetricError> {
        if !(0.0..=1.0).contains(&q) {
            return Err(MetricError::InvalidParameter { name: "q", value: q, allowed: "0 to 1" });
        }
        let pairs = self.scores.iter().zip(&self.labels);
        let mut good: Vec<f32> = pairs.filter(|(_, anomalous)| !**anomalous).map(|(s, _)| *s).collect();
        good.sort_by(f32::total_cmp);
        let rank = (q * good.len() as f64).ceil() as usize;
        let index = rank.saturating_sub(1);
        good.get(index).copied().ok_or(MetricError::MissingClass { class: "normal", count: self.scores.len() })
    }
}
