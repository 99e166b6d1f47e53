//! Measures anomaly maps that any detector made: AUROC by image and by pixel, average precision and AU-PRO by kind.
//!
//! `cargo run --example measure`
//!
//! Writes the report to target/measure; `results.html` opens in a browser.
#![allow(clippy::print_stdout)] // a program may print

use std::path::Path;

use maphc2f::adbench::metrics::Reducer;
use maphc2f::adbench::report::{Outcome, ReportBuilder};
use maphc2f::{RunDescription, prepare_folder, write_report};
use ndarray::Array2;

/// Ground truth: a disc in every second image.
fn truth(i: usize) -> Array2<bool> {
    Array2::from_shape_fn((64, 64), |(y, x)| i % 2 == 1 && y.abs_diff(30).pow(2) + x.abs_diff(20 + i).pow(2) < 80)
}

/// The map of a detector that sees the disc blurred and is disturbed by stripes.
fn map(i: usize) -> Array2<f32> {
    Array2::from_shape_fn((64, 64), |(y, x)| {
        let distance = (y.abs_diff(30) as f32).hypot(x.abs_diff(20 + i) as f32);
        let seen = if i % 2 == 1 { (-distance / 8.0).exp() } else { 0.0 };
        seen + 0.3 * ((x * (i + 3)) as f32 / 7.0).sin().powi(2)
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut builder = ReportBuilder::new("discs");
    for i in 0..20 {
        let (map, truth) = (map(i), truth(i));
        let score = map.iter().copied().fold(f32::MIN, f32::max);
        let name = format!("image {i}");
        // the kind is `None` for good images
        let outcome = Outcome::new(&name, (i % 2 == 1).then_some("disc"), score);
        builder.push(&outcome.with_map(map.view(), truth.view()))?;
    }
    let report = builder.finish()?;
    println!("{report}");
    let folder = Path::new("target/measure");
    prepare_folder(folder)?;
    write_report(folder, &RunDescription::new("Discs", "made-up images").with_reducer(Reducer::Max), vec![report])?;
    println!("wrote results.html to {}", folder.display());
    Ok(())
}
