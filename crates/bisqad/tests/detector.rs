//! The whole training on small synthetic textures.
#![allow(clippy::unwrap_used)] // a test may panic

use frozen_backbone::model_file::ModelFileError;
use std::ops::ControlFlow;
use std::sync::Arc;

use bisqad::bilevel::ForwardDifference;
use bisqad::{
    Anomaly, AnomalySource, Checkpoint, Detector, Error, FitOutcome, Fusion, NoObserver, Observe, OuterProblem,
    PatchDetector, Persist, SourceError, Threshold, TrainParams, ValidationAnomalies, Weighting, fit,
};
use frozen_backbone::{Backbone, EfficientNetLite0};
use ndarray::{Array2, Array3, ArrayView3};
use sqe::{Head, Sqe};

fn texture(seed: usize) -> Array3<f32> {
    Array3::from_shape_fn((96, 96, 3), |(y, x, c)| {
        let noise = ((y * 7919 + x * 104_729 + seed * 611_953 + c * 31) % 1009) as f32 / 1009.0;
        0.4 + 0.1 * ((y / 6 + x / 9 + seed) % 3) as f32 + 0.05 * noise
    })
}

/// Bright discs and dark bars.
struct Blots;

impl AnomalySource for Blots {
    fn mechanisms(&self) -> usize {
        2
    }
    fn anomaly(
        &self,
        normal: ArrayView3<'_, f32>,
        image: usize,
        group: usize,
        index: u64,
    ) -> Result<Anomaly, SourceError> {
        let (cy, cx) = (20 + (index as usize * 37 + image) % 56, 20 + (index as usize * 53) % 56);
        let mask = Array2::from_shape_fn((96, 96), |(y, x)| match group {
            0 => y.abs_diff(cy).pow(2) + x.abs_diff(cx).pow(2) < 64,
            _ => y.abs_diff(cy) < 3 && x.abs_diff(cx) < 15,
        });
        let mut out = normal.to_owned();
        for ((y, x, _), v) in out.indexed_iter_mut() {
            if mask[[y, x]] {
                *v = if group == 0 { *v + 0.3 } else { *v - 0.3 };
            }
        }
        Ok(Anomaly { image: out, mask, severity: Some(group as f64) })
    }
}

fn params() -> TrainParams {
    TrainParams::default().with_rounds(4).with_steps(4).with_batch(4).with_dimensions(24)
}

fn train_with(
    params: TrainParams,
    resume: Option<Checkpoint>,
    observer: &mut dyn Observe,
) -> Result<FitOutcome, Error> {
    let net = EfficientNetLite0::pretrained().unwrap();
    let normals: Vec<_> = (0..12).map(texture).collect();
    let mut quality = Sqe::new(&net, Head::default(), 5).unwrap();
    let method = ForwardDifference::default();
    let upper = OuterProblem { quality: &mut quality, method: &method, validation: &ValidationAnomalies::default() };
    fit(Arc::new(net), &normals, &Blots, upper, &params, resume, observer)
}

fn train(params: TrainParams) -> FitOutcome {
    train_with(params, None, &mut NoObserver).unwrap()
}

/// Both evidences see a defect of a third kind, at the right place. This says nothing of the training: the
/// discriminator starts from the sum of the distances, which alone see it, too. That training does something is what
/// the loss below shows.
#[test]
fn finds_a_defect_it_never_saw() {
    let fitted = train(params());
    let mut bad = texture(40);
    for ((y, x, c), v) in bad.indexed_iter_mut() {
        if (50..62).contains(&y) && (30..42).contains(&x) {
            *v = if c == 0 { 0.9 } else { 0.2 };
        }
    }
    for fusion in [Fusion::Both, Fusion::Discriminator, Fusion::Distance] {
        let detector = fitted.detector.with_fusion(fusion);
        let (good, bad) = (detector.predict(texture(41).view()).unwrap(), detector.predict(bad.view()).unwrap());
        assert!(bad.score > good.score, "{fusion:?}: {} {}", bad.score, good.score);
        let peak = bad.map.indexed_iter().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
        // no farther off than a patch, 8 px
        assert!((42..70).contains(&peak.0) && (22..50).contains(&peak.1), "{fusion:?}: {peak:?}");
    }
    let split = fitted.report.split;
    assert_eq!((split.training, split.validation, split.calibration), (10, 1, 1));
    assert!(fitted.report.rounds.iter().all(|r| r.loss.is_finite() && r.ess_fraction > 0.2));
}

#[test]
fn every_mechanism_is_left_out_in_turn_and_the_loss_falls() {
    let rounds = train(params()).report.rounds;
    assert_eq!(rounds.iter().map(|r| r.held_out).collect::<Vec<_>>(), vec![Some(0), Some(1), Some(0), Some(1)]);
    assert!(rounds[3].loss < rounds[0].loss, "{rounds:?}");
}

#[test]
fn learned_weights_move_and_equal_ones_do_not() {
    let learned = train(params().with_quality_learning_rate(0.05)).report.rounds;
    // measured: 0.9919
    assert!(learned.iter().any(|r| r.ess_fraction < 0.995), "{learned:?}");
    let uniform = train(params().with_weighting(Weighting::Uniform)).report.rounds;
    assert!(uniform.iter().all(|r| r.ess_fraction == 1.0 && r.upper_loss.is_nan()));
}

#[test]
fn is_the_same_on_any_thread_count() {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| train(params()).detector.predict(texture(50).view()).unwrap())
    };
    assert_eq!(run(1), run(3));
}

struct StopAfter(usize, Option<Checkpoint>);

impl Observe for StopAfter {
    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> ControlFlow<()> {
        self.1 = Some(checkpoint.clone());
        if checkpoint.rounds() >= self.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

#[test]
fn an_interrupted_run_resumes_to_the_same_bits() {
    let whole = train(params());
    let mut observer = StopAfter(2, None);
    let stopped = train_with(params(), None, &mut observer).unwrap_err();
    assert!(matches!(stopped, Error::Stopped { rounds: 2 }));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.checkpoint");
    observer.1.unwrap().save(&path, "textures").unwrap();
    assert!(matches!(Checkpoint::load(&path, "pills"), Err(Error::OtherRun { .. })));
    let resumed = train_with(params(), Some(Checkpoint::load(&path, "textures").unwrap()), &mut NoObserver).unwrap();
    let image = texture(60);
    assert_eq!(resumed.detector.predict(image.view()).unwrap(), whole.detector.predict(image.view()).unwrap());
    assert_eq!(resumed.report.rounds, whole.report.rounds);
}

#[test]
fn a_saved_detector_predicts_the_same() {
    let fitted = train(params());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("detector.safetensors");
    fitted.detector.save(&path).unwrap();
    let again = PatchDetector::load(&path, Arc::new(EfficientNetLite0::pretrained().unwrap())).unwrap();
    let image = texture(70);
    assert_eq!(again.predict(image.view()).unwrap(), fitted.detector.predict(image.view()).unwrap());
    assert_eq!(again.provenance().training_side(), Some(96));
    assert_eq!(Threshold::of(&again, 0.0).unwrap(), Threshold::of(&fitted.detector, 0.0).unwrap());
    let other = EfficientNetLite0::pretrained().unwrap().with_hash(7);
    assert!(matches!(
        PatchDetector::load(&path, Arc::new(other)),
        Err(Error::File(ModelFileError::Mismatch { field: "backbone_hash", .. }))
    ));
    std::fs::write(&path, b"torn").unwrap();
    let net = Arc::new(EfficientNetLite0::pretrained().unwrap());
    assert!(matches!(PatchDetector::load(&path, net), Err(Error::File(ModelFileError::Damaged { .. }))));
}

/// A source that cannot make what it is asked for.
struct Barren;

impl AnomalySource for Barren {
    fn mechanisms(&self) -> usize {
        1
    }
    fn anomaly(&self, _: ArrayView3<'_, f32>, _: usize, _: usize, _: u64) -> Result<Anomaly, SourceError> {
        Err("nothing grows here".into())
    }
}

/// Blots, but on some images the first kind cannot be drawn.
struct Choosy;

impl AnomalySource for Choosy {
    fn mechanisms(&self) -> usize {
        2
    }
    fn anomaly(
        &self,
        normal: ArrayView3<'_, f32>,
        image: usize,
        group: usize,
        index: u64,
    ) -> Result<Anomaly, SourceError> {
        if image < 4 && group == 0 { Err("no room".into()) } else { Blots.anomaly(normal, image, group, index) }
    }
}

#[test]
fn what_cannot_be_drawn_on_some_images_is_drawn_on_others() {
    let net = EfficientNetLite0::pretrained().unwrap();
    let normals: Vec<_> = (0..12).map(texture).collect();
    let params = params().with_held_out(0.25); // three images in each part
    let outcome = PatchDetector::fit(Arc::new(net), &normals, &Choosy, &params, &mut NoObserver).unwrap();
    assert_eq!(outcome.report.synthetic, 4 * 4 * 4, "rounds, steps, batch: none is left out");
}

#[test]
fn bad_input_is_refused_with_its_reason() {
    let net = EfficientNetLite0::pretrained().unwrap();
    let mut quality = Sqe::new(&net, Head::default(), 5).unwrap();
    let net: Arc<dyn Backbone> = Arc::new(net);
    let method = ForwardDifference::default();
    let normals: Vec<_> = (0..5).map(texture).collect();
    let mut run = |normals: &[Array3<f32>], source: &dyn AnomalySource, p: &TrainParams| {
        let upper =
            OuterProblem { quality: &mut quality, method: &method, validation: &ValidationAnomalies::default() };
        fit(net.clone(), normals, source, upper, p, None, &mut NoObserver).unwrap_err()
    };
    assert!(matches!(run(&normals[..3], &Blots, &params()), Error::TooFewNormals { found: 3, needed: 4 }));
    let error = run(&normals, &Barren, &params());
    let Error::Source { mechanism: 0, source, .. } = error else { panic!("{error}") };
    assert_eq!(source.to_string(), "nothing grows here");
    for (p, field) in [
        (params().with_batch(0), "batch"),
        (params().with_steps(0), "steps"),
        (params().with_rounds(0), "rounds"),
        (params().with_min_ess_fraction(1.0), "min_ess_fraction"),
        (params().with_weighting(Weighting::Filtered { keep: 0.0 }), "keep"),
        (params().with_learning_rate(f64::NAN), "learning_rate"),
        (params().with_held_out(0.0), "held_out"),
        (params().with_ess_penalty(-1.0), "ess_penalty"),
        (params().with_smoothing(f64::INFINITY), "smoothing"),
    ] {
        assert!(matches!(run(&normals, &Blots, &p), Error::Parameter(e) if e.name == field), "{field}");
    }
}
