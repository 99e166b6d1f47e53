//! Copies of few normal images: one is enough, and copies come and go with their photo.
#![allow(clippy::unwrap_used)] // a test may panic

use std::sync::Arc;

use bisqad::frozen_backbone::EfficientNetLite0;
use bisqad::imgkit::rng::keyed_stream;
use bisqad::{
    Anomaly, AnomalySource, Detector, Error, EvidenceDetector, EvidenceOutcome, EvidenceParams, NoObserver, Persist,
    SourceError, Threshold,
};
use ndarray::{Array2, Array3, ArrayView3, s};
use rand::Rng;

/// Bright squares.
struct Squares;

impl AnomalySource for Squares {
    fn mechanisms(&self) -> usize {
        1
    }

    fn anomaly(&self, normal: ArrayView3<'_, f32>, _: usize, _: usize, index: u64) -> Result<Anomaly, SourceError> {
        let (h, w, _) = normal.dim();
        let mut rng = keyed_stream(5, index);
        let (y, x) = (rng.random_range(0..h - 10), rng.random_range(0..w - 10));
        let mut mask = Array2::from_elem((h, w), false);
        mask.slice_mut(s![y..y + 10, x..x + 10]).fill(true);
        let mut image = normal.to_owned();
        image.slice_mut(s![y..y + 10, x..x + 10, ..]).fill(0.9);
        Ok(Anomaly { image, mask, severity: None })
    }
}

/// A ring, with noise of its own.
fn ring(i: u64) -> Array3<f32> {
    let mut rng = keyed_stream(8, i);
    Array3::from_shape_fn((96, 96, 3), |(y, x, _)| {
        let radius = (y as f32 - 47.5).hypot(x as f32 - 47.5);
        let ring = if (20.0..36.0).contains(&radius) { 0.3 } else { 0.0 };
        0.3 + ring + rng.random_range(-0.03..0.03f32)
    })
}

fn fit(normals: &[Array3<f32>], copies: bool) -> Result<EvidenceOutcome, Error> {
    let params = EvidenceParams::default().with_head_defects(4).with_validation_defects(6).with_bank(256);
    let params = params.with_dimensions(16).with_copies(copies);
    let net = Arc::new(EfficientNetLite0::pretrained().unwrap());
    EvidenceDetector::fit(net, normals, &Squares, &params, &mut NoObserver)
}

#[test]
fn one_photo_is_enough_with_copies() {
    assert!(matches!(fit(&[ring(0)], false), Err(Error::TooFewNormals { found: 1, needed: 2 })));
    assert!(matches!(fit(&[], true), Err(Error::TooFewNormals { found: 0, needed: 1 })));
    let flat = Array3::from_elem((96, 96, 3), 0.5f32);
    assert!(matches!(fit(&[flat], true), Err(Error::TooFewDifferent { .. })));

    let EvidenceOutcome { detector, report } = fit(&[ring(0)], true).unwrap();
    assert_eq!((report.normals, report.copies, report.validated_on), (1, 7, 1));
    assert_eq!((detector.normals(), detector.normal_scores().len()), (1, 1));
    assert_eq!(Threshold::of(&detector, 0.0).unwrap().normals, 1);
    let good = detector.predict(ring(9).view()).unwrap().score;
    let defect = Squares.anomaly(ring(9).view(), 0, 0, 3).unwrap();
    assert!(detector.predict(defect.image.view()).unwrap().score > good);
    // a product without any symmetry has small motions instead
    let mut marked = ring(0);
    marked.slice_mut(s![10..30, 20..34, ..]).fill(0.9);
    let report = fit(&[marked], true).unwrap().report;
    assert_eq!((report.normals, report.copies), (1, 7));
}

#[test]
fn copies_are_not_counted_and_leave_with_their_photo() {
    // one of four photos has a mark at its left: the others do not look like it, so that its copies alone are near to
    // a mark at the right
    let mut normals: Vec<Array3<f32>> = (0..6).map(ring).collect();
    normals[2].slice_mut(s![40..56, 2..14, ..]).fill(0.75);
    let mirrored = |image: &Array3<f32>| image.slice(s![.., ..;-1, ..]).to_owned();
    let EvidenceOutcome { mut detector, report } = fit(&normals, true).unwrap();
    assert_eq!(report.normals, 6);
    assert!(report.copies >= 22, "{}", report.copies);
    assert_eq!((detector.normals(), detector.normal_scores().len()), (6, 6));
    let other = mirrored(&normals[2]);
    let with = detector.predict(other.view()).unwrap().score;
    detector.remove_normal(normals[2].view()).unwrap();
    assert_eq!((detector.normals(), detector.normal_scores().len()), (5, 5));
    let without = detector.predict(other.view()).unwrap().score;
    assert!(without > with, "{without} {with}");
    assert!(matches!(detector.remove_normal(other.view()), Err(Error::KnownNormal { is_known: false })));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("detector.safetensors");
    detector.save(&path).unwrap();
    let again = EvidenceDetector::load(&path, Arc::new(EfficientNetLite0::pretrained().unwrap())).unwrap();
    assert_eq!(again.predict(other.view()).unwrap().score, without);
    // from nine photos on there are no copies
    let many: Vec<Array3<f32>> = (0..9).map(ring).collect();
    assert_eq!(fit(&many, true).unwrap().report.copies, 0);
}
