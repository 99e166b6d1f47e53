//! Splits of a dataset. The split is part of the type, so that nothing is tuned on the test images by accident.

use std::collections::BTreeMap;
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
        let objects = self.samples.iter().map(|s| s.object().map(str::to_owned)).collect();
        Ok(Scores { scores, labels, objects, name: PhantomData })
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
    objects: Vec<Option<String>>,
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

impl<S> Scores<S> {
    /// Scores of objects instead of images: an object that several images show has their highest score, and is
    /// anomalous if any of them is. An image of no such object stands for itself. In byte order of the objects, then
    /// the others.
    ///
    /// Source: the sample-level figures of C. Wang et al., "Real-IAD", CVPR 2024.
    ///
    /// ```
    /// use adbench::dataset::{Sample, Split, Test};
    /// let view = |object: &str, n: u32, kind: Option<&str>| {
    ///     let id = format!("{object}/{n}.jpg");
    ///     Sample::new(id.clone(), id.into(), None, kind.map(str::to_owned)).with_object(object.to_owned())
    /// };
    /// let split = Split::<Test>::new(vec![view("a", 1, None), view("a", 2, Some("dent")), view("b", 1, None)]);
    /// let objects = split.with_scores(vec![0.1, 0.7, 0.4])?.by_object();
    /// assert_eq!((objects.values(), objects.labels()), ([0.7, 0.4].as_slice(), [true, false].as_slice()));
    /// # Ok::<(), adbench::metrics::MetricError>(())
    /// ```
    #[must_use]
    pub fn by_object(&self) -> Self {
        let mut of_object: BTreeMap<&str, (f32, bool)> = BTreeMap::new();
        let mut alone = Vec::new();
        for ((&score, &label), object) in self.scores.iter().zip(&self.labels).zip(&self.objects) {
            match object {
                Some(object) => {
                    let of = of_object.entry(object).or_insert((score, label));
                    *of = (of.0.max(score), of.1 || label);
                }
                None => alone.push((None, score, label)),
            }
        }
        let objects = of_object.into_iter().map(|(object, (score, label))| (Some(object.to_owned()), score, label));
        let mut by = Self { scores: Vec::new(), labels: Vec::new(), objects: Vec::new(), name: PhantomData };
        for (object, score, label) in objects.chain(alone) {
            by.objects.push(object);
            by.scores.push(score);
            by.labels.push(label);
        }
        by
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
