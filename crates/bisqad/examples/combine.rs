//! An ensemble of two detectors, and a detector on images larger than its own: `cargo run -p bisqad --example combine`.
#![allow(clippy::print_stdout)] // a program for a terminal

use std::sync::Arc;

use bisqad::{
    Detector, Ensemble, Error, GaussianDetector, GaussianParams, MemoryDetector, MemoryParams, NoObserver, Threshold,
    Tiled,
};
use frozen_backbone::EfficientNetLite0;
use ndarray::{Array3, s};

fn photo(i: usize, height: usize, width: usize) -> Array3<f32> {
    let value = |y: usize, x: usize| ((y * 7 + x * 13 + i * 29) % 11) as f32 / 11.0;
    Array3::from_shape_fn((height, width, 3), |(y, x, _)| 0.4 + 0.1 * value(y, x))
}

fn main() -> Result<(), Error> {
    let normals: Vec<_> = (0..16).map(|i| photo(i, 64, 64)).collect();
    let (training, held_out) = normals.split_at(12);
    let backbone = Arc::new(EfficientNetLite0::pretrained()?);

    let params = GaussianParams::default().with_dimensions(16);
    let gaussian = GaussianDetector::fit(backbone.clone(), training, &params, &mut NoObserver)?;
    let params = MemoryParams::default().with_memory(256);
    let memory = Arc::new(MemoryDetector::fit(backbone, training, &params, &mut NoObserver)?);
    let ensemble = Ensemble::new(Arc::new(gaussian), memory.clone(), held_out)?;
    let threshold = Threshold::of(&ensemble, 0.0)?.value;
    println!("ensemble: score {:.2}, threshold {threshold:.2}", ensemble.predict(photo(30, 64, 64).view())?.score);

    // the memory does not depend on the position, so it may run on tiles
    let tiled = Tiled::new(memory, (64, 64), 16)?;
    let threshold = Threshold::calibrate(&tiled, &[photo(31, 150, 200), photo(32, 150, 200)], 0.0)?.value;
    let mut spotted = photo(33, 150, 200);
    spotted.slice_mut(s![70..84, 120..134, ..]).fill(0.9);
    println!("tiles: score {:.2}, threshold {threshold:.2}", tiled.predict(spotted.view())?.score);
    Ok(())
}
