//! Local density: how far a normal row lies from the other normal ones.

/// Neighbors whose mean distance is a row's spacing.
pub(crate) const NEIGHBORS: usize = 5;

/// Squared Euclidean distance of two rows of one length.
#[inline(always)]
pub(crate) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 16];
    let (x, y) = (a.chunks_exact(16), b.chunks_exact(16));
    let tail: f32 = x.remainder().iter().zip(y.remainder()).map(|(x, y)| (x - y) * (x - y)).sum();
    for (x, y) in x.zip(y) {
        for l in 0..16 {
            lanes[l] += (x[l] - y[l]) * (x[l] - y[l]);
        }
    }
    lanes.iter().sum::<f32>() + tail
}

/// Mean of the roots of the [`NEIGHBORS`] smallest of some squared distances, of all if there are fewer; 0 for none.
pub(crate) fn spacing(squares: &mut [f32]) -> f32 {
    let count = NEIGHBORS.min(squares.len());
    if count == 0 {
        return 0.0;
    }
    if count < squares.len() {
        squares.select_nth_unstable_by(count - 1, f32::total_cmp);
    }
    // in order, so that the sum does not depend on how the selection went
    let least = &mut squares[..count];
    least.sort_unstable_by(f32::total_cmp);
    least.iter().map(|s| s.sqrt()).sum::<f32>() / count as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_euclidean_at_any_length() {
        for n in [1usize, 15, 16, 17, 40] {
            let (a, b): (Vec<f32>, Vec<f32>) = (0..n).map(|i| (i as f32, 2.0 * i as f32)).unzip();
            // sum of i^2 below n
            let exact = ((n - 1) * n * (2 * n - 1) / 6) as f32;
            assert!((squared_distance(&a, &b) - exact).abs() <= 1e-4 * exact, "{n}");
        }
    }

    #[test]
    fn the_spacing_is_the_mean_of_the_five_smallest() {
        assert_eq!(spacing(&mut [81.0, 1.0, 64.0, 4.0, 9.0, 16.0, 25.0]), 3.0);
        assert_eq!(spacing(&mut [16.0, 4.0]), 3.0);
        assert_eq!(spacing(&mut []), 0.0);
    }
}
