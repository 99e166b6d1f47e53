//! Area under the per-image-overlap curve.

use std::cmp::Reverse;

use imgkit::ensure;
use ndarray::ArrayView2;

use super::error::MetricError;
use super::ranking::key;

/// Area under each anomalous image's overlap curve, at false-positive rates so low that hardly a pixel of a good image
/// is marked; one value in `[0, 1]` for each anomalous image, whose mean is the usual figure.
///
/// At a threshold, an image's overlap is the share of its anomalous pixels with `score >= threshold`, and the shared
/// false-positive rate is the mean over the **good images** of their share of such pixels. The overlap is averaged over
/// the logarithm of the false-positive rate between `bounds` (1e-5 and 1e-4 are customary):
/// 1 / ln(U / L) times the integral of the overlap d ln(rate) from L to U.
///
/// The curve has one point for each distinct score and straight lines between, as a ROC curve has, and is integrated in
/// closed form. (A trapezoid over ln(rate) on a grid of thresholds tends to the same value as points become dense.)
/// With fewer than 1 / L pixels in all good images the rate L falls between the first two points, and the figure tells
/// little.
///
/// Source: J. P. C. Bertoldo et al., "AUPIMO: Redefining Visual Anomaly Detection Benchmarks with High Speed and Low
/// Tolerance", BMVC 2024.
///
/// # Errors
/// [`MetricError::Length`] when there is not one mask an anomalous map, [`MetricError::Shape`],
/// [`MetricError::NotFinite`], [`MetricError::EmptyMap`], [`MetricError::MissingClass`] when there is no good image or
/// a mask marks no pixel, and [`MetricError::Parameter`] unless `0 < L < U <= 1`.
///
/// ```
/// use adbench::metrics::aupimo;
/// use ndarray::{Array2, arr2};
/// let good = Array2::from_shape_fn((100, 100), |(y, x)| (100 * y + x) as f32);
/// // One of the two anomalous pixels exceeds every good one, the other hardly any.
/// let map = arr2(&[[20_000.0, 5.0]]);
/// let mask = arr2(&[[true, true]]);
/// let areas = aupimo(&[good.view()], &[map.view()], &[mask.view()], (1e-3, 1e-2))?;
/// assert!((areas[0] - 0.5).abs() < 1e-12);
/// # Ok::<(), adbench::metrics::MetricError>(())
/// ```
pub fn aupimo(
    good: &[ArrayView2<'_, f32>],
    anomalous: &[ArrayView2<'_, f32>],
    masks: &[ArrayView2<'_, bool>],
    bounds: (f64, f64),
) -> Result<Vec<f64>, MetricError> {
    let (low, high) = bounds;
    let is_range = low > 0.0 && low < high && high <= 1.0;
    ensure(is_range, "aupimo", "bounds", format!("{low} to {high}"), "above 0, ascending, and at most 1")?;
    if anomalous.len() != masks.len() {
        return Err(MetricError::masks(anomalous.len(), masks.len()));
    }
    if good.is_empty() {
        return Err(MetricError::MissingClass { class: "normal", count: anomalous.len() });
    }
    let rates = shared_rates(good, high)?;
    anomalous.iter().zip(masks).map(|(map, mask)| Ok(area(&rates, &anomalous_keys(map, mask)?, bounds))).collect()
}

fn finite_keys<'a>(map: &'a ArrayView2<'_, f32>) -> Result<Vec<u32>, MetricError> {
    let of = |(index, &value): (usize, &'a f32)| {
        if value.is_finite() { Ok(key(value)) } else { Err(MetricError::NotFinite { index, value: value.into() }) }
    };
    map.iter().enumerate().map(of).collect()
}

/// The distinct scores of good images, descending, each with the shared false-positive rate when it is the threshold:
/// up to the first rate that reaches `high`.
fn shared_rates(good: &[ArrayView2<'_, f32>], high: f64) -> Result<Vec<(u32, f64)>, MetricError> {
    let images = good.len() as f64;
    let mut weighted: Vec<(u32, f64)> = Vec::new();
    for map in good {
        let mut keys = finite_keys(map)?;
        if keys.is_empty() {
            return Err(MetricError::EmptyMap);
        }
        let pixels = keys.len() as f64;
        // While the mean share is at most `high`, no image's share exceeds `high * images`: lower scores do not matter.
        let count = (high * images * pixels) as usize + 1;
        if count < keys.len() {
            let (_, &mut least, _) = keys.select_nth_unstable_by(count, |a, b| b.cmp(a));
            keys.retain(|&k| k >= least);
        }
        weighted.extend(keys.into_iter().map(|k| (k, 1.0 / (pixels * images))));
    }
    weighted.sort_unstable_by_key(|w| Reverse(w.0));
    let mut rates: Vec<(u32, f64)> = Vec::new();
    let mut rate = 0.0;
    for same in weighted.chunk_by(|a, b| a.0 == b.0) {
        rate += same.iter().map(|w| w.1).sum::<f64>();
        rates.push((same[0].0, rate));
        if rate >= high {
            break;
        }
    }
    Ok(rates)
}

/// The keys of the anomalous pixels, descending.
fn anomalous_keys(map: &ArrayView2<'_, f32>, mask: &ArrayView2<'_, bool>) -> Result<Vec<u32>, MetricError> {
    if map.dim() != mask.dim() {
        return Err(MetricError::mask_size(map.dim(), mask.dim()));
    }
    let all = finite_keys(map)?;
    let mut keys: Vec<u32> = all.iter().zip(mask).filter(|(_, m)| **m).map(|(k, _)| *k).collect();
    if keys.is_empty() {
        return Err(MetricError::MissingClass { class: "anomalous", count: all.len() });
    }
    keys.sort_unstable_by(|a, b| b.cmp(a));
    Ok(keys)
}

fn area(rates: &[(u32, f64)], anomalous: &[u32], (low, high): (f64, f64)) -> f64 {
    let total = anomalous.len() as f64;
    let found = |is_found: &dyn Fn(u32) -> bool| anomalous.partition_point(|&k| is_found(k)) as f64 / total;
    let mut sum = 0.0;
    let mut rate = 0.0;
    for &(threshold, next) in rates {
        // Anomalous scores between two good ones raise the overlap at an unchanged rate.
        let (from, to) = (found(&|k| k > threshold), found(&|k| k >= threshold));
        let (left, right) = (low.max(rate), high.min(next));
        if left < right {
            // from + slope * (z - rate), integrated over dz / z.
            let slope = (to - from) / (next - rate);
            sum += (from - slope * rate) * (right / left).ln() + slope * (right - left);
        }
        rate = next;
    }
    sum / (high / low).ln()
}
