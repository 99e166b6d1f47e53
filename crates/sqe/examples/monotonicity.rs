//! Checks an estimator against faults of known strength: `cargo run -p sqe --example monotonicity head.safetensors`.
//!
//! Without a file the estimator is untrained, so that quality does not depend on the strength.
#![allow(clippy::print_stdout)] // the program prints its result

use std::path::Path;

use frozen_backbone::EfficientNetLite0;
use ndarray::{Array2, Array3};
use sqe::{Error, Head, Sqe};

fn main() -> Result<(), Error> {
    let backbone = EfficientNetLite0::pretrained()?;
    let sqe = match std::env::args().nth(1) {
        Some(path) => Sqe::load(Path::new(&path), &backbone)?,
        None => Sqe::new(&backbone, Head::default(), 0)?,
    };
    let image = |seed: usize| {
        Array3::from_shape_fn((64, 64, 3), |(y, x, c)| ((y * 31 + x * 17 + seed * 7 + c * 5) % 41) as f32 / 50.0)
    };
    let mask = Array2::from_shape_fn((64, 64), |(y, x)| (20..40).contains(&y) && (25..45).contains(&x));
    let images: Vec<_> = (0..3).map(image).collect();
    let samples: Vec<_> = images.iter().map(|image| (image.view(), mask.view())).collect();
    for report in sqe.measure_monotonicity(&backbone, &samples, 5)? {
        println!("{}: Spearman correlation {:+.2}", report.degradation.name(), report.spearman);
        for (strength, quality) in report.levels {
            println!("    strength {strength:.2}: mean quality {quality:.3}");
        }
    }
    Ok(())
}
