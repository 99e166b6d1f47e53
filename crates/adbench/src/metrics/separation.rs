//! Shares of good and bad images that stay separated when a few of the other class are given up.

use super::check::check_finite;
use super::error::MetricError;

/// Good scores and anomalous scores, ascending.
fn classes(scores: &[f32], labels: &[bool]) -> Result<(Vec<f32>, Vec<f32>), MetricError> {
    if scores.len() != labels.len() {
        return Err(MetricError::LengthMismatch { scores: scores.len(), labels: labels.len() });
    }
    check_finite(scores)?;
    let of = |class: bool| {
        let mut list: Vec<f32> = scores.iter().zip(labels).filter(|(_, l)| **l == class).map(|(s, _)| *s).collect();
        list.sort_unstable_by(f32::total_cmp);
        list
    };
    let (good, bad) = (of(false), of(true));
    for (list, class) in [(&good, "normal"), (&bad, "anomalous")] {
        if list.is_empty() {
            return Err(MetricError::MissingClass { class, count: scores.len() });
        }
    }
    Ok((good, bad))
}

/// How many of `count` may be given up.
fn allowance(n: f64, count: usize) -> Result<usize, MetricError> {
    if !(0.0..1.0).contains(&n) {
        return Err(MetricError::InvalidParameter { name: "n", value: n, allowed: "at least 0 and below 1" });
    }
    // 0.29 * 100 is 28.999999999999996.
    Ok(((n * count as f64 + 1e-9) as usize).min(count - 1))
}

/// PG_n: the share of good images that score below the threshold which misses at most the share `n` of the bad ones
/// (score < threshold), the highest such threshold among the bad scores. 1 is best.
///
/// # Errors
/// [`MetricError::LengthMismatch`], [`MetricError::NonFinite`], [`MetricError::MissingClass`], and
/// [`MetricError::InvalidParameter`] when `n` is outside `[0, 1)`.
///
/// ```
/// let labels = [false, false, true, true];
/// let scores = [0.1, 0.6, 0.5, 0.9];
/// // To miss no bad image the threshold is 0.5; to miss up to half, 0.9.
/// assert_eq!(adbench::metrics::pg(&scores, &labels, 0.0), Ok(0.5));
/// assert_eq!(adbench::metrics::pg(&scores, &labels, 0.5), Ok(1.0));
/// ```
pub fn pg(scores: &[f32], labels: &[bool], n: f64) -> Result<f64, MetricError> {
    let (good, bad) = classes(scores, labels)?;
    let threshold = bad[allowance(n, bad.len())?];
    Ok(good.partition_point(|&s| s < threshold) as f64 / good.len() as f64)
}

/// PB_n: the share of bad images that score above the threshold which at most the share `n` of the good ones exceed
/// (score > threshold), the lowest such threshold among the good scores. 1 is best.
///
/// # Errors
/// As [`pg`].
///
/// ```
/// let labels = [false, false, true, true];
/// let scores = [0.1, 0.6, 0.5, 0.9];
/// assert_eq!(adbench::metrics::pb(&scores, &labels, 0.0), Ok(0.5));
/// assert_eq!(adbench::metrics::pb(&scores, &labels, 0.5), Ok(1.0));
/// ```
pub fn pb(scores: &[f32], labels: &[bool], n: f64) -> Result<f64, MetricError> {
    let (good, bad) = classes(scores, labels)?;
    let threshold = good[good.len() - 1 - allowance(n, good.len())?];
    Ok((bad.len() - bad.partition_point(|&s| s <= threshold)) as f64 / bad.len() as f64)
}
