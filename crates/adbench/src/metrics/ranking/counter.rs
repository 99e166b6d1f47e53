//! Counting of scores around the distinct anomalous ones, without keeping or sorting them: between two neighboring
//! anomalous scores the order of the others does not matter.

use std::sync::Arc;

use super::rank_table::RankTable;

/// The counts of scores between and at the distinct anomalous scores.
#[derive(Debug, Clone)]
pub(crate) struct Counter {
    table: Arc<RankTable>,
    /// Scores of each rank: even ranks lie between two keys, odd ones at a key.
    counts: Vec<u32>,
    /// Scores in `counts`: below 2^32.
    pending: u32,
    /// Further scores of each rank; empty while there are none.
    carried: Vec<u64>,
}

impl Counter {
    /// A counter around these distinct keys, ascending.
    pub(crate) fn new(keys: Vec<u32>) -> Self {
        let counts = vec![0; 2 * keys.len() + 1];
        Self { table: Arc::new(RankTable::new(keys)), counts, pending: 0, carried: Vec::new() }
    }

    /// Counts scores; returns whether all are finite. If not, the counts are meaningless.
    pub(crate) fn push(&mut self, scores: &[f32]) -> bool {
        let mut is_finite = true;
        for part in scores.chunks(1 << 24) {
            self.make_room(part.len() as u32);
            is_finite &= self.table.for_each_score(part, |ranks| count(&mut self.counts, ranks));
        }
        is_finite
    }

    /// Counts scores given by their keys.
    pub(crate) fn push_keys(&mut self, keys: &[u32]) {
        for part in keys.chunks(1 << 24) {
            self.make_room(part.len() as u32);
            self.table.for_each_key(part, |ranks| count(&mut self.counts, ranks));
        }
    }

    /// Moves the counts to 64 bits before they can overflow.
    fn make_room(&mut self, scores: u32) {
        match self.pending.checked_add(scores) {
            Some(pending) => self.pending = pending,
            None => {
                self.carried.resize(self.counts.len(), 0);
                for (carried, count) in self.carried.iter_mut().zip(&mut self.counts) {
                    *carried += u64::from(std::mem::take(count));
                }
                self.pending = scores;
            }
        }
    }

    /// Adds what another counter around the same keys has counted.
    pub(crate) fn merge(&mut self, other: Self) {
        self.make_room(other.pending);
        self.counts.iter_mut().zip(&other.counts).for_each(|(ours, theirs)| *ours += theirs);
        if self.carried.is_empty() {
            self.carried = other.carried;
        } else {
            self.carried.iter_mut().zip(&other.carried).for_each(|(ours, theirs)| *ours += theirs);
        }
    }

    /// Calls `each` with every key's number, the scores below it and those equal to it; returns the number of all
    /// scores.
    pub(crate) fn finish(self, mut each: impl FnMut(usize, u64, u64)) -> u64 {
        let at = |rank: usize| u64::from(self.counts[rank]) + self.carried.get(rank).copied().unwrap_or(0);
        let mut below = 0;
        for key in 0..self.table.keys().len() {
            below += at(2 * key);
            let equal = at(2 * key + 1);
            each(key, below, equal);
            below += equal;
        }
        below + at(self.counts.len() - 1)
    }
}

#[inline(always)]
fn count(counts: &mut [u32], ranks: &[u32]) {
    for &rank in ranks {
        counts[rank as usize] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts by comparing every pair.
    fn by_pairs(anomalous: &[u32], keys: &[u32]) -> (Vec<(u64, u64)>, u64) {
        let count = |is: &dyn Fn(u32) -> bool| keys.iter().filter(|&&k| is(k)).count() as u64;
        (anomalous.iter().map(|&a| (count(&|k| k < a), count(&|k| k == a))).collect(), keys.len() as u64)
    }

    fn counts(counter: Counter) -> (Vec<(u64, u64)>, u64) {
        let mut list = Vec::new();
        let all = counter.finish(|i, below, equal| {
            assert_eq!(i, list.len());
            list.push((below, equal));
        });
        (list, all)
    }

    #[test]
    fn counts_equal_those_of_all_pairs() {
        let spread = |i: u32| i.wrapping_mul(2_654_435_761).clamp(1, u32::MAX - 1);
        // Even, crowded around one value with an outlier at either end, few, one, and none.
        let even: Vec<u32> = (0..900).map(spread).collect();
        let mut crowded: Vec<u32> = (0..900).map(|i| 2_000_000_000 + 3 * i).collect();
        crowded.extend([1, u32::MAX - 1]);
        for anomalous in [even, crowded, vec![5, 6, 9], vec![1 << 31], vec![]] {
            let mut anomalous = anomalous;
            anomalous.sort_unstable();
            anomalous.dedup();
            let mut keys: Vec<u32> = (0..3000).map(|i| spread(i + 7)).collect();
            keys.extend((0..3000).map(|i| 2_000_000_000 + i));
            keys.extend(&anomalous);
            let mut counter = Counter::new(anomalous.clone());
            let (left, right) = keys.split_at(2345);
            counter.push_keys(left);
            let mut other = Counter::new(anomalous.clone());
            other.push_keys(right);
            counter.merge(other);
            assert_eq!(counts(counter), by_pairs(&anomalous, &keys));
        }
    }

    #[test]
    fn more_than_two_to_the_32_scores_can_be_counted() {
        let mut counter = Counter::new(vec![5]);
        counter.push_keys(&[4, 5, 6]);
        // As if as many scores above 5 as fit had been counted since.
        (counter.pending, counter.counts[2]) = (u32::MAX, u32::MAX - 2);
        let mut other = counter.clone();
        counter.push_keys(&[4, 4, 5]);
        assert_eq!(counts(counter.clone()), (vec![(3, 2)], 3 + u64::from(u32::MAX)));
        other.merge(counter);
        assert_eq!(counts(other), (vec![(4, 3)], 3 + 2 * u64::from(u32::MAX)));
    }
}
