//! Times of the backbone beside ONNX Runtime and PyTorch, and of a prediction of the default detector.

use experiments::program::Result;
use experiments::texture::brick_texture;
use experiments::timing::{default_detector, least_seconds};
use maphc2f::bisqad::Detector;
use maphc2f::frozen_backbone::{Backbone, EfficientNetLite0};
use ndarray::Array3;

use crate::Setup;
use crate::table::Table;

const SIDE: usize = 288;
const AIM: f64 = 0.85;

/// Returns our time over ONNX Runtime's, the worse of one and two threads.
pub(crate) fn backbone(setup: &Setup, table: &mut Table) -> Result<f64> {
    table.section("EfficientNet-Lite0, stages to stride 16, 288 x 288");
    let program = setup.programs.join("backbone_ms");
    let program = program.to_string_lossy();
    let args = ["--ours", &program, "--networks", "lite0", "--side", "288", "--runs", "15", "--rounds", "5"];
    let Some(found) = setup.ask("backbones.py", &args)? else { return Ok(f64::NAN) };
    let mut worst = f64::NAN;
    for threads in ["1", "2"] {
        let of =
            |peer: &str| found["networks"]["lite0"]["threads"][threads][peer]["fastest"].as_f64().unwrap_or(f64::NAN);
        let ratio = of("ours") / of("onnxruntime");
        let note = format!("{:.1} and {:.1} ms; PyTorch {:.1}", of("ours"), of("onnxruntime"), of("torch"));
        table.at_most(&format!("ours over ONNX Runtime's time, threads: {threads}"), ratio, Some(AIM), &note);
        worst = ratio.max(worst);
    }
    Ok(worst)
}

/// Returns the milliseconds of a prediction on two threads.
pub(crate) fn predict(table: &mut Table) -> Result<f64> {
    table.section("Prediction of the default detector on a made-up texture, ms");
    let detector = default_detector(SIDE)?;
    let image = brick_texture(SIDE, 99);
    let deep = EfficientNetLite0::pretrained_s32()?;
    let framed = Array3::from_shape_fn((SIDE + 64, SIDE + 64, 3), |(y, x, c)| image[[y % SIDE, x % SIDE, c]]);
    let mut result = f64::NAN;
    let measure = || -> std::result::Result<(f64, f64), String> {
        let said = |r: Result<f64>| r.map_err(|e| e.to_string());
        let whole = said(least_seconds(60, || Ok(detector.predict(image.view()).map(drop)?)))?;
        let backbone = said(least_seconds(60, || Ok(deep.extract(framed.view()).map(drop)?)))?;
        Ok((1e3 * whole, 1e3 * backbone))
    };
    for threads in [1, 2] {
        // within a pool a prediction takes one thread: images run side by side there
        let (whole, backbone) = if threads == 1 {
            rayon::ThreadPoolBuilder::new().num_threads(1).build()?.install(measure)?
        } else {
            measure()?
        };
        let note = format!("of which the backbone on the framed photo {backbone:.2}");
        table.at_most(&format!("288 x 288, threads: {threads}"), whole, (threads == 2).then_some(9.0), &note);
        result = whole;
    }
    Ok(result)
}
