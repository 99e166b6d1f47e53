//! Training of a detector from normal images and synthetic anomalies.

use std::sync::Arc;

use bilevel::{ForwardDifference, Hypergradient};
use frozen_backbone::Backbone;
use imgkit::ParameterError;
use ndarray::Array3;
use rayon::prelude::*;
use sqe::{Head, Sqe};

use crate::detectors::Detector;
use crate::detectors::patch::{Calibration, Fusion, PatchDetector};
use crate::error::Error;
use crate::features::statistics::ensure_different;
use crate::training::anomaly_source::AnomalySource;
use crate::training::checkpoint::Checkpoint;
use crate::training::discriminator::Shape;
use crate::training::normal_cache::NormalCache;
use crate::training::observer::{Observe, Progress};
use crate::training::params::TrainParams;
use crate::training::report::RoundReport;
use crate::training::sampler::{BatchSampler, ValidationDefect};
use crate::training::split::Split;
use crate::training::trainer::Trainer;
use crate::training::validation_anomalies::{FewShotSet, ValidationAnomalies};

/// Numbers of normal images by their use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SplitSizes {
    /// Images of the Gaussians and of the lower level.
    pub training: usize,
    /// Images of the upper level.
    pub validation: usize,
    /// Images of the calibration and of the threshold.
    pub calibration: usize,
}

/// Summary of a finished training run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FitReport {
    /// One entry per round.
    pub rounds: Vec<RoundReport>,
    /// Use of the normal images.
    pub split: SplitSizes,
    /// Number of positions that have Gaussians of their own.
    pub positions: usize,
    /// Share of the pooled covariance in theirs.
    pub shrinkage: f64,
    /// Number of synthetic images.
    pub synthetic: usize,
}

/// Trained detector and report, as [`fit`] returns them.
#[derive(Debug)]
pub struct FitOutcome {
    /// Detector, calibrated on held-out normal images.
    pub detector: PatchDetector,
    /// Summary of the training.
    pub report: FitReport,
}

/// The upper level of the training: quality estimator, hypergradient method and validation anomalies.
#[derive(Debug)]
pub struct OuterProblem<'a> {
    /// Quality estimator that weights the samples and goes on learning
    /// ([`Weighting::Learned`](crate::Weighting::Learned)).
    pub quality: &'a mut Sqe,
    /// Method that differentiates the upper loss by the weights.
    pub method: &'a dyn Hypergradient,
    /// Origin of the validation anomalies.
    pub validation: &'a ValidationAnomalies,
}

/// Trains a [`PatchDetector`] on `normals` and on anomalies that `source` makes of them.
///
/// A tenth of the normal images is for validation: with the anomalies of [`OuterProblem::validation`] it trains the
/// quality estimator. Another tenth calibrates the maps and the threshold. Neither enters the Gaussians or the lower
/// level. A training image is compared with Gaussians of the three quarters of the training images that do not include
/// it.
///
/// # Errors
/// [`Error::Parameter`] outside the ranges and for a source without mechanisms; [`Error::TooFewNormals`] for fewer than
/// four images; [`Error::Backbone`] for images that the backbone rejects; [`Error::Quality`] for an estimator of
/// another backbone; [`Error::TestLeak`] for a labeled defect among the normal images; [`Error::Source`] if a mechanism
/// fails repeatedly; [`Error::Length`] for a checkpoint of another network; [`Error::Stopped`] if the observer stops
/// the run; [`Error::Diverged`], [`Error::ZeroWeights`] and [`Error::Upper`] with the step.
pub fn fit(
    backbone: Arc<dyn Backbone>,
    normals: &[Array3<f32>],
    source: &dyn AnomalySource,
    outer: OuterProblem<'_>,
    params: &TrainParams,
    resume: Option<Checkpoint>,
    observer: &mut dyn Observe,
) -> Result<FitOutcome, Error> {
    if source.mechanisms() == 0 {
        return Err(ParameterError::new("anomaly source", "mechanisms", 0, "at least 1").into());
    }
    let OuterProblem { quality, method, validation } = outer;
    quality.check_backbone(backbone.as_ref())?;
    if let Some(few) = validation.few_shot() {
        few.check_apart(normals)?;
    }
    params.check()?;
    check_normals(normals)?;
    let split = Split::new(normals.len(), params.seed(), params.held_out());
    let base = NormalCache::gather(backbone.as_ref(), normals, &split, source, params, &mut |done, total| {
        observer.progress(Progress::Features { done, total });
    })?;
    let mut detector = untrained(backbone, &base, params);
    let real = validation.few_shot().map_or(&[][..], FewShotSet::defects);
    let real: Vec<ValidationDefect> =
        real.par_iter().map(|d| ValidationDefect::new(d, &detector)).collect::<Result<_, _>>()?;
    let sampler = BatchSampler {
        normals,
        source,
        params,
        validation,
        real: &real,
        split: &split,
        base: &base,
        detector: &detector,
    };
    let trainer = Trainer { sampler };
    let mut state = match resume {
        Some(state) => {
            let parameters = detector.shape.parameters();
            if state.theta.len() != parameters {
                return Err(Error::Length { what: "checkpoint", found: state.theta.len(), expected: parameters });
            }
            quality.set_parameters(&state.quality)?;
            state
        }
        None => trainer.initial_state(quality)?,
    };
    while state.rounds() < params.rounds() {
        let report = trainer.round(&mut state, quality, method, observer)?;
        state.rounds.push(report);
        if observer.checkpoint(&state).is_break() {
            return Err(Error::Stopped { rounds: state.rounds() });
        }
    }
    detector.theta = state.theta;
    detector.validation_hashes = validation.few_shot().map_or_else(Vec::new, |few| few.hashes().to_vec());

    observer.progress(Progress::Calibration);
    calibrate(&mut detector, normals, &split.calibration)?;
    let report = FitReport {
        split: SplitSizes {
            training: split.train.len(),
            validation: split.validation.len(),
            calibration: split.calibration.len(),
        },
        positions: detector.normal.means.nrows(),
        shrinkage: base.shrinkage,
        synthetic: params.rounds() * params.steps() * params.batch(),
        rounds: state.rounds,
    };
    Ok(FitOutcome { detector, report })
}

/// Checks that normal images are enough to train on, as [`fit`] does first: four that differ from each other and are
/// not of one color throughout.
///
/// # Errors
/// [`Error::TooFewNormals`], [`Error::TooFewDifferent`].
pub fn check_normals(normals: &[Array3<f32>]) -> Result<(), Error> {
    ensure_different(normals, 4)
}

impl PatchDetector {
    /// Trains a detector by [`fit`] with a new quality estimator, default method and default validation: the simple
    /// path.
    ///
    /// An estimator that was warm-started ([`Sqe::warm_start`]) or labeled defects for validation need [`fit`].
    ///
    /// # Errors
    /// As [`fit`].
    pub fn fit(
        backbone: Arc<dyn Backbone>,
        normals: &[Array3<f32>],
        source: &dyn AnomalySource,
        params: &TrainParams,
        observer: &mut dyn Observe,
    ) -> Result<FitOutcome, Error> {
        let mut quality = Sqe::new(backbone.as_ref(), Head::default(), params.seed())?;
        let (method, validation) = (ForwardDifference::default(), ValidationAnomalies::default());
        let outer = OuterProblem { quality: &mut quality, method: &method, validation: &validation };
        fit(backbone, normals, source, outer, params, None, observer)
    }
}

fn untrained(backbone: Arc<dyn Backbone>, base: &NormalCache, params: &TrainParams) -> PatchDetector {
    let scales = base.scales.clone();
    PatchDetector {
        backbone,
        normal: base.whole.clone(),
        shape: Shape { inputs: scales.width(), levels: scales.levels.len(), hidden: params.hidden() },
        scales,
        theta: Vec::new(),
        calibration: Calibration { logit: (0.0, 1.0), distance: (0.0, 1.0) },
        smoothing: params.smoothing() as f32,
        training_side: base.side,
        fusion: Fusion::Both,
        normal_scores: Vec::new(),
        validation_hashes: Vec::new(),
    }
}

/// Fits the scales of logits and distances, and computes the normal scores, on held-out normal images.
fn calibrate(detector: &mut PatchDetector, normals: &[Array3<f32>], images: &[usize]) -> Result<(), Error> {
    let raw: Vec<_> = images.par_iter().map(|&i| detector.raw(normals[i].view())).collect::<Result<_, Error>>()?;
    let moments = |values: Vec<f32>| {
        let n = values.len().max(1) as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
        (mean as f32, (variance.sqrt() as f32).max(1e-6))
    };
    detector.calibration = Calibration {
        logit: moments(raw.iter().flat_map(|r| r.logits.clone()).collect()),
        distance: moments(raw.iter().flat_map(|r| r.distances.clone()).collect()),
    };
    detector.normal_scores =
        images.par_iter().map(|&i| Ok(detector.predict(normals[i].view())?.score)).collect::<Result<_, Error>>()?;
    Ok(())
}
