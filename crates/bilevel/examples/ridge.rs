//! Chooses the weight decay of a ridge regression by gradient descent on held-out rows: `cargo run -p bilevel --example
//! ridge`.
#![allow(clippy::print_stdout)] // a program for a terminal

use bilevel::{DenseSolve, Error, Problem, UpperGradients, implicit_gradient};

const TRAIN: [([f64; 2], f64); 4] = [([1.0, 0.2], 0.3), ([1.0, -0.5], -0.2), ([1.0, 1.5], 1.9), ([1.0, 0.9], 0.8)];
const HELD_OUT: [([f64; 2], f64); 2] = [([1.0, 0.5], 0.6), ([1.0, -0.1], 0.05)];

/// Lower level: sum (x theta - y)^2 / 2 + exp(phi) |theta|^2 / 2. Upper level: the same errors on held-out rows.
struct Ridge;

fn errors(rows: &[([f64; 2], f64)], t: &[f64]) -> (f64, Vec<f64>) {
    rows.iter().fold((0.0, vec![0.0; 2]), |(loss, g), (x, y)| {
        let error = x[0] * t[0] + x[1] * t[1] - y;
        (loss + error * error / 2.0, vec![g[0] + error * x[0], g[1] + error * x[1]])
    })
}

impl Problem for Ridge {
    fn lower_gradient(&self, t: &[f64], phi: &[f64]) -> Result<Vec<f64>, Error> {
        Ok(errors(&TRAIN, t).1.iter().zip(t).map(|(g, t)| g + phi[0].exp() * t).collect())
    }
    fn lower_gradient_by_hyper(&self, t: &[f64], phi: &[f64]) -> Result<Vec<f64>, Error> {
        Ok(vec![phi[0].exp() * (t[0] * t[0] + t[1] * t[1]) / 2.0])
    }
    fn upper(&self, t: &[f64], _: &[f64]) -> Result<UpperGradients, Error> {
        let (loss, by_theta) = errors(&HELD_OUT, t);
        Ok(UpperGradients { loss, by_theta, by_hyper: vec![0.0] })
    }
}

fn main() -> Result<(), Error> {
    let (mut theta, mut phi) = (vec![0.0; 2], vec![1.0f64]);
    for round in 0..8 {
        for _ in 0..300 {
            let g = Ridge.lower_gradient(&theta, &phi)?;
            theta.iter_mut().zip(g).for_each(|(t, g)| *t -= 0.1 * g);
        }
        let answer = implicit_gradient(&Ridge, &theta, &phi, &DenseSolve, 1e-4)?;
        println!("round {round}: weight decay {:.3}, held-out loss {:.5}", phi[0].exp(), answer.upper_loss);
        phi[0] -= 10.0 * answer.gradient[0];
    }
    Ok(())
}
