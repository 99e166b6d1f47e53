//! How many terms of the Neumann series an ill-conditioned Hessian needs: `cargo run -p bilevel --example neumann`.
#![allow(clippy::print_stdout)] // a program for a terminal

use bilevel::{ConjugateGradient, Error, InverseHessian, Neumann, Nystrom};

/// Eigenvalues of the Hessian: two curved directions, eighteen flat ones.
fn eigenvalue(i: usize) -> f64 {
    if i < 2 { 50.0 } else { 1.0 }
}

fn main() -> Result<(), Error> {
    let g = [1.0; 20];
    let mut product = |v: &[f64]| Ok(v.iter().enumerate().map(|(i, v)| eigenvalue(i) * v).collect());
    for terms in [1, 10, 100, 300] {
        let solution = Neumann::new(terms, 1.0 / 50.0)?.solve(&mut product, &g)?;
        println!("Neumann, {terms:3} terms: residual {:.1e}", solution.residual);
    }
    let methods: [(&str, &dyn InverseHessian); 2] =
        [("conjugate gradient", &ConjugateGradient::default()), ("Nystrom, rank 10", &Nystrom::new(10, 0.01, 0)?)];
    for (name, method) in methods {
        let solution = method.solve(&mut product, &g)?;
        println!("{name}: {} products, residual {:.1e}", solution.products, solution.residual);
    }
    // a factor beyond 2 / (largest eigenvalue) is an error that says what to do
    if let Err(error) = Neumann::new(100, 0.1)?.solve(&mut product, &g) {
        println!("Neumann with a factor of 0.1: {error}");
    }
    Ok(())
}
