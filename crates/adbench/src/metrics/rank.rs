//! Where the anomalous scores stand among the normal ones: all that AUROC, AP, F1 and AU-PRO depend on.

use super::MetricError;
use super::keys::{key, score, sort};

/// Sorted keys of the normal and the anomalous scores.
#[derive(Debug, Clone)]
pub(super) struct Ranked {
    normal: Vec<u32>,
    anomalous: Vec<u32>,
}

/// The anomalous scores of one value, and the normal scores above and at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) key: u32,
    /// Anomalous scores of this value.
    pub(super) anomalous: usize,
    /// Normal scores above this value.
    pub(super) normal_above: usize,
    /// Normal scores of this value.
    pub(super) normal_equal: usize,
}

impl Group {
    pub(super) fn score(&self) -> f32 {
        score(self.key)
    }
}

impl Ranked {
    pub(super) fn new(scores: &[f32], labels: &[bool]) -> Result<Self, MetricError> {
        if scores.len() != labels.len() {
            return Err(MetricError::LengthMismatch { scores: scores.len(), labels: labels.len() });
        }
        let (mut normal, mut anomalous) = (Vec::new(), Vec::new());
        split_keys(scores.iter().copied().zip(labels.iter().copied()), scores.len(), &mut normal, &mut anomalous)?;
        Self::from_keys(normal, anomalous)
    }

    /// Sorts the keys.
    pub(super) fn from_keys(mut normal: Vec<u32>, mut anomalous: Vec<u32>) -> Result<Self, MetricError> {
        let count = normal.len() + anomalous.len();
        if normal.is_empty() {
            return Err(MetricError::MissingClass { class: "normal", count });
        }
        if anomalous.is_empty() {
            return Err(MetricError::MissingClass { class: "anomalous", count });
        }
        sort(&mut normal);
        sort(&mut anomalous);
        Ok(Self { normal, anomalous })
    }

    pub(super) fn normal(&self) -> usize {
        self.normal.len()
    }

    pub(super) fn anomalous(&self) -> usize {
        self.anomalous.len()
    }

    /// The distinct anomalous scores, from the highest.
    pub(super) fn groups(&self) -> impl Iterator<Item = Group> + '_ {
        let mut above = self.normal.len();
        let chunks = self.anomalous.chunk_by(|a, b| a == b).rev();
        chunks.map(move |chunk| {
            let key = chunk[0];
            above = last_run(&self.normal[..above], |&n| n > key);
            let normal_above = self.normal.len() - above;
            above = last_run(&self.normal[..above], |&n| n >= key);
            let normal_equal = self.normal.len() - above - normal_above;
            Group { key, anomalous: chunk.len(), normal_above, normal_equal }
        })
    }
}

/// The start of the longest tail of a sorted slice whose members satisfy `is_high`: a search in doubling steps from the
/// end, so that its cost is the logarithm of the tail's length.
fn last_run(sorted: &[u32], is_high: impl Fn(&u32) -> bool) -> usize {
    let mut step = 1;
    let mut high = sorted.len();
    while high >= step && is_high(&sorted[high - step]) {
        high -= step;
        step *= 2;
    }
    let low = high.saturating_sub(step);
    low + sorted[low..high].partition_point(|n| !is_high(n))
}

/// Appends the keys of the scores to those of their class.
///
/// # Errors
/// [`MetricError::NonFinite`]; the vectors then hold a part of the keys.
pub(super) fn split_keys(
    pairs: impl Iterator<Item = (f32, bool)>,
    count: usize,
    normal: &mut Vec<u32>,
    anomalous: &mut Vec<u32>,
) -> Result<(), MetricError> {
    normal.reserve(count);
    for (index, (value, is_anomalous)) in pairs.enumerate() {
        if !value.is_finite() {
            return Err(MetricError::NonFinite { index, value });
        }
        if is_anomalous {
            anomalous.push(key(value));
        } else {
            normal.push(key(value));
        }
    }
    Ok(())
}
