//! Half-whitened principal components, between raw features and full whitening.

use nalgebra::{DMatrix, SymmetricEigen};
use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::error::Error;

/// z = diag(lambda^-1/4) V^T (x - mean), the first `dimensions` components by variance.
///
/// The standard deviation of each component becomes lambda^(1/4): directions of little normal variation gain weight,
/// but noise does not dominate.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Whitening {
    pub(crate) mean: Array1<f32>,
    /// `(features, dimensions)`.
    pub(crate) projection: Array2<f32>,
}

impl Whitening {
    /// Fits the components to `rows` `(N, features)`.
    pub(crate) fn fit(rows: ArrayView2<'_, f32>, dimensions: usize) -> Result<Self, Error> {
        let (n, features) = rows.dim();
        let mean = rows.mapv(f64::from).mean_axis(Axis(0)).ok_or(Error::TooFewNormals { found: 0, needed: 1 })?;
        let centered = Array2::from_shape_fn((n, features), |(i, j)| f64::from(rows[[i, j]]) - mean[j]);
        let covariance = centered.t().dot(&centered) / n as f64;
        let eigen = SymmetricEigen::new(DMatrix::from_fn(features, features, |i, j| covariance[[i, j]]));
        let mut order: Vec<usize> = (0..features).collect();
        order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
        order.truncate(dimensions);
        let floor = order.first().map_or(1.0, |&i| eigen.eigenvalues[i]).max(1e-12) * 1e-6;
        let projection = Array2::from_shape_fn((features, order.len()), |(i, j)| {
            let column = eigen.eigenvectors.column(order[j]);
            // an eigenvector's sign is arbitrary: make its largest entry positive, so that files do not depend on the
            // solver
            let pivot = column.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(1.0);
            (pivot.signum() * column[i] / eigen.eigenvalues[order[j]].max(floor).powf(0.25)) as f32
        });
        Ok(Self { mean: mean.mapv(|v| v as f32), projection })
    }

    /// Projects `(N, features)` to `(N, dimensions)`.
    pub(crate) fn apply(&self, rows: ArrayView2<'_, f32>) -> Array2<f32> {
        (&rows - &self.mean).dot(&self.projection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Variances 16 and 1 on rotated axes must come out as standard deviations 16^(1/4) = 2 and 1, uncorrelated.
    #[test]
    fn gives_the_fourth_root_of_the_variance() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let n = 20_000;
        let (c, s) = (0.6f32, 0.8f32);
        // uniform on [-sqrt(3), sqrt(3)] has variance one
        let mut unit = || rng.random_range(-1.0f32..1.0) * 3.0f32.sqrt();
        let rows = Array2::from_shape_vec(
            (n, 2),
            (0..n)
                .flat_map(|_| {
                    let (a, b) = (4.0 * unit(), unit());
                    [10.0 + c * a - s * b, s * a + c * b]
                })
                .collect(),
        )
        .unwrap();
        let z = Whitening::fit(rows.view(), 2).unwrap().apply(rows.view());
        let covariance = z.t().dot(&z) / n as f32;
        assert!((covariance[[0, 0]] - 4.0).abs() < 0.1, "{covariance}");
        assert!((covariance[[1, 1]] - 1.0).abs() < 0.05, "{covariance}");
        assert!(covariance[[0, 1]].abs() < 0.05, "{covariance}");
    }
}
