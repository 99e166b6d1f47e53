//! Data hyper-cleaning on handwritten digits: learning small weights for training rows whose label is wrong.
//!
//! A fraction of the training labels is wrong, those of a few trusted rows are not; the weights of the training rows
//! are learned so that a softmax regression does well on the trusted rows.
//!
//! The task is that of L. Franceschi et al., "Forward and Reverse Gradient-Based Hyperparameter Optimization", ICML
//! 2017.

use maphc2f::adbench::metrics::auroc;
use maphc2f::bilevel::{Bilevel, Error, ForwardDifference, Hypergradient, UpperGradient, WeightGradient};
use maphc2f::imgkit::image_io::read_photo;
use maphc2f::sqe::mean_one_weights;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::program::Result;

/// Inputs of the classifier: the 64 pixels of a digit and a constant.
const INPUTS: usize = 65;
const CLASSES: usize = 10;
const DECAY: f64 = 1e-3;

/// A digit: its pixels in [0, 1] and a 1, and its label.
#[derive(Debug, Clone)]
pub struct Row {
    x: [f64; INPUTS],
    y: usize,
}

/// Reads the digits of `assets/digits/digits.png`: a row each, its label first, then its 8 x 8 pixels from 0 to 16.
///
/// # Errors
///
/// The file cannot be read.
pub fn digits() -> Result<Vec<Row>> {
    let photo = read_photo(crate::workspace().join("assets/digits/digits.png"))?.to_f32();
    let row = |line: ndarray::ArrayView2<'_, f32>| {
        let value = |i: usize| f64::from((line[[i, 0]] * 255.0).round());
        let x = std::array::from_fn(|i| if i + 1 < INPUTS { value(i + 1) / 16.0 } else { 1.0 });
        Row { x, y: value(0) as usize }
    };
    Ok(photo.outer_iter().map(row).collect())
}

/// Numbers of rows of each kind, and step lengths of the two levels.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Training rows.
    pub train: usize,
    /// Trusted rows, which the upper level is measured on; the rest of the digits are for testing.
    pub trusted: usize,
    /// Fraction of the training labels that are wrong.
    pub wrong: f64,
    /// Steps of each level, in turn.
    pub steps: usize,
    /// Learning rate of the lower level.
    pub eta: f64,
    /// Mean change of a weight's logit in an upper step.
    pub rate: f64,
    /// Chooses the rows and the wrong labels.
    pub seed: u64,
}

impl Default for Setting {
    fn default() -> Self {
        Self { train: 1000, trusted: 200, wrong: 0.3, steps: 100, eta: 2.0, rate: 0.1, seed: 0 }
    }
}

/// Result of a run.
#[derive(Debug, Clone, Copy)]
pub struct Cleaned {
    /// AUROC of finding the wrong labels by their low weight.
    pub auroc: f64,
    /// Accuracy on the test digits with equal weights and with learned ones.
    pub accuracy: [f64; 2],
}

/// The bi-level problem: softmax regression, `theta` being `(INPUTS, CLASSES)` row by row.
#[derive(Debug)]
pub struct Cleaning {
    train: Vec<Row>,
    wrong: Vec<bool>,
    trusted: Vec<Row>,
    test: Vec<Row>,
}

impl Cleaning {
    /// Splits the digits and makes some training labels wrong.
    ///
    /// # Errors
    ///
    /// The digits cannot be read, or are fewer than the setting asks for.
    pub fn new(setting: &Setting) -> Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(setting.seed);
        let mut rows = digits()?;
        if setting.train + setting.trusted >= rows.len() {
            return Err(format!(
                "{} digits are too few to train on {} and trust {}",
                rows.len(),
                setting.train,
                setting.trusted
            )
            .into());
        }
        rows.shuffle(&mut rng);
        let test = rows.split_off(setting.train + setting.trusted);
        let trusted = rows.split_off(setting.train);
        let wrong: Vec<bool> = (0..rows.len()).map(|i| (i as f64) < setting.wrong * rows.len() as f64).collect();
        for (row, _) in rows.iter_mut().zip(&wrong).filter(|(_, w)| **w) {
            row.y = (row.y + rng.random_range(1..CLASSES)) % CLASSES;
        }
        Ok(Self { train: rows, wrong, trusted, test })
    }

    /// Returns `theta` of zeros and weights of 1.
    #[must_use]
    pub fn start(&self) -> (Vec<f64>, Vec<f64>) {
        (vec![0.0; INPUTS * CLASSES], vec![1.0; self.train.len()])
    }

    fn accuracy(&self, theta: &[f64]) -> f64 {
        let right = |row: &&Row| {
            let p = probabilities(theta, row);
            (0..CLASSES).max_by(|&a, &b| p[a].total_cmp(&p[b])) == Some(row.y)
        };
        self.test.iter().filter(right).count() as f64 / self.test.len() as f64
    }

    /// Learns the weights by `method`, an upper and a lower step in turn.
    ///
    /// # Errors
    ///
    /// The method fails, or all weights become zero.
    pub fn learn(&self, method: &dyn Hypergradient, setting: &Setting) -> Result<Cleaned> {
        let (mut theta, mut weights) = self.start();
        let mut logits = vec![0.0; weights.len()];
        let (mut plain, equal) = self.start();
        for _ in 0..setting.steps {
            let slope = method.weight_gradient(self, &theta, &weights, setting.eta)?.gradient;
            let gradient = self.weighted_gradient(&theta, &weights)?;
            step(&mut theta, &gradient, setting.eta);
            let size = slope.iter().map(|s| s.abs()).sum::<f64>() / slope.len() as f64;
            logits.iter_mut().zip(&slope).for_each(|(a, s)| *a -= setting.rate * s / size.max(1e-30));
            let quality: Vec<f64> = logits.iter().map(|a| 1.0 / (1.0 + (-a).exp())).collect();
            weights = mean_one_weights(&quality).ok_or("all weights are zero")?;
            let gradient = self.weighted_gradient(&plain, &equal)?;
            step(&mut plain, &gradient, setting.eta);
        }
        let low: Vec<f32> = logits.iter().map(|a| -*a as f32).collect();
        let accuracy = [self.accuracy(&plain), self.accuracy(&theta)];
        Ok(Cleaned { auroc: auroc(&low, &self.wrong)?, accuracy })
    }
}

fn step(theta: &mut [f64], gradient: &[f64], eta: f64) {
    theta.iter_mut().zip(gradient).for_each(|(t, g)| *t -= eta * g);
}

fn probabilities(theta: &[f64], row: &Row) -> [f64; CLASSES] {
    let mut z = [0.0; CLASSES];
    for (x, t) in row.x.iter().zip(theta.chunks_exact(CLASSES)) {
        z.iter_mut().zip(t).for_each(|(z, t)| *z += x * t);
    }
    let most = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let e = z.map(|z| (z - most).exp());
    let sum: f64 = e.iter().sum();
    e.map(|e| e / sum)
}

fn loss(theta: &[f64], row: &Row) -> f64 {
    -probabilities(theta, row)[row.y].max(1e-300).ln()
}

/// Sum over rows of the weight times the gradient of the loss.
fn gradient<'a>(theta: &[f64], rows: impl Iterator<Item = (&'a Row, f64)>) -> Vec<f64> {
    let mut sum = vec![0.0; theta.len()];
    for (row, weight) in rows {
        let mut error = probabilities(theta, row);
        error[row.y] -= 1.0;
        for (x, s) in row.x.iter().zip(sum.chunks_exact_mut(CLASSES)) {
            s.iter_mut().zip(error).for_each(|(s, e)| *s += weight * x * e);
        }
    }
    sum
}

impl Bilevel for Cleaning {
    fn losses(&self, theta: &[f64]) -> std::result::Result<Vec<f64>, Error> {
        Ok(self.train.iter().map(|row| loss(theta, row)).collect())
    }

    fn weighted_gradient(&self, theta: &[f64], weights: &[f64]) -> std::result::Result<Vec<f64>, Error> {
        let mut g = gradient(theta, self.train.iter().zip(weights.iter().map(|w| w / self.train.len() as f64)));
        g.iter_mut().zip(theta).for_each(|(g, t)| *g += DECAY * t);
        Ok(g)
    }

    fn upper(&self, theta: &[f64]) -> std::result::Result<UpperGradient, Error> {
        let n = self.trusted.len() as f64;
        let value = self.trusted.iter().map(|row| loss(theta, row)).sum::<f64>() / n;
        let gradient = gradient(theta, self.trusted.iter().map(|row| (row, 1.0 / n)));
        Ok(UpperGradient { loss: value, gradient })
    }
}

/// Computes `dL/dw_i` of some weights by moving each of them and stepping again.
///
/// # Errors
///
/// The problem fails.
pub fn brute_force(
    problem: &dyn Bilevel,
    theta: &[f64],
    weights: &[f64],
    eta: f64,
    which: &[usize],
) -> std::result::Result<Vec<f64>, Error> {
    let upper = |w: &[f64]| {
        let mut ahead = theta.to_vec();
        step(&mut ahead, &problem.weighted_gradient(theta, w)?, eta);
        Ok::<f64, Error>(problem.upper(&ahead)?.loss)
    };
    let slope = |&i: &usize| {
        let moved = |by: f64| {
            let mut w = weights.to_vec();
            w[i] += by;
            upper(&w)
        };
        Ok((moved(1e-2)? - moved(-1e-2)?) / 2e-2)
    };
    which.iter().map(slope).collect()
}

/// A hypergradient with a fault that tests must see.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Faulty {
    /// The sign is wrong.
    Sign,
    /// The upper gradient is taken before the lower step instead of after it.
    BeforeLookAhead,
}

/// A problem whose upper level stays at the given `theta`.
struct WithoutLookAhead<'a>(&'a dyn Bilevel, &'a [f64]);

impl Bilevel for WithoutLookAhead<'_> {
    fn losses(&self, theta: &[f64]) -> std::result::Result<Vec<f64>, Error> {
        self.0.losses(theta)
    }
    fn weighted_gradient(&self, theta: &[f64], weights: &[f64]) -> std::result::Result<Vec<f64>, Error> {
        self.0.weighted_gradient(theta, weights)
    }
    fn upper(&self, _: &[f64]) -> std::result::Result<UpperGradient, Error> {
        self.0.upper(self.1)
    }
}

impl Hypergradient for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }
    fn weight_gradient(
        &self,
        p: &dyn Bilevel,
        t: &[f64],
        w: &[f64],
        step: f64,
    ) -> std::result::Result<WeightGradient, Error> {
        let method = ForwardDifference::default();
        match self {
            Self::BeforeLookAhead => method.weight_gradient(&WithoutLookAhead(p, t), t, w, step),
            Self::Sign => {
                let answer = method.weight_gradient(p, t, w, step)?;
                Ok(WeightGradient { gradient: answer.gradient.iter().map(|g| -g).collect(), ..answer })
            }
        }
    }
}
