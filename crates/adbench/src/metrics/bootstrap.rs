//! Bootstrap intervals: how far a figure depends on the images that happen to be in the test set.

use imgkit::rank::at_least;
use imgkit::rng::keyed_stream;
use imgkit::{ParameterError, ensure};
use rand::Rng;
use rayon::prelude::*;

use super::error::MetricError;
use super::ranking::check_classes;

/// Largest number of resamples, whose figures are all held in memory.
const MAX_RESAMPLES: usize = 10_000_000;

/// Parameters of [`bootstrap`].
///
/// ```
/// use adbench::metrics::BootstrapParams;
/// let params = BootstrapParams::default().with_resamples(500).with_level(0.9);
/// assert!(params.check().is_ok());
/// assert!(params.with_level(1.0).check().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BootstrapParams {
    resamples: usize,
    level: f64,
    seed: u64,
}

impl Default for BootstrapParams {
    fn default() -> Self {
        Self { resamples: 2000, level: 0.95, seed: 0 }
    }
}

impl BootstrapParams {
    /// Sets the number of resampled test sets: 2 to 10 000 000; 2000 by default.
    #[must_use]
    pub fn with_resamples(self, resamples: usize) -> Self {
        Self { resamples, ..self }
    }

    /// Sets the share of the resampled figures inside the interval: above 0 and below 1; 0.95 by default.
    #[must_use]
    pub fn with_level(self, level: f64) -> Self {
        Self { level, ..self }
    }

    /// Sets the seed; 0 by default. A resample is a function of the seed and its number, whatever the number of
    /// threads.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Number of resampled test sets.
    #[must_use]
    pub fn resamples(&self) -> usize {
        self.resamples
    }

    /// Share of the resampled figures inside the interval.
    #[must_use]
    pub fn level(&self) -> f64 {
        self.level
    }

    /// Seed of the resamples.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ParameterError`] for the first parameter out of range.
    pub fn check(&self) -> Result<(), ParameterError> {
        let Self { resamples, level, .. } = *self;
        ensure((2..=MAX_RESAMPLES).contains(&resamples), "bootstrap", "resamples", resamples, "2 to 10 000 000")?;
        ensure(level > 0.0 && level < 1.0, "bootstrap", "level", level, "above 0 and below 1")
    }
}

/// Interval for a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Percentile bootstrap interval of a figure over **images**: good and anomalous images are sampled with replacement
/// within their class, as many as there are, and the figure is computed anew from each resample.
///
/// Pixels of one image are not independent, so that intervals over pixels would be far too narrow. `metric` gets the
/// indices of the sampled images, good ones first. (B. Efron, The Annals of Statistics 7, 1979.)
///
/// The interval covers the choice of test images only, not that of training images, seeds or categories; on few images
/// it is too narrow, and next to the bounds 0 and 1 it is one-sided.
///
/// # Errors
/// [`MetricError::MissingClass`] without a good or without an anomalous image, [`MetricError::Parameter`], and
/// whatever `metric` returns; [`MetricError::NotFinite`] when it returns NaN or an infinity.
///
/// ```
/// use adbench::metrics::{BootstrapParams, auroc, bootstrap};
/// let scores = [0.1, 0.4, 0.2, 0.35, 0.8, 0.3];
/// let labels = [false, false, false, true, true, true];
/// let interval = bootstrap(&labels, BootstrapParams::default(), |sampled| {
///     let pick = |i: &usize| (scores[*i], labels[*i]);
///     let (scores, labels): (Vec<f32>, Vec<bool>) = sampled.iter().map(pick).unzip();
///     auroc(&scores, &labels)
/// })?;
/// assert!(interval.low < 0.7 && interval.high == 1.0);
/// # Ok::<(), adbench::metrics::MetricError>(())
/// ```
pub fn bootstrap(
    labels: &[bool],
    params: BootstrapParams,
    metric: impl Fn(&[usize]) -> Result<f64, MetricError> + Sync,
) -> Result<Interval, MetricError> {
    let [interval] = bootstrap_each(labels, params, |sampled| Ok([metric(sampled)?]))?;
    Ok(interval)
}

/// [`bootstrap`] of several figures, which share the resamples.
pub(crate) fn bootstrap_each<const N: usize>(
    labels: &[bool],
    params: BootstrapParams,
    metric: impl Fn(&[usize]) -> Result<[f64; N], MetricError> + Sync,
) -> Result<[Interval; N], MetricError> {
    params.check()?;
    let BootstrapParams { resamples, level, seed } = params;
    let of = |class: bool| -> Vec<usize> { (0..labels.len()).filter(|&i| labels[i] == class).collect() };
    let (good, bad) = (of(false), of(true));
    check_classes(good.len(), bad.len())?;
    let resample = |number: usize| {
        let mut rng = keyed_stream(seed, number as u64);
        let mut from = |list: &[usize]| -> Vec<usize> {
            // 64-bit indices: the resample does not depend on the platform's pointer width.
            list.iter().map(|_| list[rng.random_range(0..list.len() as u64) as usize]).collect()
        };
        let mut sampled = from(&good);
        sampled.extend(from(&bad));
        let values = metric(&sampled)?;
        match values.into_iter().find(|v| !v.is_finite()) {
            None => Ok(values),
            Some(value) => Err(MetricError::NotFinite { index: number, value }),
        }
    };
    let figures: Vec<[f64; N]> = (0..resamples).into_par_iter().map(resample).collect::<Result<_, _>>()?;
    // Order statistics, rounded outwards: half of what lies outside of the level.
    let low = (resamples - 1 - at_least(level, resamples - 1)) / 2;
    let high = resamples - 1 - low;
    Ok(std::array::from_fn(|i| {
        let mut sorted: Vec<f64> = figures.iter().map(|values| values[i]).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        Interval { low: sorted[low], high: sorted[high] }
    }))
}
