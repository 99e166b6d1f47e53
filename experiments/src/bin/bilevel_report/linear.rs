//! Weighted ridge and logistic regressions whose optimum and hypergradients are computed without the library.

use maphc2f::bilevel::{Bilevel, Error, Problem, UpperGradient, UpperGradients};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const INPUTS: usize = 5;
const ROWS: usize = 20;
const META: usize = 8;
const RIDGE: f64 = 0.2;

type Row = ([f64; INPUTS], f64);

/// The lower loss `1/N sum_i w_i l_i + RIDGE |t|^2 / 2` of squared or logistic losses `l_i`; the upper loss `L` is the
/// mean of the same losses on other rows.
pub(crate) struct Linear {
    pub(crate) name: &'static str,
    logistic: bool,
    train: Vec<Row>,
    meta: Vec<Row>,
    pub(crate) weights: Vec<f64>,
}

pub(crate) fn problems() -> [Linear; 2] {
    [("ridge", false), ("logistic", true)].map(|(name, logistic)| {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let mut row = |_| -> Row {
            let x: [f64; INPUTS] = std::array::from_fn(|i| if i == 0 { 1.0 } else { rng.random_range(-1.5..1.5) });
            (x, x[1] - 0.5 * x[2] + rng.random_range(-1.0..1.0))
        };
        let train = (0..ROWS).map(&mut row).collect();
        let meta = (0..META).map(&mut row).collect();
        let weights = (0..ROWS).map(|i| 0.4 + 0.06 * ((i * 7) % ROWS) as f64).collect();
        Linear { name, logistic, train, meta, weights }
    })
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

impl Linear {
    fn loss(&self, (x, y): &Row, t: &[f64]) -> f64 {
        if self.logistic { (-y.signum() * dot(x, t)).exp().ln_1p() } else { (dot(x, t) - y).powi(2) / 2.0 }
    }

    fn slope(&self, (x, y): &Row, t: &[f64]) -> f64 {
        if self.logistic { -y.signum() / (1.0 + (y.signum() * dot(x, t)).exp()) } else { dot(x, t) - y }
    }

    /// Upper bound of the largest eigenvalue of the lower Hessian.
    pub(crate) fn curvature(&self) -> f64 {
        let trace: f64 = self.train.iter().zip(&self.weights).map(|((x, _), w)| w * dot(x, x)).sum();
        trace / ROWS as f64 + RIDGE
    }

    pub(crate) fn start(&self) -> Vec<f64> {
        vec![0.2, -0.4, 0.6, 0.1, -0.3]
    }

    /// Lower optimum by gradient descent to rounding.
    pub(crate) fn optimum(&self, w: &[f64]) -> Vec<f64> {
        let mut t = vec![0.0; INPUTS];
        for _ in 0..4000 {
            let g = self.gradient(&self.train, w, RIDGE, &t);
            t.iter_mut().zip(g).for_each(|(t, g)| *t -= 0.3 * g);
        }
        t
    }

    fn gradient(&self, rows: &[Row], w: &[f64], ridge: f64, t: &[f64]) -> Vec<f64> {
        let mut sum: Vec<f64> = t.iter().map(|t| ridge * t).collect();
        for (row, w) in rows.iter().zip(w) {
            let slope = w * self.slope(row, t) / rows.len() as f64;
            sum.iter_mut().zip(row.0).for_each(|(s, x)| *s += slope * x);
        }
        sum
    }

    fn upper_loss(&self, t: &[f64]) -> (f64, Vec<f64>) {
        let loss = self.meta.iter().map(|row| self.loss(row, t)).sum::<f64>() / META as f64;
        (loss, self.gradient(&self.meta, &[1.0; META], 0.0, t))
    }

    /// Computes `dL(theta*(w))/dw` by solving the lower problem on both sides of every weight.
    pub(crate) fn brute_force(&self) -> Vec<f64> {
        let upper = |w: &[f64]| self.upper_loss(&self.optimum(w)).0;
        let slope = |i: usize| {
            let (mut up, mut down) = (self.weights.clone(), self.weights.clone());
            up[i] += 1e-4;
            down[i] -= 1e-4;
            (upper(&up) - upper(&down)) / 2e-4
        };
        (0..ROWS).map(slope).collect()
    }

    /// Computes `-(eta / N) <grad L(theta'), grad l_i(theta)>`.
    pub(crate) fn closed_form(&self, theta: &[f64], eta: f64) -> Vec<f64> {
        let lower = self.gradient(&self.train, &self.weights, RIDGE, theta);
        let ahead: Vec<f64> = theta.iter().zip(lower).map(|(t, g)| t - eta * g).collect();
        let g = self.upper_loss(&ahead).1;
        self.train.iter().map(|row| -eta / ROWS as f64 * self.slope(row, theta) * dot(&g, &row.0)).collect()
    }
}

impl Problem for Linear {
    fn lower_gradient(&self, t: &[f64], w: &[f64]) -> Result<Vec<f64>, Error> {
        Ok(self.gradient(&self.train, w, RIDGE, t))
    }
    fn lower_gradient_by_hyper(&self, t: &[f64], _: &[f64]) -> Result<Vec<f64>, Error> {
        Ok(self.train.iter().map(|row| self.loss(row, t) / ROWS as f64).collect())
    }
    fn upper(&self, t: &[f64], _: &[f64]) -> Result<UpperGradients, Error> {
        let (loss, by_theta) = self.upper_loss(t);
        Ok(UpperGradients { loss, by_theta, by_hyper: vec![0.0; ROWS] })
    }
}

impl Bilevel for Linear {
    fn losses(&self, t: &[f64]) -> Result<Vec<f64>, Error> {
        Ok(self.train.iter().map(|row| self.loss(row, t)).collect())
    }
    fn weighted_gradient(&self, t: &[f64], w: &[f64]) -> Result<Vec<f64>, Error> {
        self.lower_gradient(t, w)
    }
    fn upper(&self, t: &[f64]) -> Result<UpperGradient, Error> {
        let (loss, gradient) = self.upper_loss(t);
        Ok(UpperGradient { loss, gradient })
    }
}
