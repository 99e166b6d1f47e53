//! Counting of scores around the distinct anomalous ones, without keeping or sorting them.
//!
//! Between two neighbouring anomalous scores the order of the others does not matter. The range of the anomalous scores is
//! cut into equal cells of keys, and neighbouring cells are joined to buckets of about [`BLOCK`] anomalous scores. A score
//! waits in its bucket's short queue; a full queue is compared with all anomalous scores of the bucket at once, which is
//! a few vector instructions a score and has no branch that depends on the scores. Exact for any scores: where they crowd
//! in few cells, the block is searched by halves instead.

use std::ops::Range;
use std::sync::Arc;

use pulp::{Arch, NullaryFnOnce, Simd, WithSimd};

use super::keys::key;

/// Anomalous keys compared with at once.
const BLOCK: usize = 16;
/// Scores that wait in a bucket's queue.
const QUEUE: usize = 64;
/// Most buckets: their queues fit the second-level cache, or nearly.
const BUCKETS: usize = 1 << 14;
/// Up to this many blocks of a bucket are compared one after another; more are searched by halves.
const LINEAR: usize = 12;
/// Scores whose keys are computed at a time.
const CHUNK: usize = 512;
/// Logarithm of the most cells, which fit the second-level cache.
const CELL_BITS: u32 = 16;

/// Anomalous keys and what was counted around them, side by side: together they are three cache lines.
#[derive(Debug, Clone)]
#[repr(align(64))]
struct Block {
    /// Ascending; the last block of a bucket is filled up with `u32::MAX`, which is no finite score's key.
    keys: [u32; BLOCK],
    /// For each key, the scores of its bucket below it, and those at or below it.
    below: [u32; BLOCK],
    up_to: [u32; BLOCK],
    /// Scores for which this block was searched; they count as below the keys of the bucket's later blocks.
    searched: u32,
}

/// How the anomalous keys are cut into cells, buckets and blocks.
#[derive(Debug)]
struct Table {
    /// Keys below the lowest anomalous one by more than 1 are as good as by 1; those above the highest likewise.
    lowest: u32,
    highest: u32,
    /// Logarithm of the keys in a cell.
    shift: u32,
    bucket_of_cell: Vec<u16>,
    /// The first block of each bucket, and the number of blocks.
    first: Vec<u32>,
}

impl Table {
    fn new(keys: &[u32]) -> (Self, Vec<Block>) {
        let (lowest, highest) = match (keys.first(), keys.last()) {
            // Finite scores' keys are neither 0 nor `u32::MAX`.
            (Some(low), Some(high)) => (low - 1, high + 1),
            _ => (0, 0),
        };
        let bits = u32::BITS - (highest - lowest).leading_zeros();
        // Many cells a key, so that few buckets overflow.
        let wanted = (usize::BITS - keys.len().leading_zeros() + 3).min(CELL_BITS);
        let shift = bits.saturating_sub(wanted);
        let cells = ((highest - lowest) >> shift) as usize + 1;
        let mut in_cell = vec![0_u32; cells];
        for key in keys {
            in_cell[((key - lowest) >> shift) as usize] += 1;
        }
        // A bucket takes cells as long as its keys fit a whole number of blocks, the fewest that leave enough buckets.
        let room = BLOCK * keys.len().div_ceil(BLOCK * BUCKETS).max(1);
        let mut bucket_of_cell = Vec::with_capacity(cells);
        let (mut first, mut blocks) = (vec![0], Vec::new());
        let (mut start, mut end) = (0, 0);
        let close = |keys: &[u32], blocks: &mut Vec<Block>, first: &mut Vec<u32>| {
            for part in keys.chunks(BLOCK) {
                let mut block = [u32::MAX; BLOCK];
                block[..part.len()].copy_from_slice(part);
                blocks.push(Block { keys: block, below: [0; BLOCK], up_to: [0; BLOCK], searched: 0 });
            }
            first.push(blocks.len() as u32);
        };
        for &here in &in_cell {
            let here = here as usize;
            if end > start && end + here - start > room && first.len() < BUCKETS {
                close(&keys[start..end], &mut blocks, &mut first);
                start = end;
            }
            bucket_of_cell.push(first.len() as u16 - 1);
            end += here;
        }
        close(&keys[start..end], &mut blocks, &mut first);
        (Self { lowest, highest, shift, bucket_of_cell, first }, blocks)
    }

    fn blocks(&self, bucket: usize) -> Range<usize> {
        self.first[bucket] as usize..self.first[bucket + 1] as usize
    }

    fn buckets(&self) -> usize {
        self.first.len() - 1
    }
}

/// The counts of scores between and at the distinct anomalous scores.
#[derive(Debug, Clone)]
pub(super) struct Counter {
    table: Arc<Table>,
    queues: Box<[[u32; QUEUE]]>,
    waiting: Box<[u8]>,
    counts: Counts,
    /// Counted since the counts were last settled: below 2^32.
    unsettled: u32,
    /// For each anomalous key, the scores below it and those equal to it; empty while nothing is settled. And all scores.
    settled: (Vec<(u64, u64)>, u64),
}

/// What the queues' scores were counted as, within their buckets.
#[derive(Debug, Clone)]
struct Counts {
    blocks: Vec<Block>,
    /// Scores of each bucket.
    bucket: Vec<u32>,
}

impl Counter {
    /// A counter around these distinct keys, ascending.
    pub(super) fn new(keys: &[u32]) -> Self {
        let (table, blocks) = Table::new(keys);
        let counts = Counts { blocks, bucket: vec![0; table.buckets()] };
        Self {
            counts,
            queues: vec![[0; QUEUE]; table.buckets()].into(),
            waiting: vec![0; table.buckets()].into(),
            unsettled: 0,
            settled: (Vec::new(), 0),
            table: Arc::new(table),
        }
    }

    /// Counts scores; says whether all are finite. If not, the counts are of no use.
    pub(super) fn push(&mut self, scores: &[f32]) -> bool {
        let mut is_finite = true;
        for part in scores.chunks(1 << 24) {
            self.make_room(part.len());
            is_finite &= Arch::new().dispatch(Push {
                counter: self,
                source: part,
                key: |&score: &f32| (key(score), score.is_finite()),
            });
        }
        is_finite
    }

    /// Counts scores given by their keys.
    pub(super) fn push_keys(&mut self, keys: &[u32]) {
        for part in keys.chunks(1 << 24) {
            self.make_room(part.len());
            Arch::new().dispatch(Push { counter: self, source: part, key: |&key: &u32| (key, true) });
        }
    }

    /// Settles the counts before they can overflow.
    fn make_room(&mut self, scores: usize) {
        match self.unsettled.checked_add(scores as u32) {
            Some(unsettled) => self.unsettled = unsettled,
            None => {
                self.settle();
                self.unsettled = scores as u32;
            }
        }
    }

    /// Adds what another counter around the same keys has counted.
    pub(super) fn merge(&mut self, mut other: Self) {
        self.settle();
        other.settle();
        for (ours, theirs) in self.settled.0.iter_mut().zip(&other.settled.0) {
            *ours = (ours.0 + theirs.0, ours.1 + theirs.1);
        }
        self.settled.1 += other.settled.1;
    }

    /// Tells `each` of every key's number, the scores below it and those equal to it; returns the number of all scores.
    pub(super) fn finish(mut self, mut each: impl FnMut(usize, u64, u64)) -> u64 {
        if self.settled.1 == 0 {
            return self.totals(each);
        }
        self.settle();
        self.settled.0.iter().enumerate().for_each(|(i, &(below, equal))| each(i, below, equal));
        self.settled.1
    }

    /// Empties the queues and moves the counts to the settled ones.
    fn settle(&mut self) {
        let (mut settled, mut all) = std::mem::take(&mut self.settled);
        all += self.totals(|i, below, equal| {
            if settled.len() == i {
                settled.push((0, 0));
            }
            settled[i] = (settled[i].0 + below, settled[i].1 + equal);
        });
        self.settled = (settled, all);
        for block in &mut self.counts.blocks {
            (block.below, block.up_to, block.searched) = ([0; BLOCK], [0; BLOCK], 0);
        }
        self.counts.bucket.fill(0);
        self.unsettled = 0;
    }

    /// Empties the queues; as [`Counter::finish`], of what is not settled.
    fn totals(&mut self, mut each: impl FnMut(usize, u64, u64)) -> u64 {
        Arch::new().dispatch(Empty(self));
        let (table, counts) = (&self.table, &self.counts);
        let (mut before, mut key) = (0_u64, 0);
        for bucket in 0..table.buckets() {
            let mut searched = 0_u64;
            for block in &counts.blocks[table.blocks(bucket)] {
                let keys = block.keys.iter().zip(&block.below).zip(&block.up_to);
                for ((_, &below), &up_to) in keys.filter(|((key, _), _)| **key != u32::MAX) {
                    each(key, before + searched + u64::from(below), u64::from(up_to - below));
                    key += 1;
                }
                searched += u64::from(block.searched);
            }
            before += u64::from(counts.bucket[bucket]);
        }
        before
    }
}

/// Puts scores into the queues.
struct Push<'a, T, F> {
    counter: &'a mut Counter,
    source: &'a [T],
    /// The key of an element, and whether it is finite.
    key: F,
}

impl<T, F: Fn(&T) -> (u32, bool)> WithSimd for Push<'_, T, F> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> bool {
        let Counter { table, queues, waiting, counts, .. } = self.counter;
        let table: &Table = table;
        let (lowest, highest, shift) = (table.lowest, table.highest, table.shift);
        let (queues, waiting, buckets) = (&mut **queues, &mut **waiting, table.bucket_of_cell.as_slice());
        let mut keys = [0_u32; CHUNK];
        let mut all_finite = true;
        for part in self.source.chunks(CHUNK) {
            // Keys first, which the processor computes several at a time.
            for (slot, element) in keys.iter_mut().zip(part) {
                let (key, is_finite) = (self.key)(element);
                all_finite &= is_finite;
                *slot = key.clamp(lowest, highest);
            }
            for &key in &keys[..part.len()] {
                let bucket = usize::from(buckets[((key - lowest) >> shift) as usize]);
                let at = usize::from(waiting[bucket]) % QUEUE;
                queues[bucket][at] = key;
                let next = (at + 1) % QUEUE;
                waiting[bucket] = next as u8;
                if next == 0 {
                    // A function of its own leaves this loop its registers.
                    simd.vectorize(Full { simd, counts, table, bucket, keys: &queues[bucket] });
                }
            }
        }
        all_finite
    }
}

/// Counts a full queue.
struct Full<'a, S> {
    simd: S,
    counts: &'a mut Counts,
    table: &'a Table,
    bucket: usize,
    keys: &'a [u32; QUEUE],
}

impl<S: Simd> NullaryFnOnce for Full<'_, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.counts.add(self.simd, self.table, self.bucket, self.keys);
    }
}

/// Counts what waits in the queues.
struct Empty<'a>(&'a mut Counter);

impl WithSimd for Empty<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Counter { table, queues, waiting, counts, .. } = self.0;
        for (bucket, (queue, waiting)) in queues.iter().zip(waiting.iter_mut()).enumerate() {
            let waiting = usize::from(std::mem::take(waiting));
            counts.add(simd, table, bucket, &queue[..waiting]);
        }
    }
}

impl Counts {
    /// Counts scores of one bucket.
    #[inline(always)]
    fn add<S: Simd>(&mut self, simd: S, table: &Table, bucket: usize, keys: &[u32]) {
        self.bucket[bucket] += keys.len() as u32;
        let blocks = &mut self.blocks[table.blocks(bucket)];
        if blocks.len() <= LINEAR {
            for block in blocks {
                block.compare(simd, keys);
            }
        } else {
            for key in keys {
                let found = blocks.partition_point(|block| block.keys[0] <= *key);
                let block = &mut blocks[found.saturating_sub(1)];
                block.searched += 1;
                block.compare(simd, std::slice::from_ref(key));
            }
        }
    }
}

impl Block {
    #[inline(always)]
    fn compare<S: Simd>(&mut self, simd: S, keys: &[u32]) {
        let (one, zero) = (simd.splat_u32s(1), simd.splat_u32s(0));
        // A block is a whole number of vectors, whatever their width.
        let (anomalous, _) = S::as_simd_u32s(&self.keys);
        let (below, _) = S::as_mut_simd_u32s(&mut self.below);
        let (up_to, _) = S::as_mut_simd_u32s(&mut self.up_to);
        for ((anomalous, below), up_to) in anomalous.iter().zip(below).zip(up_to) {
            let (mut b, mut u) = (*below, *up_to);
            for &key in keys {
                let key = simd.splat_u32s(key);
                b = simd.add_u32s(b, simd.select_u32s(simd.less_than_u32s(key, *anomalous), one, zero));
                u = simd.add_u32s(u, simd.select_u32s(simd.less_than_or_equal_u32s(key, *anomalous), one, zero));
            }
            (*below, *up_to) = (b, u);
        }
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
            let mut counter = Counter::new(&anomalous);
            let (left, right) = keys.split_at(2345);
            counter.push_keys(left);
            let mut other = Counter::new(&anomalous);
            other.push_keys(right);
            counter.merge(other);
            assert_eq!(counts(counter), by_pairs(&anomalous, &keys));
        }
    }

    #[test]
    fn more_than_two_to_the_32_scores_can_be_counted() {
        let mut counter = Counter::new(&[5]);
        counter.push_keys(&[4, 5, 6]);
        // As if as many scores above 5 as fit had been counted since.
        counter.settle();
        (counter.unsettled, counter.counts.bucket[0]) = (u32::MAX, u32::MAX);
        counter.push_keys(&[4, 4, 5]);
        assert_eq!(counts(counter), (vec![(3, 2)], 6 + u64::from(u32::MAX)));
    }
}
