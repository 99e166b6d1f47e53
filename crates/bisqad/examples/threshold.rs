//! What a threshold from few images is worth: `cargo run -p bisqad --example threshold`.
#![allow(clippy::print_stdout)] // a program for a terminal

use bisqad::{Error, Threshold};

fn main() -> Result<(), Error> {
    // scores of held-out normal images, here the quantiles of a standard exponential distribution
    let scores = |n: usize| (0..n).map(move |i| -(1.0 - (i as f64 + 0.5) / n as f64).ln()).collect::<Vec<f64>>();
    println!("images  allowed  threshold  true rate of false positives, 95 % interval");
    for (n, rate) in [(10, 0.0), (20, 0.0), (100, 0.0), (100, 0.05), (1000, 0.05)] {
        let threshold = Threshold::from_scores(&scores(n), rate)?;
        let (low, high) = threshold.interval(0.95)?;
        let value = threshold.value;
        println!("{n:6} {:6.1} % {value:10.2}  {:.1} to {:.1} %", 100.0 * rate, 100.0 * low, 100.0 * high);
    }
    Ok(())
}
