//! Scores synthetic defects in a photo by a trained estimator: `cargo run -p sqe --example score
//! [quality.safetensors]`.
//!
//! Without a file the estimator is untrained and gives 0.5; the example `warm_start` trains one.
#![allow(clippy::print_stdout)] // the program prints its result

use std::path::Path;

use frozen_backbone::EfficientNetLite0;
use image::{Rgb, RgbImage};
use imgkit::convert::from_rgb_image;
use ndarray::Array2;
use sqe::{Head, QualityFeatures, Sqe};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let backbone = EfficientNetLite0::pretrained()?;
    let sqe = match std::env::args().nth(1) {
        Some(path) => Sqe::load(Path::new(&path), &backbone)?,
        None => Sqe::new(&backbone, Head::default(), 0)?,
    };
    let mask = Array2::from_shape_fn((128, 128), |(y, x)| y.abs_diff(60).pow(2) + x.abs_diff(70).pow(2) < 15 * 15);
    let texture = |x: u32, y: u32| 80 + ((x * 7919 + y * 104_729) % 61) as u8;
    let photo = |step: u8| {
        RgbImage::from_fn(128, 128, |x, y| {
            let inside = mask[[y as usize, x as usize]];
            Rgb([texture(x, y) + if inside { step } else { 0 }; 3])
        })
    };
    for step in [100, 40, 10] {
        let image = from_rgb_image(&photo(step));
        let features = QualityFeatures::extract(&backbone, image.view(), mask.view())?;
        let quality = sqe.score(&[&features])?[0]; // or sqe.score_image(&backbone, image.view(), mask.view())
        println!("disc brighter by {step} levels: quality {quality:.3}");
        for (name, value) in features.descriptors().named() {
            println!("    {name}: {value:.3}");
        }
    }
    Ok(())
}
