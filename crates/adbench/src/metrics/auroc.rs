//! Area under the ROC curve.

use super::error::MetricError;
use super::ranking::Score;

/// Exact area under the ROC curve: the probability that an anomalous score exceeds a normal one, ties counting one half
/// (Mann-Whitney statistic with mid-ranks; J. A. Hanley and B. J. McNeil, Radiology 143, 1982).
///
/// `labels` are `true` for anomalous. The result depends only on the order of the scores: it is invariant under
/// strictly increasing maps, and negated scores give one minus it. It is not flipped when below one half. Pairs are
/// counted in integers, so that it is exact beyond 2^24 scores.
///
/// Memory beyond the input: some 4 bytes a score at most for `f32` (the sorted scores, or where fewer than one in seven
/// is anomalous up to 28 bytes an anomalous score), 8 for `f64`.
///
/// # Errors
/// [`MetricError::Length`], [`MetricError::NotFinite`], [`MetricError::MissingClass`].
///
/// ```
/// let scores = [0.1, 0.4, 0.35, 0.8];
/// let labels = [false, false, true, true];
/// assert_eq!(adbench::metrics::auroc(&scores, &labels), Ok(0.75));
/// ```
pub fn auroc<S: Score>(scores: &[S], labels: &[bool]) -> Result<f64, MetricError> {
    S::auroc(scores, labels)
}
