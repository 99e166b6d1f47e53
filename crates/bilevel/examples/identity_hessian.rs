//! The cheapest hypergradient (T1-T2) against finite differences of the whole problem: `cargo run -p bilevel --example
//! identity_hessian`.
#![allow(clippy::print_stdout)] // a program for a terminal

use bilevel::{DenseSolve, Error, IdentityHessian, InverseHessian, Problem, UpperGradients, implicit_gradient};

/// Lower level: (theta_1 - 3)^2 / 2 + 2 (theta_2 + 1)^2 + phi |theta|^2 / 2. Upper level: |theta - (1, 0)|^2 / 2.
struct Shrink;

impl Problem for Shrink {
    fn lower_gradient(&self, t: &[f64], phi: &[f64]) -> Result<Vec<f64>, Error> {
        Ok(vec![t[0] - 3.0 + phi[0] * t[0], 4.0 * (t[1] + 1.0) + phi[0] * t[1]])
    }
    fn lower_gradient_by_hyper(&self, t: &[f64], _: &[f64]) -> Result<Vec<f64>, Error> {
        Ok(vec![(t[0] * t[0] + t[1] * t[1]) / 2.0])
    }
    fn upper(&self, t: &[f64], _: &[f64]) -> Result<UpperGradients, Error> {
        let by_theta = vec![t[0] - 1.0, t[1]];
        let loss = (by_theta[0].powi(2) + by_theta[1].powi(2)) / 2.0;
        Ok(UpperGradients { loss, by_theta, by_hyper: vec![0.0] })
    }
}

fn optimum(phi: f64) -> [f64; 2] {
    [3.0 / (1.0 + phi), -4.0 / (4.0 + phi)]
}

fn main() -> Result<(), Error> {
    let upper = |phi: f64| Ok::<f64, Error>(Shrink.upper(&optimum(phi), &[phi])?.loss);
    for phi in [0.0, 0.5, 1.0, 2.0] {
        let difference = (upper(phi + 1e-5)? - upper(phi - 1e-5)?) / 2e-5;
        let by = |method: &dyn InverseHessian| {
            Ok::<f64, Error>(implicit_gradient(&Shrink, &optimum(phi), &[phi], method, 1e-4)?.gradient[0])
        };
        // right in sign, wrong in size: the identity stands for the inverse Hessian
        let (dense, identity) = (by(&DenseSolve)?, by(&IdentityHessian::new(0.25)?)?);
        println!("phi {phi}: finite differences {difference:+.5}, dense solve {dense:+.5}, identity {identity:+.5}");
    }
    Ok(())
}
