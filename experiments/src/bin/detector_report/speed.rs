//! Times a prediction on one image, and with `--python` other libraries: ONNX Runtime and PyTorch on the backbone, and
//! whole detectors of anomalib.
//!
//! Printed are least milliseconds on one image: of ours 60 runs, of the peers those of `experiments/peers/detector.py`.
//! Of anomalib at 288 and 448 px, on one and two threads, with random weights, time only: PatchCore with ResNet-18
//! (prediction, and seconds to fit it, with its coreset of 10 %) and EfficientAD-S (prediction, and one step of its
//! training, of which it takes 70 000 by default).

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use maphc2f::bisqad::{Detector, MemoryDetector, MemoryParams, NoObserver};
use maphc2f::frozen_backbone::{Backbone, EfficientNetLite0};
use ndarray::Array3;
use serde_json::Value;

use experiments::program::Result;

use experiments::texture::brick_texture;
use experiments::timing::{default_detector, least_seconds};

const SIDE: usize = 288;
const LARGE: usize = 448;

/// Least milliseconds of many runs.
pub(crate) struct Speed {
    /// `predict` with all threads.
    pub(crate) predict: f64,
    /// `predict` with one thread.
    pub(crate) predict_single: f64,
    /// `predict` at [`LARGE`] px with all threads.
    pub(crate) predict_large: f64,
    /// `predict` of the memory with all threads.
    pub(crate) memory: f64,
    /// The backbone alone with all threads.
    pub(crate) backbone_all: f64,
    /// The backbone alone with one thread.
    pub(crate) backbone: f64,
    /// The backbone with one thread on the image with its frame, to stride 32, as `predict` calls it.
    pub(crate) framed: f64,
    /// Figures of the script of other libraries.
    pub(crate) peers: Option<Value>,
}

/// Least milliseconds of 60 runs.
fn least(run: impl FnMut() -> Result<()>) -> Result<f64> {
    Ok(1e3 * least_seconds(60, run)?)
}

/// Times detectors of the default sizes on made-up textures.
pub(crate) fn measure(python: Option<&Path>) -> Result<Speed> {
    let net = EfficientNetLite0::pretrained()?;
    let normals: Vec<_> = (0..40).map(|seed| brick_texture(SIDE, seed)).collect();
    let memory = MemoryDetector::fit(Arc::new(net.clone()), &normals, &MemoryParams::default(), &mut NoObserver)?;
    let detector = default_detector(SIDE)?;
    let large = default_detector(LARGE)?;
    let (large, large_image) = (large, brick_texture(LARGE, 99));
    let image = brick_texture(SIDE, 99);
    let deep = EfficientNetLite0::pretrained_s32()?;
    let framed = Array3::from_shape_fn((SIDE + 64, SIDE + 64, 3), |(y, x, c)| image[[y % SIDE, x % SIDE, c]]);
    let predict = least(|| Ok(detector.predict(image.view()).map(drop)?))?;
    let predict_large = least(|| Ok(large.predict(large_image.view()).map(drop)?))?;
    let backbone_all = least(|| Ok(net.extract(image.view()).map(drop)?))?;
    let memory = least(|| Ok(memory.predict(image.view()).map(drop)?))?;
    let single = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let (predict_single, backbone, framed) = single.install(|| -> std::result::Result<_, String> {
        let said = |r: Result<f64>| r.map_err(|e| e.to_string());
        Ok((
            said(least(|| Ok(detector.predict(image.view()).map(drop)?)))?,
            said(least(|| Ok(net.extract(image.view()).map(drop)?)))?,
            said(least(|| Ok(deep.extract(framed.view()).map(drop)?)))?,
        ))
    })?;
    let peers = python.map(ask).transpose()?;
    Ok(Speed { predict, predict_large, backbone_all, memory, predict_single, backbone, framed, peers })
}

fn ask(python: &Path) -> Result<Value> {
    let script = experiments::workspace().join("experiments/peers/detector.py");
    let output = Command::new(python).arg(script).output().map_err(|e| format!("{}: {e}", python.display()))?;
    if !output.status.success() {
        return Err(format!("the peers failed: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
