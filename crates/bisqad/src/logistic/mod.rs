//! Logistic regression with a ridge penalty: linear scores of feature rows.

mod lbfgs;

use imgkit::simd::widely;
use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;

pub(crate) use lbfgs::minimize;

/// Rows of a partial sum: fixed, so that sums are the same on any number of threads.
const CHUNK: usize = 1024;
/// Largest component of the gradient at the end, and most steps.
const TOLERANCE: f64 = 1e-6;
const STEPS: usize = 400;

/// A linear score: `weights . x + bias`.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// One weight an input.
    pub weights: Vec<f64>,
    /// Score of the origin.
    pub bias: f64,
}

impl Linear {
    /// Score of a row of as many inputs as there are weights.
    #[must_use]
    pub fn score(&self, row: &[f32]) -> f64 {
        self.bias + row.iter().zip(&self.weights).map(|(x, w)| f64::from(*x) * w).sum::<f64>()
    }
}

/// Fits labels (`true` scores high) to rows `(N, D)` by minimizing `mean_i log(1 + exp(-y_i z_i)) + l2/2 |w|^2`,
/// where `y_i` is 1 or -1 and `z_i` the score. The bias is not penalized. A class without rows leaves all weights 0.
///
/// ```
/// use bisqad::logistic::fit;
/// use ndarray::arr2;
/// let head = fit(arr2(&[[-1.0], [0.0], [1.0], [2.0]]).view(), &[false, false, true, true], 0.1);
/// assert!(head.score(&[2.0]) > 0.0 && head.score(&[-1.0]) < 0.0);
/// ```
#[must_use]
pub fn fit(rows: ArrayView2<'_, f32>, labels: &[bool], l2: f64) -> Linear {
    fit_weighted(rows, labels, &vec![1.0; labels.len()], l2)
}

/// Fits as [`fit`] does, with a weight of at least 0 for each row: the loss is the weighted mean. Rows of weight 0 are
/// as if they were not there; without a weight in each class, or with another number of weights than rows, all weights
/// of the answer are 0.
///
/// ```
/// use bisqad::logistic::{fit, fit_weighted};
/// use ndarray::arr2;
/// let once = fit_weighted(arr2(&[[-1.0], [1.0]]).view(), &[false, true], &[2.0, 1.0], 0.1);
/// let twice = fit(arr2(&[[-1.0], [-1.0], [1.0]]).view(), &[false, false, true], 0.1);
/// assert!((once.weights[0] - twice.weights[0]).abs() < 1e-4);
/// ```
#[must_use]
pub fn fit_weighted(rows: ArrayView2<'_, f32>, labels: &[bool], row_weights: &[f64], l2: f64) -> Linear {
    let inputs = rows.ncols();
    let total = |of: bool| labels.iter().zip(row_weights).filter(|(l, _)| **l == of).map(|(_, w)| w).sum::<f64>();
    let (positive, negative) = (total(true), total(false));
    let fits = rows.nrows() == labels.len() && row_weights.len() == labels.len();
    if !(fits && positive > 0.0 && negative > 0.0) {
        return Linear { weights: vec![0.0; inputs], bias: 0.0 };
    }
    let row_weights: Vec<f64> = row_weights.iter().map(|w| w / (positive + negative)).collect();
    let objective = Objective::new(rows, labels, &row_weights, l2);
    let function = |point: &[f64], gradient: &mut [f64]| objective.value(point, gradient);
    let mut point = minimize(function, vec![0.0; inputs + 1], TOLERANCE, STEPS);
    let bias = point.pop().unwrap_or(0.0);
    Linear { weights: point, bias }
}

/// Weighted sum of logistic losses with a ridge penalty: `sum_i w_i log(1 + exp(-y_i z_i)) + l2/2 |w|^2`. The bias is
/// the last number of a point and not penalized.
pub(crate) struct Objective<'a> {
    chunks: Vec<(ArrayView2<'a, f32>, &'a [bool], &'a [f64])>,
    l2: f64,
}

impl<'a> Objective<'a> {
    /// Takes rows `(N, D)`, a label and a weight of each.
    pub(crate) fn new(rows: ArrayView2<'a, f32>, labels: &'a [bool], row_weights: &'a [f64], l2: f64) -> Self {
        let starts = (0..rows.nrows()).step_by(CHUNK);
        let part = |from: usize| {
            let to = (from + CHUNK).min(rows.nrows());
            let rows = rows.split_at(Axis(0), to).0.split_at(Axis(0), from).1;
            (rows, &labels[from..to], &row_weights[from..to])
        };
        Self { chunks: starts.map(part).collect(), l2 }
    }

    /// Value at a point of D weights and the bias; writes the gradient.
    pub(crate) fn value(&self, point: &[f64], gradient: &mut [f64]) -> f64 {
        let inputs = point.len() - 1;
        let (weights, bias) = point.split_at(inputs);
        let narrow: Vec<f32> = weights.iter().map(|w| *w as f32).collect();
        let partial = |(rows, labels, row_weights): &(ArrayView2<'_, f32>, &[bool], &[f64])| {
            let mut slope = vec![0.0f64; inputs + 1];
            let mut loss = 0.0;
            widely(
                #[inline(always)]
                || {
                    for ((row, &label), weight) in rows.outer_iter().zip(*labels).zip(*row_weights) {
                        let row = row.to_slice().unwrap_or_default();
                        let score = dot(row, &narrow) + bias[0];
                        let sign = if label { 1.0 } else { -1.0 };
                        let margin = sign * score;
                        // log(1 + e^-m) without overflow
                        loss += weight * ((-margin.abs()).exp().ln_1p() + (-margin).max(0.0));
                        let error = -sign * weight / (1.0 + margin.exp());
                        slope.iter_mut().zip(row).for_each(|(s, x)| *s += error * f64::from(*x));
                        slope[inputs] += error;
                    }
                },
            );
            (loss, slope)
        };
        let parts: Vec<(f64, Vec<f64>)> = self.chunks.par_iter().map(partial).collect();
        let mut value = 0.5 * self.l2 * weights.iter().map(|w| w * w).sum::<f64>();
        gradient.iter_mut().zip(weights).for_each(|(g, w)| *g = self.l2 * w);
        gradient[inputs] = 0.0;
        for (loss, slope) in parts {
            value += loss;
            gradient.iter_mut().zip(slope).for_each(|(g, s)| *g += s);
        }
        value
    }
}

/// Scores of rows `(N, D)` at a point of D weights and the bias.
pub(crate) fn scores(rows: ArrayView2<'_, f32>, point: &[f64]) -> Vec<f64> {
    let Some((bias, weights)) = point.split_last() else { return Vec::new() };
    let narrow: Vec<f32> = weights.iter().map(|w| *w as f32).collect();
    let rows = rows.as_standard_layout();
    let score = |row: ndarray::ArrayView1<'_, f32>| dot(row.to_slice().unwrap_or_default(), &narrow) + bias;
    let all: Vec<_> = rows.outer_iter().collect();
    all.into_par_iter().map(score).collect()
}

/// Dot product in sixteen partial sums, which a compiler turns into vectors.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0.0f32; 16];
    let (a, a_rest) = a.as_chunks::<16>();
    let (b, b_rest) = b.as_chunks::<16>();
    for (a, b) in a.iter().zip(b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(s, (a, b))| *s += a * b);
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    f64::from(rest) + sums.iter().map(|s| f64::from(*s)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, arr2};

    /// scikit-learn 1.9.1: `LogisticRegression(C=1/(20*0.05), solver="newton-cholesky", tol=1e-12)` on the same
    /// rows.
    #[test]
    fn the_fit_is_that_of_another_library() {
        let rows = Array2::from_shape_fn((20, 3), |(i, j)| (((i * 7 + j * 11) % 13) as f32 - 6.0) / 4.0);
        let labels: Vec<bool> = (0..20).map(|i| i % 3 == 0).collect();
        let head = fit(rows.view(), &labels, 0.05);
        let golden = [0.050_361_465_546, 0.366_155_726_112, 0.140_124_666_938];
        for (found, expected) in head.weights.iter().zip(golden) {
            assert!((found - expected).abs() < 2e-5, "{found} {expected}");
        }
        assert!((head.bias + 0.654_187_869_749).abs() < 2e-5, "{}", head.bias);
    }

    /// Two points at -1 and 1: the minimum solves l2 w = sigmoid(-w), so that l2 = sigmoid(-w) / w.
    #[test]
    fn two_points_have_a_closed_form() {
        let weight: f64 = 2.0;
        let l2 = 1.0 / ((1.0 + weight.exp()) * weight);
        let head = fit(arr2(&[[-1.0f32], [1.0]]).view(), &[false, true], l2);
        assert!((head.weights[0] - weight).abs() < 1e-4 && head.bias.abs() < 1e-5, "{head:?}");
    }

    #[test]
    fn a_weight_of_three_is_a_row_three_times() {
        let rows = arr2(&[[-1.0f32, 0.5], [0.2, -1.0], [1.0, 0.3]]);
        let weighted = fit_weighted(rows.view(), &[false, true, true], &[1.0, 3.0, 0.0], 0.1);
        let repeated = arr2(&[[-1.0f32, 0.5], [0.2, -1.0], [0.2, -1.0], [0.2, -1.0]]);
        let plain = fit(repeated.view(), &[false, true, true, true], 0.1);
        for (a, b) in weighted.weights.iter().zip(&plain.weights) {
            assert!((a - b).abs() < 1e-4, "{weighted:?} {plain:?}");
        }
        let none = fit_weighted(rows.view(), &[false, true, true], &[1.0, 0.0, 0.0], 0.1);
        assert_eq!(none.weights, [0.0, 0.0]);
    }

    #[test]
    fn one_point_gives_the_odds_and_one_class_teaches_nothing() {
        // The same point in both classes, eight times in one: where inputs say nothing the odds are 1 : 8.
        let mut labels = vec![false; 9];
        labels[4] = true;
        let head = fit(Array2::from_elem((9, 1), 0.0f32).view(), &labels, 0.1);
        assert!((head.score(&[0.0]) + 8f64.ln()).abs() < 1e-4, "{head:?}");
        let none = fit(arr2(&[[1.0f32], [2.0]]).view(), &[true, true], 0.1);
        assert_eq!(none, Linear { weights: vec![0.0], bias: 0.0 });
    }

    #[test]
    fn the_bits_do_not_depend_on_the_threads() {
        let rows = Array2::from_shape_fn((5000, 20), |(i, j)| ((i * 31 + j * 17) % 101) as f32 / 50.0 - 1.0);
        let labels: Vec<bool> = (0..5000).map(|i| (i * i) % 7 == 1).collect();
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let several = rayon::ThreadPoolBuilder::new().num_threads(5).build().unwrap();
        let one = alone.install(|| fit(rows.view(), &labels, 1e-3));
        assert_eq!(one, several.install(|| fit(rows.view(), &labels, 1e-3)));
        assert!(one.weights.iter().any(|w| w.abs() > 0.01));
    }
}
