//! Lighting: where light varies, photos are learned in other light, so that light alone is no defect.
#![allow(clippy::unwrap_used)] // a test may panic

use std::sync::Arc;

use bisqad::frozen_backbone::EfficientNetLite0;
use bisqad::imgkit::rng::keyed_stream;
use bisqad::{
    Anomaly, AnomalySource, Detector, EvidenceDetector, EvidenceOutcome, EvidenceParams, NoObserver, SourceError,
    Threshold,
};
use ndarray::{Array3, ArrayView3};
use rand::Rng;

/// Bars on a plate, the same in every photo but for noise.
fn photo(seed: u64) -> Array3<f32> {
    let mut rng = keyed_stream(21, seed);
    Array3::from_shape_fn((96, 96, 3), |(y, x, _)| {
        let bar = f32::from(u8::from((y / 16 + x / 24) % 2 == 0));
        0.35 + 0.25 * bar + rng.random_range(-0.01..0.01f32)
    })
}

/// The photo as a light of another exposure, with a slope down the frame, shows it.
fn in_light(image: &Array3<f32>, exposure: f32, slope: f32) -> Array3<f32> {
    let mut image = image.clone();
    for ((y, _, _), v) in image.indexed_iter_mut() {
        *v = (*v * exposure * (1.0 + slope * (y as f32 / 96.0 - 0.5))).clamp(0.0, 1.0);
    }
    image
}

/// Faint spots: two mechanisms, brighter and darker.
struct Spots;

impl AnomalySource for Spots {
    fn mechanisms(&self) -> usize {
        2
    }

    fn anomaly(
        &self,
        normal: ArrayView3<'_, f32>,
        _: usize,
        mechanism: usize,
        index: u64,
    ) -> Result<Anomaly, SourceError> {
        let (h, w, _) = normal.dim();
        let mut rng = keyed_stream(22, index);
        let (cy, cx) = (rng.random_range(10.0..h as f32 - 10.0), rng.random_range(10.0..w as f32 - 10.0));
        let mask = ndarray::Array2::from_shape_fn((h, w), |(y, x)| (y as f32 - cy).hypot(x as f32 - cx) < 6.0);
        let mut image = normal.to_owned();
        for ((y, x, _), v) in image.indexed_iter_mut() {
            let step = if mechanism == 0 { 0.12 } else { -0.12 };
            *v = (*v + if mask[[y, x]] { step } else { 0.0 }).clamp(0.0, 1.0);
        }
        Ok(Anomaly { image, mask, severity: None })
    }
}

fn fit(lighting: bool) -> EvidenceOutcome {
    let params = EvidenceParams::default()
        .with_head_defects(8)
        .with_validation_defects(16)
        .with_bank(256)
        .with_dimensions(16)
        .with_lighting(lighting);
    let net = Arc::new(EfficientNetLite0::pretrained().unwrap());
    let normals: Vec<Array3<f32>> = (0..22).map(photo).collect();
    EvidenceDetector::fit(net, &normals, &Spots, &params, &mut NoObserver).unwrap()
}

#[test]
fn photos_in_other_light_pass_once_light_is_learned() {
    let (still, varying) = (fit(false), fit(true));
    assert!(!still.report.relit && still.report.candidates.iter().all(|c| !c.relit));
    let report = &varying.report;
    assert!(report.relit && report.choice.as_ref().unwrap().relit, "{:?}", report.choice);
    assert_eq!(report.candidates.iter().filter(|c| c.relit).count() * 2, report.candidates.len(), "both were tried");
    assert_eq!((report.normals, varying.detector.normals(), report.copies), (22, 22, 0), "copies are no photos");

    // how far a photo in other light lies above the photos, beside a photo with a spot
    let contrast = |detector: &EvidenceDetector| {
        let score = |image: &Array3<f32>| detector.predict(image.view()).unwrap().score;
        let mean = |f: &dyn Fn(u64) -> f64| (100..106).map(f).sum::<f64>() / 6.0;
        let good = mean(&|i| score(&photo(i)));
        let relit = mean(&|i| score(&in_light(&photo(i), [0.88, 1.12][i as usize % 2], 0.1)));
        let spot = mean(&|i| score(&Spots.anomaly(photo(i).view(), 0, (i % 2) as usize, i).unwrap().image));
        (relit - good) / (spot - good)
    };
    let (without, with) = (contrast(&still.detector), contrast(&varying.detector));
    assert!(with < 0.5 * without, "{without} {with}");
    assert!(Threshold::of(&varying.detector, 0.05).is_ok());
}

#[test]
fn light_is_drawn_by_the_seed() {
    let (one, other) = (fit(true).detector, fit(true).detector);
    let image = in_light(&photo(7), 1.1, 0.0);
    assert_eq!(one.predict(image.view()).unwrap(), other.predict(image.view()).unwrap());
}
