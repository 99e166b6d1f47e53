//! Metrics of precision and recall.

use super::error::MetricError;
use super::ranking::{Rank, Ranked, Score};

/// Average precision: the sum over distinct thresholds of (R_i - R_{i-1}) P_i, from the highest threshold down.
///
/// This is the step-wise sum, not the trapezoid, which is too optimistic between thresholds: scores that are all equal
/// give the prevalence. Precision and recall are those of the prediction `score >= threshold`.
///
/// # Errors
/// [`MetricError::Length`], [`MetricError::NotFinite`], [`MetricError::MissingClass`].
///
/// ```
/// let labels = [false, false, false, true];
/// assert_eq!(adbench::metrics::average_precision(&[1.0; 4], &labels), Ok(0.25));
/// ```
pub fn average_precision<S: Score>(scores: &[S], labels: &[bool]) -> Result<f64, MetricError> {
    Ok(average_precision_from_ranked(&S::rank(scores, labels)?))
}

pub(super) fn average_precision_from_ranked<K: Copy + Ord + Send>(ranked: &Ranked<K>) -> f64 {
    // Recall rises only at thresholds that are anomalous scores.
    let mut found = 0;
    let mut sum = 0.0;
    for group in ranked.descending() {
        found += group.anomalous;
        let called = found + ranked.normal_from(&group);
        sum += group.anomalous as f64 * (found as f64 / called as f64);
    }
    sum / ranked.anomalous() as f64
}

/// Best F1 and the threshold that reaches it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct F1Max<S = f32> {
    /// The harmonic mean of precision and recall.
    pub f1: f64,
    /// The score to compare with: anomalous means `score >= threshold`.
    pub threshold: S,
}

/// Largest F1 over all distinct scores taken as thresholds, with the prediction `score >= threshold`.
///
/// Of several thresholds that reach it, the highest is returned. The threshold is chosen with the labels in hand, so
/// that the figure is an upper bound of what a threshold fixed beforehand gives.
///
/// # Errors
/// [`MetricError::Length`], [`MetricError::NotFinite`], [`MetricError::MissingClass`].
///
/// ```
/// let best = adbench::metrics::f1_max(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true]).unwrap();
/// assert_eq!((best.f1, best.threshold), (0.8, 0.35));
/// ```
pub fn f1_max<S: Score>(scores: &[S], labels: &[bool]) -> Result<F1Max<S>, MetricError> {
    f1_max_from_ranked(&S::rank(scores, labels)?)
        .ok_or(MetricError::MissingClass { class: "anomalous", count: scores.len() })
}

pub(super) fn f1_max_from_ranked<S: Rank>(ranked: &Ranked<S::Key>) -> Option<F1Max<S>> {
    // A threshold at a normal score calls more normal scores than the next anomalous score above, and finds no more.
    let mut found = 0;
    let mut best: Option<F1Max<S>> = None;
    for group in ranked.descending() {
        found += group.anomalous;
        let called = found + ranked.normal_from(&group);
        let f1 = 2.0 * found as f64 / (called + ranked.anomalous()) as f64;
        if best.as_ref().is_none_or(|best| f1 > best.f1) {
            best = Some(F1Max { f1, threshold: S::from_key(group.key) });
        }
    }
    best
}
