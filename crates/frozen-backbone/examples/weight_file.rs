//! Reads a network from a weight file, checks its hash and chooses taps:
//! `cargo run -p frozen-backbone --example weight_file wide_resnet50_2.safetensors [hash]`.
//!
//! Without a file it takes the embedded network.
#![allow(clippy::print_stdout)] // the program prints its result

use frozen_backbone::{Backbone, EfficientNetLite0, Weights, WideResNet50};
use ndarray::Array3;

fn network() -> Result<Box<dyn Backbone>, Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let Some(path) = arguments.next() else {
        return Ok(Box::new(EfficientNetLite0::pretrained()?));
    };
    let mut weights = Weights::open(path)?;
    println!("hash of the file: {:016x}", weights.hash());
    if let Some(hash) = arguments.next() {
        weights = weights.expect_hash(u64::from_str_radix(&hash, 16)?)?;
    }
    // strides 8 and 16 alone: the last layer that is not needed is not read
    Ok(Box::new(WideResNet50::new(&weights, &[8, 16])?))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let net = network()?;
    let gray = Array3::from_shape_fn((128, 128, 1), |(y, x, _)| ((y * 7 + x * 13) % 256) as f32 / 255.0);
    let pyramid = net.extract(gray.view())?;
    let sizes: Vec<_> = pyramid.iter().map(|features| features.dim()).collect();
    println!("{}: channels, rows and columns {sizes:?}", net.id());
    Ok(())
}
