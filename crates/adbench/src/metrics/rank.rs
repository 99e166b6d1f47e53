//! Where the anomalous scores stand among the normal ones: all that AUROC, AP, F1 and AU-PRO depend on.

use rayon::prelude::*;

use super::keys::{CACHED, key, score, sort};
use super::{MetricError, check_finite};

/// The distinct anomalous scores and the number of normal scores around each.
///
/// Between two neighbouring anomalous scores the order of the normal ones does not matter, so that they need not be
/// sorted altogether: runs are sorted on their own, each in the cache, and their counts added.
#[derive(Debug, Clone)]
pub(super) struct Ranked {
    /// By ascending score.
    groups: Vec<Group>,
    normal: usize,
    anomalous: usize,
}

/// The anomalous scores of one value, and the normal scores below and at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group {
    key: u32,
    /// Anomalous scores of this value.
    pub(super) anomalous: usize,
    /// Normal scores below this value.
    pub(super) normal_below: usize,
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
        check_finite(scores)?;
        let count = labels.iter().filter(|&&l| l).count();
        // Every key is written to both ends, and only the end of its class moves on: no branch to mispredict. Hence one
        // place more than needed.
        let (mut normal, mut anomalous) = (vec![0; scores.len() - count + 1], vec![0; count + 1]);
        let (mut n, mut a) = (0, 0);
        for (&score, &label) in scores.iter().zip(labels) {
            let key = key(score);
            normal[n] = key;
            anomalous[a] = key;
            n += usize::from(!label);
            a += usize::from(label);
        }
        normal.truncate(n);
        anomalous.truncate(a);
        sort(&mut anomalous, &mut Vec::new());
        Self::from_keys(normal, anomalous.into_iter())
    }

    /// From the keys of the normal scores in any order and those of the anomalous ones in ascending order.
    pub(super) fn from_keys(
        mut normal: Vec<u32>,
        ascending: impl ExactSizeIterator<Item = u32>,
    ) -> Result<Self, MetricError> {
        let anomalous = ascending.len();
        let count = normal.len() + anomalous;
        if normal.is_empty() {
            return Err(MetricError::MissingClass { class: "normal", count });
        }
        if anomalous == 0 {
            return Err(MetricError::MissingClass { class: "anomalous", count });
        }
        let mut groups: Vec<Group> = Vec::new();
        for key in ascending {
            match groups.last_mut() {
                Some(last) if last.key == key => last.anomalous += 1,
                _ => groups.push(Group { key, anomalous: 1, normal_below: 0, normal_equal: 0 }),
            }
        }
        // Each run is compared with every group; runs much longer than that keep the comparison cheap beside the sort.
        let run = CACHED.max(4 * groups.len());
        normal.par_chunks_mut(run).for_each_init(Vec::new, |scratch, run| sort(run, scratch));
        for run in normal.chunks(run) {
            add_counts(&mut groups, run);
        }
        Ok(Self { groups, normal: normal.len(), anomalous })
    }

    pub(super) fn normal(&self) -> usize {
        self.normal
    }

    pub(super) fn anomalous(&self) -> usize {
        self.anomalous
    }

    /// Normal scores at or above a group's.
    pub(super) fn normal_from(&self, group: &Group) -> usize {
        self.normal - group.normal_below
    }

    /// The distinct anomalous scores, ascending.
    pub(super) fn groups(&self) -> &[Group] {
        &self.groups
    }
}

/// Adds the counts of a sorted run of normal keys.
fn add_counts(groups: &mut [Group], run: &[u32]) {
    let mut i = 0;
    for group in groups {
        while i < run.len() && run[i] < group.key {
            i += 1;
        }
        group.normal_below += i;
        let start = i;
        while i < run.len() && run[i] == group.key {
            i += 1;
        }
        group.normal_equal += i - start;
    }
}
