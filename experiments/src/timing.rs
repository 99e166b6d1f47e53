//! Timing of calls, and what is timed.

use std::time::Instant;

use maphc2f::bisqad::{EvidenceDetector, EvidenceParams, NoObserver};
use maphc2f::{MATERIALS, Pipeline, PipelineSource, train};
use ndarray::Array3;

use crate::program::Result;
use crate::texture::brick_texture;

/// Least seconds of `runs` calls: what the call takes when nothing else wants the machine.
///
/// # Errors
///
/// Those of `run`.
pub fn least_seconds(runs: usize, mut run: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..runs {
        let start = Instant::now();
        run()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// Trains the detector with its default parameters on forty made-up textures of one side.
///
/// # Errors
///
/// Those of the training.
pub fn default_detector(side: usize) -> Result<EvidenceDetector> {
    let normals: Vec<Array3<f32>> = (0..40).map(|seed| brick_texture(side, seed)).collect();
    let pipeline = Pipeline::standard(&MATERIALS)?;
    let source = PipelineSource::new(&pipeline, &normals, &[], 0)?;
    let params = EvidenceParams::default().with_min_side(side).with_max_side(side);
    Ok(train(&normals, &source, &params, &mut NoObserver)?.detector)
}
