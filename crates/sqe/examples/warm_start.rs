//! Trains a quality estimator without labels and saves it: `cargo run -p sqe --example warm_start
//! [head.safetensors]`.
//!
//! Here the versions of a defect are discs of falling contrast; `maphc2f` ranks raw pastes below refined composites.
#![allow(clippy::print_stdout)] // the program prints its result

use std::path::Path;

use frozen_backbone::EfficientNetLite0;
use ndarray::{Array2, Array3};
use sqe::{Error, Head, QualityFeatures, RankedVersions, Sqe, WarmStartParams};

/// Features of a disc that is brighter than its texture by `step`, a share of full scale.
fn version(backbone: &EfficientNetLite0, seed: usize, step: f32) -> Result<QualityFeatures, Error> {
    let (cy, cx, r) = (24 + seed * 7 % 16, 24 + seed * 11 % 16, 5 + seed % 5);
    let mask = Array2::from_shape_fn((64, 64), |(y, x)| y.abs_diff(cy).pow(2) + x.abs_diff(cx).pow(2) < r * r);
    let image = Array3::from_shape_fn((64, 64, 3), |(y, x, c)| {
        let grain = ((y * 7919 + x * 104_729 + seed * 611_953 + c * 31) % 101) as f32 / 101.0;
        0.3 + 0.3 * grain + if mask[[y, x]] { step } else { 0.0 }
    });
    QualityFeatures::extract(backbone, image.view(), mask.view())
}

fn main() -> Result<(), Error> {
    let backbone = EfficientNetLite0::pretrained()?;
    let ranked = |seed: usize| -> Result<RankedVersions, Error> {
        let steps = [0.35, 0.15, 0.05];
        let versions: Result<_, Error> = steps.into_iter().map(|step| version(&backbone, seed, step)).collect();
        versions.map(RankedVersions::worst_first)
    };
    let rankings: Vec<_> = (0..16).map(ranked).collect::<Result<_, _>>()?;

    let mut sqe = Sqe::new(&backbone, Head::default(), 7)?;
    let params = WarmStartParams::default().with_epochs(30).with_seed(7);
    let report = sqe.warm_start(&rankings, &params)?;
    let (training, held_out) = (100.0 * report.training_accuracy, 100.0 * report.held_out_accuracy);
    println!("pairs in the right order: {training:.0} % of training, {held_out:.0} % of held-out defects");

    let unseen = [version(&backbone, 90, 0.3)?, version(&backbone, 90, 0.1)?];
    println!("quality of an unseen defect, coarse and fine: {:.3?}", sqe.score(&[&unseen[0], &unseen[1]])?);
    if let Some(path) = std::env::args().nth(1) {
        sqe.save(Path::new(&path))?;
    }
    Ok(())
}
