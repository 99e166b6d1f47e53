//! Odd parameters, images, sources and files give a value or a typed error, never a panic.
#![allow(clippy::unwrap_used)] // a test may panic

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bisqad::bilevel::Bilevel;
use bisqad::{
    Anomaly, AnomalySource, ChannelProjection, Checkpoint, Detector, Ensemble, Error, FewShotSet, GaussianDetector,
    GaussianParams, LabeledDefect, MemoryDetector, MemoryParams, NoObserver, NormalsProblem, PatchDetector, Persist,
    PlaceDistances, Prediction, Projected, Provenance, SourceError, Threshold, Tiled, TrainParams, Weighting,
    image_hash, load,
};
use frozen_backbone::{Backbone, EfficientNetLite0};
use ndarray::{Array2, Array3, ArrayView3};
use proptest::prelude::*;

/// Counts of values and of typed errors: both must occur.
#[derive(Default)]
struct Seen {
    ok: AtomicUsize,
    err: AtomicUsize,
}

impl Seen {
    fn of<T, E>(&self, answer: Result<T, E>) -> Option<T> {
        if answer.is_ok() { &self.ok } else { &self.err }.fetch_add(1, Ordering::Relaxed);
        answer.ok()
    }
    fn both(&self) {
        let (ok, err) = (self.ok.load(Ordering::Relaxed), self.err.load(Ordering::Relaxed));
        assert!(ok > 0 && err > 0, "{ok} values, {err} errors");
    }
}

fn number() -> impl Strategy<Value = f64> {
    const ODD: [f64; 8] = [0.0, -1.0, 1.0, 1e-300, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    prop_oneof![prop::sample::select(&ODD[..]).boxed(), (0.0..1.0).boxed(), (0.0..100.0).boxed()]
}

fn count() -> impl Strategy<Value = usize> {
    const ODD: [usize; 6] = [0, 1, 2, 8, 100_000, usize::MAX];
    prop::sample::select(&ODD[..])
}

fn net() -> Arc<dyn Backbone> {
    Arc::new(EfficientNetLite0::pretrained().unwrap())
}

fn photo(i: usize, (height, width, channels): (usize, usize, usize)) -> Array3<f32> {
    Array3::from_shape_fn((height, width, channels), |(y, x, _)| {
        0.4 + 0.1 * ((y * 7 + x * 13 + i * 29) % 11) as f32 / 11.0
    })
}

#[test]
fn parameters() {
    let seen = Seen::default();
    let four = || (number(), number(), number(), number());
    proptest!(ProptestConfig::with_cases(2000), |((a, b, c, d) in four(), n in count(), which in 0usize..12)| {
        let p = TrainParams::default();
        let p = match which {
            0 => p.with_rounds(n),
            1 => p.with_steps(n),
            2 => p.with_batch(n).with_updates(n),
            3 => p.with_outer_every(n).with_outer_batch(n),
            4 => p.with_learning_rate(a),
            5 => p.with_quality_learning_rate(a).with_ess_penalty(b),
            6 => p.with_min_ess_fraction(a),
            7 => p.with_weighting(Weighting::Filtered { keep: a }),
            8 => p.with_feature_noise(a),
            9 => p.with_hidden(n).with_dimensions(n),
            10 => p.with_shrinkage(Some(a)),
            _ => p.with_held_out(a).with_smoothing(b),
        };
        seen.of(p.check());
        let gaussian = GaussianParams::default().with_dimensions(n).with_shrinkage(a).with_held_out(b);
        seen.of(gaussian.with_smoothing(c).check());
        seen.of(MemoryParams::default().with_memory(n).with_candidates(n).with_held_out(a).with_smoothing(d).check());
    });
    seen.both();
}

#[test]
fn thresholds_and_maps() {
    let seen = Seen::default();
    let scores = prop::collection::vec(number(), 0..8);
    let sizes = (0usize..30, 0usize..30);
    proptest!(ProptestConfig::with_cases(1000), |(scores in scores, a in number(), b in number(), size in sizes)| {
        if let Some(mut threshold) = seen.of(Threshold::from_scores(&scores, a)) {
            seen.of(threshold.interval(b));
            threshold.false_positive_rate = b;
            seen.of(threshold.interval(0.9));
        }
        let _ = Prediction::of_map(Array2::from_elem(size, a as f32));
    });
    seen.both();
}

#[test]
fn projections_labeled_defects_and_provenance() {
    let seen = Seen::default();
    let size = || (0usize..6, 0usize..6, 0usize..5);
    let strategy = (size(), size(), number(), number());
    proptest!(ProptestConfig::with_cases(500), |(((h, w, c), (rows, columns, other), a, b) in strategy)| {
        let image = photo(1, (h, w, c)) * a as f32;
        let fitted = seen.of(ChannelProjection::fit(&[image.clone(), photo(2, (rows, columns, c))]));
        let fixed = seen.of(ChannelProjection::fixed(Array2::from_elem((c, other), b as f32), [a as f32; 3]));
        for projection in [fitted, fixed].into_iter().flatten() {
            seen.of(projection.apply(image.view()));
            seen.of(projection.apply(photo(3, (rows, columns, other)).view()));
        }
        let mask = Array2::from_elem((rows, columns), rows > 2);
        let defect = LabeledDefect { name: "odd".to_owned(), kind: String::new(), image: image.clone(), mask };
        seen.of(FewShotSet::new(vec![defect.clone()]));
        seen.of(FewShotSet::new(vec![defect.clone(), defect]));
        let provenance = Provenance::new(Some(rows), vec![image_hash(image.view())]);
        prop_assert!(provenance.saw_in_training(image.view()));
    });
    seen.both();
}

/// A detector from elsewhere, whose maps have any size.
#[derive(Debug)]
struct Stub((usize, usize));

impl Detector for Stub {
    fn name(&self) -> &'static str {
        "stub"
    }
    fn predict(&self, _: ArrayView3<'_, f32>) -> Result<Prediction, Error> {
        Ok(Prediction::of_map(Array2::zeros(self.0)))
    }
}

#[test]
fn weights_of_normals_and_distances_by_place() {
    let seen = Seen::default();
    let size = || (0usize..4, 0usize..4);
    let strategy = (size(), size(), prop::collection::vec(0usize..4, 3), number(), number(), number(), 0..4);
    proptest!(ProptestConfig::with_cases(2000), |(((h, w), other, own, a, b, d, odd) in strategy)| {
        let ((rows, columns), own) = if odd == 0 { (other, &own[..]) } else { ((h, w), &own[..h]) };
        let (defect, other) = (Array2::from_elem((h, w), d as f32), Array2::ones((rows, columns)));
        if let Some(problem) = seen.of(NormalsProblem::new(&defect, &other, &other, own, a, b)) {
            seen.of(problem.upper(&vec![d; columns]));
            seen.of(problem.margins(&[d]));
        }
    });
    seen.both();
    let (seen, net) = (Seen::default(), net());
    for (size, n, side) in [((40, 40, 3), 3, 40), ((40, 40, 1), 1, 40), ((0, 40, 3), 3, 40), ((40, 40, 3), 3, 0)] {
        let photos: Vec<Array3<f32>> = (0..n).map(|i| photo(i, size)).collect();
        if let Some(fitted) = seen.of(PlaceDistances::fit(&*net, side, &photos, 0)) {
            seen.of(fitted.of(&*net, &[photo(0, (0, 0, 3)), photo(0, (40, 90, 3))]));
            seen.of(fitted.of(&*net, &[photo(0, (40, 40, 3)).mapv(|_| f32::NAN)]));
        }
    }
    seen.both();
}

#[test]
fn tiles_and_ensembles_of_detectors_from_elsewhere() {
    let seen = Seen::default();
    let size = || (0usize..9, 0usize..9);
    proptest!(|(map in size(), other in size(), tile in size(), overlap in count(), (h, w) in size())| {
        let image = photo(0, (h, w, 3));
        if let Some(tiled) = seen.of(Tiled::new(Arc::new(Stub(map)), tile, overlap)) {
            seen.of(tiled.predict(image.view()));
        }
        let both = Ensemble::new(Arc::new(Stub(map)), Arc::new(Stub(other)), std::slice::from_ref(&image));
        if let Some(both) = seen.of(both) {
            seen.of(both.predict(image.view()));
        }
        seen.of(Threshold::of(&Stub(map), 0.1));
        seen.of(Threshold::calibrate(&Stub(map), &[image], 0.1));
    });
    seen.both();
}

/// Sizes of anomalies that fit nothing.
struct OddSource {
    mechanisms: usize,
    image: (usize, usize, usize),
    mask: (usize, usize),
}

impl AnomalySource for OddSource {
    fn mechanisms(&self) -> usize {
        self.mechanisms
    }
    fn anomaly(&self, _: ArrayView3<'_, f32>, _: usize, _: usize, index: u64) -> Result<Anomaly, SourceError> {
        let mask = Array2::from_shape_fn(self.mask, |(y, x)| y < 9 && x < 9);
        Ok(Anomaly { image: photo(index as usize, self.image), mask, severity: Some(f64::NAN) })
    }
}

#[test]
fn fits_of_odd_images_and_sources() {
    let seen = Seen::default();
    let net = net();
    let params = TrainParams::default().with_rounds(1).with_steps(1).with_batch(2).with_updates(1).with_dimensions(4);
    let good = (64, 64, 3);
    for size in [(0, 0, 0), (0, 64, 3), (64, 0, 3), (64, 64, 0), (1, 1, 1), (8, 64, 3), (64, 64, 2), (40, 72, 1), good]
    {
        for n in [0, 1, 3, 4, 6] {
            let normals: Vec<_> = (0..n).map(|i| photo(i, size)).collect();
            let gaussian = GaussianParams::default().with_dimensions(4);
            seen.of(GaussianDetector::fit(net.clone(), &normals, &gaussian, &mut NoObserver));
            let memory = MemoryParams::default().with_dimensions(4).with_memory(16);
            seen.of(MemoryDetector::fit(net.clone(), &normals, &memory, &mut NoObserver));
        }
    }
    let mut torn: Vec<_> = (0..6).map(|i| photo(i, good)).collect();
    let source = |mechanisms, image, mask| OddSource { mechanisms, image, mask };
    let fits = [
        source(0, good, (64, 64)),
        source(1, good, (64, 64)),
        source(2, good, (80, 80)),
        source(2, (80, 80, 3), (80, 80)),
        source(2, (64, 64, 1), (64, 64)),
        source(2, good, (0, 0)),
        source(2, (0, 0, 0), (0, 0)),
    ];
    for source in &fits {
        seen.of(PatchDetector::fit(net.clone(), &torn, source, &params, &mut NoObserver));
    }
    torn[2][[5, 5, 1]] = f32::NAN;
    assert!(PatchDetector::fit(net.clone(), &torn, &fits[1], &params, &mut NoObserver).is_err());
    assert!(PatchDetector::fit(net, &[], &fits[1], &params, &mut NoObserver).is_err());
    seen.both();
}

#[test]
fn damaged_files() {
    let seen = Seen::default();
    let (net, folder) = (net(), tempfile::tempdir().unwrap());
    let normals: Vec<_> = (0..6).map(|i| photo(i, (48, 48, 3))).collect();
    let gaussian = GaussianParams::default().with_dimensions(3);
    let gaussian = GaussianDetector::fit(net.clone(), &normals, &gaussian, &mut NoObserver).unwrap();
    let memory = MemoryParams::default().with_dimensions(3).with_memory(8);
    let memory = MemoryDetector::fit(net.clone(), &normals, &memory, &mut NoObserver).unwrap();
    let params = TrainParams::default().with_rounds(1).with_steps(1).with_batch(2).with_updates(1).with_dimensions(3);
    let source = OddSource { mechanisms: 1, image: (48, 48, 3), mask: (48, 48) };
    let patch = PatchDetector::fit(net.clone(), &normals, &source, &params, &mut NoObserver).unwrap().detector;
    let turned = ChannelProjection::fixed(Array2::eye(3), [0.0; 3]).unwrap();
    let projected = Projected::new(Arc::new(gaussian.clone()), turned);
    let both = Ensemble::new(Arc::new(projected), Arc::new(memory), &normals[..2]).unwrap();
    let tiled = Tiled::new(Arc::new(both), (48, 48), 8).unwrap();
    let path = folder.path().join("detector");
    let mut files = Vec::new();
    for detector in [&gaussian as &dyn Persist, &patch, &tiled] {
        detector.save(&path).unwrap();
        files.push(std::fs::read(&path).unwrap());
    }
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    let strategy = (0usize..3, changes, any::<prop::sample::Index>(), any::<bool>(), any::<bool>());
    proptest!(ProptestConfig::with_cases(300), |((which, changes, end, cut, head) in strategy)| {
        let mut bytes = files[which].clone();
        for (at, value) in changes {
            // half of the time in the header, whose sizes and names matter most
            let at = if head { at.index(bytes.len().min(900)) } else { at.index(bytes.len()) };
            bytes[at] = value;
        }
        if cut {
            bytes.truncate(end.index(bytes.len()));
        }
        std::fs::write(&path, &bytes).unwrap();
        if let Some(detector) = seen.of(load(&path, std::slice::from_ref(&net))) {
            seen.of(detector.predict(normals[0].view()));
        }
        seen.of(Checkpoint::load(&path, "run"));
    });
    seen.both();
}
