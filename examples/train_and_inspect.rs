//! Trains a detector on good photos only, saves it, loads it again and scores a photo with a defect.
//!
//! `cargo run --example train_and_inspect`
//!
//! The program does the same on folders: `maphc2f train --help`, `maphc2f inspect --help`.
#![allow(clippy::print_stdout)] // a program may print

use std::path::Path;
use std::sync::Arc;

use maphc2f::bisqad::{Detector, EvidenceDetector, EvidenceParams, NoObserver, Persist, Threshold};
use maphc2f::frozen_backbone::EfficientNetLite0;
use maphc2f::physdefect::{Domain, SampleKey};
use maphc2f::{MATERIALS, Pipeline, PipelineSource, load_photos, train};
use ndarray::s;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // good photos `(H, W, C)` in [0, 1]: here the quarters of four photos of one surface
    let photos = load_photos(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/photos/cardboard")))?;
    let mut good = Vec::new();
    for (_, photo) in photos.iter().take(4) {
        for (y, x) in [(0, 0), (0, 170), (170, 0), (170, 170)] {
            good.push(photo.slice(s![y..y + 170, x..x + 170, ..]).to_owned());
        }
    }
    // synthetic defects of three mechanisms are what the detector learns from; no real defect is needed
    let pipeline = Pipeline::physical(&MATERIALS)?;
    let source = PipelineSource::new(&pipeline, &good, &[], 0)?;
    let params = EvidenceParams::default().with_head_defects(16).with_validation_defects(12);
    let trained = train(&good, &source, &params, &mut NoObserver)?;

    let file = std::env::temp_dir().join(format!("detector-{}.safetensors", std::process::id()));
    trained.detector.save(&file)?;
    let detector = EvidenceDetector::load(&file, Arc::new(EfficientNetLite0::pretrained_s32()?))?;
    std::fs::remove_file(&file)?;

    // the threshold is chosen on held-out good photos: at most one in ten of them is called anomalous
    let threshold = Threshold::of(&detector, 0.1)?;
    let key = SampleKey { seed: 9, index: 3 };
    let defect = pipeline.synthesize(good[0].view(), &Domain::full(170, 170)?, 0, key)?;
    for (name, image) in [("good", &good[0]), ("defect", &defect.image)] {
        let score = detector.predict(image.view())?.score;
        println!("{name}: score {score:.3}, {} the threshold {:.3}", side(score > threshold.value), threshold.value);
    }
    Ok(())
}

fn side(is_above: bool) -> &'static str {
    if is_above { "above" } else { "not above" }
}
