//! Draws reproducible random numbers: one stream for each sample, whatever the order, and a bounded number of tries.
//!
//! `cargo run -p imgkit --example random_streams`
#![allow(clippy::print_stdout)] // the program prints its result

use imgkit::rng::{Retry, keyed_stream};
use rand::Rng;

/// A sample is a function of seed and index alone; one in three draws is refused.
fn sample(seed: u64, index: u64) -> Result<f64, String> {
    let value: f64 = keyed_stream(seed, index).random();
    if value > 0.33 { Ok(value) } else { Err(format!("stream {index}: {value:.3} is too small")) }
}

fn main() {
    let forward: Vec<f64> = (0..4).map(|index| keyed_stream(7, index).random()).collect();
    let mut backward: Vec<f64> = (0..4).rev().map(|index| keyed_stream(7, index).random()).collect();
    backward.reverse();
    println!("{forward:.3?}, in any order: {}", forward == backward);

    // up to five tries; further tries use streams that no other sample has
    let retry = Retry::new(5, 1 << 40);
    for index in 0..4 {
        match retry.first_success(index, |stream| sample(7, stream)) {
            Ok(value) => println!("sample {index}: {value:.3}"),
            Err(last) => println!("sample {index} could not be made: {last}"),
        }
    }
}
