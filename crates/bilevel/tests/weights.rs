//! `ForwardDifference` against closed forms and brute force.
#![allow(clippy::unwrap_used)] // a test may panic

use bilevel::{Bilevel, Error, ForwardDifference, Hypergradient, UpperGradient, WeightGradient};

const X: [[f64; 3]; 5] = [[1.0, 0.5, -0.3], [1.0, -1.2, 0.8], [1.0, 0.1, 1.5], [1.0, 2.0, -0.7], [1.0, -0.4, -1.1]];
const Y: [f64; 5] = [0.7, -1.1, 2.0, 0.3, -0.5];
const META_X: [[f64; 3]; 3] = [[1.0, 0.3, 0.2], [1.0, -0.9, 1.0], [1.0, 1.4, -1.3]];
const META_Y: [f64; 3] = [0.2, 1.1, -0.6];
const ETA: f64 = 0.3;
const THETA: [f64; 3] = [0.2, -0.4, 0.6];
const WEIGHTS: [f64; 5] = [1.0, 0.4, 1.6, 1.2, 0.8];

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Ridge (`logistic: false`): l_i = (x_i t - y_i)^2 / 2 + ridge |t|^2 / 2. Logistic: l_i = log(1 + exp(-s_i x_i t)) +
/// the same ridge.
struct Linear {
    logistic: bool,
    ridge: f64,
}

impl Linear {
    fn loss(&self, x: &[f64], y: f64, t: &[f64]) -> f64 {
        let ridge = self.ridge * dot(t, t) / 2.0;
        if self.logistic {
            (-y.signum() * dot(x, t)).exp().ln_1p() + ridge
        } else {
            (dot(x, t) - y).powi(2) / 2.0 + ridge
        }
    }
    fn gradient(&self, x: &[f64], y: f64, t: &[f64]) -> Vec<f64> {
        let slope = if self.logistic { -y.signum() / (1.0 + (y.signum() * dot(x, t)).exp()) } else { dot(x, t) - y };
        x.iter().zip(t).map(|(x, t)| slope * x + self.ridge * t).collect()
    }
}

impl Bilevel for Linear {
    fn losses(&self, t: &[f64]) -> Result<Vec<f64>, Error> {
        Ok(X.iter().zip(Y).map(|(x, y)| self.loss(x, y, t)).collect())
    }
    fn weighted_gradient(&self, t: &[f64], w: &[f64]) -> Result<Vec<f64>, Error> {
        let mut sum = vec![0.0; 3];
        for ((x, y), w) in X.iter().zip(Y).zip(w) {
            for (s, g) in sum.iter_mut().zip(self.gradient(x, y, t)) {
                *s += w * g / X.len() as f64;
            }
        }
        Ok(sum)
    }
    fn upper(&self, t: &[f64]) -> Result<UpperGradient, Error> {
        let mut gradient = vec![0.0; 3];
        let mut loss = 0.0;
        for (x, y) in META_X.iter().zip(META_Y) {
            loss += self.loss(x, y, t) / 3.0;
            gradient.iter_mut().zip(self.gradient(x, y, t)).for_each(|(s, g)| *s += g / 3.0);
        }
        Ok(UpperGradient { loss, gradient })
    }
}

fn ahead(p: &Linear, w: &[f64]) -> Vec<f64> {
    THETA.iter().zip(p.weighted_gradient(&THETA, w).unwrap()).map(|(t, g)| t - ETA * g).collect()
}

/// -(eta / B) <grad L(theta'), grad l_i(theta)>, every gradient in closed form.
fn closed_form(p: &Linear) -> Vec<f64> {
    let g = p.upper(&ahead(p, &WEIGHTS)).unwrap().gradient;
    X.iter().zip(Y).map(|(x, y)| -ETA / 5.0 * dot(&g, &p.gradient(x, y, &THETA))).collect()
}

fn ours(p: &Linear) -> WeightGradient {
    ForwardDifference::default().weight_gradient(p, &THETA, &WEIGHTS, ETA).unwrap()
}

#[test]
fn equals_the_closed_form_on_ridge_and_logistic_problems() {
    for (logistic, tolerance) in [(false, 1e-9), (true, 1e-4)] {
        let p = Linear { logistic, ridge: 0.1 };
        for (got, want) in ours(&p).gradient.iter().zip(closed_form(&p)) {
            assert!((got - want).abs() < tolerance * (want.abs() + 0.01), "{logistic}: {got} {want}");
        }
    }
}

#[test]
fn equals_brute_force_differences_of_the_upper_loss_in_each_weight() {
    for logistic in [false, true] {
        let p = Linear { logistic, ridge: 0.05 };
        let answer = ours(&p);
        for i in 0..5 {
            let (mut up, mut down) = (WEIGHTS, WEIGHTS);
            up[i] += 1e-4;
            down[i] -= 1e-4;
            let upper = |w: &[f64]| p.upper(&ahead(&p, w)).unwrap().loss;
            let difference = (upper(&up) - upper(&down)) / 2e-4;
            assert!((answer.gradient[i] - difference).abs() < 1e-4 * (difference.abs() + 0.01), "{logistic} {i}");
        }
    }
}

/// The upper gradient belongs after the look-ahead. On this problem taking it before gives answers that are clearly
/// others, so the closed-form test above cannot pass with the wrong order.
#[test]
fn the_wrong_order_would_be_seen() {
    let p = Linear { logistic: false, ridge: 0.1 };
    let before = p.upper(&THETA).unwrap().gradient;
    let wrong: Vec<f64> = X.iter().zip(Y).map(|(x, y)| -ETA / 5.0 * dot(&before, &p.gradient(x, y, &THETA))).collect();
    let gap = wrong.iter().zip(closed_form(&p)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let size = closed_form(&p).iter().fold(0.0f64, |m, v| m.max(v.abs()));
    assert!(gap > 0.1 * size, "{gap} {size}");
}

#[test]
fn bad_steps_and_lengths_are_refused() {
    let p = Linear { logistic: false, ridge: 0.1 };
    let method = ForwardDifference::default();
    for step in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = method.weight_gradient(&p, &THETA, &WEIGHTS, step).unwrap_err();
        assert!(matches!(&error, Error::Parameter(e) if e.name == "step"), "{error}");
    }
    assert!(matches!(ForwardDifference::new(0.0), Err(Error::Parameter(e)) if e.name == "radius"));
    assert!(matches!(method.weight_gradient(&p, &THETA[..2], &WEIGHTS, 0.1), Err(Error::Length { .. })));
}
