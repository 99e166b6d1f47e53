//! Ratio of the density of real defects to that of drawn ones, by logistic regression on named descriptors.

use imgkit::ensure;

use crate::descriptors::{DESCRIPTORS, Descriptors};
use crate::error::Error;

/// Descriptors and the bias.
const SIZE: usize = DESCRIPTORS.len() + 1;
/// Most steps of Newton's method, and the largest component of one at the end.
const STEPS: usize = 50;
const TOLERANCE: f64 = 1e-10;

type Vector = [f64; SIZE];

/// Density ratio p(real) / p(drawn) of a defect, from its [`Descriptors`].
///
/// Drawn defects weighted with it are distributed like the real ones, as far as descriptors tell them apart: importance
/// weighting under covariate shift (M. Sugiyama, T. Suzuki and T. Kanamori, *Density Ratio Estimation in Machine
/// Learning*, 2012, chapter 4). The ratio is `drawn / real * exp(z)`, where `z` are the log odds that a logistic
/// regression with a ridge penalty gives. Descriptors are standardized by the drawn defects.
///
/// ```
/// use sqe::{DensityRatio, Descriptors};
///
/// let of_area = |area: f64| Descriptors::from_values([0.0, 0.0, 0.0, 0.0, 1.0, area, 0.0]);
/// let drawn: Vec<_> = (0..100).map(|i| of_area(0.001 * f64::from(i))).collect();
/// let real: Vec<_> = (60..100).step_by(4).map(|i| of_area(0.001 * f64::from(i))).collect();
/// let ratio = DensityRatio::fit(&real, &drawn, 0.01)?;
/// assert!(ratio.of(&of_area(0.08)) > 1.0 && ratio.of(&of_area(0.01)) < 0.2); // real ones are large
/// # Ok::<(), sqe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DensityRatio {
    mean: [f64; DESCRIPTORS.len()],
    deviation: [f64; DESCRIPTORS.len()],
    /// Of the standardized descriptors, then the bias.
    weights: Vector,
    /// Log of drawn over real defects that were fitted to.
    prior: f64,
}

impl DensityRatio {
    /// Fits to at least one real and two drawn defects with a ridge penalty `l2` > 0 on all but the bias: it minimizes
    /// `mean_i log(1 + exp(-y_i z_i)) + l2/2 |w|^2` by Newton's method. The more it is, the closer the ratios are to 1.
    ///
    /// # Errors
    /// [`Error::TooFewDefects`]; [`Error::NotFinite`] for descriptors; [`Error::Parameter`] for `l2`.
    pub fn fit(real: &[Descriptors], drawn: &[Descriptors], l2: f64) -> Result<Self, Error> {
        ensure(l2 > 0.0 && l2.is_finite(), "DensityRatio", "l2", l2, "positive and finite")?;
        if real.is_empty() || drawn.len() < 2 {
            return Err(Error::TooFewDefects { real: real.len(), drawn: drawn.len() });
        }
        if real.iter().chain(drawn).any(|d| d.named().any(|(_, value)| !value.is_finite())) {
            return Err(Error::NotFinite { what: "the descriptors" });
        }
        let count = drawn.len() as f64;
        let (mut mean, mut deviation) = ([0.0; DESCRIPTORS.len()], [0.0; DESCRIPTORS.len()]);
        for (i, (mean, deviation)) in mean.iter_mut().zip(&mut deviation).enumerate() {
            let of = |d: &Descriptors| d.named().nth(i).map_or(0.0, |(_, value)| value);
            *mean = drawn.iter().map(of).sum::<f64>() / count;
            let variance = drawn.iter().map(|d| (of(d) - *mean).powi(2)).sum::<f64>() / count;
            *deviation = if variance > 0.0 { variance.sqrt() } else { 1.0 };
        }
        let prior = (count / real.len() as f64).ln();
        let mut ratio = Self { mean, deviation, weights: [0.0; SIZE], prior };
        let rows: Vec<(Vector, f64)> =
            (real.iter().map(|d| (ratio.row(d), 1.0))).chain(drawn.iter().map(|d| (ratio.row(d), 0.0))).collect();
        ratio.weights = newton(&rows, l2, -prior);
        Ok(ratio)
    }

    /// Density ratio of a defect, above 0; 1 where real and drawn ones are as frequent.
    #[must_use]
    pub fn of(&self, descriptors: &Descriptors) -> f64 {
        (self.prior + dot(&self.weights, &self.row(descriptors))).exp()
    }

    /// What one standard deviation (of the drawn defects) of each descriptor adds to the log of the ratio, by name: in
    /// what real defects differ from drawn ones.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, f64)> + '_ {
        DESCRIPTORS.into_iter().zip(self.weights)
    }

    /// Standardized descriptors and a 1 for the bias.
    fn row(&self, descriptors: &Descriptors) -> Vector {
        let mut row = [1.0; SIZE];
        let scales = self.mean.iter().zip(&self.deviation);
        for ((to, (_, value)), (mean, deviation)) in row.iter_mut().zip(descriptors.named()).zip(scales) {
            *to = (value - mean) / deviation;
        }
        row
    }
}

/// Weights of a logistic regression of labels 0 and 1, from 0 and the bias given; a step that does not lower the
/// objective is halved.
fn newton(rows: &[(Vector, f64)], l2: f64, bias: f64) -> Vector {
    let count = rows.len() as f64;
    let objective = |w: &Vector| {
        let loss = rows.iter().map(|(row, label)| {
            let z = dot(w, row);
            // log(1 + exp(z)) without overflow
            z.max(0.0) + (-z.abs()).exp().ln_1p() - label * z
        });
        loss.sum::<f64>() / count + 0.5 * l2 * w[..SIZE - 1].iter().map(|w| w * w).sum::<f64>()
    };
    let mut weights = [0.0; SIZE];
    weights[SIZE - 1] = bias;
    let mut value = objective(&weights);
    for _ in 0..STEPS {
        let (mut gradient, mut hessian) = ([0.0; SIZE], [[0.0; SIZE]; SIZE]);
        for (row, label) in rows {
            let p = 1.0 / (1.0 + (-dot(&weights, row)).exp());
            for (i, x) in row.iter().enumerate() {
                gradient[i] += (p - label) * x / count;
                for (h, y) in hessian[i].iter_mut().zip(row) {
                    *h += p * (1.0 - p) * x * y / count;
                }
            }
        }
        for i in 0..SIZE - 1 {
            gradient[i] += l2 * weights[i];
            hessian[i][i] += l2;
        }
        hessian[SIZE - 1][SIZE - 1] += 1e-12; // all probabilities 0 or 1
        let mut step = solve(hessian, gradient);
        let lower = (0..30).find_map(|_| {
            let mut to = weights;
            to.iter_mut().zip(&step).for_each(|(w, s)| *w -= s);
            let found = objective(&to);
            step.iter_mut().for_each(|s| *s *= 0.5);
            (found < value).then_some((to, found))
        });
        let Some((to, found)) = lower else { break };
        let moved = to.iter().zip(&weights).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        (weights, value) = (to, found);
        if moved < TOLERANCE {
            break;
        }
    }
    weights
}

/// Solves a symmetric positive definite system by elimination.
fn solve(mut matrix: [Vector; SIZE], mut right: Vector) -> Vector {
    for i in 0..SIZE {
        let (pivot, of_pivot) = (matrix[i], right[i]);
        for j in i + 1..SIZE {
            let factor = matrix[j][i] / pivot[i];
            matrix[j].iter_mut().zip(&pivot).for_each(|(m, p)| *m -= factor * p);
            right[j] -= factor * of_pivot;
        }
    }
    for i in (0..SIZE).rev() {
        let known: f64 = (i + 1..SIZE).map(|j| matrix[i][j] * right[j]).sum();
        right[i] = (right[i] - known) / matrix[i][i];
    }
    right
}

fn dot(a: &Vector, b: &Vector) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use imgkit::rng::keyed_stream;
    use rand_distr::{Distribution, StandardNormal};

    /// Normally distributed descriptors with these means.
    fn normal(count: usize, means: [f64; 2], seed: u64) -> Vec<Descriptors> {
        let mut rng = keyed_stream(seed, 0);
        let mut one = || -> f64 { StandardNormal.sample(&mut rng) };
        (0..count)
            .map(|_| Descriptors::from_values([one() + means[0], 0.0, 0.0, 0.0, one() + means[1], one(), 0.0]))
            .collect()
    }

    #[test]
    fn of_two_normal_distributions_it_is_the_closed_form() {
        // log N(x; m, 1) - log N(x; 0, 1) = m x - m^2 / 2, of independent descriptors the sum
        let means = [0.8, -0.5];
        let ratio = DensityRatio::fit(&normal(20_000, means, 1), &normal(40_000, [0.0; 2], 2), 1e-9).unwrap();
        for at in [[0.0, 0.0], [1.0, -1.0], [-1.0, 0.5], [0.4, 2.0]] {
            let expected: f64 = means.iter().zip(at).map(|(m, x)| m * x - 0.5 * m * m).sum();
            let found = ratio.of(&Descriptors::from_values([at[0], 0.0, 0.0, 0.0, at[1], 0.3, 0.0])).ln();
            assert!((found - expected).abs() < 0.06, "{at:?}: {found} for {expected}");
        }
        let by_name: Vec<f64> = ratio.named().map(|(_, w)| w).collect();
        for (i, expected) in [(0, 0.8), (4, -0.5), (5, 0.0)] {
            assert!((by_name[i] - expected).abs() < 0.04, "{by_name:?}");
        }
    }

    #[test]
    fn drawn_ones_weighted_with_it_have_the_mean_of_the_real_ones() {
        let (real, drawn) = (normal(3_000, [0.7, 0.4], 3), normal(6_000, [0.0; 2], 4));
        let ratio = DensityRatio::fit(&real, &drawn, 1e-9).unwrap();
        let total: f64 = drawn.iter().map(|d| ratio.of(d)).sum();
        for name in ["seam_index", "contrast_to_noise"] {
            let weighted: f64 = drawn.iter().map(|d| ratio.of(d) * d.get(name).unwrap()).sum::<f64>() / total;
            let mean = real.iter().map(|d| d.get(name).unwrap()).sum::<f64>() / real.len() as f64;
            assert!((weighted - mean).abs() < 0.06, "{name}: {weighted} for {mean}");
        }
    }

    #[test]
    fn separable_and_single_ones_have_finite_ratios() {
        let of = |x: f64| Descriptors::from_values([x; DESCRIPTORS.len()]);
        let ratio = DensityRatio::fit(&[of(9.0)], &[of(0.0), of(1.0), of(2.0)], 1e-3).unwrap();
        assert!(ratio.of(&of(9.0)).is_finite() && ratio.of(&of(9.0)) > 1.0 && ratio.of(&of(0.0)) < 1.0);
    }

    #[test]
    fn bad_input_is_refused() {
        let of = |x: f64| Descriptors::from_values([x; DESCRIPTORS.len()]);
        let two = [of(0.0), of(1.0)];
        assert!(matches!(DensityRatio::fit(&[], &two, 0.1), Err(Error::TooFewDefects { real: 0, drawn: 2 })));
        assert!(matches!(DensityRatio::fit(&two, &two[..1], 0.1), Err(Error::TooFewDefects { real: 2, drawn: 1 })));
        assert!(matches!(DensityRatio::fit(&[of(f64::NAN)], &two, 0.1), Err(Error::NotFinite { .. })));
        for l2 in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(DensityRatio::fit(&two, &two, l2), Err(Error::Parameter(p)) if p.name == "l2"));
        }
    }
}
