//! Training of a detector on good photos: warm start of the quality estimator, then the two-level training.

use std::sync::Arc;

use bilevel::ForwardDifference;
use bisqad::{Checkpoint, FitOutcome, Observe, OuterProblem, TrainParams, ValidationAnomalies, fit};
use frozen_backbone::{Backbone, EfficientNetLite0};
use ndarray::Array3;
use sqe::{Sqe, WarmStartReport};

use crate::error::Error;
use crate::synthesis::PipelineSource;
use crate::warm_start::{RankingTarget, warm_start};

/// What [`train`] is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Training {
    /// Two-level training.
    pub train: TrainParams,
    /// Defects whose coarse-to-fine ladders warm-start the quality estimator (default 48).
    pub ladders: usize,
    /// What those ladders rank.
    pub rungs: RankingTarget,
    /// Where the anomalies that steer the estimator come from (default: the mechanism that is left out).
    pub meta: ValidationAnomalies,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            train: TrainParams::default(),
            ladders: 48,
            rungs: RankingTarget::default(),
            meta: ValidationAnomalies::default(),
        }
    }
}

/// What [`train`] returns.
#[derive(Debug)]
pub struct TrainedModel {
    /// Detector and how its training went.
    pub fitted: FitOutcome,
    /// The quality estimator after both phases.
    pub quality: Sqe,
    /// What the warm start reached.
    pub warm_start: WarmStartReport,
}

/// Trains on good photos alone, `(H, W, 1 or 3)` of any sizes: warm start of the estimator, then both levels. `source` is made from the
/// same photos in the same order. The backbone is the embedded one; [`train_on`] takes any.
///
/// # Errors
/// [`Error::Foreground`], [`Error::Defect`], [`Error::Quality`], [`Error::Detector`].
pub fn train(
    photos: &[Array3<f32>],
    source: &PipelineSource<'_>,
    training: &Training,
    resume: Option<Checkpoint>,
    observer: &mut dyn Observe,
) -> Result<TrainedModel, Error> {
    train_on(Arc::new(EfficientNetLite0::pretrained()?), photos, source, training, resume, observer)
}

/// As [`train`], on features of `backbone`.
///
/// # Errors
/// As [`train`].
pub fn train_on(
    backbone: Arc<dyn Backbone>,
    photos: &[Array3<f32>],
    source: &PipelineSource<'_>,
    training: &Training,
    resume: Option<Checkpoint>,
    observer: &mut dyn Observe,
) -> Result<TrainedModel, Error> {
    let Training { rungs, ladders, .. } = *training;
    let (mut quality, reached) = warm_start(backbone.as_ref(), photos, source, rungs, ladders, training.train.seed)?;
    let method = ForwardDifference::default();
    let upper = OuterProblem { quality: &mut quality, method: &method, validation: &training.meta };
    let fitted = fit(backbone, photos, source, upper, &training.train, resume, observer)?;
    Ok(TrainedModel { fitted, quality, warm_start: reached })
}
