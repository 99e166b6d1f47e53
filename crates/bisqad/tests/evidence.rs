//! The evidence detector: choice, determinism, files, additions, and what it refuses.
#![allow(clippy::unwrap_used)] // a test may panic

use std::sync::Arc;

use bisqad::frozen_backbone::EfficientNetLite0;
use bisqad::frozen_backbone::model_file::ModelFileError;
use bisqad::imgkit::rng::keyed_stream;
use bisqad::{
    Anomaly, AnomalySource, Detector, Error, EvidenceDetector, EvidenceOutcome, EvidenceParams, FewShotSet,
    LabeledDefect, NoObserver, Persist, SourceError, Threshold, Windowed, load,
};
use ndarray::{Array2, Array3, ArrayView3};
use rand::Rng;

/// Bright squares and dark bars.
struct Marks;

impl AnomalySource for Marks {
    fn mechanisms(&self) -> usize {
        2
    }

    fn name(&self, mechanism: usize) -> String {
        ["square", "bar"][mechanism].to_owned()
    }

    fn anomaly(
        &self,
        normal: ArrayView3<'_, f32>,
        _: usize,
        mechanism: usize,
        index: u64,
    ) -> Result<Anomaly, SourceError> {
        let (h, w, _) = normal.dim();
        let mut rng = keyed_stream(5, index);
        let (height, width, value) = if mechanism == 0 { (10, 10, 0.9) } else { (4, 24, 0.1) };
        let (y0, x0) = (rng.random_range(0..h - height), rng.random_range(0..w - width));
        let mut mask = Array2::from_elem((h, w), false);
        let mut image = normal.to_owned();
        for y in y0..y0 + height {
            for x in x0..x0 + width {
                mask[[y, x]] = true;
                (0..3).for_each(|c| image[[y, x, c]] = value);
            }
        }
        Ok(Anomaly { image, mask, severity: None })
    }
}

fn photo(i: usize) -> Array3<f32> {
    let mut rng = keyed_stream(8, i as u64);
    Array3::from_shape_fn((64, 96, 3), |(y, x, _)| {
        0.4 + 0.1 * f32::from(u8::from(y > 32)) + 0.1 * ((x / 12) % 2) as f32 + rng.random_range(-0.04..0.04f32)
    })
}

fn photos(n: usize) -> Vec<Array3<f32>> {
    (0..n).map(photo).collect()
}

fn params() -> EvidenceParams {
    EvidenceParams::default().with_head_defects(8).with_validation_defects(6).with_bank(128).with_dimensions(16)
}

fn fit(normals: &[Array3<f32>]) -> Result<EvidenceOutcome, Error> {
    let net = Arc::new(EfficientNetLite0::pretrained().unwrap());
    EvidenceDetector::fit(net, normals, &Marks, &params(), &mut NoObserver)
}

#[test]
fn defects_of_both_kinds_score_above_the_threshold_and_where_they_are() {
    let EvidenceOutcome { detector, report } = fit(&photos(16)).unwrap();
    let threshold = Threshold::of(&detector, 0.0).unwrap();
    assert_eq!(threshold.normals, 16, "every normal image was held out once");
    for mechanism in 0..2 {
        let new = photo(40 + mechanism);
        let Anomaly { image, mask, .. } = Marks.anomaly(new.view(), 0, mechanism, 1 << 50).unwrap();
        let found = detector.predict(image.view()).unwrap();
        assert!(found.score > threshold.value, "{mechanism}: {} {}", found.score, threshold.value);
        assert_eq!(found.map.dim(), (64, 96));
        let peak = found.map.indexed_iter().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
        let near = mask.indexed_iter().filter(|(_, m)| **m).map(|((y, x), _)| y.abs_diff(peak.0) + x.abs_diff(peak.1));
        assert!(near.min().unwrap() < 12, "{mechanism}: {peak:?}");
        let good = detector.predict(new.view()).unwrap();
        assert!(good.score < found.score);
    }
    let choice = report.choice.clone().unwrap();
    assert!(choice.image_auroc > 0.9 && choice.pixel_auroc > 0.9, "{choice:?}");
    // nothing is enlarged by more than half, so there is one size
    assert_eq!(detector.side(), 64);
    assert_eq!(report.candidates.len(), 54 + 4 + 5);
    assert_eq!(report.candidates.iter().filter(|c| c.chosen).count(), 3);
    assert_eq!(report.left_out.iter().map(|l| l.name.as_str()).collect::<Vec<_>>(), ["square", "bar"]);
    assert!(report.is_aligned(), "{}", report.explained_by_place);
    assert!(report.suspects.is_empty(), "{:?}", report.suspects);
}

/// A dim disc, which no mechanism of [`Marks`] draws, on photo `i`.
fn disc(i: usize) -> LabeledDefect {
    let mut image = photo(100 + i);
    let center = (12 + 5 * (i % 8), 20 + 9 * (i % 7));
    let mask = Array2::from_shape_fn((64, 96), |(y, x)| {
        (y as f64 - center.0 as f64).powi(2) + (x as f64 - center.1 as f64).powi(2) < 49.0
    });
    for ((y, x), _) in mask.indexed_iter().filter(|(_, m)| **m) {
        image[[y, x, 2]] -= 0.12; // a tint, hardly a change of brightness
    }
    LabeledDefect { name: format!("disc {i}"), kind: "disc".to_owned(), image, mask }
}

fn fit_with(real: Vec<LabeledDefect>) -> Result<EvidenceOutcome, Error> {
    let net = Arc::new(EfficientNetLite0::pretrained().unwrap());
    let set = FewShotSet::new(real)?;
    EvidenceDetector::fit_with(net, &photos(16), &Marks, Some(&set), &params(), &mut NoObserver)
}

#[test]
fn real_defects_teach_a_kind_that_no_mechanism_draws() {
    let EvidenceOutcome { detector, report } = fit_with((0..6).map(disc).collect()).unwrap();
    assert_eq!(detector.mechanisms(), ["square", "bar", "disc"]);
    let used = report.real_defects.unwrap();
    assert_eq!(used.defects, 6);
    assert!(used.with_heads > used.without_heads, "{used:?}");
    // new ones are found better than by a detector that knows none
    let plain = fit(&photos(16)).unwrap().detector;
    let found = |d: &EvidenceDetector| {
        let normals: Vec<f64> = (60..72).map(|i| d.predict(photo(i).view()).unwrap().score).collect();
        let defects: Vec<f64> = (20..32).map(|i| d.predict(disc(i).image.view()).unwrap().score).collect();
        let pairs = defects.iter().flat_map(|d| normals.iter().map(move |n| f64::from(u8::from(d > n))));
        pairs.sum::<f64>() / (normals.len() * defects.len()) as f64
    };
    let (with, without) = (found(&detector), found(&plain));
    assert!(with > without + 0.02, "{with} {without}");
    // the threshold knows them, and a test may not
    assert_eq!(detector.defect_scores().len(), 6);
    let threshold = Threshold::of(&detector, 0.1).unwrap();
    assert_eq!(threshold.defects.0, 6);
    assert!(threshold.value >= Threshold::from_scores(detector.normal_scores(), 0.1).unwrap().value);
    assert!(detector.provenance().saw_in_training(disc(3).image.view()));
    assert!(!detector.provenance().saw_in_training(disc(7).image.view()));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("detector.safetensors");
    detector.save(&path).unwrap();
    let again = EvidenceDetector::load(&path, Arc::new(EfficientNetLite0::pretrained().unwrap())).unwrap();
    assert_eq!(again.defect_scores(), detector.defect_scores());
    assert!(again.provenance().saw_in_training(disc(3).image.view()));
}

#[test]
fn real_defects_join_the_mechanism_of_their_name_and_are_refused_among_the_normal_images() {
    let bars: Vec<LabeledDefect> = (0..3)
        .map(|i| {
            let Anomaly { image, mask, .. } = Marks.anomaly(photo(80 + i).view(), 0, 1, (1 << 50) + i as u64).unwrap();
            LabeledDefect { name: format!("bar {i}"), kind: "bar".to_owned(), image, mask }
        })
        .collect();
    assert_eq!(fit_with(bars.clone()).unwrap().detector.mechanisms(), ["square", "bar"]);
    // one of an unknown kind cannot be left out, so that its head could not be judged
    let alone = fit_with(vec![bars[0].clone(), disc(0)]).unwrap();
    assert_eq!(alone.detector.mechanisms(), ["square", "bar"]);
    let normal = LabeledDefect { image: photo(3), ..disc(0) };
    assert!(matches!(fit_with(vec![normal]), Err(Error::TestLeak { name, .. }) if name == "disc 0"));
}

#[test]
fn a_budget_leaves_out_large_sides_and_says_when_none_is_left() {
    let net = || Arc::new(EfficientNetLite0::pretrained().unwrap());
    let normals = photos(6);
    let of = |params: EvidenceParams| EvidenceDetector::fit(net(), &normals, &Marks, &params, &mut NoObserver);
    let sides = params().with_min_side(44).with_max_side(64);
    assert!(of(sides.with_memory_mib(Some(4000)).with_predict_ms(Some(1e6))).is_ok());
    let none = of(sides.with_memory_mib(Some(1)));
    assert!(matches!(none, Err(Error::Budget { what: "memory", needed, .. }) if needed > 1.0), "{none:?}");
    let none = of(sides.with_predict_ms(Some(1e-3)));
    assert!(matches!(none, Err(Error::Budget { unit: "ms", side: 64, .. })), "{none:?}");
}

#[test]
fn the_bits_do_not_depend_on_the_threads() {
    let normals = photos(8);
    let made = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let EvidenceOutcome { detector, report } = fit(&normals).unwrap();
            (detector.predict(photo(30).view()).unwrap(), report, detector.normal_scores().to_vec())
        })
    };
    assert_eq!(made(1), made(3));
}

#[test]
fn files_hold_everything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("detector.safetensors");
    let detector = fit(&photos(8)).unwrap().detector;
    let net: Arc<EfficientNetLite0> = Arc::new(EfficientNetLite0::pretrained().unwrap());
    detector.save(&path).unwrap();
    let again = EvidenceDetector::load(&path, net.clone()).unwrap();
    let expected = detector.predict(photo(30).view()).unwrap();
    assert_eq!(again.predict(photo(30).view()).unwrap(), expected);
    assert_eq!(again.normal_scores(), detector.normal_scores());
    assert_eq!((again.terms(), again.head_weight()), (detector.terms(), detector.head_weight()));
    let any: [Arc<dyn bisqad::frozen_backbone::Backbone>; 1] = [net.clone()];
    assert_eq!(load(&path, &any).unwrap().predict(photo(30).view()).unwrap(), expected);
    assert_eq!(EvidenceDetector::load_windowed(&path, net.clone()).unwrap().1, None);

    let window = "0..4095".parse().unwrap();
    Windowed::new(Arc::new(detector), window).save(&path).unwrap();
    let (again, found) = EvidenceDetector::load_windowed(&path, net.clone()).unwrap();
    assert_eq!(found, Some(window));
    assert_eq!(again.predict(photo(30).view()).unwrap(), expected);

    // cut anywhere, it is refused
    let bytes = std::fs::read(&path).unwrap();
    for part in [0, 10, bytes.len() / 3, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..part]).unwrap();
        let found = EvidenceDetector::load_windowed(&path, net.clone());
        assert!(matches!(found, Err(Error::File(ModelFileError::Damaged { .. }))), "{part}");
    }
}

#[test]
fn normal_images_are_added_and_removed_without_training() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("detector.safetensors");
    let mut detector = fit(&photos(8)).unwrap().detector;
    // a variant of the product that it has not seen
    let mut variant = photo(50);
    variant.slice_mut(ndarray::s![20..40, 30..60, ..]).fill(0.7);
    let before = detector.predict(variant.view()).unwrap().score;
    detector.add_normal(variant.view()).unwrap();
    assert_eq!(detector.normals(), 9);
    assert_eq!(detector.normal_scores().last(), Some(&before), "as it was scored when it was new");
    let added = detector.predict(variant.view()).unwrap().score;
    assert!(added < before, "{added} {before}");
    assert!(matches!(detector.add_normal(variant.view()), Err(Error::KnownNormal { is_known: true })));

    detector.save(&path).unwrap();
    let net = Arc::new(EfficientNetLite0::pretrained().unwrap());
    let mut again = EvidenceDetector::load(&path, net).unwrap();
    again.remove_normal(variant.view()).unwrap();
    assert_eq!(again.normals(), 8);
    assert!((again.predict(variant.view()).unwrap().score - before).abs() < 1e-4 * before.abs());
    assert!(matches!(again.remove_normal(variant.view()), Err(Error::KnownNormal { is_known: false })));
    for i in 0..7 {
        again.remove_normal(photo(i).view()).unwrap();
    }
    assert!(matches!(again.remove_normal(photo(7).view()), Err(Error::TooFewNormals { .. })));
    assert!(again.predict(variant.view()).unwrap().score.is_finite());
}

#[test]
fn a_defective_photo_among_the_normals_is_suspect() {
    let mut normals = photos(20);
    normals[7] = Marks.anomaly(normals[7].view(), 0, 0, 77).unwrap().image;
    let report = fit(&normals).unwrap().report;
    assert_eq!(report.suspects.iter().map(|s| s.image).collect::<Vec<_>>(), [7], "{:?}", report.suspects);
    assert!(report.suspects[0].score > report.suspects[0].median);
    let unusual = &report.most_unusual;
    assert_eq!((unusual.len(), unusual[0]), (5, report.suspects[0]));
    assert!(unusual.is_sorted_by(|a, b| a.score >= b.score && a.weight <= b.weight), "{unusual:?}");
}

#[test]
fn a_product_that_lies_in_any_way_is_said_not_to_be_aligned() {
    let normals: Vec<Array3<f32>> = (0..10)
        .map(|i| {
            let mut rng = keyed_stream(9, i);
            Array3::from_shape_fn((192, 192, 3), |_| rng.random_range(0.3..0.7f32))
        })
        .collect();
    let report = fit(&normals).unwrap().report;
    assert!(!report.is_aligned(), "{}", report.explained_by_place);
}

#[test]
fn two_photos_are_enough_and_what_cannot_be_fitted_is_refused() {
    let detector = fit(&photos(2)).unwrap().detector;
    assert!(detector.predict(photo(30).view()).unwrap().score.is_finite());
    assert!(matches!(fit(&[]), Err(Error::TooFewNormals { found: 0, needed: 1 })));
    assert!(matches!(fit(&[photo(0), photo(0)]), Err(Error::TooFewDifferent { different: 1, .. })));

    struct Nothing(usize);
    impl AnomalySource for Nothing {
        fn mechanisms(&self) -> usize {
            self.0
        }
        fn anomaly(&self, _: ArrayView3<'_, f32>, _: usize, _: usize, _: u64) -> Result<Anomaly, SourceError> {
            Err("no place".into())
        }
    }
    let net = Arc::new(EfficientNetLite0::pretrained().unwrap());
    let fit = |source: &Nothing| EvidenceDetector::fit(net.clone(), &photos(4), source, &params(), &mut NoObserver);
    assert!(matches!(fit(&Nothing(0)), Err(Error::Parameter(_))));
    // no defect can be drawn: nothing is chosen, and a default stays
    let EvidenceOutcome { detector, report } = fit(&Nothing(2)).unwrap();
    assert!(report.choice.is_none() && detector.head_weight() == 0.0);
    assert!(detector.predict(photo(30).view()).unwrap().score.is_finite());
}
