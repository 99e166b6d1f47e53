//! Coreset selection and nearest neighbors of patch features.

use ndarray::{Array1, Array2, ArrayView1, Axis};
use rayon::prelude::*;

use crate::evidence::density::squared_distance;
use crate::features::nearest::Panels;

/// Feature rows of normal patches, searched for the nearest to a query.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    /// `(K, D)`.
    pub(crate) rows: Array2<f32>,
    panels: Panels,
}

impl Memory {
    pub(crate) fn new(rows: Array2<f32>) -> Self {
        Self { panels: Panels::new(&rows), rows }
    }

    /// Remembers the rows of [`Self::picks`].
    pub(crate) fn coreset(rows: &Array2<f32>, size: usize) -> Self {
        Self::new(rows.select(Axis(0), &Self::picks(rows, size).0))
    }

    /// Selects `size` rows by the greedy k-center rule: each pick is the row farthest from all picks so far; the first
    /// pick is row 0. Also returns the covering radius: the largest distance of a row from the nearest pick.
    ///
    /// K. Roth et al., "Towards Total Recall in Industrial Anomaly Detection" (PatchCore), CVPR 2022; T. F. Gonzalez,
    /// "Clustering to minimize the maximum intercluster distance", 1985 (a 2-approximation of the optimal covering
    /// radius).
    pub(crate) fn picks(rows: &Array2<f32>, size: usize) -> (Vec<usize>, f32) {
        let n = rows.nrows();
        let mut nearest = vec![f32::INFINITY; n];
        let mut picks = Vec::with_capacity(size.min(n));
        let mut next = 0;
        while picks.len() < size.min(n) {
            picks.push(next);
            let center = rows.row(next).to_vec();
            const CHUNK: usize = 1024;
            let best = nearest
                .par_chunks_mut(CHUNK)
                .enumerate()
                .map(|(chunk, nearest)| {
                    let from = chunk * CHUNK;
                    pulp::Arch::new().dispatch(Farthest { rows, from, center: &center, nearest })
                })
                .collect::<Vec<_>>();
            // ties go to the lowest row number, so that the order of threads cannot matter
            next = best.iter().fold((0, -1.0f32), |a, &b| if b.1 > a.1 { b } else { a }).0;
            if nearest[next] == 0.0 {
                break; // every row is already represented exactly
            }
        }
        (picks, nearest.iter().copied().fold(0.0, f32::max).sqrt())
    }

    /// Number of the nearest remembered row and the distance from it, for each query row `(N, D)`.
    pub(crate) fn distances(&self, queries: &Array2<f32>) -> Vec<(usize, f32)> {
        let nearest = self.panels.nearest(queries);
        let distance = |(query, &i): (ArrayView1<'_, f32>, &usize)| {
            let square: f32 = query.iter().zip(self.rows.row(i)).map(|(a, b)| (a - b) * (a - b)).sum();
            (i, square.sqrt())
        };
        queries.outer_iter().zip(&nearest).map(distance).collect()
    }

    /// Query minus its nearest remembered row, for each query row `(N, D)`.
    pub(crate) fn residuals(&self, queries: &Array2<f32>) -> Array2<f32> {
        let mut out = queries.clone();
        for (mut row, &i) in out.outer_iter_mut().zip(&self.panels.nearest(queries)) {
            row -= &self.rows.row(i);
        }
        out
    }
}

/// Euclidean norm of each row.
pub(crate) fn norms(rows: &Array2<f32>) -> Array1<f32> {
    rows.outer_iter().map(|r: ArrayView1<'_, f32>| r.dot(&r).sqrt()).collect()
}

/// Lowers `nearest` by the squared distances to `center` and finds the farthest row of the chunk.
struct Farthest<'a> {
    rows: &'a Array2<f32>,
    from: usize,
    center: &'a [f32],
    nearest: &'a mut [f32],
}

impl pulp::WithSimd for Farthest<'_> {
    type Output = (usize, f32);

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> Self::Output {
        let mut best = (self.from, -1.0);
        for (i, near) in self.nearest.iter_mut().enumerate() {
            let row = self.rows.row(self.from + i);
            let Some(row) = row.as_slice() else { continue };
            *near = near.min(squared_distance(row, self.center));
            if *near > best.1 {
                best = (self.from + i, *near);
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn random(n: usize, d: usize, seed: u64) -> Array2<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Array2::from_shape_fn((n, d), |_| rng.random_range(-1.0..1.0))
    }

    fn squared(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>) -> f32 {
        (&a - &b).mapv(|v| v * v).sum()
    }

    #[test]
    fn residuals_equal_brute_force() {
        for (n, d) in [(1, 3), (37, 16), (300, 33)] {
            let memory = Memory::new(random(n, d, 1));
            let queries = random(300, d, 2);
            for (q, residual) in queries.outer_iter().zip(memory.residuals(&queries).outer_iter()) {
                let best = memory.rows.outer_iter().map(|row| squared(q, row)).fold(f32::INFINITY, f32::min);
                assert!((residual.dot(&residual) - best).abs() <= 1e-4, "{n} {d}");
            }
        }
    }

    /// Gonzalez's greedy rule covers with at most twice the optimal radius; on 5 tight, distant clusters 5 picks must
    /// hit every cluster.
    #[test]
    fn the_coreset_visits_every_cluster_first() {
        let noise = random(500, 4, 3);
        let rows = Array2::from_shape_fn((500, 4), |(i, j)| 10.0 * f32::from(i % 5 == j) + 0.1 * noise[[i, j]]);
        let memory = Memory::coreset(&rows, 5);
        // row i belongs to cluster i % 5, whose axis is its largest coordinate; the fifth cluster lies at the origin
        let cluster = |row: ArrayView1<'_, f32>| (0..4).find(|&j| row[j] > 5.0).unwrap_or(4);
        let mut seen: Vec<usize> = memory.rows.outer_iter().map(cluster).collect();
        seen.sort_unstable();
        assert_eq!(seen, vec![0, 1, 2, 3, 4]);
    }

    #[test]
    fn the_coreset_stops_when_everything_is_represented() {
        let rows = Array2::from_shape_fn((90, 16), |(i, _)| (i % 3) as f32);
        assert_eq!(Memory::coreset(&rows, 50).rows.nrows(), 3);
    }
}
