//! Specificity at a miss rate, and recall at a false-positive rate.

use imgkit::ensure;
use imgkit::rank::at_most;

use super::check::check_finite;
use super::error::MetricError;
use super::ranking::{Score, check_classes};

/// Good scores and anomalous scores, ascending.
fn classes<S: Score>(scores: &[S], labels: &[bool]) -> Result<(Vec<S>, Vec<S>), MetricError> {
    if scores.len() != labels.len() {
        return Err(MetricError::labels(scores.len(), labels.len()));
    }
    check_finite(scores)?;
    let of = |class: bool| {
        let mut list: Vec<S> = scores.iter().zip(labels).filter(|(_, l)| **l == class).map(|(s, _)| *s).collect();
        list.sort_unstable_by_key(|s| s.key());
        list
    };
    let (good, bad) = (of(false), of(true));
    check_classes(good.len(), bad.len())?;
    Ok((good, bad))
}

/// How many of `count` may be given up.
fn allowance(rate: f64, count: usize) -> Result<usize, MetricError> {
    ensure((0.0..1.0).contains(&rate), "separation", "rate", rate, "at least 0 and below 1")?;
    Ok(at_most(rate, count).min(count - 1))
}

/// Specificity at a miss rate (PG_n of some papers): the share of good images that score below the threshold which
/// misses at most the share `miss_rate` of the bad ones (score < threshold), the highest such threshold among the bad
/// scores.
///
/// 1 is best.
///
/// # Errors
/// [`MetricError::Length`], [`MetricError::NotFinite`], [`MetricError::MissingClass`], and [`MetricError::Parameter`]
/// when `miss_rate` is outside `[0, 1)`.
///
/// ```
/// use adbench::metrics::specificity_at_miss_rate;
/// let labels = [false, false, true, true];
/// let scores = [0.1, 0.6, 0.5, 0.9];
/// // To miss no bad image the threshold is 0.5; to miss up to half, 0.9.
/// assert_eq!(specificity_at_miss_rate(&scores, &labels, 0.0), Ok(0.5));
/// assert_eq!(specificity_at_miss_rate(&scores, &labels, 0.5), Ok(1.0));
/// ```
pub fn specificity_at_miss_rate<S: Score>(scores: &[S], labels: &[bool], miss_rate: f64) -> Result<f64, MetricError> {
    let (good, bad) = classes(scores, labels)?;
    let threshold = bad[allowance(miss_rate, bad.len())?].key();
    Ok(good.partition_point(|s| s.key() < threshold) as f64 / good.len() as f64)
}

/// Recall at a false-positive rate (PB_n of some papers): the share of bad images that score above the threshold which
/// at most the share `false_positive_rate` of the good ones exceed (score > threshold), the lowest such threshold among
/// the good scores.
///
/// 1 is best.
///
/// # Errors
/// As [`specificity_at_miss_rate`].
///
/// ```
/// use adbench::metrics::recall_at_false_positive_rate;
/// let labels = [false, false, true, true];
/// let scores = [0.1, 0.6, 0.5, 0.9];
/// assert_eq!(recall_at_false_positive_rate(&scores, &labels, 0.0), Ok(0.5));
/// assert_eq!(recall_at_false_positive_rate(&scores, &labels, 0.5), Ok(1.0));
/// ```
pub fn recall_at_false_positive_rate<S: Score>(
    scores: &[S],
    labels: &[bool],
    false_positive_rate: f64,
) -> Result<f64, MetricError> {
    let (good, bad) = classes(scores, labels)?;
    let threshold = good[good.len() - 1 - allowance(false_positive_rate, good.len())?].key();
    Ok((bad.len() - bad.partition_point(|s| s.key() <= threshold)) as f64 / bad.len() as f64)
}
