//! Counting of normal scores around the distinct anomalous ones, without keeping or sorting them.
//!
//! Scores are put into cells of equal width over the range of the anomalous ones; the cell is a monotone function of the
//! score, so that a normal score in a cell without an anomalous one is placed by its cell alone. Only normal scores that
//! share a cell with an anomalous one are compared, with those in the cell. Cells outnumber anomalous scores, so that
//! these are few, and one byte a cell keeps the cells in the cache. Exact for any scores; skewed ones cost time only.

use super::keys::{key, score};

/// Scores worked on at a time: they stay in the first-level cache.
const BLOCK: usize = 2048;
/// Bit that marks a cell with an anomalous score; the other bits of an unmarked cell count its normal scores.
const SHARED: u8 = 0x80;
/// Up to this many anomalous scores in a cell are compared one after another; more are searched by halves.
const LINEAR: usize = 8;

/// The counts of normal scores between and at the distinct anomalous scores.
#[derive(Debug, Clone)]
pub(super) struct Counter {
    /// The distinct anomalous keys, ascending.
    keys: Vec<u32>,
    origin: f32,
    scale: f32,
    cells: Vec<u8>,
    /// For each cell, the first key that is not in a lower cell; one entry more than cells.
    first: Vec<u32>,
    /// `between[i]`: normal scores between key `i - 1` and key `i`; the last above all keys.
    between: Vec<u64>,
    equal: Vec<u64>,
}

impl Counter {
    /// A counter around these distinct keys, ascending.
    pub(super) fn new(keys: Vec<u32>) -> Self {
        let (low, high) = match (keys.first(), keys.last()) {
            (Some(&low), Some(&high)) => (score(low), score(high)),
            _ => (0.0, 0.0),
        };
        let count = (8 * keys.len()).next_power_of_two().clamp(1 << 12, 1 << 24);
        // The lowest key falls into cell 1 and the highest into the last but one: both ends are free.
        let width = (count - 3) as f32 / (high - low);
        // One cell for all when the range is empty or overflows.
        let scale = if width.is_finite() { width } else { 0.0 };
        let mut counter = Self {
            origin: low,
            scale,
            cells: vec![0; count],
            first: vec![0; count + 1],
            between: vec![0; keys.len() + 1],
            equal: vec![0; keys.len()],
            keys,
        };
        for i in 0..counter.keys.len() {
            let cell = cell(score(counter.keys[i]), counter.origin, counter.scale, count as i32 - 1) as usize;
            counter.cells[cell] = SHARED;
            counter.first[cell + 1] = i as u32 + 1;
        }
        let mut last = 0;
        for first in &mut counter.first {
            last = last.max(*first);
            *first = last;
        }
        counter
    }

    /// Whether so many keys share cells that sorting the normal scores is faster.
    pub(super) fn is_crowded(&self) -> bool {
        let in_cell = self.first.windows(2).map(|pair| (pair[1] - pair[0]) as usize);
        let crowded: usize = in_cell.filter(|&keys| keys > LINEAR).sum();
        8 * crowded > self.keys.len()
    }

    /// Counts the scores whose label is `false`; there is one label a score.
    pub(super) fn push(&mut self, scores: &[f32], labels: &[bool]) {
        for (scores, labels) in scores.chunks(BLOCK).zip(labels.chunks(BLOCK)) {
            self.push_block(scores, |i| u8::from(!labels[i]));
        }
    }

    /// Counts normal scores given by their keys.
    pub(super) fn push_keys(&mut self, keys: &[u32]) {
        let mut scores = [0.0_f32; BLOCK];
        for keys in keys.chunks(BLOCK) {
            scores.iter_mut().zip(keys).for_each(|(s, &k)| *s = score(k));
            self.push_block(&scores[..keys.len()], |_| 1);
        }
    }

    /// Counts at most [`BLOCK`] scores, score `i` `weight(i)` times: 0 or 1.
    #[inline(always)]
    fn push_block(&mut self, scores: &[f32], weight: impl Fn(usize) -> u8) {
        // Positions first, which the processor does several at a time; then the accesses, which do not wait for each other.
        let mut places = [0_u32; BLOCK];
        let (origin, scale, last) = (self.origin, self.scale, self.cells.len() as i32 - 1);
        for (place, &score) in places.iter_mut().zip(scores) {
            *place = cell(score, origin, scale, last) as u32;
        }
        let mut shared = [0_u32; BLOCK];
        let mut count = 0;
        let cells = self.cells.as_mut_slice();
        for (i, &place) in places[..scores.len()].iter().enumerate() {
            let before = cells[place as usize];
            let is_shared = before >> 7;
            let weight = weight(i);
            // No branch on what the scores are: it would be mispredicted.
            shared[count % BLOCK] = i as u32;
            count += usize::from(weight & is_shared);
            let after = before + (weight & !is_shared);
            cells[place as usize] = after;
            if (before ^ after) & SHARED != 0 {
                // Full: 128 scores move on.
                cells[place as usize] = 0;
                self.between[self.first[place as usize] as usize] += u64::from(SHARED);
            }
        }
        for &i in &shared[..count] {
            self.resolve(scores[i as usize], places[i as usize] as usize);
        }
    }

    /// Compares a score in a shared cell with the keys there.
    #[inline(always)]
    fn resolve(&mut self, score: f32, cell: usize) {
        let (start, end) = (self.first[cell] as usize, self.first[cell + 1] as usize);
        let (keys, key) = (&self.keys[start..end], key(score));
        let below = match keys {
            [only] => usize::from(*only < key),
            keys if keys.len() <= LINEAR => keys.iter().map(|&k| usize::from(k < key)).sum(),
            keys => keys.partition_point(|&k| k < key),
        };
        let is_equal = keys.get(below) == Some(&key);
        self.between[start + below] += u64::from(!is_equal);
        if is_equal {
            self.equal[start + below] += 1;
        }
    }

    /// Adds what another counter around the same keys has counted.
    pub(super) fn merge(&mut self, mut other: Self) {
        self.flush();
        other.flush();
        let sum = |ours: &mut [u64], theirs: &[u64]| ours.iter_mut().zip(theirs).for_each(|(a, b)| *a += b);
        sum(&mut self.between, &other.between);
        sum(&mut self.equal, &other.equal);
    }

    /// Moves the cells' counts to the gaps between keys.
    fn flush(&mut self) {
        for (cell, &first) in self.cells.iter_mut().zip(&self.first) {
            if *cell & SHARED == 0 {
                self.between[first as usize] += u64::from(*cell);
                *cell = 0;
            }
        }
    }

    /// The keys, the normal scores below each and at each, and all normal scores.
    pub(super) fn finish(mut self) -> (Vec<u32>, Vec<(u64, u64)>, u64) {
        self.flush();
        let mut below = 0;
        let mut counts = Vec::with_capacity(self.keys.len());
        for (between, equal) in self.between.iter().zip(&self.equal) {
            below += between;
            counts.push((below, *equal));
            below += equal;
        }
        let all = below + self.between.last().copied().unwrap_or(0);
        (self.keys, counts, all)
    }
}

/// The cell of a score: monotone, since each step rounds monotonically and the cast saturates.
#[inline(always)]
fn cell(score: f32, origin: f32, scale: f32, last: i32) -> i32 {
    (((score - origin) * scale + 1.0) as i32).clamp(0, last)
}
