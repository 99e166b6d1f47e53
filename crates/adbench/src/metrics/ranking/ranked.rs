//! Ranks of the anomalous scores among the normal ones: all that AUROC, AP, F1 and AU-PRO depend on.

use rayon::prelude::*;

use super::counter::Counter;
use super::keys::{ScoreKey, key};
use crate::metrics::check::check_finite;
use crate::metrics::error::MetricError;

/// Distinct anomalous scores and the number of normal scores around each. Public for a sealed trait only.
#[derive(Debug, Clone)]
pub struct Ranked<K> {
    source: Source<K>,
    normal: usize,
    anomalous: usize,
}

#[derive(Debug, Clone)]
enum Source<K> {
    /// By ascending key.
    Groups(Vec<Group<K>>),
    /// Ascending, for a set with so many distinct anomalous scores that groups would take more time and memory.
    Sorted { normal: Vec<K>, anomalous: Vec<K> },
}

/// The anomalous scores of one value, and the normal scores below and at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group<K> {
    pub(crate) key: K,
    /// Anomalous scores of this value.
    pub(crate) anomalous: usize,
    /// Normal scores below this value.
    pub(crate) normal_below: usize,
    /// Normal scores of this value.
    pub(crate) normal_equal: usize,
}

/// Fewer scores are sorted: tables would cost more.
pub(super) const SMALL: usize = 1 << 15;

/// Whether counting around the anomalous scores pays; else both classes are sorted.
fn counting_pays(scores: usize, anomalous: usize) -> bool {
    scores >= SMALL && anomalous <= scores / 12
}

impl Ranked<u32> {
    pub(crate) fn new(scores: &[f32], labels: &[bool]) -> Result<Self, MetricError> {
        let anomalous = check_labels(scores.len(), labels)?;
        if !counting_pays(scores.len(), anomalous) {
            return Self::by_sorting(scores, labels);
        }
        let groups = groups(anomalous_keys(scores, labels, anomalous).into_iter());
        // All scores are counted and the anomalous ones then taken off: no label is looked at in the loop.
        let parts = scores.par_chunks(share(scores.len()));
        let (counter, is_finite) = count_parts(counter(&groups), parts, |c, scores| c.push(scores));
        if !is_finite {
            check_finite(scores)?;
        }
        Ok(Self::from_all(groups, counter))
    }

    /// From the keys of the normal scores in any order and those of the anomalous ones in ascending order.
    pub(crate) fn from_keys(
        mut normal: Vec<u32>,
        ascending: impl ExactSizeIterator<Item = u32>,
    ) -> Result<Self, MetricError> {
        let anomalous = ascending.len();
        check_classes(normal.len(), anomalous)?;
        if !counting_pays(normal.len() + anomalous, anomalous) {
            sort(&mut normal);
            return Ok(Self::from_sorted(normal, ascending.collect()));
        }
        let groups = groups(ascending);
        let parts = normal.par_chunks(share(normal.len()));
        let (counter, _) = count_parts(counter(&groups), parts, |c, keys| {
            c.push_keys(keys);
            true
        });
        Ok(Self::from_normal(groups, counter))
    }

    /// From groups without normal scores and the counter around them, which has counted the normal scores.
    pub(crate) fn from_normal(mut groups: Vec<Group<u32>>, counter: Counter) -> Self {
        let normal = counter.finish(|i, below, equal| {
            (groups[i].normal_below, groups[i].normal_equal) = (below as usize, equal as usize);
        });
        let anomalous = groups.iter().map(|g| g.anomalous).sum();
        Self { source: Source::Groups(groups), normal: normal as usize, anomalous }
    }

    /// As [`Ranked::from_normal`], with a counter that has counted the anomalous scores as well.
    pub(crate) fn from_all(groups: Vec<Group<u32>>, counter: Counter) -> Self {
        let mut ranked = Self::from_normal(groups, counter);
        let mut below = 0;
        if let Source::Groups(groups) = &mut ranked.source {
            for group in groups {
                group.normal_below -= below;
                group.normal_equal -= group.anomalous;
                below += group.anomalous;
            }
        }
        ranked.normal -= below;
        ranked
    }

    /// Adds normal scores that are lower than every one so far; the groups are those of [`Ranked::from_normal`].
    pub(crate) fn add_lower(&mut self, count: usize) {
        self.normal += count;
        if let Source::Groups(groups) = &mut self.source {
            groups.iter_mut().for_each(|group| group.normal_below += count);
        }
    }
}

impl<K: Copy + Ord + Send> Ranked<K> {
    pub(crate) fn by_sorting<S: ScoreKey<Key = K>>(scores: &[S], labels: &[bool]) -> Result<Self, MetricError> {
        let count = check_labels(scores.len(), labels)?;
        check_finite(scores)?;
        let filler = scores[0].key();
        let (mut normal, mut anomalous) = (vec![filler; scores.len() - count + 1], vec![filler; count + 1]);
        let (mut normal_end, mut anomalous_end) = (0, 0);
        // Every key is written to both and only one end moves on: no branch to mispredict.
        for (score, &label) in scores.iter().zip(labels) {
            let key = score.key();
            normal[normal_end] = key;
            anomalous[anomalous_end] = key;
            normal_end += usize::from(!label);
            anomalous_end += usize::from(label);
        }
        normal.truncate(normal_end);
        anomalous.truncate(anomalous_end);
        sort(&mut normal);
        sort(&mut anomalous);
        Ok(Self::from_sorted(normal, anomalous))
    }

    fn from_sorted(normal: Vec<K>, anomalous: Vec<K>) -> Self {
        let counts = (normal.len(), anomalous.len());
        Self { source: Source::Sorted { normal, anomalous }, normal: counts.0, anomalous: counts.1 }
    }

    pub(crate) fn normal(&self) -> usize {
        self.normal
    }

    pub(crate) fn anomalous(&self) -> usize {
        self.anomalous
    }

    /// The exact area under the ROC curve; ties count one half.
    pub(crate) fn auroc(&self) -> f64 {
        let pairs = self.normal as u128 * self.anomalous as u128;
        // Twice the number of pairs in which the anomalous score is the higher one.
        let won: u128 =
            self.descending().map(|g| g.anomalous as u128 * (2 * g.normal_below + g.normal_equal) as u128).sum();
        won as f64 / (2 * pairs) as f64
    }

    /// Normal scores at or above a group's.
    pub(crate) fn normal_from(&self, group: &Group<K>) -> usize {
        self.normal - group.normal_below
    }

    /// The distinct anomalous scores, descending.
    pub(crate) fn descending(&self) -> impl Iterator<Item = Group<K>> {
        let (groups, normal, anomalous): (&[_], &[_], &[_]) = match &self.source {
            Source::Groups(groups) => (groups, &[], &[]),
            Source::Sorted { normal, anomalous } => (&[], normal, anomalous),
        };
        groups.iter().rev().copied().chain(Merge { normal, anomalous })
    }
}

/// Goes down two sorted lists at once.
struct Merge<'a, K> {
    normal: &'a [K],
    anomalous: &'a [K],
}

impl<K: Copy + Ord> Iterator for Merge<'_, K> {
    type Item = Group<K>;

    fn next(&mut self) -> Option<Group<K>> {
        let key = *self.anomalous.last()?;
        let while_last = |list: &mut &[K], is: &dyn Fn(K) -> bool| {
            let before = list.len();
            while let Some((&last, rest)) = list.split_last()
                && is(last)
            {
                *list = rest;
            }
            before - list.len()
        };
        let anomalous = while_last(&mut self.anomalous, &|k| k == key);
        while_last(&mut self.normal, &|k| k > key);
        let normal_equal = while_last(&mut self.normal, &|k| k == key);
        Some(Group { key, anomalous, normal_below: self.normal.len(), normal_equal })
    }
}

/// # Errors
/// [`MetricError::Length`], [`MetricError::MissingClass`].
pub(super) fn check_labels(scores: usize, labels: &[bool]) -> Result<usize, MetricError> {
    if scores != labels.len() {
        return Err(MetricError::labels(scores, labels.len()));
    }
    // Short sums of bytes, which the processor adds several at a time.
    let count = |part: &[bool]| usize::from(part.iter().fold(0_u8, |sum, &l| sum + u8::from(l)));
    let anomalous = labels.chunks(255).map(count).sum();
    check_classes(scores - anomalous, anomalous)?;
    Ok(anomalous)
}

/// # Errors
/// [`MetricError::MissingClass`] unless both classes have a member.
pub(crate) fn check_classes(normal: usize, anomalous: usize) -> Result<(), MetricError> {
    for (members, class) in [(normal, "normal"), (anomalous, "anomalous")] {
        if members == 0 {
            return Err(MetricError::MissingClass { class, count: normal + anomalous });
        }
    }
    Ok(())
}

/// The keys of the few anomalous scores, ascending.
pub(super) fn anomalous_keys(scores: &[f32], labels: &[bool], count: usize) -> Vec<u32> {
    let mut keys = Vec::with_capacity(count);
    let ((scores, last_scores), (labels, last_labels)) = (scores.as_chunks::<8>(), labels.as_chunks::<8>());
    for (scores, labels) in scores.iter().zip(labels) {
        // One byte a label: most groups of eight are passed over at once.
        let mut set = u64::from_le_bytes(labels.map(u8::from));
        while set != 0 {
            keys.push(key(scores[set.trailing_zeros() as usize / 8]));
            set &= set - 1;
        }
    }
    keys.extend(last_scores.iter().zip(last_labels).filter(|(_, l)| **l).map(|(s, _)| key(*s)));
    sort(&mut keys);
    keys
}

pub(super) fn sort<K: Ord + Send>(keys: &mut [K]) {
    let is_worth = keys.len() >= SMALL && rayon::current_num_threads() > 1;
    if is_worth { keys.par_sort_unstable() } else { keys.sort_unstable() }
}

/// The distinct keys among ascending ones, without normal scores.
pub(crate) fn groups(ascending: impl Iterator<Item = u32>) -> Vec<Group<u32>> {
    let mut groups: Vec<Group<u32>> = Vec::with_capacity(ascending.size_hint().0);
    for key in ascending {
        match groups.last_mut() {
            Some(last) if last.key == key => last.anomalous += 1,
            _ => groups.push(Group { key, anomalous: 1, normal_below: 0, normal_equal: 0 }),
        }
    }
    groups
}

pub(crate) fn counter(groups: &[Group<u32>]) -> Counter {
    Counter::new(groups.iter().map(|g| g.key).collect())
}

/// Scores for one thread: an equal share, but enough to be worth a thread.
pub(super) fn share(scores: usize) -> usize {
    scores.div_ceil(rayon::current_num_threads()).max(1 << 20)
}

/// Counts the parts, each with a counter of its own; also whether `push` was true of all.
pub(crate) fn count_parts<P: Send>(
    counter: Counter,
    parts: impl IndexedParallelIterator<Item = P>,
    push: impl Fn(&mut Counter, P) -> bool + Sync,
) -> (Counter, bool) {
    let one = |(mut counter, all): (Counter, bool), part| {
        let is = push(&mut counter, part);
        (counter, all & is)
    };
    if parts.len() <= 1 || rayon::current_num_threads() == 1 {
        return parts.collect::<Vec<_>>().into_iter().fold((counter, true), one);
    }
    let join = |(mut a, x): (Counter, bool), (b, y)| {
        a.merge(b);
        (a, x & y)
    };
    parts.fold(|| (counter.clone(), true), one).reduce_with(join).unwrap_or((counter, true))
}
