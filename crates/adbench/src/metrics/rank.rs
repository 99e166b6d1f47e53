//! Where the anomalous scores stand among the normal ones: all that AUROC, AP, F1 and AU-PRO depend on.

use rayon::prelude::*;

use super::counter::Counter;
use super::keys::{CACHED, key, score, sort};
use super::{MetricError, check_finite};

/// The distinct anomalous scores and the number of normal scores around each.
///
/// Between two neighbouring anomalous scores the order of the normal ones does not matter, so that they need not be
/// sorted: they are counted (see [`Counter`]).
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
        check_classes(scores.len() - count, count)?;
        // Every key is written, and only an anomalous one moves the end on: no branch to mispredict.
        let mut anomalous = vec![0; count + 1];
        let mut end = 0;
        for (&score, &label) in scores.iter().zip(labels) {
            anomalous[end] = key(score);
            end += usize::from(label);
        }
        anomalous.truncate(count);
        sort(&mut anomalous, &mut Vec::new());
        let mut groups = groups(anomalous.into_iter());
        let counter = counter(&groups);
        if counter.is_crowded() {
            let pairs = scores.iter().zip(labels);
            let mut normal: Vec<u32> = pairs.filter(|(_, l)| !**l).map(|(s, _)| key(*s)).collect();
            count_by_sorting(&mut groups, &mut normal);
            return Ok(Self { groups, normal: scores.len() - count, anomalous: count });
        }
        let share = share(scores.len());
        let parts = scores.par_chunks(share).zip(labels.par_chunks(share));
        Ok(Self::from_counter(groups, count_parts(counter, parts, |c, (scores, labels)| c.push(scores, labels))))
    }

    /// From the keys of the normal scores in any order and those of the anomalous ones in ascending order.
    pub(super) fn from_keys(
        mut normal: Vec<u32>,
        ascending: impl ExactSizeIterator<Item = u32>,
    ) -> Result<Self, MetricError> {
        let anomalous = ascending.len();
        check_classes(normal.len(), anomalous)?;
        let mut groups = groups(ascending);
        let counter = counter(&groups);
        if counter.is_crowded() {
            count_by_sorting(&mut groups, &mut normal);
            return Ok(Self { groups, normal: normal.len(), anomalous });
        }
        let parts = normal.par_chunks(share(normal.len()));
        Ok(Self::from_counter(groups, count_parts(counter, parts, |c, keys| c.push_keys(keys))))
    }

    /// From groups without normal scores and the counter around them.
    pub(super) fn from_counter(mut groups: Vec<Group>, counter: Counter) -> Self {
        let (_, counts, normal) = counter.finish();
        for (group, (below, equal)) in groups.iter_mut().zip(counts) {
            (group.normal_below, group.normal_equal) = (below as usize, equal as usize);
        }
        let anomalous = groups.iter().map(|g| g.anomalous).sum();
        Self { groups, normal: normal as usize, anomalous }
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

/// # Errors
/// [`MetricError::MissingClass`] unless both classes have a member.
pub(super) fn check_classes(normal: usize, anomalous: usize) -> Result<(), MetricError> {
    for (members, class) in [(normal, "normal"), (anomalous, "anomalous")] {
        if members == 0 {
            return Err(MetricError::MissingClass { class, count: normal + anomalous });
        }
    }
    Ok(())
}

/// The distinct keys among ascending ones, without normal scores.
pub(super) fn groups(ascending: impl Iterator<Item = u32>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for key in ascending {
        match groups.last_mut() {
            Some(last) if last.key == key => last.anomalous += 1,
            _ => groups.push(Group { key, anomalous: 1, normal_below: 0, normal_equal: 0 }),
        }
    }
    groups
}

pub(super) fn counter(groups: &[Group]) -> Counter {
    Counter::new(groups.iter().map(|g| g.key).collect())
}

/// Scores for one thread: an equal share, but enough to be worth a thread.
fn share(scores: usize) -> usize {
    scores.div_ceil(rayon::current_num_threads()).max(1 << 20)
}

/// Counts the parts, each with a counter of its own.
fn count_parts<P: Send>(
    mut counter: Counter,
    parts: impl IndexedParallelIterator<Item = P>,
    push: impl Fn(&mut Counter, P) + Sync,
) -> Counter {
    if parts.len() == 1 {
        for part in parts.collect::<Vec<_>>() {
            push(&mut counter, part);
        }
        return counter;
    }
    let one = |part| {
        let mut counter = counter.clone();
        push(&mut counter, part);
        counter
    };
    let join = |mut a: Counter, b| {
        a.merge(b);
        a
    };
    parts.map(one).reduce_with(join).unwrap_or(counter)
}

/// Counts by sorting runs of normal keys: steady whatever their distribution, slower when it is smooth.
fn count_by_sorting(groups: &mut [Group], normal: &mut [u32]) {
    // Each run is compared with every group; runs much longer than that keep the comparison cheap beside the sort.
    let run = CACHED.max(4 * groups.len());
    normal.par_chunks_mut(run).for_each_init(Vec::new, |scratch, run| sort(run, scratch));
    for run in normal.chunks(run) {
        add_counts(groups, run);
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
