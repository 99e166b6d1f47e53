//! The warm start on ladders whose order is known, and files.
#![allow(clippy::unwrap_used)] // a test may panic

use frozen_backbone::{Backbone, EfficientNetLite0, Error as BackboneError, Level, Pyramid};
use ndarray::{Array2, Array3, ArrayView3};
use sqe::{Degradation, Error, Head, QualityFeatures, RankedVersions, Sqe, WarmStartParams, spearman};

fn texture(seed: usize) -> Array3<f32> {
    Array3::from_shape_fn((64, 64, 3), |(y, x, c)| {
        let (y, x) = (y + seed * 13, x + seed * 29);
        0.3 + 0.3 * ((y * y * 31 + x * x * 17 + y * x + c * 5) % 101) as f32 / 101.0
    })
}

fn mask(seed: usize) -> Array2<bool> {
    let (cy, cx, r) = (24 + seed * 7 % 16, 24 + seed * 11 % 16, 5 + seed % 5);
    Array2::from_shape_fn((64, 64), |(y, x)| y.abs_diff(cy).pow(2) + x.abs_diff(cx).pow(2) < r * r)
}

/// A defect whose seam has `strength` of the full step.
fn pasted(seed: usize, strength: f32) -> QualityFeatures {
    let net = EfficientNetLite0::pretrained().unwrap();
    let (mut image, mask) = (texture(seed), mask(seed));
    for ((y, x, _), v) in image.indexed_iter_mut() {
        if mask[[y, x]] {
            *v = (*v + 0.35 * strength).min(1.0);
        }
    }
    QualityFeatures::extract(&net, image.view(), mask.view()).unwrap()
}

fn trained() -> (Sqe, sqe::WarmStartReport) {
    let net = EfficientNetLite0::pretrained().unwrap();
    let ladders: Vec<RankedVersions> = (0..16)
        .map(|seed| {
            RankedVersions::worst_first(vec![
                pasted(seed, 1.0),
                pasted(seed, 0.5),
                pasted(seed, 0.2),
                pasted(seed, 0.0),
            ])
        })
        .collect();
    let mut sqe = Sqe::new(&net, Head::default(), 7).unwrap();
    let report = sqe.warm_start(&ladders, &WarmStartParams::default().with_epochs(30)).unwrap();
    (sqe, report)
}

#[test]
fn ranks_held_out_ladders_and_a_degradation_it_never_saw() {
    let (sqe, report) = trained();
    assert!(report.held_out_accuracy > 0.9, "{report:?}");
    let strengths: Vec<f64> = (0..10).map(|i| f64::from(i) / 9.0).collect();
    let evidence: Vec<QualityFeatures> = strengths.iter().map(|&s| pasted(40, s as f32)).collect();
    let q = sqe.score(&evidence.iter().collect::<Vec<_>>()).unwrap();
    assert!(q.iter().all(|q| (0.0..=1.0).contains(q)));
    let rho = spearman(&q, &strengths).unwrap();
    assert!(rho < -0.8, "quality must fall as the seam grows, got {rho}: {q:?}");
}

#[test]
fn quality_falls_with_outlines_it_never_saw_and_calibration_says_so() {
    let net = EfficientNetLite0::pretrained().unwrap();
    let (sqe, _) = trained();
    let samples: Vec<_> = (40..46).map(|seed| (texture(seed), mask(seed))).collect();
    let views: Vec<_> = samples.iter().map(|(i, m)| (i.view(), m.view())).collect();
    let found = sqe.measure_monotonicity(&net, &views, 5).unwrap();
    assert_eq!(found.iter().map(|c| c.degradation).collect::<Vec<_>>(), Degradation::ALL);
    let seam = &found[2];
    assert!(seam.spearman < -0.8, "{seam:?}");
    assert!(seam.levels[0].1 > seam.levels[4].1 && seam.levels[2].0 == 0.5);
    let undecided = Sqe::new(&net, Head::default(), 1).unwrap().measure_monotonicity(&net, &views[..1], 3).unwrap();
    assert!(undecided.iter().all(|c| c.spearman == 0.0), "{undecided:?}");
    assert!(matches!(sqe.measure_monotonicity(&net, &[], 5), Err(Error::Parameter(p)) if p.name == "samples"));
    assert!(matches!(sqe.measure_monotonicity(&net, &views, 1), Err(Error::Parameter(p)) if p.name == "levels"));
    assert!(matches!(sqe.measure_monotonicity(&Other(net), &views, 3), Err(Error::OtherBackbone { .. })));
}

#[test]
fn is_a_pure_function_of_its_seed() {
    let (a, b) = (trained().0, trained().0);
    let e = pasted(50, 0.4);
    assert_eq!(a.score(&[&e]).unwrap(), b.score(&[&e]).unwrap());
}

#[test]
fn a_saved_head_scores_the_same() {
    let net = EfficientNetLite0::pretrained().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("q.safetensors");
    let (sqe, _) = trained();
    sqe.save(&path).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays behind");
    let again = Sqe::load(&path, &net).unwrap();
    let e = pasted(50, 0.4);
    assert_eq!(again.score(&[&e]).unwrap(), sqe.score(&[&e]).unwrap());
    assert_eq!(again.head(), sqe.head());
}

#[derive(Debug)]
struct Other(EfficientNetLite0);

impl Backbone for Other {
    fn id(&self) -> &'static str {
        "other"
    }
    fn hash(&self) -> u64 {
        1
    }
    fn levels(&self) -> &[Level] {
        self.0.levels()
    }
    fn min_side(&self) -> usize {
        self.0.min_side()
    }
    fn extract(&self, image: ArrayView3<'_, f32>) -> Result<Pyramid, BackboneError> {
        self.0.extract(image)
    }
}

#[test]
fn a_file_of_another_backbone_or_no_file_is_refused() {
    let net = EfficientNetLite0::pretrained().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("q.safetensors");
    Sqe::new(&net, Head::Global, 0).unwrap().save(&path).unwrap();
    let error = Sqe::load(&path, &Other(net.clone())).unwrap_err();
    assert!(matches!(&error, Error::Mismatch { field: "backbone", .. }), "{error}");
    std::fs::write(&path, b"not a file of ours").unwrap();
    assert!(matches!(Sqe::load(&path, &net), Err(Error::Damaged { .. })));
    assert!(matches!(Sqe::load(&folder.path().join("none"), &net), Err(Error::Read { .. })));
}

#[test]
fn too_few_ladders_and_bad_parameters_are_refused() {
    let net = EfficientNetLite0::pretrained().unwrap();
    let mut sqe = Sqe::new(&net, Head::default(), 7).unwrap();
    assert!(matches!(sqe.warm_start(&[], &WarmStartParams::default()), Err(Error::TooFewRankings { usable: 0 })));
    for (params, name) in [
        (WarmStartParams::default().with_held_out(1.0), "held_out"),
        (WarmStartParams::default().with_learning_rate(f64::NAN), "learning_rate"),
    ] {
        let error = sqe.warm_start(&[], &params).unwrap_err();
        assert!(matches!(error, Error::Parameter(p) if p.name == name));
    }
}
