//! Alignment: products that are thrown gain, products that lie alike stay, files and maps are those of the photo.
#![allow(clippy::unwrap_used)] // a test may panic

use std::sync::Arc;

use bisqad::frozen_backbone::EfficientNetLite0;
use bisqad::imgkit::rng::keyed_stream;
use bisqad::{
    Anomaly, AnomalySource, Detector, EvidenceDetector, EvidenceOutcome, EvidenceParams, NoObserver, Persist,
    SourceError,
};
use ndarray::{Array2, Array3, ArrayView3};
use rand::Rng;

const SIDE: usize = 128;

/// Motion of a product in its photo: angle, and shift down and right in px.
type Pose = (f32, f32, f32);

/// Point of the product, in px from its middle, at a pixel of the photo.
fn point((angle, down, right): Pose, y: usize, x: usize) -> (f32, f32) {
    let middle = (SIDE as f32 - 1.0) / 2.0;
    let (y, x) = (y as f32 - middle - down, x as f32 - middle - right);
    let (sin, cos) = angle.sin_cos();
    (cos * y - sin * x, sin * y + cos * x)
}

/// A plate before a dark background: two halves of unlike brightness, and a round mark at one end.
fn photo(pose: Pose, seed: u64) -> Array3<f32> {
    let mut rng = keyed_stream(11, seed);
    let mut plane = Array2::from_elem((SIDE, SIDE), 0.0f32);
    for ((y, x), value) in plane.indexed_iter_mut() {
        let (v, u) = point(pose, y, x);
        let body = if v.abs() < 18.0 && u.abs() < 38.0 { if u < 0.0 { 0.4 } else { 0.6 } } else { 0.1 };
        let mark = if v.hypot(u - 26.0) < 8.0 { 0.3 } else { 0.0 };
        *value = body + mark + rng.random_range(-0.02..0.02f32);
    }
    Array3::from_shape_fn((SIDE, SIDE, 3), |(y, x, _)| plane[[y, x]])
}

fn thrown(i: u64) -> Pose {
    let mut rng = keyed_stream(12, i);
    let mut shift = || rng.random_range(-12.0..12.0f32);
    let (down, right) = (shift(), shift());
    (rng.random_range(0.0..std::f32::consts::TAU), down, right)
}

/// Marks on the product that look like its own mark, but lie elsewhere: only the place tells them.
struct Displaced;

impl AnomalySource for Displaced {
    fn mechanisms(&self) -> usize {
        1
    }

    fn anomaly(&self, normal: ArrayView3<'_, f32>, _: usize, _: usize, index: u64) -> Result<Anomaly, SourceError> {
        let (h, w, _) = normal.dim();
        let mut rng = keyed_stream(5, index);
        let bright: Vec<(usize, usize)> = (8..h - 8)
            .flat_map(|y| (8..w - 8).map(move |x| (y, x)))
            .filter(|&(y, x)| (0.35..0.45).contains(&normal[[y, x, 0]]))
            .collect();
        let &(cy, cx) = bright.get(rng.random_range(0..bright.len().max(1))).ok_or("no product")?;
        let mask = Array2::from_shape_fn((h, w), |(y, x)| (y as f32 - cy as f32).hypot(x as f32 - cx as f32) < 6.0);
        let mut image = normal.to_owned();
        for ((y, x, _), v) in image.indexed_iter_mut() {
            *v += if mask[[y, x]] { 0.3 } else { 0.0 };
        }
        Ok(Anomaly { image, mask, severity: None })
    }
}

fn fit(normals: &[Array3<f32>]) -> EvidenceOutcome {
    let params = EvidenceParams::default()
        .with_head_defects(4)
        .with_validation_defects(24)
        .with_bank(256)
        .with_dimensions(16)
        .with_alignment(true);
    let net = Arc::new(EfficientNetLite0::pretrained().unwrap());
    EvidenceDetector::fit(net, normals, &Displaced, &params, &mut NoObserver).unwrap()
}

#[test]
fn a_thrown_product_is_aligned_and_its_maps_lie_in_the_photo() {
    let normals: Vec<Array3<f32>> = (0..16).map(|i| photo(thrown(i), i)).collect();
    let EvidenceOutcome { detector, report } = fit(&normals);
    let choice = report.choice.clone().unwrap();
    assert!(report.aligned && choice.aligned && detector.aligns(), "{choice:?}");
    assert!(report.is_aligned(), "{}", report.explained_by_place);
    assert_eq!(report.candidates.iter().filter(|c| c.aligned).count() * 2, report.candidates.len());

    let mut hits = 0;
    for i in 0..6 {
        // a second mark at the dark end, in a photo of its own pose
        let pose = thrown(100 + i);
        let mut defective = photo(pose, 100 + i);
        let is_marked = |y: usize, x: usize| point(pose, y, x).0.hypot(point(pose, y, x).1 + 26.0) < 8.0;
        for ((y, x, _), v) in defective.indexed_iter_mut() {
            *v += if is_marked(y, x) { 0.3 } else { 0.0 };
        }
        let found = detector.predict(defective.view()).unwrap();
        assert_eq!(found.map.dim(), (SIDE, SIDE));
        let peak = found.map.indexed_iter().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
        let (v, u) = point(pose, peak.0, peak.1);
        hits += usize::from(v.hypot(u + 26.0) < 14.0);
        let good = detector.predict(photo(pose, 200 + i).view()).unwrap();
        assert!(good.score < found.score, "{i}");
    }
    assert!(hits >= 5, "{hits} of 6 peaks lie at the defect");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("detector.safetensors");
    detector.save(&path).unwrap();
    let again = EvidenceDetector::load(&path, Arc::new(EfficientNetLite0::pretrained().unwrap())).unwrap();
    assert!(again.aligns());
    let new = photo(thrown(50), 50);
    assert_eq!(again.predict(new.view()).unwrap(), detector.predict(new.view()).unwrap());
}

#[test]
fn a_product_that_lies_alike_stays() {
    let normals: Vec<Array3<f32>> = (0..12).map(|i| photo((0.0, 0.0, 0.0), i)).collect();
    let EvidenceOutcome { detector, report } = fit(&normals);
    assert!(!report.aligned && !detector.aligns());
    assert!(report.candidates.iter().any(|c| c.aligned), "it was tried");
}
