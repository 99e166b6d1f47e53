//! Bi-level training of a detector, the default until 2026-11-26: warm start of the quality estimator, then both
//! levels.

use std::sync::Arc;

use bilevel::ForwardDifference;
use bisqad::{Checkpoint, FitOutcome, Observe, OuterProblem, TrainParams, ValidationAnomalies, check_normals, fit};
use frozen_backbone::{Backbone, EfficientNetLite0};
use ndarray::Array3;
use sqe::{Sqe, WarmStartReport};

use crate::error::Error;
use crate::synthesis::PipelineSource;
use crate::train::too_small;
use crate::warm_start::{RankingParams, RankingTarget, warm_start};

/// Parameters of [`train_bilevel`]: those of the detector, of the warm start, and where validation anomalies come from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BilevelParams {
    detector: TrainParams,
    warm_start: RankingParams,
    validation: ValidationAnomalies,
}

impl BilevelParams {
    /// Sets the parameters of the two-level training.
    #[must_use]
    pub fn with_detector(mut self, detector: TrainParams) -> Self {
        self.detector = detector;
        self
    }

    /// Sets the number of defects whose versions warm-start the quality estimator (default 48).
    #[must_use]
    pub fn with_ranked_defects(mut self, count: usize) -> Self {
        self.warm_start.defects = count;
        self
    }

    /// Sets the versions of a defect that the warm start ranks (default: up to the original photo).
    #[must_use]
    pub fn with_ranking(mut self, ranking: RankingTarget) -> Self {
        self.warm_start.ranking = ranking;
        self
    }

    /// Sets the source of the anomalies that validate the weights (default: the mechanism that a round leaves out).
    #[must_use]
    pub fn with_validation(mut self, validation: ValidationAnomalies) -> Self {
        self.validation = validation;
        self
    }

    /// Parameters of the two-level training.
    #[must_use]
    pub fn detector(&self) -> &TrainParams {
        &self.detector
    }

    /// Number of defects whose versions warm-start the quality estimator.
    #[must_use]
    pub fn ranked_defects(&self) -> usize {
        self.warm_start.defects
    }

    /// Versions of a defect that the warm start ranks.
    #[must_use]
    pub fn ranking(&self) -> RankingTarget {
        self.warm_start.ranking
    }

    /// Source of the anomalies that validate the weights.
    #[must_use]
    pub fn validation(&self) -> &ValidationAnomalies {
        &self.validation
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Parameter`], [`Error::Detector`].
    pub fn check(&self) -> Result<(), Error> {
        self.warm_start.check()?;
        Ok(self.detector.check()?)
    }
}

/// A detector with the quality estimator that weighted its training samples.
#[derive(Debug)]
#[non_exhaustive]
pub struct BilevelModel {
    /// Detector and how its training went.
    pub fitted: FitOutcome,
    /// The quality estimator after both phases.
    pub quality: Sqe,
    /// Ranking accuracy that the warm start reached.
    pub warm_start: WarmStartReport,
}

/// Trains a detector on good photos alone, `(H, W, 1 or 3)` of any sizes: warm start of the estimator, then both
/// levels.
///
/// `source` is made from the same photos in the same order. The backbone is the embedded one; [`train_bilevel_on`]
/// takes any.
///
/// # Errors
/// [`Error::Parameter`], [`Error::TooSmallToTrain`], [`Error::Foreground`], [`Error::Defect`], [`Error::Quality`],
/// [`Error::Detector`].
pub fn train_bilevel(
    photos: &[Array3<f32>],
    source: &PipelineSource<'_>,
    params: &BilevelParams,
    resume: Option<Checkpoint>,
    observer: &mut dyn Observe,
) -> Result<BilevelModel, Error> {
    train_bilevel_on(Arc::new(EfficientNetLite0::pretrained()?), photos, source, params, resume, observer)
}

/// Trains as [`train_bilevel`] does, on features of `backbone`.
///
/// # Errors
/// As [`train_bilevel`].
pub fn train_bilevel_on(
    backbone: Arc<dyn Backbone>,
    photos: &[Array3<f32>],
    source: &PipelineSource<'_>,
    params: &BilevelParams,
    resume: Option<Checkpoint>,
    observer: &mut dyn Observe,
) -> Result<BilevelModel, Error> {
    params.check()?;
    check_normals(photos)?;
    let (mut quality, reached) =
        warm_start(backbone.as_ref(), photos, source, params.warm_start, params.detector.seed())?;
    let method = ForwardDifference::default();
    let upper = OuterProblem { quality: &mut quality, method: &method, validation: &params.validation };
    let fitted = fit(backbone, photos, source, upper, &params.detector, resume, observer);
    let fitted = fitted.map_err(|error| too_small(error, photos))?;
    Ok(BilevelModel { fitted, quality, warm_start: reached })
}
