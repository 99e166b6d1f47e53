//! Ranks of scores among many sorted keys, by a table instead of a binary search for each.
//!
//! The keys' range is cut into equal cells, and each cell into words of 32 equal slots: about one word for each key in
//! the cell, so that crowded ranges are cut finer. A word knows the keys below it and which of its slots hold a key.
//! For most scores that is the answer, with two look-ups and no branch; a score that falls into the same slot as a key
//! is compared with that key afterwards.

use pulp::{Arch, Simd, WithSimd};

use super::keys::key;

/// Logarithm of the number of cells, which fit the first-level cache.
const CELL_BITS: u32 = 11;
/// Scores that are looked up at a time.
const CHUNK: usize = 512;

#[derive(Debug, Clone, Copy)]
struct Cell {
    /// Added to the number of a word counted from the lowest key, at the cell's own width, it gives the word's index.
    offset: u32,
    /// Logarithm of the keys in a slot.
    shift: u16,
    /// 0 where a slot that holds a key holds no other value, else 1.
    inexact: u16,
}

#[derive(Debug, Clone, Copy, Default)]
struct Word {
    /// Keys below the word's slots.
    below: u32,
    /// The slots that hold a key; all, where a slot holds several.
    set: u32,
}

/// Sorted keys, fewer than 2^31, and the table over them.
#[derive(Debug)]
pub(super) struct RankTable {
    /// Ascending; equal ones are allowed.
    keys: Vec<u32>,
    /// Lower scores than the lowest key, and higher ones than the highest, count as these, which lie in cells without a
    /// key.
    lowest: u32,
    highest: u32,
    /// Logarithm of the keys in a cell.
    shift: u32,
    cells: Vec<Cell>,
    /// And one more, so that the keys of every word end where the next ones start.
    words: Vec<Word>,
}

impl RankTable {
    /// A table over these keys, ascending.
    pub(super) fn new(keys: Vec<u32>) -> Self {
        let (low, high) = (keys.first().copied().unwrap_or(1), keys.last().copied().unwrap_or(1));
        let shift = (u32::BITS - (high - low).leading_zeros()).saturating_sub(CELL_BITS);
        let (lowest, highest) = (low.saturating_sub(1 << shift), high.saturating_add(1 << shift));
        let mut cells = Vec::with_capacity((1 << CELL_BITS) + 3);
        let mut words: Vec<Word> = Vec::new();
        let mut start = 0;
        for number in 0..=(highest - lowest) >> shift {
            let here = keys[start..].partition_point(|key| (key - lowest) >> shift <= number);
            // A word for each key, rounded up to a power of two.
            let slot = shift.saturating_sub(here.next_power_of_two().trailing_zeros() + 5);
            let word_of = |key: u64| (key >> slot >> 5) as u32;
            let cell = u64::from(number) << shift;
            let (first, last) = (word_of(cell), word_of(cell + (1 << shift) - 1));
            let from = words.len();
            words.resize(from + (last - first) as usize + 1, Word::default());
            for key in &keys[start..start + here] {
                let word = &mut words[from + (word_of(u64::from(key - lowest)) - first) as usize];
                word.below += 1;
                word.set |= 1 << ((key - lowest) >> slot & 31);
            }
            let mut inexact = slot > 0;
            let mut below = start as u32;
            for word in &mut words[from..] {
                let keys = std::mem::replace(&mut word.below, below);
                below += keys;
                if keys != word.set.count_ones() {
                    word.set = u32::MAX;
                    inexact = true;
                }
            }
            let offset = (from as u32).wrapping_sub(first);
            cells.push(Cell { offset, shift: slot as u16, inexact: inexact.into() });
            start += here;
        }
        words.push(Word { below: keys.len() as u32, set: 0 });
        Self { keys, lowest, highest, shift, cells, words }
    }

    /// The keys.
    pub(super) fn keys(&self) -> &[u32] {
        &self.keys
    }

    /// Calls `each` with the ranks of the scores, in order and in blocks. The rank is the number of keys below the
    /// score plus the number of keys at or below it. Returns whether all scores are finite; if not, the ranks are
    /// meaningless.
    pub(super) fn for_each_score(&self, scores: &[f32], each: impl FnMut(&[u32])) -> bool {
        let key = |&score: &f32| (key(score), score.is_finite());
        Arch::new().dispatch(Walk { table: self, source: scores, key, each })
    }

    /// [`RankTable::for_each_score`] of scores given by their keys.
    pub(super) fn for_each_key(&self, keys: &[u32], each: impl FnMut(&[u32])) {
        Arch::new().dispatch(Walk { table: self, source: keys, key: |&key: &u32| (key, true), each });
    }

    /// Corrects the ranks of the keys with these indices, which share their slots with other keys. A function of its
    /// own leaves the loop around it its registers.
    #[inline(never)]
    fn correct(&self, shared: &[u16], keys: &[u32], ranks: &mut [u32]) {
        for &i in shared {
            let i = usize::from(i);
            ranks[i] = self.look(keys[i], ranks[i]);
        }
    }

    /// The rank of a key that shares its slot with another; `guess` is the rank if they are equal.
    fn look(&self, key: u32, guess: u32) -> u32 {
        let cell = self.cells[(key >> (self.shift & 31)) as usize];
        let word = cell.offset.wrapping_add(key >> (cell.shift & 31) >> 5) as usize;
        let key = key + self.lowest;
        if self.words[word].set == u32::MAX {
            let (from, to) = (self.words[word].below as usize, self.words[word + 1].below as usize);
            let below = from + self.keys[from..to].partition_point(|&k| k < key);
            let up_to = below + self.keys[below..to].partition_point(|&k| k <= key);
            return (below + up_to) as u32;
        }
        let other = self.keys[(guess / 2) as usize];
        guess - 1 + u32::from(other < key) + u32::from(other <= key)
    }
}

struct Walk<'a, T, K, F> {
    table: &'a RankTable,
    source: &'a [T],
    /// The key of an element, and whether it is finite.
    key: K,
    each: F,
}

impl<T, K: Fn(&T) -> (u32, bool), F: FnMut(&[u32])> WithSimd for Walk<'_, T, K, F> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) -> bool {
        let (lowest, highest, shift) = (self.table.lowest, self.table.highest, self.table.shift & 31);
        let (cells, words) = (self.table.cells.as_slice(), self.table.words.as_slice());
        let (mut keys, mut ranks, mut shared) = ([0_u32; CHUNK], [0_u32; CHUNK], [0_u16; CHUNK]);
        let mut all_finite = true;
        for part in self.source.chunks(CHUNK) {
            // Keys first, which the processor computes several at a time.
            for (slot, element) in keys.iter_mut().zip(part) {
                let (key, is_finite) = (self.key)(element);
                all_finite &= is_finite;
                *slot = key.clamp(lowest, highest) - lowest;
            }
            let (keys, ranks) = (&keys[..part.len()], &mut ranks[..part.len()]);
            let mut count = 0;
            for (i, (&key, rank)) in keys.iter().zip(ranks.iter_mut()).enumerate() {
                let cell = cells[(key >> shift) as usize];
                let slot = key >> (cell.shift & 31);
                let word = words[cell.offset.wrapping_add(slot >> 5) as usize];
                let is_shared = word.set >> (slot & 31) & 1;
                let below = word.below + (word.set & ((1 << (slot & 31)) - 1)).count_ones();
                *rank = 2 * below + is_shared;
                // Every index is written, and only that of a shared slot moves the end on: no branch to mispredict.
                shared[count % CHUNK] = i as u16;
                count += (is_shared & u32::from(cell.inexact)) as usize;
            }
            self.table.correct(&shared[..count], keys, ranks);
            (self.each)(ranks);
        }
        all_finite
    }
}
