//! Time of `predict` on one 256x256 image, and of its parts, in ms:
//! `RAYON_NUM_THREADS=1 cargo run --release -p experiments --bin predict_ms`.
//!
//! The detector is trained for a moment on synthetic textures with the default sizes: its scores mean nothing, its
//! time does.
#![allow(clippy::print_stdout)] // its output is what it is for

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use maphc2f::bilevel::ForwardDifference;
use maphc2f::bisqad::{
    Anomaly, AnomalySource, Detector, Fusion, NoObserver, OuterProblem, SourceError, TrainParams, ValidationAnomalies,
    fit,
};
use maphc2f::frozen_backbone::{Backbone, EfficientNetLite0};
use maphc2f::sqe::{Head, Sqe};
use ndarray::{Array2, Array3, ArrayView3};

const SIDE: usize = 256;

fn texture(seed: usize) -> Array3<f32> {
    Array3::from_shape_fn((SIDE, SIDE, 3), |(y, x, c)| {
        let noise = ((y * 7919 + x * 104_729 + seed * 611_953 + c * 31) % 1009) as f32 / 1009.0;
        0.4 + 0.1 * ((y / 6 + x / 9 + seed) % 3) as f32 + 0.05 * noise
    })
}

/// Bright squares, left and right.
struct Squares;

impl AnomalySource for Squares {
    fn mechanisms(&self) -> usize {
        2
    }
    fn anomaly(&self, normal: ArrayView3<'_, f32>, _: usize, group: usize, index: u64) -> Result<Anomaly, SourceError> {
        let (top, left) = (index as usize * 37 % (SIDE - 24), group * SIDE / 2 + index as usize * 53 % (SIDE / 2 - 24));
        let mask = Array2::from_shape_fn((SIDE, SIDE), |(y, x)| y.wrapping_sub(top) < 24 && x.wrapping_sub(left) < 24);
        let image =
            Array3::from_shape_fn((SIDE, SIDE, 3), |(y, x, c)| normal[[y, x, c]] + 0.3 * f32::from(mask[[y, x]]));
        Ok(Anomaly { image, mask, severity: None })
    }
}

/// Least and median milliseconds of some runs.
fn time(name: &str, mut run: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<(), Box<dyn Error>> {
    run()?;
    let mut milliseconds = Vec::new();
    for _ in 0..100 {
        let start = Instant::now();
        run()?;
        milliseconds.push(1e3 * start.elapsed().as_secs_f64());
    }
    milliseconds.sort_by(f64::total_cmp);
    println!("{name:32} {:6.2} ms, median {:6.2}", milliseconds[0], milliseconds[milliseconds.len() / 2]);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let net = EfficientNetLite0::pretrained()?;
    let normals: Vec<_> = (0..24).map(texture).collect();
    let mut quality = Sqe::new(&net, Head::default(), 5)?;
    let params = TrainParams::default().with_rounds(1).with_steps(1).with_batch(4);
    let method = ForwardDifference::default();
    let upper =
        OuterProblem { quality: &mut quality, method: &method, validation: &ValidationAnomalies::HeldOutMechanism };
    let fitted = fit(Arc::new(net.clone()), &normals, &Squares, upper, &params, None, &mut NoObserver)?;
    let image = texture(99);
    time("backbone 256", || Ok(net.extract(image.view()).map(drop)?))?;
    let framed = Array3::from_shape_fn((SIDE + 32, SIDE + 32, 3), |(y, x, c)| image[[y % SIDE, x % SIDE, c]]);
    time("backbone 288 (with the frame)", || Ok(net.extract(framed.view()).map(drop)?))?;
    for fusion in [Fusion::Both, Fusion::Discriminator, Fusion::Distance] {
        let detector = fitted.detector.with_fusion(fusion);
        time(&format!("predict, {}", detector.name()), || Ok(detector.predict(image.view()).map(drop)?))?;
    }
    Ok(())
}
