//! Rates synthetic defects in a photo and names what is wrong with them: `cargo run -p sqe --example score
//! [quality.safetensors]`.
//!
//! Without a file the estimator is the one that ships with the crate; `maphc2f train` writes one of your photos.
#![allow(clippy::print_stdout)] // the program prints its result

use std::path::Path;

use image::{Rgb, RgbImage};
use imgkit::convert::from_rgb_image;
use ndarray::Array2;
use sqe::{Composite, Fault, FaultEstimator};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let estimator = match std::env::args().nth(1) {
        Some(path) => FaultEstimator::load(Path::new(&path))?,
        None => FaultEstimator::pretrained()?,
    };
    let away = |y: f64, x: f64| (y - 60.0).hypot(x - 70.0);
    let mask = Array2::from_shape_fn((128, 128), |(y, x)| away(y as f64, x as f64) < 15.0);
    let texture = |x: u32, y: u32| 80 + ((x * 7919 + y * 104_729) % 61) as u8;
    let picture = |depth: f64| {
        RgbImage::from_fn(128, 128, |x, y| {
            let inside = (0.2 * (15.0 - away(f64::from(y), f64::from(x)))).clamp(0.0, 1.0);
            Rgb([texture(x, y) - (depth * inside) as u8; 3])
        })
    };
    let (photo, image) = (from_rgb_image(&picture(0.0)), from_rgb_image(&picture(40.0)));
    let made = estimator.diagnose(image.view(), mask.view())?;
    println!("{:>12}: quality {:.3}", "as made", made.quality);
    // the same with faults, at the same contrast and of the same area
    let defect = Composite { photo: photo.view(), image: image.view(), mask: mask.view(), object: None };
    for fault in Fault::ALL {
        let Some(spoiled) = fault.spoil(&defect, 0.8, 0, 0)? else { continue };
        let found = estimator.diagnose(spoiled.image.view(), spoiled.mask.view())?;
        let (likeliest, probability) = found.likeliest();
        println!(
            "{:>12}: quality {:.3}, most likely {} ({probability:.2})",
            fault.name(),
            found.quality,
            likeliest.name()
        );
    }
    Ok(())
}
