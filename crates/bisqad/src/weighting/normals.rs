//! The bi-level problem of normal photos: their masses in a density below, drawn defects beside their photo above.

use bilevel::{Bilevel, Solve, UpperGradient};
use imgkit::{Size, ensure};
use ndarray::{Array2, ArrayView1, Axis};
use rayon::prelude::*;

use crate::error::Error;

/// Weights of normal photos for the distance from the nearest patch of the same place, learned on drawn defects with
/// [`learn_weights`](bilevel::learn_weights).
///
/// Lower level: the mass theta_i of photo i in a weighted Parzen density, losses `-theta_i` and the unweighted term
/// `|theta|^2 / 2n`, so that the solution is theta = w. Upper level: pairs of a patch q of a drawn defect and the patch
/// c of the same photo and place without it, the mean of softplus((s(c) - s(q)) / T). The score of a patch x is
/// `s(x) = sum_i r_i (d_i(x) - spacing_i)`, `r_i` in proportion to `theta_i exp(-d_i(x) / tau)` and of sum one, over
/// all photos but its own; for a small tau and equal masses it is the distance from the nearest photo less that one's
/// spacing.
///
/// Drawn defects tell little about which normal photos show defects of their own: see `docs/results.md` before you rely
/// on such weights.
///
/// ```
/// use bilevel::{ConjugateGradient, Implicit, UpperParams, WeightModel, learn_weights};
/// use bisqad::NormalsProblem;
/// use ndarray::Array2;
///
/// // Photo 3 of four shows what is drawn: drawn patches lie at it, clean ones at the others.
/// let defect = Array2::from_shape_fn((6, 4), |(_, i)| if i == 3 { 0.5 } else { 4.0 });
/// let clean = Array2::from_shape_fn((6, 4), |(_, i)| if i == 3 { 4.0 } else { 1.0 });
/// let own: Vec<usize> = (0..6).map(|pair| pair % 3).collect();
/// let problem = NormalsProblem::new(&defect, &clean, &Array2::ones((6, 4)), &own, 0.5, 1.0)?;
/// let method = Implicit::new(ConjugateGradient::new(20, 1e-9)?, 1e-2)?;
/// let model = WeightModel::per_sample(vec![2.0; 4])?;
/// let learned = learn_weights(&problem, &model, &method, &UpperParams::default(), None, &mut |_, _| ())?;
/// assert!(learned.weights[3] < 0.5 && learned.weights[0] > 0.9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct NormalsProblem {
    defect: Side,
    clean: Side,
    temperature: f64,
}

/// One patch of every pair.
#[derive(Debug, Clone)]
struct Side {
    /// `exp(-d / tau)` in units of the largest of the row; 0 for the own photo.
    kernels: Array2<f32>,
    /// Distance less spacing.
    gaps: Array2<f32>,
}

impl NormalsProblem {
    /// Takes distances of drawn patches and of clean ones from every photo and the spacings of the photos there, each
    /// `(pairs, photos)`; `own` is the photo of each pair. `tau` is the width of the kernel and `temperature` that of
    /// the upper loss, both in units of the distances.
    ///
    /// # Errors
    /// [`Error::Parameter`] without pairs, with fewer than two photos, for an own photo that is none, for a width that
    /// is not positive and finite, and for a distance or spacing that is negative or not finite; [`Error::Shape`] and
    /// [`Error::Length`] for arrays that do not fit.
    pub fn new(
        defect: &Array2<f32>,
        clean: &Array2<f32>,
        spacing: &Array2<f32>,
        own: &[usize],
        tau: f64,
        temperature: f64,
    ) -> Result<Self, Error> {
        const WHAT: &str = "weights of normals";
        let (pairs, photos) = defect.dim();
        ensure(pairs > 0, WHAT, "pairs", pairs, "at least one")?;
        ensure(photos >= 2, WHAT, "photos", photos, "at least 2: its own is left out of a score")?;
        let positive = |v: f64| v > 0.0 && v.is_finite();
        ensure(positive(tau), WHAT, "tau", tau, "positive and finite")?;
        ensure(positive(temperature), WHAT, "temperature", temperature, "positive and finite")?;
        let size = |(height, width): (usize, usize)| Size { height, width };
        for (what, array) in [("distances of clean patches", clean), ("spacings of normals", spacing)] {
            if array.dim() != defect.dim() {
                return Err(Error::Shape { what, expected: size(defect.dim()), found: size(array.dim()) });
            }
        }
        if own.len() != pairs {
            return Err(Error::Length { what: "own photos of pairs", found: own.len(), expected: pairs });
        }
        let outside = own.iter().copied().find(|&i| i >= photos);
        ensure(outside.is_none(), WHAT, "own", outside.unwrap_or(0), "the number of a photo")?;
        let numbers = defect.iter().chain(clean).chain(spacing);
        let odd = numbers.copied().find(|d| !(d.is_finite() && *d >= 0.0));
        ensure(odd.is_none(), WHAT, "distance", odd.unwrap_or(0.0), "at least 0 and finite")?;
        let side = |distances: &Array2<f32>| Side::new(distances, spacing, own, tau as f32);
        Ok(Self { defect: side(defect), clean: side(clean), temperature })
    }

    /// Number of photos.
    #[must_use]
    pub fn photos(&self) -> usize {
        self.defect.gaps.ncols()
    }

    /// Score of the drawn patch of each pair less that of the clean one, with masses theta.
    ///
    /// # Errors
    /// [`bilevel::Error::Length`] for another number of masses, [`bilevel::Error::Problem`] where no mass is left near
    /// a patch.
    pub fn margins(&self, theta: &[f64]) -> Result<Vec<f64>, bilevel::Error> {
        self.check(theta)?;
        let margin = |pair| Ok(self.defect.score(pair, theta)?.0 - self.clean.score(pair, theta)?.0);
        (0..self.defect.gaps.nrows()).into_par_iter().map(margin).collect()
    }

    fn check(&self, of_photos: &[f64]) -> Result<(), bilevel::Error> {
        let (found, expected) = (of_photos.len(), self.photos());
        if found == expected {
            return Ok(());
        }
        Err(bilevel::Error::Length { what: "weights of normals", found, expected })
    }
}

impl Side {
    fn new(distances: &Array2<f32>, spacing: &Array2<f32>, own: &[usize], tau: f32) -> Self {
        let mut kernels = distances.clone();
        for (mut row, &own) in kernels.outer_iter_mut().zip(own) {
            let others = row.iter().enumerate().filter(|(i, _)| *i != own);
            let least = others.map(|(_, d)| *d).fold(f32::INFINITY, f32::min);
            row.iter_mut().for_each(|d| *d = ((least - *d) / tau).exp());
            row[own] = 0.0;
        }
        Self { kernels, gaps: distances - spacing }
    }

    fn row(&self, pair: usize) -> (ArrayView1<'_, f32>, ArrayView1<'_, f32>) {
        (self.kernels.index_axis(Axis(0), pair), self.gaps.index_axis(Axis(0), pair))
    }

    /// Score of a patch, and the sum of its kernels.
    fn score(&self, pair: usize, theta: &[f64]) -> Result<(f64, f64), bilevel::Error> {
        let (kernels, gaps) = self.row(pair);
        let (mut mass, mut sum) = (0.0, 0.0);
        for ((k, g), t) in kernels.iter().zip(gaps).zip(theta) {
            let share = t * f64::from(*k);
            mass += share;
            sum += share * f64::from(*g);
        }
        // NaN too
        if !(mass > 0.0 && mass.is_finite()) {
            return Err(bilevel::Error::problem("no mass of normals is left near a patch: raise tau or the penalty"));
        }
        Ok((sum / mass, mass))
    }

    /// Adds `by` times the gradient of a patch's score to `gradient`.
    fn pull_back(&self, pair: usize, (score, mass): (f64, f64), by: f64, gradient: &mut [f64]) {
        let (kernels, gaps) = self.row(pair);
        for ((k, g), to) in kernels.iter().zip(gaps).zip(gradient) {
            *to += by * f64::from(*k) / mass * (f64::from(*g) - score);
        }
    }
}

impl Bilevel for NormalsProblem {
    fn losses(&self, theta: &[f64]) -> Result<Vec<f64>, bilevel::Error> {
        self.check(theta)?;
        Ok(theta.iter().map(|t| -t).collect())
    }

    fn weighted_gradient(&self, theta: &[f64], weights: &[f64]) -> Result<Vec<f64>, bilevel::Error> {
        self.check(theta)?;
        self.check(weights)?;
        let n = weights.len() as f64;
        Ok(theta.iter().zip(weights).map(|(t, w)| (t - w) / n).collect())
    }

    fn upper(&self, theta: &[f64]) -> Result<UpperGradient, bilevel::Error> {
        self.check(theta)?;
        let pairs = self.defect.gaps.nrows();
        let (mut loss, mut gradient) = (0.0, vec![0.0; theta.len()]);
        for pair in 0..pairs {
            let (defect, clean) = (self.defect.score(pair, theta)?, self.clean.score(pair, theta)?);
            let z = (clean.0 - defect.0) / self.temperature;
            loss += (-z.abs()).exp().ln_1p() + z.max(0.0);
            let by = 1.0 / (1.0 + (-z).exp()) / self.temperature;
            self.clean.pull_back(pair, clean, by, &mut gradient);
            self.defect.pull_back(pair, defect, -by, &mut gradient);
        }
        let n = pairs as f64;
        gradient.iter_mut().for_each(|g| *g /= n);
        Ok(UpperGradient { loss: loss / n, gradient })
    }
}

impl Solve for NormalsProblem {
    fn start(&self) -> Vec<f64> {
        vec![1.0; self.photos()]
    }

    fn solve(&self, weights: &[f64], _: &[f64]) -> Result<Vec<f64>, bilevel::Error> {
        self.check(weights)?;
        Ok(weights.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bilevel::{ConjugateGradient, Hypergradient, Implicit};

    fn numbers(salt: usize, from: f32) -> Array2<f32> {
        Array2::from_shape_fn((11, 7), |(i, j)| from + ((i * 37 + j * 17 + salt * 53) % 29) as f32 / 10.0)
    }

    const OWN: [usize; 11] = [0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3];

    fn problem(tau: f64) -> NormalsProblem {
        NormalsProblem::new(&numbers(1, 1.0), &numbers(2, 0.5), &numbers(3, 0.2), &OWN, tau, 0.7).unwrap()
    }

    fn masses() -> Vec<f64> {
        (0..7).map(|i| 0.4 + 0.2 * f64::from(i)).collect()
    }

    #[test]
    fn the_upper_gradient_is_that_of_central_differences() {
        let (p, theta) = (problem(0.8), masses());
        let found = p.upper(&theta).unwrap().gradient;
        assert!(found.iter().any(|g| g.abs() > 1e-2));
        for k in 0..7 {
            let moved = |by: f64| {
                let mut t = theta.clone();
                t[k] += by;
                p.upper(&t).unwrap().loss
            };
            let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((found[k] - slope).abs() < 1e-8, "{k}: {} {slope}", found[k]);
        }
    }

    #[test]
    fn the_hypergradient_is_that_of_solving_anew_with_every_weight_moved() {
        let (p, weights) = (problem(0.8), masses());
        let theta = p.solve(&weights, &p.start()).unwrap();
        let method = Implicit::new(ConjugateGradient::new(30, 1e-12).unwrap(), 1e-2).unwrap();
        let found = method.weight_gradient(&p, &theta, &weights, 1e-3).unwrap().gradient;
        for i in 0..7 {
            let moved = |by: f64| {
                let mut w = weights.clone();
                w[i] += by;
                p.upper(&p.solve(&w, &theta).unwrap()).unwrap().loss
            };
            let slope = (moved(1e-4) - moved(-1e-4)) / 2e-4;
            assert!((found[i] - slope).abs() < 1e-6, "{i}: {} {slope}", found[i]);
        }
    }

    #[test]
    fn the_solution_is_stationary_and_the_weighted_gradient_that_of_the_losses() {
        let (p, weights) = (problem(0.8), masses());
        let theta = p.solve(&weights, &p.start()).unwrap();
        assert!(p.weighted_gradient(&theta, &weights).unwrap().iter().all(|g| *g == 0.0));
        let lower = |t: &[f64]| {
            let losses = p.losses(t).unwrap();
            (losses.iter().zip(&weights).map(|(l, w)| l * w).sum::<f64>() + t.iter().map(|t| t * t / 2.0).sum::<f64>())
                / 7.0
        };
        let away = vec![0.3; 7];
        let found = p.weighted_gradient(&away, &weights).unwrap();
        for k in 0..7 {
            let moved = |by: f64| {
                let mut t = away.clone();
                t[k] += by;
                lower(&t)
            };
            assert!((found[k] - (moved(1e-4) - moved(-1e-4)) / 2e-4).abs() < 1e-9);
        }
    }

    #[test]
    fn a_narrow_kernel_scores_by_the_nearest_photo_but_the_own_one() {
        let p = problem(1e-3);
        let (defect, clean, spacing) = (numbers(1, 1.0), numbers(2, 0.5), numbers(3, 0.2));
        for (pair, margin) in p.margins(&[1.0; 7]).unwrap().into_iter().enumerate() {
            let score = |d: &Array2<f32>| {
                let others = (0..7).filter(|i| *i != OWN[pair]);
                let nearest = others.min_by(|&a, &b| d[[pair, a]].total_cmp(&d[[pair, b]])).unwrap();
                d[[pair, nearest]] - spacing[[pair, nearest]]
            };
            assert!((margin - f64::from(score(&defect) - score(&clean))).abs() < 1e-5, "{pair}");
        }
    }

    #[test]
    fn what_cannot_be_learned_from_is_refused() {
        let (d, c, s) = (numbers(1, 1.0), numbers(2, 0.5), numbers(3, 0.2));
        let parameter = |found: Result<NormalsProblem, Error>, name: &str| match found {
            Err(Error::Parameter(p)) => assert_eq!(p.name, name),
            other => panic!("{other:?}"),
        };
        let none = Array2::zeros((0, 7));
        parameter(NormalsProblem::new(&none, &none, &none, &[], 1.0, 1.0), "pairs");
        let one = Array2::zeros((1, 1));
        parameter(NormalsProblem::new(&one, &one, &one, &[0], 1.0, 1.0), "photos");
        parameter(NormalsProblem::new(&d, &c, &s, &OWN, 0.0, 1.0), "tau");
        parameter(NormalsProblem::new(&d, &c, &s, &OWN, 1.0, f64::NAN), "temperature");
        parameter(NormalsProblem::new(&d, &c, &s, &[7; 11], 1.0, 1.0), "own");
        parameter(NormalsProblem::new(&d, &(&c - 1.0), &s, &OWN, 1.0, 1.0), "distance");
        parameter(NormalsProblem::new(&d, &c, &(&s / 0.0), &OWN, 1.0, 1.0), "distance");
        let narrow = NormalsProblem::new(&d, &Array2::zeros((11, 6)), &s, &OWN, 1.0, 1.0);
        assert!(matches!(narrow, Err(Error::Shape { what: "distances of clean patches", .. })));
        assert!(matches!(
            NormalsProblem::new(&d, &c, &s, &OWN[1..], 1.0, 1.0),
            Err(Error::Length { found: 10, expected: 11, .. })
        ));
        let p = problem(1.0);
        assert!(p.upper(&[1.0; 6]).is_err() && p.losses(&[1.0; 8]).is_err() && p.solve(&[], &[]).is_err());
        assert!(matches!(p.upper(&[0.0; 7]), Err(bilevel::Error::Problem(_))));
    }
}
