//! Odd parameters, lengths and numbers give a value or a typed error, never a panic.
#![allow(clippy::unwrap_used)] // a test may panic

use std::sync::atomic::{AtomicUsize, Ordering};

use bilevel::{
    Bilevel, ConjugateGradient, DenseSolve, Error, ForwardDifference, Hypergradient, IdentityHessian, Implicit,
    InverseHessian, Link, Neumann, Nystrom, Problem, Solve, UpperGradient, UpperGradients, UpperParams, UpperState,
    WeightModel, implicit_gradient, learn_weights,
};
use proptest::prelude::*;

fn number() -> impl Strategy<Value = f64> {
    const ODD: [f64; 8] = [0.0, -1.0, 1e-300, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE];
    prop_oneof![prop::sample::select(&ODD[..]).boxed(), (0.01..10.0).boxed()]
}

fn count() -> impl Strategy<Value = usize> {
    prop::sample::select(&[0usize, 1, 2, 7, 40][..])
}

/// Returns vectors of any lengths and numbers.
#[derive(Debug, Clone)]
struct Odd {
    a: Vec<f64>,
    b: Vec<f64>,
    loss: f64,
}

impl Bilevel for Odd {
    fn losses(&self, _: &[f64]) -> Result<Vec<f64>, Error> {
        Ok(self.b.clone())
    }
    fn weighted_gradient(&self, t: &[f64], _: &[f64]) -> Result<Vec<f64>, Error> {
        Ok(self.a.iter().zip(t).map(|(a, t)| a + t).collect())
    }
    fn upper(&self, _: &[f64]) -> Result<UpperGradient, Error> {
        Ok(UpperGradient { loss: self.loss, gradient: self.a.clone() })
    }
}

impl Problem for Odd {
    fn lower_gradient(&self, t: &[f64], _: &[f64]) -> Result<Vec<f64>, Error> {
        Ok(self.a.iter().zip(t).map(|(a, t)| a + t).collect())
    }
    fn lower_gradient_by_hyper(&self, _: &[f64], _: &[f64]) -> Result<Vec<f64>, Error> {
        Ok(self.b.clone())
    }
    fn upper(&self, _: &[f64], _: &[f64]) -> Result<UpperGradients, Error> {
        Ok(UpperGradients { loss: self.loss, by_theta: self.a.clone(), by_hyper: self.b.clone() })
    }
}

impl Solve for Odd {
    fn start(&self) -> Vec<f64> {
        self.a.clone()
    }
    fn solve(&self, _: &[f64], from: &[f64]) -> Result<Vec<f64>, Error> {
        Ok(from.iter().zip(&self.b).map(|(f, b)| f * b).collect())
    }
}

static OK: AtomicUsize = AtomicUsize::new(0);
static ERR: AtomicUsize = AtomicUsize::new(0);

fn seen<T>(answer: Result<T, Error>) -> Option<T> {
    if answer.is_ok() { &OK } else { &ERR }.fetch_add(1, Ordering::Relaxed);
    answer.ok()
}

#[test]
fn nothing_panics_and_both_outcomes_occur() {
    let vector = || prop::collection::vec(number(), 0..4);
    let odd = (vector(), vector(), number()).prop_map(|(a, b, loss)| Odd { a, b, loss });
    let strategy = (odd, vector(), vector(), (number(), number(), number()), count());
    proptest!(ProptestConfig::with_cases(512), |((p, theta, weights, (x, y, z), n) in strategy)| {
        let methods: Vec<Box<dyn InverseHessian>> = [
            seen(IdentityHessian::new(x)).map(|m| Box::new(m) as Box<dyn InverseHessian>),
            seen(Neumann::new(n, x)).map(|m| Box::new(m) as Box<dyn InverseHessian>),
            seen(ConjugateGradient::new(n, y)).map(|m| Box::new(m) as Box<dyn InverseHessian>),
            seen(Nystrom::new(n, z, 1)).map(|m| Box::new(m) as Box<dyn InverseHessian>),
            Some(Box::new(DenseSolve)),
        ]
        .into_iter()
        .flatten()
        .collect();
        for method in &methods {
            seen(implicit_gradient(&p, &theta, &weights, method.as_ref(), y));
        }
        for method in [seen(ForwardDifference::new(x)), Some(ForwardDifference::default())].into_iter().flatten() {
            seen(method.weight_gradient(&p, &theta, &weights, y));
        }
        if let Some(method) = seen(Implicit::new(DenseSolve, z)) {
            seen(method.weight_gradient(&p, &theta, &weights, x));
        }
        let models = [
            seen(WeightModel::per_sample(weights.clone())),
            seen(WeightModel::linear(&[theta.clone(), weights.clone()], Link::Exp)),
            seen(WeightModel::by_factors(&[vec![0; n], (0..n).map(|i| i % 3).collect()])),
        ];
        let params = UpperParams::default().with_steps(n.min(3)).with_rate(x).with_least_share(y).with_penalty(z);
        for model in models.into_iter().flatten() {
            seen(model.weights(&theta));
            seen(model.pull_back(&theta, &weights));
            let state = UpperState { phi: theta.clone(), theta: weights.clone(), ..UpperState::default() };
            for resume in [None, Some(state)] {
                let method = ForwardDifference::default();
                seen(learn_weights(&p, &model, &method, &params, resume, &mut |_, _| ()));
            }
        }
    });
    let (ok, err) = (OK.load(Ordering::Relaxed), ERR.load(Ordering::Relaxed));
    assert!(ok > 500 && err > 500, "{ok} {err}");
}
