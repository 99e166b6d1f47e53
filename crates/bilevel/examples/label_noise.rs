//! Finds wrong labels: samples whose weight a few trusted samples pull down. `cargo run -p bilevel --example
//! label_noise`
#![allow(clippy::print_stdout)] // a program for a terminal

use bilevel::{Bilevel, Error, ForwardDifference, Hypergradient, UpperGradient};

/// Logistic regression on one number and a constant; the label of every fourth training sample is wrong.
struct Noisy;

const TRAIN: usize = 12;
const TRUSTED: [(f64, f64); 4] = [(-2.0, -1.0), (-0.7, -1.0), (0.8, 1.0), (1.6, 1.0)];

fn sample(i: usize) -> (f64, f64) {
    let x = (i as f64 - 5.5) / 3.0;
    (x, if i.is_multiple_of(4) { -x.signum() } else { x.signum() })
}

fn loss((x, y): (f64, f64), t: &[f64]) -> f64 {
    (-y * (t[0] * x + t[1])).exp().ln_1p()
}

fn gradient((x, y): (f64, f64), t: &[f64]) -> [f64; 2] {
    let slope = -y / (1.0 + (y * (t[0] * x + t[1])).exp());
    [slope * x, slope]
}

fn mean(samples: impl Iterator<Item = ((f64, f64), f64)>, n: usize, t: &[f64]) -> Vec<f64> {
    samples.fold(vec![0.0; 2], |sum, (s, w)| {
        sum.iter().zip(gradient(s, t)).map(|(sum, g)| sum + w * g / n as f64).collect()
    })
}

impl Bilevel for Noisy {
    fn losses(&self, t: &[f64]) -> Result<Vec<f64>, Error> {
        Ok((0..TRAIN).map(|i| loss(sample(i), t)).collect())
    }
    fn weighted_gradient(&self, t: &[f64], w: &[f64]) -> Result<Vec<f64>, Error> {
        Ok(mean((0..TRAIN).map(sample).zip(w.iter().copied()), TRAIN, t))
    }
    fn upper(&self, t: &[f64]) -> Result<UpperGradient, Error> {
        let loss = TRUSTED.iter().map(|&s| loss(s, t)).sum::<f64>() / TRUSTED.len() as f64;
        Ok(UpperGradient { loss, gradient: mean(TRUSTED.iter().map(|&s| (s, 1.0)), TRUSTED.len(), t) })
    }
}

fn main() -> Result<(), Error> {
    let (mut theta, mut weights) = (vec![0.0; 2], vec![1.0f64; TRAIN]);
    for _ in 0..200 {
        let g = ForwardDifference::default().weight_gradient(&Noisy, &theta, &weights, 0.5)?.gradient;
        weights.iter_mut().zip(&g).for_each(|(w, g)| *w = (*w - 2.0 * g).clamp(0.0, 2.0));
        let g = Noisy.weighted_gradient(&theta, &weights)?;
        theta.iter_mut().zip(g).for_each(|(t, g)| *t -= 0.5 * g);
    }
    for (i, w) in weights.iter().enumerate() {
        println!("sample {i:2}: weight {w:.2}{}", if i.is_multiple_of(4) { "  <- wrong label" } else { "" });
    }
    Ok(())
}
