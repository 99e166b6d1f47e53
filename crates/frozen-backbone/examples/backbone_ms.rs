//! Times the backbone for `benches/peers/detector.py`: `backbone_ms [side] [runs]` prints `{"ours": [milliseconds, ..]}`.
#![allow(clippy::print_stdout)] // its output is what it is for

use std::time::Instant;

use frozen_backbone::{Backbone, EfficientNetLite0, Error};
use ndarray::Array3;

fn main() -> Result<(), Error> {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let (side, runs) = (numbers.first().copied().unwrap_or(256), numbers.get(1).copied().unwrap_or(40));
    let net = EfficientNetLite0::pretrained()?;
    let image = Array3::from_shape_fn((side, side, 3), |(y, x, c)| ((y * 7 + x * 13 + c * 5) % 255) as f32 / 255.0);
    net.extract(image.view())?;
    let mut milliseconds = Vec::with_capacity(runs);
    for _ in 0..runs {
        let start = Instant::now();
        std::hint::black_box(net.extract(image.view())?);
        milliseconds.push(1e3 * start.elapsed().as_secs_f64());
    }
    println!("{{\"ours\": {milliseconds:?}}}");
    Ok(())
}
