//! Training from end to end: normal images in, calibrated detector out.

use std::ops::ControlFlow;
use std::sync::Arc;

use frozen_backbone::Backbone;
use ndarray::Array3;
use rayon::prelude::*;
use sqe::Sqe;

use crate::adam::Adam;
use crate::detector::{Calibration, PatchDetector};
use crate::hypergradient::Hypergradient;
use crate::normals::{Normals, Split};
use crate::trainer::{Real, Trainer, assign};
use crate::{AnomalySource, Detector, Error, FewShot, Fusion, MetaSource, RoundReport, TrainParams};

/// What is going on.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Progress {
    /// Features of the normal images: this many of that many.
    Features {
        /// Done.
        done: usize,
        /// In all.
        total: usize,
    },
    /// The memory is being selected.
    Memory,
    /// A training step's images were drawn.
    Drawn,
    /// An update was made.
    Update {
        /// Of both levels; else of the lower one alone.
        upper: bool,
    },
    /// A training step was made.
    Step {
        /// Done.
        done: usize,
        /// In all.
        total: usize,
        /// Weighted lower loss.
        loss: f64,
    },
    /// The held-out normals are being scored.
    Calibration,
}

/// Watches a training run; may stop it after any round.
pub trait Observe {
    /// Called often.
    fn progress(&mut self, _progress: Progress) {}
    /// Called after every round with everything needed to continue from here.
    fn checkpoint(&mut self, _checkpoint: &Checkpoint) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;
impl Observe for Silent {}

/// A finished run.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// One entry a round.
    pub rounds: Vec<RoundReport>,
    /// Normal images that trained, steered (meta) and calibrated.
    pub split: (usize, usize, usize),
    /// Patches in the memory.
    pub memory: usize,
    /// Synthetic images drawn.
    pub synthetic: usize,
}

/// What [`fit`] returns.
#[derive(Debug)]
pub struct Fitted {
    /// The detector, calibrated on held-out normals.
    pub detector: PatchDetector,
    /// How training went.
    pub report: Report,
}

/// Everything that changes from round to round.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    pub(crate) theta: Vec<f64>,
    pub(crate) theta_adam: Adam,
    pub(crate) quality: Vec<f64>,
    pub(crate) quality_adam: Adam,
    pub(crate) rounds: Vec<RoundReport>,
}

impl Checkpoint {
    /// Rounds done.
    pub fn rounds(&self) -> usize {
        self.rounds.len()
    }
}

/// The parties of the upper level.
#[derive(Debug)]
pub struct Upper<'a> {
    /// Weighs the samples, and goes on learning ([`Weighting::Learnt`](crate::Weighting::Learnt)).
    pub quality: &'a mut Sqe,
    /// How the upper loss is differentiated by the weights.
    pub method: &'a dyn Hypergradient,
    /// Where the held-out anomalies come from.
    pub meta: &'a MetaSource,
}

/// Trains a [`PatchDetector`] on `normals` and on anomalies that `source` makes of them.
///
/// A tenth of the normals steers the quality estimator together with the anomalies of `upper.meta`, another tenth calibrates the maps and the
/// threshold; neither enters the memory or the lower level. With `resume`, continues after the checkpoint's last round and ends with the
/// same bits as an uninterrupted run.
///
/// # Errors
/// [`Error::Parameter`], [`Error::TooFewNormals`] (four are needed), [`Error::Quality`] for an estimator of another backbone,
/// [`Error::MetaLeak`] for real defects that are among the normals, [`Error::Source`] if a mechanism fails repeatedly, [`Error::Stopped`] if the observer breaks off; [`Error::Diverged`], [`Error::ZeroWeights`] and
/// [`Error::Upper`] with the step's number.
pub fn fit(
    backbone: Arc<dyn Backbone>,
    normals: &[Array3<f32>],
    source: &dyn AnomalySource,
    upper: Upper<'_>,
    params: &TrainParams,
    resume: Option<Checkpoint>,
    observer: &mut dyn Observe,
) -> Result<Fitted, Error> {
    if source.groups() == 0 {
        return Err(Error::Parameter { name: "groups", value: 0.0, expected: "at least 1 mechanism" });
    }
    let Upper { quality, method, meta } = upper;
    quality.check_backbone(backbone.as_ref())?;
    if let Some(few) = meta.few_shot() {
        few.check_apart(normals)?;
    }
    let (mut detector, base, split) = remember(backbone, normals, params, observer)?;
    let normal_inputs = base.inputs(&detector)?;

    let real = meta.few_shot().map_or(&[][..], FewShot::defects);
    let real: Vec<Real> = real.par_iter().map(|d| Real::new(d, &detector)).collect::<Result<_, _>>()?;
    let trainer = Trainer {
        normals,
        source,
        params,
        meta,
        real: &real,
        split: &split,
        normal_inputs: &normal_inputs,
        detector: &detector,
    };
    let mut state = match resume {
        Some(state) => {
            let parameters = detector.shape.parameters();
            if state.theta.len() != parameters {
                return Err(Error::Length { what: "checkpoint", found: state.theta.len(), expected: parameters });
            }
            assign(&quality.vars(), &state.quality)?;
            state
        }
        None => trainer.initial_state(quality)?,
    };
    while state.rounds() < params.rounds {
        let report = trainer.round(&mut state, quality, method, observer)?;
        state.rounds.push(report);
        if observer.checkpoint(&state).is_break() {
            return Err(Error::Stopped { rounds: state.rounds() });
        }
    }
    detector.theta = state.theta;
    detector.steered_by = meta.few_shot().map_or_else(Vec::new, |few| few.contents().to_vec());

    observer.progress(Progress::Calibration);
    calibrate(&mut detector, normals, &split.calibration)?;
    let report = Report {
        split: (split.train.len(), split.meta.len(), split.calibration.len()),
        memory: detector.memory.rows.nrows(),
        synthetic: params.rounds * params.steps * params.batch,
        rounds: state.rounds,
    };
    Ok(Fitted { detector, report })
}

/// PatchCore-like baseline: the memory of normal patches alone, without any training. Of `params` it reads the seed, the dimensions, the
/// memory's size, the share held out and the smoothing.
///
/// K. Roth et al., "Towards Total Recall in Industrial Anomaly Detection", CVPR 2022, with differences of our own: half-whitened principal
/// components; candidates are a random 65 536 patches; the image score is the maximum of the smoothed map, without reweighting.
///
/// Memory: `params.memory` x `params.dimensions` floats, twice (4 MB by default). The search is exact.
///
/// ```
/// use bisqad::{Detector, Silent, TrainParams, fit_memory};
/// use frozen_backbone::EfficientNetLite0;
/// use ndarray::Array3;
///
/// let photo = |i: usize| {
///     Array3::from_shape_fn((64, 64, 3), |(y, x, _)| 0.4 + 0.05 * ((y * 7 + x * 13 + i * 29) % 11) as f32 / 11.0)
/// };
/// let normals: Vec<_> = (0..10).map(photo).collect();
/// let net = std::sync::Arc::new(EfficientNetLite0::pretrained()?);
/// let detector = fit_memory(net, &normals, &TrainParams { memory: 256, ..Default::default() }, &mut Silent)?;
/// let mut bad = photo(20);
/// for y in 24..40 { for x in 24..40 { for c in 0..3 { bad[[y, x, c]] = 0.9; } } }
/// assert!(detector.predict(bad.view())?.score > detector.threshold(0.0)?.value);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::Parameter`], [`Error::TooFewNormals`] (four are needed), [`Error::Backbone`].
pub fn fit_memory(
    backbone: Arc<dyn Backbone>,
    normals: &[Array3<f32>],
    params: &TrainParams,
    observer: &mut dyn Observe,
) -> Result<PatchDetector, Error> {
    let (mut detector, _, split) = remember(backbone, normals, params, observer)?;
    detector.theta = vec![0.0; detector.shape.parameters()];
    detector.fusion = Fusion::Memory;
    observer.progress(Progress::Calibration);
    calibrate(&mut detector, normals, &split.calibration)?;
    Ok(detector)
}

/// The untrained detector with its memory, what the memory was made of, and who serves what.
fn remember(
    backbone: Arc<dyn Backbone>,
    normals: &[Array3<f32>],
    params: &TrainParams,
    observer: &mut dyn Observe,
) -> Result<(PatchDetector, Normals, Split), Error> {
    params.check()?;
    if normals.len() < 4 {
        return Err(Error::TooFewNormals { found: normals.len(), needed: 4 });
    }
    let split = Split::new(normals.len(), params);
    let base = Normals::gather(&backbone, normals, &split, params, observer)?;
    observer.progress(Progress::Memory);
    let detector = base.detector(backbone, params)?;
    Ok((detector, base, split))
}

/// Scale of logits and distances, and image scores, on held-out normal images.
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
