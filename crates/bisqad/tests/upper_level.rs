//! The upper level: where its anomalies come from, what guards it, and how it fails.
#![allow(clippy::unwrap_used)] // a test may panic

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bisqad::bilevel::{self, Bilevel, ForwardDifference, Hypergradient, Implicit, Neumann, WeightGradient};
use bisqad::{
    Anomaly, AnomalySource, Detector, Error, FewShotSet, FitOutcome, LabeledDefect, NoObserver, OuterProblem,
    PatchDetector, Persist, RoundReport, SourceError, TrainParams, ValidationAnomalies, Weighting, fit,
};
use frozen_backbone::EfficientNetLite0;
use ndarray::{Array2, Array3, ArrayView3};
use sqe::{Head, Sqe};

const SIDE: usize = 64;

fn texture(seed: usize) -> Array3<f32> {
    Array3::from_shape_fn((SIDE, SIDE, 3), |(y, x, c)| {
        let noise = ((y * 7919 + x * 104_729 + seed * 611_953 + c * 31) % 1009) as f32 / 1009.0;
        0.4 + 0.1 * ((y / 6 + x / 9 + seed) % 3) as f32 + 0.05 * noise
    })
}

/// Bright discs of severity 0.1, dark bars of severity 0.9.
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
        let (cy, cx) = (12 + (index as usize * 37 + image) % 40, 12 + (index as usize * 53) % 40);
        let mask = Array2::from_shape_fn((SIDE, SIDE), |(y, x)| match group {
            0 => y.abs_diff(cy).pow(2) + x.abs_diff(cx).pow(2) < 30 + index as usize % 40,
            _ => y.abs_diff(cy) < 3 && x.abs_diff(cx) < 11,
        });
        let mut out = normal.to_owned();
        for ((y, x, _), v) in out.indexed_iter_mut() {
            if mask[[y, x]] {
                *v += if group == 0 { 0.1 + 0.2 * (index % 3) as f32 } else { -0.3 };
            }
        }
        Ok(Anomaly { image: out, mask, severity: Some(0.1 + 0.8 * group as f64) })
    }
}

fn defect(seed: usize) -> LabeledDefect {
    let mask = Array2::from_shape_fn((SIDE, SIDE), |(y, x)| y.abs_diff(30) < 2 && (10 + seed..40).contains(&x));
    let mut image = texture(900 + seed);
    for ((y, x, c), v) in image.indexed_iter_mut() {
        if mask[[y, x]] {
            *v = if c == 2 { 0.9 } else { 0.1 };
        }
    }
    LabeledDefect { name: format!("scratch {seed}"), kind: "scratch".to_owned(), image, mask }
}

fn hashes(detector: &PatchDetector) -> Vec<u64> {
    detector.provenance().validation_hashes().collect()
}

fn few() -> FewShotSet {
    FewShotSet::new((0..3).map(defect).collect()).unwrap()
}

fn params() -> TrainParams {
    TrainParams::default().with_rounds(2).with_steps(4).with_batch(4).with_updates(2).with_dimensions(16)
}

struct Run {
    quality: Sqe,
    method: Box<dyn Hypergradient>,
    meta: ValidationAnomalies,
    params: TrainParams,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            quality: Sqe::new(&EfficientNetLite0::pretrained().unwrap(), Head::default(), 5).unwrap(),
            method: Box::new(ForwardDifference::default()),
            meta: ValidationAnomalies::default(),
            params: params(),
        }
    }
}

impl Run {
    fn fit(mut self) -> Result<FitOutcome, Error> {
        self.fit_in_place()
    }
    fn fit_in_place(&mut self) -> Result<FitOutcome, Error> {
        let normals: Vec<_> = (0..8).map(texture).collect();
        let net = Arc::new(EfficientNetLite0::pretrained().unwrap());
        let upper = OuterProblem { quality: &mut self.quality, method: self.method.as_ref(), validation: &self.meta };
        fit(net, &normals, &Blots, upper, &self.params, None, &mut NoObserver)
    }
    fn fail(self) -> Error {
        self.fit().unwrap_err()
    }
    fn rounds(self) -> Vec<RoundReport> {
        self.fit().unwrap().report.rounds
    }
    /// The rounds, and the estimator's parameters after them.
    fn rounds_and_parameters(mut self) -> (Vec<RoundReport>, Vec<f64>) {
        let rounds = self.fit_in_place().unwrap().report.rounds;
        (rounds, self.quality.parameters().unwrap())
    }
}

#[test]
fn real_defects_validate_alone_or_beside_the_mechanism_left_out_and_are_recorded() {
    let alone = Run { meta: ValidationAnomalies::RealDefects(few()), ..Run::default() }.fit().unwrap();
    assert!(alone.report.rounds.iter().all(|r| r.held_out.is_none() && r.upper_loss.is_finite()));
    assert_eq!(hashes(&alone.detector), few().hashes());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("detector.safetensors");
    alone.detector.save(&path).unwrap();
    let again = PatchDetector::load(&path, Arc::new(EfficientNetLite0::pretrained().unwrap())).unwrap();
    assert_eq!(hashes(&again), few().hashes());

    let mixed = Run { meta: ValidationAnomalies::Mixed(few()), ..Run::default() }.rounds();
    assert_eq!(mixed.iter().map(|r| r.held_out).collect::<Vec<_>>(), vec![Some(0), Some(1)]);
    let plain = Run::default().fit().unwrap();
    assert_eq!(hashes(&plain.detector), &[] as &[u64]);
    // which defects validate moves the upper loss, and about half as far if they are half of the set
    let first = |r: &[RoundReport]| r[0].upper_loss;
    let hidden = || FewShotSet::new((0..3).map(|i| LabeledDefect { image: texture(950 + i), ..defect(i) }).collect());
    let cost = |set: fn(FewShotSet) -> ValidationAnomalies| {
        let [clear, hidden] = [few(), hidden().unwrap()].map(|f| Run { meta: set(f), ..Run::default() }.rounds());
        first(&hidden) - first(&clear)
    };
    let (all, half) = (cost(ValidationAnomalies::RealDefects), cost(ValidationAnomalies::Mixed));
    // measured: -5.05 and -2.88
    assert!(all.abs() > 0.1 && (0.25..0.75).contains(&(half / all)), "{all} {half}");
    assert!(first(&mixed).is_finite() && first(&mixed) != first(&plain.report.rounds));
}

#[test]
fn a_real_defect_among_the_normals_is_refused() {
    let leaked = LabeledDefect { image: texture(3), ..defect(0) };
    let meta = ValidationAnomalies::RealDefects(FewShotSet::new(vec![defect(1), leaked]).unwrap());
    let error = Run { meta, ..Run::default() }.fail();
    assert!(matches!(&error, Error::TestLeak { name, .. } if name == "scratch 0"), "{error}");
}

#[test]
fn a_real_defect_may_be_of_another_size() {
    let image = Array3::from_shape_fn((96, 72, 3), |(y, x, _)| ((y * 3 + x * 5) % 17) as f32 / 17.0);
    let mask = Array2::from_shape_fn((96, 72), |(y, x)| y < 40 && x < 30);
    let large = FewShotSet::new(vec![LabeledDefect { image, mask, ..defect(2) }]).unwrap();
    assert!(Run { meta: ValidationAnomalies::Mixed(large), ..Run::default() }.fit().is_ok());
}

#[test]
fn an_estimator_of_another_backbone_is_refused() {
    let other = EfficientNetLite0::pretrained().unwrap().with_hash(7);
    let error = Run { quality: Sqe::new(&other, Head::default(), 5).unwrap(), ..Run::default() }.fail();
    assert!(matches!(&error, Error::Quality(sqe::Error::OtherBackbone { .. })), "{error}");
}

#[test]
fn weights_that_are_all_zero_are_an_error_with_the_step() {
    let mut run = Run::default();
    // the last parameter is the output's bias: so low that every quality is exactly 0
    let mut parameters = run.quality.parameters().unwrap();
    *parameters.last_mut().unwrap() = -1e4;
    run.quality.set_parameters(&parameters).unwrap();
    assert!(matches!(run.fail(), Error::ZeroWeights { step: 0 }));
}

/// Asks for nothing, until the call after `after`.
#[derive(Debug)]
struct Turns {
    after: usize,
    calls: AtomicUsize,
    then: fn() -> Result<f64, bilevel::Error>,
}

impl Hypergradient for Turns {
    fn name(&self) -> &'static str {
        "turns"
    }
    fn weight_gradient(&self, _: &dyn Bilevel, _: &[f64], w: &[f64], _: f64) -> Result<WeightGradient, bilevel::Error> {
        let late = self.calls.fetch_add(1, Ordering::Relaxed) >= self.after;
        let value = if late { (self.then)()? } else { 0.0 };
        Ok(WeightGradient { gradient: vec![value; w.len()], upper_loss: 1.0 })
    }
}

#[test]
fn a_failing_upper_level_says_at_which_step() {
    // four steps a round, every third an upper one: the second call is step 3, the third step 4
    let turns = |after, then| Box::new(Turns { after, calls: AtomicUsize::new(0), then });
    let error = Run { method: turns(1, || Ok(f64::NAN)), ..Run::default() }.fail();
    assert!(matches!(error, Error::Diverged { what: "the hypergradient", step: 3 }), "{error}");
    let unsolved = || Err(bilevel::Error::Unsolved { method: "turns", iteration: 9, hint: "on purpose" });
    let error = Run { method: turns(2, unsolved), ..Run::default() }.fail();
    let Error::Upper { step: 4, source } = error else { panic!("{error}") };
    assert!(source.to_string().contains("on purpose"), "{source}");
}

#[test]
fn a_diverging_inner_solve_and_a_diverging_lower_level_are_errors_with_the_step() {
    let method = Box::new(Implicit::new(Neumann::new(50, 1e9).unwrap(), 1e-2).unwrap());
    let error = Run { method, ..Run::default() }.fail();
    let Error::Upper { step: 0, source } = error else { panic!("{error}") };
    assert!(matches!(source, bilevel::Error::Unsolved { method: "neumann", .. }), "{source}");
    let params = params().with_learning_rate(1e30).with_weighting(Weighting::Uniform);
    let error = Run { params, ..Run::default() }.fail();
    assert!(matches!(error, Error::Diverged { what: "the lower loss", step: 0 }), "{error}");
}

/// Wants the heaviest sample to be heavier yet.
#[derive(Debug)]
struct Greed;

impl Hypergradient for Greed {
    fn name(&self) -> &'static str {
        "greed"
    }
    fn weight_gradient(&self, _: &dyn Bilevel, _: &[f64], w: &[f64], _: f64) -> Result<WeightGradient, bilevel::Error> {
        let most = (0..w.len()).max_by(|&a, &b| w[a].total_cmp(&w[b])).unwrap();
        let gradient = (0..w.len()).map(|i| if i == most { -1.0 } else { 0.0 }).collect();
        Ok(WeightGradient { gradient, upper_loss: 1.0 })
    }
}

#[test]
fn the_guard_keeps_an_upper_level_that_wants_one_sample_from_having_it() {
    let run = |min_ess_fraction| {
        let params = params()
            .with_min_ess_fraction(min_ess_fraction)
            .with_ess_penalty(0.0)
            .with_quality_learning_rate(0.1)
            .with_outer_every(1)
            .with_steps(8);
        Run { method: Box::new(Greed), params, ..Run::default() }.rounds()
    };
    let (free, ess_clipped_steps) = (run(0.0), run(0.7));
    let least = |r: &[RoundReport]| r.iter().map(|r| r.ess_fraction).fold(1.0, f64::min);
    assert!(least(&free) < 0.5 && free.iter().all(|r| r.ess_clipped_steps == 0), "{free:?}");
    assert!(
        least(&ess_clipped_steps) > 0.6 && ess_clipped_steps.iter().any(|r| r.ess_clipped_steps > 0),
        "{ess_clipped_steps:?}"
    );
}

#[test]
fn weights_are_logged_by_mechanism_and_severity() {
    let rounds = Run { meta: ValidationAnomalies::RealDefects(few()), ..Run::default() }.rounds();
    for r in &rounds {
        let kinds: Vec<_> = r.weights.iter().map(|w| (w.mechanism, w.band)).collect();
        assert_eq!(kinds, vec![(0, Some(0)), (1, Some(3))]);
        assert_eq!(r.weights.iter().map(|w| w.samples).sum::<usize>(), 4 * 2 * 4);
        let mean = r.weights.iter().map(|w| w.mean * w.samples as f64).sum::<f64>() / 32.0;
        assert!((mean - 1.0).abs() < 1e-12, "weights have mean one: {mean}");
    }
    let held_out = Run::default().rounds();
    assert!(held_out[0].weights.iter().all(|w| w.mechanism == 1), "{:?}", held_out[0].weights);
}

/// An estimator whose qualities differ from sample to sample, and its parameters.
fn opinionated(weighting: Weighting) -> (Run, Vec<f64>) {
    let mut run = Run { params: params().with_weighting(weighting), ..Run::default() };
    let mut parameters = run.quality.parameters().unwrap();
    // the last are the output's 32 weights and its bias
    let output = parameters.len() - 33;
    for (i, value) in parameters[output..output + 32].iter_mut().enumerate() {
        *value = f64::from(((i * 7 % 11) as f32 - 5.0) / 5.0);
    }
    run.quality.set_parameters(&parameters).unwrap();
    (run, parameters)
}

#[test]
fn ablations_without_an_upper_level_leave_the_estimator_alone() {
    for weighting in [Weighting::WarmStart, Weighting::Filtered { keep: 0.5 }, Weighting::Uniform] {
        let (run, before) = opinionated(weighting);
        let (rounds, after) = run.rounds_and_parameters();
        assert_eq!(after, before, "{weighting:?}");
        let equal = rounds.iter().all(|r| r.ess_fraction == 1.0);
        assert_eq!(equal, weighting != Weighting::WarmStart, "{weighting:?}");
        assert!(rounds.iter().all(|r| r.upper_loss.is_nan()));
    }
}

#[test]
fn the_filter_drops_samples_and_nothing_else() {
    let rounds = |weighting| opinionated(weighting).0.rounds();
    let losses = |rounds: &[RoundReport]| -> Vec<f64> { rounds.iter().map(|r| r.loss).collect() };
    let all = rounds(Weighting::Uniform);
    assert_eq!(losses(&rounds(Weighting::Filtered { keep: 1.0 })), losses(&all));
    // what is left is better by the estimator's own judgment, in every round
    let best = rounds(Weighting::Filtered { keep: 0.5 });
    for (all, best) in all.iter().zip(&best) {
        assert!(best.quality > all.quality + 0.01, "{} {}", all.quality, best.quality);
    }
}
