//! The optimizer on another problem than the detector's: wrong labels get low weight.
#![allow(clippy::unwrap_used)] // a test may panic

use experiments::cleaning::{Cleaning, Faulty, Setting, brute_force};
use maphc2f::bilevel::{ForwardDifference, Hypergradient};

#[test]
fn wrong_labels_get_low_weight_unless_the_hypergradient_is_faulty() {
    let learn = |method: &dyn Hypergradient, eta: f64| {
        let setting = Setting { train: 400, eta, ..Setting::default() };
        Cleaning::new(&setting).unwrap().learn(method, &setting).unwrap().auroc
    };
    let right = learn(&ForwardDifference::default(), 2.0);
    assert!(right >= 0.95, "{right}");
    // long steps, where the look-ahead matters
    let right = learn(&ForwardDifference::default(), 3.0);
    assert!(right > 0.9, "{right}");
    for faulty in [Faulty::Sign, Faulty::BeforeLookAhead] {
        let auroc = learn(&faulty, 3.0);
        assert!(auroc < 0.9, "{faulty:?} should not pass: {auroc}");
    }
}

#[test]
fn on_digits_too_the_hypergradient_equals_brute_force() {
    let setting = Setting { train: 60, trusted: 40, ..Setting::default() };
    let problem = Cleaning::new(&setting).unwrap();
    let (theta, weights) = problem.start();
    let which = [0, 7, 31, 59];
    let expected = brute_force(&problem, &theta, &weights, setting.eta, &which).unwrap();
    let size = expected.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let gap = |method: &dyn Hypergradient| {
        let answer = method.weight_gradient(&problem, &theta, &weights, setting.eta).unwrap();
        which.iter().zip(&expected).map(|(&i, e)| (answer.gradient[i] - e).abs()).fold(0.0, f64::max) / size
    };
    assert!(gap(&ForwardDifference::default()) < 1e-3, "{}", gap(&ForwardDifference::default()));
    assert!(gap(&Faulty::BeforeLookAhead) > 0.1);
}
