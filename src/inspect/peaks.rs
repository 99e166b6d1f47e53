//! Peaks of a map that stand out from its threshold, and the pixels above half of each.

use ndarray::ArrayView2;
use rayon::prelude::*;

/// Most pixels of a map, so that their numbers fit into 32 bits.
pub(super) const MOST_PIXELS: usize = u32::MAX as usize;

/// A peak and what belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Peak {
    /// Its pixels (row, column), the highest first.
    pub(super) pixels: Vec<(usize, usize)>,
    /// Score that they exceed: halfway from the threshold to the peak.
    pub(super) level: f64,
}

/// The peaks of a map of at most [`MOST_PIXELS`], from the highest to the lowest, equal ones in row-major order. A
/// pixel above the threshold is a peak if it is the highest of the 8-connected pixels that exceed its level; of equal
/// ones the first is.
///
/// Two peaks share no pixel and do not touch: what is reached above the level of the higher one is above that of the
/// lower one, too.
pub(super) fn peaks(map: ArrayView2<'_, f32>, threshold: f64) -> Vec<Peak> {
    let grid = Grid::new(map, threshold);
    let mut islands = Islands { above: Vec::with_capacity(grid.ranked.len()) };
    let mut is_own = vec![false; grid.ranked.len()];
    let level = |rank: u32| 0.5 * threshold + 0.5 * grid.score(rank); // their sum might overflow
    // Water that sinks: pixels come up from the highest on, and an island is named by its peak, the first of its ranks.
    for rank in 0..grid.ranked.len() as u32 {
        let mut names = [rank; 8];
        let mut count = 0;
        grid.around(rank, |near| {
            if near < rank {
                names[count] = islands.peak_of(near);
                count += 1;
            }
        });
        let names = &names[..count];
        let highest = names.iter().copied().min().unwrap_or(rank);
        islands.above.push(highest);
        for &lower in names {
            if lower != highest && islands.is_peak(lower) {
                // Where they meet is not above the lower one's level: all that exceeds it was an island of its own.
                is_own[lower as usize] = grid.score(rank) <= level(lower);
                islands.above[lower as usize] = highest;
            }
        }
    }
    let mut seen = vec![false; grid.ranked.len()];
    let is_peak = |rank: &u32| is_own[*rank as usize] || islands.is_peak(*rank);
    let own = (0..grid.ranked.len() as u32).filter(is_peak);
    own.map(|peak| {
        let level = level(peak);
        seen[peak as usize] = true;
        let mut members = vec![peak];
        let mut next = 0;
        while let Some(&at) = members.get(next) {
            next += 1;
            grid.around(at, |near| {
                if !seen[near as usize] && grid.score(near) > level {
                    seen[near as usize] = true;
                    members.push(near);
                }
            });
        }
        Peak { pixels: members.into_iter().map(|rank| grid.place(rank)).collect(), level }
    })
    .collect()
}

/// No rank: a pixel that is not above the threshold.
const NONE: u32 = u32::MAX;

/// The pixels of a map that are above its threshold, by rank: 0 is the highest, and of equal ones the first.
struct Grid {
    height: usize,
    width: usize,
    /// Score and number of each, by rank; numbers are row-major.
    ranked: Vec<(f32, u32)>,
    /// Rank of each pixel of the map, by number.
    ranks: Vec<u32>,
}

impl Grid {
    fn new(map: ArrayView2<'_, f32>, threshold: f64) -> Self {
        let (height, width) = map.dim();
        let numbered = map.iter().zip(0_u32..).map(|(&score, at)| (score, at));
        let mut ranked: Vec<(f32, u32)> =
            numbered.filter(|(score, _)| score.is_finite() && f64::from(*score) > threshold).collect();
        ranked.par_sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut ranks = vec![NONE; map.len()];
        ranked.iter().zip(0..).for_each(|(&(_, at), rank)| ranks[at as usize] = rank);
        Self { height, width, ranked, ranks }
    }

    fn score(&self, rank: u32) -> f64 {
        f64::from(self.ranked[rank as usize].0)
    }

    /// Row and column.
    fn place(&self, rank: u32) -> (usize, usize) {
        let at = self.ranked[rank as usize].1 as usize;
        (at / self.width, at % self.width)
    }

    /// Calls `each` with the ranks of the at most eight pixels around one that are above the threshold.
    fn around(&self, rank: u32, mut each: impl FnMut(u32)) {
        let (row, column) = self.place(rank);
        for y in row.saturating_sub(1)..(row + 2).min(self.height) {
            for x in column.saturating_sub(1)..(column + 2).min(self.width) {
                let near = self.ranks[y * self.width + x];
                if near != NONE && near != rank {
                    each(near);
                }
            }
        }
    }
}

/// Sets of pixels, each a tree whose root is its peak.
struct Islands {
    /// Rank of the next pixel on the way to the root, by rank; its own for a root.
    above: Vec<u32>,
}

impl Islands {
    fn is_peak(&self, rank: u32) -> bool {
        self.above[rank as usize] == rank
    }

    /// The peak of a pixel's island; halves the way to it.
    fn peak_of(&mut self, rank: u32) -> u32 {
        let mut at = rank;
        while !self.is_peak(at) {
            self.above[at as usize] = self.above[self.above[at as usize] as usize];
            at = self.above[at as usize];
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use proptest::prelude::*;

    /// The pixels that are reached from one above its level, by the definition.
    fn reached(map: &Array2<f32>, from: (usize, usize), level: f64) -> Vec<(usize, usize)> {
        let mut set = vec![from];
        loop {
            let touches = |&at: &(usize, usize)| set.iter().any(|s| s.0.abs_diff(at.0) <= 1 && s.1.abs_diff(at.1) <= 1);
            let all =
                map.indexed_iter().filter(|(at, v)| f64::from(**v) > level && !set.contains(at)).map(|(at, _)| at);
            let more: Vec<_> = all.filter(touches).collect();
            if more.is_empty() {
                set.sort_unstable();
                return set;
            }
            set.extend(more);
        }
    }

    proptest! {
        #[test]
        fn peaks_are_what_the_definition_says(
            (width, values) in
                (1..7usize).prop_flat_map(|width| (Just(width), prop::collection::vec(0..12u8, width * 6))),
            threshold in 0..4u8,
        ) {
            let map = Array2::from_shape_vec((6, width), values).unwrap().mapv(f32::from);
            let threshold = f64::from(threshold);
            let mut expected = Vec::new();
            for (at, &v) in map.indexed_iter().filter(|(_, v)| f64::from(**v) > threshold) {
                let level = threshold + (f64::from(v) - threshold) / 2.0;
                let set = reached(&map, at, level);
                if set.iter().all(|&other| map[other] < v || (map[other] == v && other >= at)) {
                    expected.push((at, set, level));
                }
            }
            expected.sort_by(|a, b| map[b.0].total_cmp(&map[a.0]));
            let found: Vec<_> = peaks(map.view(), threshold).into_iter().map(|Peak { mut pixels, level }| {
                let peak = pixels[0];
                pixels.sort_unstable();
                (peak, pixels, level)
            }).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
