//! The bi-level problem of a head: weighted synthetic defects below, trusted ones above.

use bilevel::{Bilevel, Solve, UpperGradient};
use imgkit::ensure;
use ndarray::{Array2, ArrayView2, Axis, concatenate};

use super::{DefectPatches, RowExpansion};
use crate::error::Error;
use crate::logistic::{Objective, minimize};

/// Largest component of the gradient at a solution, and most steps to it.
const TOLERANCE: f64 = 1e-5;
const STEPS: usize = 200;

/// Logistic head on patch features whose synthetic defects carry weights, for
/// [`learn_weights`](bilevel::learn_weights).
///
/// Lower level: the sum over patches of the logistic loss, marked ones of defect i against unmarked ones with weight
/// w_i and normal ones with weight 1, divided by the number of the defects' patches, with a ridge penalty. It is convex
/// and solved by L-BFGS. Upper level: the mean over trusted defects of the loss of their marked patches and of their
/// unmarked ones, in equal shares.
///
/// ```
/// use bilevel::{ConjugateGradient, Implicit, UpperParams, WeightModel, learn_weights};
/// use bisqad::{DefectPatches, HeadProblem, RowExpansion};
/// use ndarray::Array2;
///
/// // Defects lie above 0 in the first feature; of the drawn ones every second has a wrong mask.
/// let value = |of: f32, i: usize, j: usize| if j == 0 { of } else { (i % 5) as f32 - 2.0 };
/// let rows = |of: f32, n: usize| Array2::from_shape_fn((n, 2), |(i, j)| value(of, i, j));
/// let defect = |i: u64, wrong: bool| {
///     let (marked, unmarked) = if wrong { (-1.0, 1.0) } else { (1.0, -1.0) };
///     DefectPatches { marked: rows(marked, 5), unmarked: rows(unmarked, 5), image: i }
/// };
/// let drawn: Vec<DefectPatches> = (0..8).map(|i| defect(i, i % 2 == 1)).collect();
/// let trusted = [defect(100, false), defect(101, false)];
/// let normal = rows(-1.0, 10);
/// let expansion = RowExpansion::fit(Array2::from_shape_fn((9, 2), |(i, _)| i as f32 - 4.0).view(), None, 0)?;
/// let problem = HeadProblem::new(&drawn, normal.view(), &trusted, &expansion, 1e-2)?;
/// let method = Implicit::new(ConjugateGradient::new(20, 1e-6)?, 1e-2)?;
/// let model = WeightModel::per_sample(vec![0.0; 8])?;
/// let learned = learn_weights(&problem, &model, &method, &UpperParams::default(), None, &mut |_, _| ())?;
/// assert!(learned.weights[0] > 2.0 * learned.weights[1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct HeadProblem {
    /// Inputs of the patches of all defects, then of the normal ones.
    rows: Array2<f32>,
    labels: Vec<bool>,
    /// First row of each defect, and the end of the last.
    starts: Vec<usize>,
    /// Inputs, labels and weights of the trusted patches.
    trusted: (Array2<f32>, Vec<bool>, Vec<f64>),
    ridge: f64,
}

impl HeadProblem {
    /// Takes the patches of drawn and of trusted defects and of normal images, through `expansion`.
    ///
    /// # Errors
    /// [`Error::Parameter`] without drawn defects, with fewer than two trusted ones (one would be learned by heart), or
    /// for a ridge penalty that is not positive; [`Error::Length`] for rows of another length; [`Error::TestLeak`] for
    /// a trusted defect whose image is among the drawn ones.
    pub fn new(
        drawn: &[DefectPatches],
        normal: ArrayView2<'_, f32>,
        trusted: &[DefectPatches],
        expansion: &RowExpansion,
        ridge: f64,
    ) -> Result<Self, Error> {
        const WHAT: &str = "weights of defects";
        ensure(!drawn.is_empty(), WHAT, "drawn", drawn.len(), "at least one defect")?;
        ensure(trusted.len() >= 2, WHAT, "trusted", trusted.len(), "at least two defects: one is learned by heart")?;
        ensure(ridge > 0.0 && ridge.is_finite(), WHAT, "ridge", ridge, "positive and finite")?;
        if let Some(i) = trusted.iter().position(|t| drawn.iter().any(|d| d.image == t.image)) {
            let (name, place) = (format!("trusted defect {i}"), "among the drawn defects".to_owned());
            return Err(Error::TestLeak { name, place });
        }
        let expected = normal.ncols();
        let all = drawn.iter().chain(trusted).flat_map(|d| [d.marked.ncols(), d.unmarked.ncols()]);
        if let Some(found) = all.into_iter().find(|n| *n != expected) {
            return Err(Error::Length { what: "features of a patch", found, expected });
        }
        let (mut rows, mut labels) = stacked(drawn, expansion);
        let mut starts = vec![0];
        for defect in drawn {
            starts.push(starts[starts.len() - 1] + defect.marked.nrows() + defect.unmarked.nrows());
        }
        rows.push(expansion.apply(normal));
        labels.extend(std::iter::repeat_n(false, normal.nrows()));
        let (trusted_rows, trusted_labels) = stacked(trusted, expansion);
        let half = 0.5 / trusted.len() as f64;
        let row_weights = trusted.iter().flat_map(|d| {
            let each = |n: usize| std::iter::repeat_n(half / n.max(1) as f64, n);
            each(d.marked.nrows()).chain(each(d.unmarked.nrows()))
        });
        let row_weights = row_weights.collect();
        let trusted = (joined(&trusted_rows, expansion), trusted_labels, row_weights);
        Ok(Self { rows: joined(&rows, expansion), labels, starts, trusted, ridge })
    }

    /// Number of drawn defects.
    #[must_use]
    pub fn defects(&self) -> usize {
        self.starts.len() - 1
    }

    /// Scores of rows that went through the same expansion, by a solution theta.
    #[must_use]
    pub fn scores(theta: &[f64], inputs: ArrayView2<'_, f32>) -> Vec<f64> {
        crate::logistic::scores(inputs, theta)
    }

    /// Patches of all drawn defects.
    fn patches(&self) -> f64 {
        self.starts.last().copied().unwrap_or(0).max(1) as f64
    }

    /// Weight of each row.
    fn row_weights(&self, weights: &[f64]) -> Vec<f64> {
        let mut all = vec![1.0 / self.patches(); self.labels.len()];
        for (w, range) in weights.iter().zip(self.starts.windows(2)) {
            all[range[0]..range[1]].iter_mut().for_each(|row| *row *= w);
        }
        all
    }

    fn check(&self, weights: &[f64]) -> Result<(), bilevel::Error> {
        let (found, expected) = (weights.len(), self.defects());
        if found == expected {
            return Ok(());
        }
        Err(bilevel::Error::Length { what: "weights of defects", found, expected })
    }
}

impl Bilevel for HeadProblem {
    fn losses(&self, theta: &[f64]) -> Result<Vec<f64>, bilevel::Error> {
        let count = self.starts.last().copied().unwrap_or(0);
        let drawn = self.rows.view().split_at(Axis(0), count).0;
        let margins = crate::logistic::scores(drawn, theta);
        let loss = |(z, label): (&f64, &bool)| {
            let margin = if *label { *z } else { -z };
            (-margin.abs()).exp().ln_1p() + (-margin).max(0.0)
        };
        let each: Vec<f64> = margins.iter().zip(&self.labels).map(loss).collect();
        let mean = self.patches() / self.defects() as f64;
        Ok(self.starts.windows(2).map(|r| each[r[0]..r[1]].iter().sum::<f64>() / mean).collect())
    }

    fn weighted_gradient(&self, theta: &[f64], weights: &[f64]) -> Result<Vec<f64>, bilevel::Error> {
        self.check(weights)?;
        let row_weights = self.row_weights(weights);
        let mut gradient = vec![0.0; theta.len()];
        Objective::new(self.rows.view(), &self.labels, &row_weights, self.ridge).value(theta, &mut gradient);
        Ok(gradient)
    }

    fn upper(&self, theta: &[f64]) -> Result<UpperGradient, bilevel::Error> {
        let (rows, labels, weights) = &self.trusted;
        let mut gradient = vec![0.0; theta.len()];
        let loss = Objective::new(rows.view(), labels, weights, 0.0).value(theta, &mut gradient);
        Ok(UpperGradient { loss, gradient })
    }
}

impl Solve for HeadProblem {
    fn start(&self) -> Vec<f64> {
        vec![0.0; self.rows.ncols() + 1]
    }

    fn solve(&self, weights: &[f64], from: &[f64]) -> Result<Vec<f64>, bilevel::Error> {
        self.check(weights)?;
        let row_weights = self.row_weights(weights);
        let objective = Objective::new(self.rows.view(), &self.labels, &row_weights, self.ridge);
        Ok(minimize(|point, gradient| objective.value(point, gradient), from.to_vec(), TOLERANCE, STEPS))
    }
}

/// Inputs of the patches of defects, marked ones before unmarked ones, and their labels.
fn stacked(defects: &[DefectPatches], expansion: &RowExpansion) -> (Vec<Array2<f32>>, Vec<bool>) {
    let (mut rows, mut labels) = (Vec::new(), Vec::new());
    for defect in defects {
        for (part, label) in [(&defect.marked, true), (&defect.unmarked, false)] {
            rows.push(expansion.apply(part.view()));
            labels.extend(std::iter::repeat_n(label, part.nrows()));
        }
    }
    (rows, labels)
}

fn joined(rows: &[Array2<f32>], expansion: &RowExpansion) -> Array2<f32> {
    let views: Vec<_> = rows.iter().map(|r| r.view()).collect();
    concatenate(Axis(0), &views).unwrap_or_else(|_| Array2::zeros((0, expansion.outputs())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bilevel::{ConjugateGradient, Hypergradient, Implicit};

    fn rows(n: usize, shift: f32, salt: usize) -> Array2<f32> {
        Array2::from_shape_fn((n, 4), |(i, j)| ((i * 37 + j * 11 + salt * 53) % 29) as f32 / 14.0 - 1.0 + shift)
    }

    fn defect(i: usize, shift: f32) -> DefectPatches {
        DefectPatches { marked: rows(3 + i % 4, shift, i), unmarked: rows(5, -0.3, i + 70), image: i as u64 }
    }

    fn problem() -> HeadProblem {
        let drawn: Vec<_> = (0..9).map(|i| defect(i, 0.2 * (i % 3) as f32)).collect();
        let trusted = [defect(40, 0.7), defect(41, 0.5)];
        let expansion = RowExpansion::fit(rows(50, 0.0, 9).view(), None, 0).unwrap();
        HeadProblem::new(&drawn, rows(30, -0.2, 5).view(), &trusted, &expansion, 0.05).unwrap()
    }

    #[test]
    fn the_hypergradient_is_that_of_solving_anew_with_every_weight_moved() {
        let p = problem();
        let weights: Vec<f64> = (0..9).map(|i| 0.6 + 0.1 * f64::from(i)).collect();
        let theta = p.solve(&weights, &p.start()).unwrap();
        let method = Implicit::new(ConjugateGradient::new(30, 1e-10).unwrap(), 1e-2).unwrap();
        let found = method.weight_gradient(&p, &theta, &weights, 1e-3).unwrap().gradient;
        let size = found.iter().fold(0.0f64, |m, g| m.max(g.abs()));
        for i in 0..9 {
            let moved = |by: f64| {
                let mut w = weights.clone();
                w[i] += by;
                p.upper(&p.solve(&w, &theta).unwrap()).unwrap().loss
            };
            let slope = (moved(0.1) - moved(-0.1)) / 0.2;
            assert!((found[i] - slope).abs() < 0.03 * size, "{i}: {} {slope}", found[i]);
        }
    }

    #[test]
    fn the_weighted_gradient_is_that_of_the_weighted_losses() {
        let p = problem();
        let theta = [0.3, -0.1, 0.2, 0.05, -0.4];
        let weights: Vec<f64> = (0..9).map(|i| 0.2 + 0.2 * f64::from(i)).collect();
        let apart = |w: &[f64]| p.weighted_gradient(&theta, w).unwrap();
        let (with, without) = (apart(&weights), apart(&[0.0; 9]));
        for k in 0..5 {
            let moved = |by: f64| {
                let mut t = theta;
                t[k] += by;
                p.losses(&t).unwrap().iter().zip(&weights).map(|(l, w)| l * w / 9.0).sum::<f64>()
            };
            let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            assert!((with[k] - without[k] - slope).abs() < 1e-4, "{k}: {} {slope}", with[k] - without[k]);
        }
    }

    #[test]
    fn what_cannot_be_learned_from_is_refused() {
        let (drawn, normal) = (vec![defect(0, 0.1), defect(1, 0.2)], rows(30, 0.0, 1));
        let trusted = vec![defect(7, 0.5), defect(8, 0.4)];
        let expansion = RowExpansion::fit(normal.view(), None, 0).unwrap();
        let new = |drawn: &[DefectPatches], trusted: &[DefectPatches], ridge: f64| {
            HeadProblem::new(drawn, normal.view(), trusted, &expansion, ridge).map(|_| ())
        };
        assert!(new(&drawn, &trusted, 0.1).is_ok());
        let parameter = |found: Result<(), Error>, name: &str| match found {
            Err(Error::Parameter(p)) => assert_eq!(p.name, name),
            other => panic!("{other:?}"),
        };
        parameter(new(&[], &trusted, 0.1), "drawn");
        parameter(new(&drawn, &trusted[..1], 0.1), "trusted");
        parameter(new(&drawn, &trusted, f64::NAN), "ridge");
        let leak = new(&drawn, &[defect(7, 0.5), defect(1, 0.2)], 0.1);
        assert!(matches!(leak, Err(Error::TestLeak { name, .. }) if name == "trusted defect 1"));
        let narrow = DefectPatches { marked: Array2::zeros((2, 3)), ..defect(2, 0.1) };
        assert!(matches!(new(&[narrow], &trusted, 0.1), Err(Error::Length { found: 3, expected: 4, .. })));
        let p = problem();
        assert!(p.weighted_gradient(&p.start(), &[1.0; 3]).is_err() && p.solve(&[1.0; 3], &p.start()).is_err());
    }
}
