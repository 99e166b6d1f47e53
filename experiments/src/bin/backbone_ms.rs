//! Times a backbone for `experiments/peers`: `backbone_ms [side] [runs] [network file]` prints `{"ours": [milliseconds,
//! ..]}`.
//!
//! Without a network it is the embedded one; `lite0`, `lite1`, `lite2`, `wide_resnet50_2`, `dinov2_small`,
//! `dinov2_base` and `dinov3_small` read a file.
#![allow(clippy::print_stdout)] // the program prints its result

use std::time::Instant;

use maphc2f::frozen_backbone::{
    Backbone, DinoV2, DinoV3, DinoVariant, EfficientNetLite, EfficientNetLite0, Error, LiteVariant, Weights,
    WideResNet50,
};
use ndarray::Array3;

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default| arguments.get(i).and_then(|a| a.parse().ok()).unwrap_or(default);
    let (side, runs): (usize, usize) = (number(0, 256), number(1, 40));
    let net = network(arguments.get(2..).unwrap_or_default())?;
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

fn network(arguments: &[String]) -> Result<Box<dyn Backbone>, Error> {
    let [name, file] = arguments else { return Ok(Box::new(EfficientNetLite0::pretrained()?)) };
    let weights = Weights::open(file)?;
    let lite = |variant| EfficientNetLite::new(variant, &weights, &EfficientNetLite::STRIDES);
    let dino = |variant| DinoV2::new(variant, &weights, &DinoV2::LAYERS);
    Ok(match name.as_str() {
        "lite0" => Box::new(lite(LiteVariant::Lite0)?),
        "lite1" => Box::new(lite(LiteVariant::Lite1)?),
        "lite2" => Box::new(lite(LiteVariant::Lite2)?),
        "dinov2_small" => Box::new(dino(DinoVariant::Small)?),
        "dinov2_base" => Box::new(dino(DinoVariant::Base)?),
        "dinov3_small" => Box::new(DinoV3::new(DinoVariant::Small, &weights, &DinoV3::LAYERS)?),
        _ => Box::new(WideResNet50::new(&weights, &WideResNet50::STRIDES)?),
    })
}
