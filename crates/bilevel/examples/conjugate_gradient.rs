//! One penalty per parameter, differentiated by conjugate gradients: `cargo run -p bilevel --example
//! conjugate_gradient`.
#![allow(clippy::print_stdout)] // a program for a terminal

use bilevel::{ConjugateGradient, Error, Problem, UpperGradients, implicit_gradient};

const SIZE: usize = 50;

/// Lower level: |theta - noisy|^2 / 2 + sum_i exp(phi_i) (theta_i+1 - theta_i)^2 / 2. Upper level: distance from the
/// clean signal.
struct Smoothing;

fn clean(i: usize) -> f64 {
    if i < SIZE / 2 { 0.0 } else { 1.0 }
}

fn noisy(i: usize) -> f64 {
    clean(i) + 0.3 * (((i * 7919) % 101) as f64 / 50.0 - 1.0)
}

impl Problem for Smoothing {
    fn lower_gradient(&self, t: &[f64], phi: &[f64]) -> Result<Vec<f64>, Error> {
        let mut g: Vec<f64> = (0..SIZE).map(|i| t[i] - noisy(i)).collect();
        for (i, p) in phi.iter().enumerate() {
            let pull = p.exp() * (t[i + 1] - t[i]);
            g[i] -= pull;
            g[i + 1] += pull;
        }
        Ok(g)
    }
    fn lower_gradient_by_hyper(&self, t: &[f64], phi: &[f64]) -> Result<Vec<f64>, Error> {
        Ok(phi.iter().enumerate().map(|(i, p)| p.exp() * (t[i + 1] - t[i]).powi(2) / 2.0).collect())
    }
    fn upper(&self, t: &[f64], _: &[f64]) -> Result<UpperGradients, Error> {
        let by_theta: Vec<f64> = (0..SIZE).map(|i| t[i] - clean(i)).collect();
        let loss = by_theta.iter().map(|e| e * e).sum::<f64>() / 2.0;
        Ok(UpperGradients { loss, by_theta, by_hyper: vec![0.0; SIZE - 1] })
    }
}

fn main() -> Result<(), Error> {
    let (mut theta, mut phi) = (vec![0.0; SIZE], vec![0.0; SIZE - 1]);
    for round in 0..10 {
        for _ in 0..500 {
            let g = Smoothing.lower_gradient(&theta, &phi)?;
            theta.iter_mut().zip(g).for_each(|(t, g)| *t -= 0.05 * g);
        }
        let answer = implicit_gradient(&Smoothing, &theta, &phi, &ConjugateGradient::default(), 1e-4)?;
        let (loss, solution) = (answer.upper_loss, answer.solution);
        println!("round {round}: loss {loss:.4}, {} products, residual {:.0e}", solution.products, solution.residual);
        phi.iter_mut().zip(&answer.gradient).for_each(|(p, g)| *p = (*p - 3.0 * g).clamp(-4.0, 2.0));
    }
    let edge = (0..phi.len()).min_by(|&a, &b| phi[a].total_cmp(&phi[b]));
    println!("weakest smoothing between samples {edge:?} and the next; the signal jumps after {}", SIZE / 2 - 1);
    Ok(())
}
