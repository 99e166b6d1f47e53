//! Inputs of a head: standardized features, or random nonlinear functions of them.

use imgkit::rng::keyed_stream;
use ndarray::{Array1, Array2, ArrayView2, Axis};
use rand_distr::{Distribution, StandardNormal};

use crate::error::Error;

/// Maps feature rows to the inputs of a head: brought to mean 0 and standard deviation 1 over normal patches, and on
/// request through random rectified units, which give a linear head the capacity of a network with one hidden layer
/// while its loss stays convex.
///
/// A. Rahimi, B. Recht, "Weighted Sums of Random Kitchen Sinks", NIPS 2008.
#[derive(Debug, Clone, PartialEq)]
pub struct RowExpansion {
    standard: Moments,
    random: Option<RandomUnits>,
}

/// Mean and standard deviation of each column.
type Moments = (Array1<f32>, Array1<f32>);

#[derive(Debug, Clone, PartialEq)]
struct RandomUnits {
    /// `(features, units)`.
    weights: Array2<f32>,
    biases: Array1<f32>,
    /// Of what comes out over normal patches.
    after: Moments,
}

impl RowExpansion {
    /// Fits the standardization to rows of normal patches `(N, features)`; with `units`, as many random units are drawn
    /// by `seed`.
    ///
    /// # Errors
    /// [`Error::TooFewNormals`] for fewer than two rows.
    pub fn fit(normal: ArrayView2<'_, f32>, units: Option<usize>, seed: u64) -> Result<Self, Error> {
        let few = || Error::TooFewNormals { found: normal.nrows(), needed: 2 };
        if normal.nrows() < 2 {
            return Err(few());
        }
        let standard = moments(normal).ok_or_else(few)?;
        let mut fitted = Self { standard, random: None };
        if let Some(units) = units {
            let (mut rng, d) = (keyed_stream(seed, 0x0075_6e69_7473), normal.ncols());
            let mut draw = |scale: f32| -> f32 { scale * Distribution::<f32>::sample(&StandardNormal, &mut rng) };
            let weights = Array2::from_shape_simple_fn((d, units), || draw(1.0 / (d as f32).sqrt()));
            let biases = Array1::from_shape_simple_fn(units, || draw(1.0));
            let out = hidden(fitted.apply(normal).view(), &weights, &biases);
            let after = moments(out.view()).ok_or_else(few)?;
            fitted.random = Some(RandomUnits { weights, biases, after });
        }
        Ok(fitted)
    }

    /// Number of inputs of the head.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.random.as_ref().map_or(self.standard.0.len(), |random| random.weights.ncols())
    }

    /// Maps rows `(N, features)` to inputs `(N, outputs)`.
    #[must_use]
    pub fn apply(&self, rows: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut out = rows.as_standard_layout().into_owned();
        out -= &self.standard.0;
        out /= &self.standard.1;
        if let Some(RandomUnits { weights, biases, after }) = &self.random {
            out = hidden(out.view(), weights, biases);
            out -= &after.0;
            out /= &after.1;
        }
        out
    }
}

fn hidden(rows: ArrayView2<'_, f32>, weights: &Array2<f32>, biases: &Array1<f32>) -> Array2<f32> {
    (rows.dot(weights) + biases).mapv(|v| v.max(0.0))
}

/// Mean and standard deviation of each column, this at least 1e-3.
fn moments(rows: ArrayView2<'_, f32>) -> Option<Moments> {
    Some((rows.mean_axis(Axis(0))?, rows.std_axis(Axis(0), 0.0).mapv(|d| d.max(1e-3))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_standardized_over_normal_rows_and_random_units_follow_from_the_seed() {
        let rows = Array2::from_shape_fn((200, 6), |(i, j)| ((i * 31 + j * 17) % 101) as f32 * (j + 1) as f32);
        for units in [None, Some(12)] {
            let fitted = RowExpansion::fit(rows.view(), units, 5).unwrap();
            let out = fitted.apply(rows.view());
            assert_eq!(out.ncols(), fitted.outputs());
            assert!(out.mean_axis(Axis(0)).unwrap().iter().all(|m| m.abs() < 1e-3));
            // a unit that is 0 everywhere stays so
            assert!(out.std_axis(Axis(0), 0.0).iter().all(|d| (d - 1.0).abs() < 1e-3 || *d == 0.0));
            assert_eq!(fitted, RowExpansion::fit(rows.view(), units, 5).unwrap());
        }
        assert_ne!(
            RowExpansion::fit(rows.view(), Some(3), 1).unwrap(),
            RowExpansion::fit(rows.view(), Some(3), 2).unwrap()
        );
        assert!(RowExpansion::fit(Array2::zeros((1, 3)).view(), None, 0).is_err());
    }
}
