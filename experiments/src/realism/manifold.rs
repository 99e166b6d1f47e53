//! Precision and recall of drawn samples in a feature space.

/// Share of drawn samples that lie among real ones (`precision`), and of real ones that lie among drawn ones
/// (`recall`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PrecisionRecall {
    /// Share of drawn samples within the ball of some real sample.
    pub precision: f64,
    /// Share of real samples within the ball of some drawn sample.
    pub recall: f64,
}

/// Computes precision and recall of `drawn` against `real` points of one dimension; the ball of a point reaches to its
/// `k`-th nearest neighbor in its own set.
///
/// T. Kynkaanniemi et al., "Improved Precision and Recall Metric for Assessing Generative Models", NeurIPS 2019,
/// equation 2. NaN where a set has not more than `k` points or `k` is 0.
///
/// ```
/// use experiments::realism::manifold::precision_recall;
/// let real: Vec<Vec<f64>> = (0..4).map(|i| vec![f64::from(i)]).collect();
/// let drawn = vec![vec![1.0], vec![1.5], vec![9.0], vec![9.5]];
/// let found = precision_recall(&real, &drawn, 1);
/// assert_eq!((found.precision, found.recall), (0.5, 0.5)); // real 1 and 2 lie within 0.5 of drawn 1 or 1.5
/// ```
#[must_use]
pub fn precision_recall(real: &[Vec<f64>], drawn: &[Vec<f64>], k: usize) -> PrecisionRecall {
    PrecisionRecall { precision: covered(drawn, real, k), recall: covered(real, drawn, k) }
}

/// Share of `points` within the ball of some point of `set`.
fn covered(points: &[Vec<f64>], set: &[Vec<f64>], k: usize) -> f64 {
    if k == 0 || set.len() <= k || points.len() <= k {
        return f64::NAN;
    }
    let radii: Vec<f64> = set.iter().enumerate().map(|(i, point)| kth_neighbor(set, i, point, k)).collect();
    let inside = |p: &&Vec<f64>| set.iter().zip(&radii).any(|(center, r)| squared(p, center) <= *r);
    points.iter().filter(inside).count() as f64 / points.len() as f64
}

/// Squared distance of point `i` of a set to its `k`-th nearest other point.
fn kth_neighbor(set: &[Vec<f64>], i: usize, point: &[f64], k: usize) -> f64 {
    let others = set.iter().enumerate().filter(|(j, _)| *j != i);
    let mut distances: Vec<f64> = others.map(|(_, other)| squared(point, other)).collect();
    *distances.select_nth_unstable_by(k - 1, f64::total_cmp).1
}

fn squared(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(side: i32, left: f64) -> Vec<Vec<f64>> {
        (0..side * side).map(|i| vec![left + f64::from(i % side), f64::from(i / side)]).collect()
    }

    #[test]
    fn equal_sets_cover_each_other_and_far_ones_do_not() {
        let here = grid(6, 0.0);
        assert_eq!(precision_recall(&here, &here, 3), PrecisionRecall { precision: 1.0, recall: 1.0 });
        assert_eq!(precision_recall(&here, &grid(6, 100.0), 3), PrecisionRecall { precision: 0.0, recall: 0.0 });
    }

    /// Drawn points on one half of the real grid: all of them are realistic, and what they reach of it is counted by
    /// hand. On a unit grid the third neighbor is at 1 inside, at sqrt(2) in a corner and at 1 on an edge; the drawn
    /// columns 0 to 2 reach column 3 from their edge (radius 1), and no further.
    #[test]
    fn a_mode_that_is_missed_lowers_recall_alone() {
        let real = grid(6, 0.0);
        let drawn: Vec<Vec<f64>> = real.iter().filter(|p| p[0] < 2.5).cloned().collect();
        let found = precision_recall(&real, &drawn, 3);
        assert_eq!(found.precision, 1.0);
        assert!((found.recall - 4.0 / 6.0).abs() < 1e-12, "{}", found.recall);
        // the other way round, half the drawn points have no real one near
        let found = precision_recall(&drawn, &real, 3);
        assert!((found.precision - 4.0 / 6.0).abs() < 1e-12 && found.recall == 1.0, "{found:?}");
    }

    #[test]
    fn a_point_is_not_its_own_neighbor() {
        let real: Vec<Vec<f64>> = [0.0, 1.0, 3.0].map(|x| vec![x]).to_vec();
        // the nearest other points are at 1, 1 and 2
        let drawn: Vec<Vec<f64>> = [-0.9, 2.1, 4.9, 5.1].map(|x| vec![x]).to_vec();
        assert_eq!(precision_recall(&real, &drawn, 1).precision, 0.75);
    }

    #[test]
    fn too_few_points_have_no_figure() {
        assert!(precision_recall(&grid(1, 0.0), &grid(3, 0.0), 1).precision.is_nan());
        assert!(precision_recall(&grid(3, 0.0), &grid(3, 0.0), 0).recall.is_nan());
    }
}
