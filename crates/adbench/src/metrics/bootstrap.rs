//! How far a figure depends on the images that happen to be in the test set.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;

use super::error::MetricError;

/// Settings of [`bootstrap`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// Number of resampled test sets, at least 2; 2000 by default.
    pub resamples: usize,
    /// Share of the resampled figures inside the interval, in `(0, 1)`; 0.95 by default.
    pub level: f64,
    /// Seed: a resample is a function of the seed and its number, whatever the number of threads.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { resamples: 2000, level: 0.95, seed: 0 }
    }
}

/// An interval for a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The percentile bootstrap interval of a figure over **images**: good and anomalous images are drawn with replacement
/// within their class, as many as there are, and the figure is computed anew from each draw.
///
/// Pixels of one image are not independent, so that intervals over pixels would be far too narrow. `metric` gets the
/// indices of the images drawn, good ones first. (B. Efron, The Annals of Statistics 7, 1979.)
///
/// The interval covers the choice of test images only, not that of training images, seeds or categories; on few images
/// it is too narrow, and next to the bounds 0 and 1 it is one-sided.
///
/// # Errors
/// [`MetricError::MissingClass`] without a good or without an anomalous image, [`MetricError::InvalidParameter`], and
/// whatever `metric` returns; [`MetricError::NonFinite`] when it returns NaN or an infinity.
///
/// ```
/// use adbench::metrics::{Bootstrap, auroc, bootstrap};
/// let scores = [0.1, 0.4, 0.2, 0.35, 0.8, 0.3];
/// let labels = [false, false, false, true, true, true];
/// let interval = bootstrap(&labels, Bootstrap::default(), |drawn| {
///     let pick = |i: &usize| (scores[*i], labels[*i]);
///     let (scores, labels): (Vec<f32>, Vec<bool>) = drawn.iter().map(pick).unzip();
///     auroc(&scores, &labels)
/// })?;
/// assert!(interval.low < 0.7 && interval.high == 1.0);
/// # Ok::<(), adbench::metrics::MetricError>(())
/// ```
pub fn bootstrap(
    labels: &[bool],
    settings: Bootstrap,
    metric: impl Fn(&[usize]) -> Result<f64, MetricError> + Sync,
) -> Result<Interval, MetricError> {
    let [interval] = bootstrap_each(labels, settings, |drawn| Ok([metric(drawn)?]))?;
    Ok(interval)
}

/// [`bootstrap`] of several figures, which share the draws.
pub(crate) fn bootstrap_each<const N: usize>(
    labels: &[bool],
    settings: Bootstrap,
    metric: impl Fn(&[usize]) -> Result<[f64; N], MetricError> + Sync,
) -> Result<[Interval; N], MetricError> {
    let Bootstrap { resamples, level, seed } = settings;
    if resamples < 2 {
        return Err(MetricError::InvalidParameter {
            name: "resamples",
            value: resamples as f64,
            allowed: "at least 2",
        });
    }
    if !(level > 0.0 && level < 1.0) {
        return Err(MetricError::InvalidParameter { name: "level", value: level, allowed: "above 0 and below 1" });
    }
    let of = |class: bool| -> Vec<usize> { (0..labels.len()).filter(|&i| labels[i] == class).collect() };
    let (good, bad) = (of(false), of(true));
    for (list, class) in [(&good, "normal"), (&bad, "anomalous")] {
        if list.is_empty() {
            return Err(MetricError::MissingClass { class, count: labels.len() });
        }
    }
    let draw = |number: usize| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number as u64);
        let mut from = |list: &[usize]| -> Vec<usize> {
            // 64-bit indices: the draw does not depend on the platform's pointer width.
            list.iter().map(|_| list[rng.random_range(0..list.len() as u64) as usize]).collect()
        };
        let mut drawn = from(&good);
        drawn.extend(from(&bad));
        let values = metric(&drawn)?;
        match values.into_iter().find(|v| !v.is_finite()) {
            None => Ok(values),
            Some(value) => Err(MetricError::NonFinite { index: number, value }),
        }
    };
    let draws: Vec<[f64; N]> = (0..resamples).into_par_iter().map(draw).collect::<Result<_, _>>()?;
    // Order statistics, rounded outwards.
    let tail = (1.0 - level) / 2.0 * (resamples - 1) as f64;
    let (low, high) = (tail.floor() as usize, resamples - 1 - tail.floor() as usize);
    Ok(std::array::from_fn(|i| {
        let mut figures: Vec<f64> = draws.iter().map(|values| values[i]).collect();
        figures.sort_unstable_by(f64::total_cmp);
        Interval { low: figures[low], high: figures[high] }
    }))
}
