//! The detectors that need no training, and two as one.

#![allow(clippy::unwrap_used)] // helpers of tests, which the lint's own exception for tests does not reach

use frozen_backbone::model_file::ModelFileError;
use std::sync::Arc;

use bisqad::{
    ChannelProjection, Detector, Ensemble, Error, GaussianDetector, GaussianParams, MemoryDetector, MemoryParams,
    NoObserver, Persist, Prediction, Projected, Threshold, Tiled, load,
};
use frozen_backbone::{Backbone, EfficientNetLite0};
use ndarray::{Array2, Array3, ArrayView3};

/// A part that always lies the same way: stripes on the left, smooth on the right, some noise.
fn part(seed: usize) -> Array3<f32> {
    Array3::from_shape_fn((96, 96, 3), |(y, x, c)| {
        let noise = ((y * 7919 + x * 104_729 + seed * 611_953 + c * 31) % 1009) as f32 / 1009.0;
        let stripes = if x < 48 && y / 4 % 2 == 0 { 0.3 } else { 0.0 };
        0.4 + stripes + 0.05 * noise
    })
}

/// Stripes where it should be smooth: nothing new in itself, only in the wrong place.
fn misplaced(seed: usize) -> Array3<f32> {
    let mut image = part(seed);
    for ((y, x, _), v) in image.indexed_iter_mut() {
        if (64..88).contains(&x) && (32..64).contains(&y) && y / 4 % 2 == 0 {
            *v += 0.3;
        }
    }
    image
}

fn threshold(detector: &dyn Detector, rate: f64) -> Threshold {
    Threshold::of(detector, rate).unwrap()
}

fn net() -> Arc<EfficientNetLite0> {
    Arc::new(EfficientNetLite0::pretrained().unwrap())
}

fn fitted() -> GaussianDetector {
    let normals: Vec<_> = (0..12).map(part).collect();
    GaussianDetector::fit(net(), &normals, &GaussianParams::default().with_dimensions(24), &mut NoObserver).unwrap()
}

#[test]
fn a_gaussian_per_position_knows_what_belongs_where() {
    let detector = fitted();
    let (good, bad) = (detector.predict(part(50).view()).unwrap(), detector.predict(misplaced(50).view()).unwrap());
    let threshold = threshold(&detector, 0.0);
    assert_eq!(threshold.normals, 1);
    assert!(bad.score > 2.0 * good.score && bad.score > threshold.value, "{} {}", bad.score, good.score);
    let (peak, _) = bad.map.indexed_iter().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
    assert!((28..68).contains(&peak.0) && (60..92).contains(&peak.1), "{peak:?}");
}

/// Wider: every patch is compared with the place that lies where it lies in the frame.
#[test]
fn another_size_is_scored_place_by_place() {
    let detector = fitted();
    let wide =
        |image: Array3<f32>| Array3::from_shape_fn((96, 112, 3), |(y, x, c)| image[[y, (x * 96 / 112).min(95), c]]);
    let (good, bad) = (wide(part(51)), wide(misplaced(51)));
    let (good, bad) = (detector.predict(good.view()).unwrap(), detector.predict(bad.view()).unwrap());
    assert_eq!(bad.map.dim(), (96, 112));
    assert!(bad.score > 1.5 * good.score, "{} {}", bad.score, good.score);
}

#[test]
fn to_a_memory_what_is_new_is_worse_than_what_is_misplaced() {
    let normals: Vec<_> = (0..12).map(part).collect();
    let params = MemoryParams::default().with_memory(400).with_dimensions(24);
    let detector = MemoryDetector::fit(net(), &normals, &params, &mut NoObserver).unwrap();
    let mut bad = part(50);
    for ((y, x, c), v) in bad.indexed_iter_mut() {
        if (40..56).contains(&y) && (40..56).contains(&x) {
            *v = if c == 0 { 0.9 } else { 0.1 };
        }
    }
    let [good, misplaced, bad] = [part(50), misplaced(50), bad].map(|i| detector.predict(i.view()).unwrap().score);
    assert!(bad > 2.0 * good && bad > 1.2 * misplaced, "{good} {misplaced} {bad}");
    assert!(bad > threshold(&detector, 0.0).value);
    for (bad, name) in [
        (params.with_memory(0), "memory"),
        (params.with_dimensions(0), "dimensions"),
        (params.with_held_out(0.5), "held_out"),
        (params.with_smoothing(f64::NAN), "smoothing"),
    ] {
        let error = MemoryDetector::fit(net(), &normals, &bad, &mut NoObserver).map(|_| ());
        assert!(matches!(&error, Err(Error::Parameter(e)) if e.name == name), "{name}: {error:?}");
    }
}

#[test]
fn saved_baselines_predict_the_same_and_know_whose_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("gaussian"), folder.path().join("memory"));
    let normals: Vec<_> = (0..8).map(part).collect();
    let image = misplaced(9);
    let gaussian = fitted();
    gaussian.save(&one).unwrap();
    let again = GaussianDetector::load(&one, net()).unwrap();
    assert_eq!(again.predict(image.view()).unwrap(), gaussian.predict(image.view()).unwrap());
    assert_eq!(threshold(&again, 0.0), threshold(&gaussian, 0.0));
    let params = MemoryParams::default().with_memory(100).with_dimensions(16);
    let memory = MemoryDetector::fit(net(), &normals, &params, &mut NoObserver).unwrap();
    memory.save(&two).unwrap();
    let again = MemoryDetector::load(&two, net()).unwrap();
    assert_eq!(again.predict(image.view()).unwrap(), memory.predict(image.view()).unwrap());
    assert_eq!(threshold(&again, 0.0), threshold(&memory, 0.0));
    // one is not the other, nor another backbone's
    assert!(matches!(
        GaussianDetector::load(&two, net()),
        Err(Error::File(ModelFileError::Mismatch { field: "format", .. }))
    ));
    let other = Arc::new(EfficientNetLite0::pretrained().unwrap().with_hash(7));
    assert!(matches!(
        MemoryDetector::load(&two, other),
        Err(Error::File(ModelFileError::Mismatch { field: "backbone_hash", .. }))
    ));
}

/// All that can hold another, one in the other, in one file.
#[test]
fn detectors_that_hold_others_are_saved_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tiled");
    let normals: Vec<_> = (0..8).map(part).collect();
    let params = MemoryParams::default().with_memory(100).with_dimensions(16);
    let memory = MemoryDetector::fit(net(), &normals[..6], &params, &mut NoObserver).unwrap();
    let both = Ensemble::new(Arc::new(fitted()), Arc::new(memory.clone()), &normals[6..]).unwrap();
    let turned =
        ChannelProjection::fixed(ndarray::array![[0., 1., 0.], [0., 0., 1.], [1., 0., 0.]], [0.01; 3]).unwrap();
    let all = Tiled::new(Arc::new(Projected::new(Arc::new(both), turned)), (80, 96), 16).unwrap();
    all.save(&file).unwrap();
    let backbones: [Arc<dyn Backbone>; 1] = [net()];
    let (again, image) = (load(&file, &backbones).unwrap(), misplaced(9));
    assert_eq!(again.name(), "tiled");
    assert_eq!(again.predict(image.view()).unwrap(), all.predict(image.view()).unwrap());

    // thresholds and the size come back as well, of every kind
    let projected = Projected::new(Arc::new(memory), ChannelProjection::fit(&normals).unwrap());
    projected.save(&file).unwrap();
    let again = load(&file, &backbones).unwrap();
    assert_eq!((again.name(), again.provenance().training_side()), ("projected", Some(96)));
    assert_eq!(threshold(again.as_ref(), 0.0), threshold(&projected, 0.0));
    fitted().save(&file).unwrap();
    assert_eq!(load(&file, &backbones).unwrap().name(), "position-gaussian");
}

#[test]
fn a_file_finds_its_backbone_or_says_which_it_wants() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ensemble");
    let normals: Vec<_> = (0..3).map(part).collect();
    let other: Arc<dyn Backbone> = Arc::new(EfficientNetLite0::pretrained().unwrap().with_hash(7));
    let gaussian = |net, dimensions| {
        let normals: Vec<_> = (0..8).map(part).collect();
        GaussianDetector::fit(net, &normals, &GaussianParams::default().with_dimensions(dimensions), &mut NoObserver)
            .unwrap()
    };
    let (one, two) = (gaussian(net(), 8), gaussian(other.clone(), 12));
    let both = Ensemble::new(Arc::new(one), Arc::new(two), &normals).unwrap();
    both.save(&file).unwrap();
    let again = load(&file, &[other.clone(), net()]).unwrap();
    assert_eq!(again.predict(part(5).view()).unwrap(), both.predict(part(5).view()).unwrap());
    match load(&file, &[net()]) {
        Err(Error::File(ModelFileError::Mismatch { field: "backbone_hash", found, expected, .. })) => {
            assert_eq!((found.as_str(), expected), ("0000000000000007", format!("{:016x}", net().hash())));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(load(&file, &[]), Err(Error::File(ModelFileError::Mismatch { field: "backbone", .. }))));
    // a quality estimator's or a checkpoint's file is not a detector's; nor is half of one
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    assert!(matches!(load(&file, &[other, net()]), Err(Error::File(ModelFileError::Damaged { .. }))));
    let brightness = Ensemble::new(Arc::new(Brightness(1.0, 0.0)), Arc::new(gaussian(net(), 8)), &normals).unwrap();
    assert!(matches!(brightness.save(&file), Err(Error::Unsaved { detector: "brightness" })));
    assert_eq!(std::fs::read(&file).unwrap().len(), bytes.len() / 2, "a refused save wrote something");
}

#[test]
fn the_same_on_any_number_of_threads() {
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| fitted().predict(misplaced(7).view()).unwrap())
    };
    assert_eq!(on(1), on(3));
}

#[test]
fn what_cannot_be_fitted_or_scored_is_refused() {
    let normals: Vec<_> = (0..4).map(part).collect();
    let fit =
        |normals: &[Array3<f32>], params| GaussianDetector::fit(net(), normals, &params, &mut NoObserver).map(|_| ());
    let default = GaussianParams::default();
    assert!(matches!(fit(&normals[..2], default), Err(Error::TooFewNormals { found: 2, needed: 3 })));
    for (bad, name) in [
        (default.with_dimensions(0), "dimensions"),
        (default.with_shrinkage(0.0), "shrinkage"),
        (default.with_shrinkage(f64::NAN), "shrinkage"),
        (default.with_held_out(1.0), "held_out"),
        (default.with_smoothing(-1.0), "smoothing"),
    ] {
        match fit(&normals, bad) {
            Err(Error::Parameter(e)) => assert_eq!(e.name, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert!(matches!(Threshold::of(&fitted(), 1.0), Err(Error::Parameter(e)) if e.name == "false_positive_rate"));
}

/// Scores every pixel by its brightness, times a factor, plus an offset.
#[derive(Debug)]
struct Brightness(f32, f32);

impl Detector for Brightness {
    fn name(&self) -> &'static str {
        "brightness"
    }
    fn predict(&self, image: ArrayView3<'_, f32>) -> Result<Prediction, Error> {
        let map = Array2::from_shape_fn((image.dim().0, image.dim().1), |(y, x)| self.0 * image[[y, x, 0]] + self.1);
        Ok(Prediction { score: 0.0, map })
    }
}

#[test]
fn members_of_an_ensemble_count_alike_whatever_their_scale() {
    // two detectors that say the same on other scales: each, and so their mean, is the pixel's standard score
    let normals: Vec<_> = (0..3).map(part).collect();
    let values: Vec<f64> =
        normals.iter().flat_map(|n| n.index_axis(ndarray::Axis(2), 0).mapv(f64::from).into_iter()).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let spread = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
    let both = Ensemble::new(Arc::new(Brightness(1.0, 0.0)), Arc::new(Brightness(250.0, -40.0)), &normals).unwrap();
    let image = misplaced(9);
    let found = both.predict(image.view()).unwrap();
    for ((y, x), v) in found.map.indexed_iter() {
        let expected = (f64::from(image[[y, x, 0]]) - mean) / spread;
        assert!((f64::from(*v) - expected).abs() < 1e-3, "{y} {x}: {v} {expected}");
    }
    let mut scores: Vec<f64> = found.map.iter().map(|&v| f64::from(v)).collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    let hundredth = &scores[..scores.len() / 100];
    assert!((found.score - hundredth.iter().sum::<f64>() / hundredth.len() as f64).abs() < 1e-6);
    assert_eq!(threshold(&both, 0.0).normals, 3);
    assert!(matches!(
        Ensemble::new(Arc::new(Brightness(1.0, 0.0)), Arc::new(Brightness(1.0, 0.0)), &[]),
        Err(Error::TooFewNormals { .. })
    ));
}
