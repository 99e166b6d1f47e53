//! Peaks of a map that stand out from its threshold, and the pixels above half of each.

use ndarray::ArrayView2;

/// A peak and what belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Peak {
    /// Its pixels (row, column), the highest first.
    pub(super) pixels: Vec<(usize, usize)>,
    /// Score that they exceed: halfway from the threshold to the peak.
    pub(super) level: f64,
}

/// The peaks of a map, from the highest to the lowest, equal ones in row-major order. A pixel above the threshold is a
/// peak if it is the highest of the 8-connected pixels that exceed its level; of equal ones the first is.
///
/// Two peaks share no pixel and do not touch: what is reached above the level of the higher one is above that of the
/// lower one, too.
pub(super) fn peaks(map: ArrayView2<'_, f32>, threshold: f64) -> Vec<Peak> {
    let (height, width) = map.dim();
    let grid = Grid { height, width };
    let scores: Vec<f32> = map.iter().copied().collect();
    let level = |peak: usize| halfway(threshold, f64::from(scores[peak]));
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.retain(|&at| scores[at].is_finite() && f64::from(scores[at]) > threshold);
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a])); // stable: equal ones in row-major order
    let mut rank = vec![NONE; scores.len()];
    order.iter().enumerate().for_each(|(k, &at)| rank[at] = k);

    // Water that sinks: pixels come up from the highest on, and islands are named by their peak, the first of them.
    let mut islands = Islands { above: vec![NONE; scores.len()] };
    let mut is_own = vec![false; scores.len()];
    for &at in &order {
        let mut names: Vec<usize> = grid.around(at).filter_map(|near| islands.peak_of(near)).collect();
        names.sort_unstable_by_key(|&peak| rank[peak]);
        names.dedup();
        let highest = names.first().copied().unwrap_or(at);
        islands.above[at] = highest;
        for &lower in names.iter().skip(1) {
            // where they meet is not above the lower one's level: all that exceeds it was an island of its own
            is_own[lower] = f64::from(scores[at]) <= level(lower);
            islands.above[lower] = highest;
        }
    }
    for &at in &order {
        is_own[at] |= islands.above[at] == at;
    }
    let mut seen = vec![false; scores.len()];
    let own = order.iter().copied().filter(|&at| is_own[at]);
    own.map(|peak| {
        let level = level(peak);
        seen[peak] = true;
        let mut pixels = vec![peak];
        let mut next = 0;
        while let Some(&at) = pixels.get(next) {
            next += 1;
            for near in grid.around(at) {
                if scores[near].is_finite() && f64::from(scores[near]) > level && !seen[near] {
                    seen[near] = true;
                    pixels.push(near);
                }
            }
        }
        Peak { pixels: pixels.into_iter().map(|at| (at / width, at % width)).collect(), level }
    })
    .collect()
}

/// Middle of two numbers.
fn halfway(low: f64, high: f64) -> f64 {
    0.5 * low + 0.5 * high // their sum might overflow
}

const NONE: usize = usize::MAX;

/// Pixels in row-major order.
#[derive(Clone, Copy)]
struct Grid {
    height: usize,
    width: usize,
}

impl Grid {
    /// The eight pixels around one, as far as there are any.
    fn around(self, at: usize) -> impl Iterator<Item = usize> {
        let Self { height, width } = self;
        let (row, column) = (at / width, at % width);
        let rows = row.saturating_sub(1)..(row + 2).min(height);
        rows.flat_map(move |y| (column.saturating_sub(1)..(column + 2).min(width)).map(move |x| y * width + x))
            .filter(move |&near| near != at)
    }
}

/// Sets of pixels, each a tree whose root is its highest pixel.
struct Islands {
    /// The next pixel on the way to the root; itself for a root, [`NONE`] for a pixel under water.
    above: Vec<usize>,
}

impl Islands {
    /// The peak of a pixel's island; halves the way to it.
    fn peak_of(&mut self, at: usize) -> Option<usize> {
        let mut at = at;
        if self.above[at] == NONE {
            return None;
        }
        while self.above[at] != at {
            self.above[at] = self.above[self.above[at]];
            at = self.above[at];
        }
        Some(at)
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
            (width, values) in (1..7usize).prop_flat_map(|width| (Just(width), prop::collection::vec(0..12u8, width * 6))),
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
