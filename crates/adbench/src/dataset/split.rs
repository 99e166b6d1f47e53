//! Splits of a dataset. The split is part of the type, so that nothing is tuned on the test images by accident.

use std::marker::PhantomData;

use imgkit::ensure;
use imgkit::rank::at_least;

use super::sample::Sample;
use crate::metrics::check::check_finite;
use crate::metrics::{MetricError, auroc};

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Train {}
    impl Sealed for super::Validation {}
    impl Sealed for super::Test {}
}

/// Marker of a split; implemented by [`Train`], [`Validation`] and [`Test`] only.
pub trait SplitName: sealed::Sealed {
    /// Name of the split: `train`, `validation` or `test`.
    const NAME: &'static str;
}

/// Marker of the splits that thresholds and checkpoints may be chosen on: [`Train`] and [`Validation`], never [`Test`].
pub trait Tunable: SplitName {}

/// Training split: detectors are trained on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Train {}
/// Validation split: thresholds and checkpoints are chosen on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validation {}
/// Test split: figures are reported on it, and nothing is chosen on it.
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

/// Samples of one split, in byte order of their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split<S> {
    samples: Vec<Sample>,
    name: PhantomData<S>,
}

impl<S: SplitName> Split<S> {
    /// Creates a split of these samples and sorts them in byte order of their ids.
    #[must_use]
    pub fn new(mut samples: Vec<Sample>) -> Self {
        samples.sort_by(|a, b| a.id().as_bytes().cmp(b.id().as_bytes()));
        Self { samples, name: PhantomData }
    }

    /// Samples, in order.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// Number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether the split is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Number of anomalous samples.
    #[must_use]
    pub fn anomalous(&self) -> usize {
        self.samples.iter().filter(|s| s.is_anomalous()).count()
    }

    /// Attaches scores: one for each sample, in order.
    ///
    /// # Errors
    /// [`MetricError::Length`] when there is not one score a sample, [`MetricError::NotFinite`] for NaN or
    /// an infinity.
    pub fn with_scores(&self, scores: Vec<f32>) -> Result<Scores<S>, MetricError> {
        if scores.len() != self.len() {
            return Err(MetricError::Length { what: "scores", expected: self.len(), found: scores.len() });
        }
        check_finite(&scores)?;
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
    /// [`MetricError::Parameter`] when `k < 2`, which would leave nothing to train on.
    pub fn hold_out_every(&self, k: usize) -> Result<(Self, Split<Validation>), MetricError> {
        ensure(k >= 2, "hold_out_every", "k", k, "at least 2")?;
        let pick = |held: bool| {
            let indexed = self.samples.iter().enumerate();
            indexed.filter(|(i, _)| (i % k == 0) == held).map(|(_, s)| s.clone()).collect()
        };
        Ok((Self::new(pick(false)), Split::new(pick(true))))
    }
}

/// Scores of the samples of a split.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores<S> {
    scores: Vec<f32>,
    labels: Vec<bool>,
    name: PhantomData<S>,
}

impl<S: SplitName> Scores<S> {
    /// Scores, in the order of the split.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.scores
    }

    /// Labels, in the order of the split: `true` for anomalous samples.
    #[must_use]
    pub fn labels(&self) -> &[bool] {
        &self.labels
    }

    /// [`auroc`](crate::metrics::auroc) of these scores.
    ///
    /// # Errors
    /// [`MetricError::MissingClass`] when all samples are good or all are anomalous.
    pub fn auroc(&self) -> Result<f64, MetricError> {
        auroc(&self.scores, &self.labels)
    }
}

impl<S: Tunable> Scores<S> {
    /// Threshold at a quantile: the smallest score that at least the fraction `q` of the good samples does not exceed.
    /// With the rule `score > threshold`, at most `1 - q` of the good samples are called anomalous.
    ///
    /// It exists for [`Train`] and [`Validation`] only; test scores are refused by the compiler:
    ///
    /// ```compile_fail
    /// # use adbench::dataset::{Split, Test};
    /// let scores = Split::<Test>::new(vec![]).with_scores(vec![]).unwrap();
    /// scores.threshold_at_quantile(0.99);
    /// ```
    ///
    /// # Errors
    /// [`MetricError::Parameter`] when `q` is outside `[0, 1]`, [`MetricError::MissingClass`] without a good sample.
    pub fn threshold_at_quantile(&self, q: f64) -> Result<f32, MetricError> {
        ensure((0.0..=1.0).contains(&q), "threshold_at_quantile", "q", q, "0 to 1")?;
        let pairs = self.scores.iter().zip(&self.labels);
        let mut good: Vec<f32> = pairs.filter(|(_, anomalous)| !**anomalous).map(|(s, _)| *s).collect();
        good.sort_by(f32::total_cmp);
        let index = at_least(q, good.len()).saturating_sub(1);
        good.get(index).copied().ok_or(MetricError::MissingClass { class: "normal", count: self.scores.len() })
    }
}
