//! The trained detector: position Gaussians by level and a discriminator.

use std::sync::Arc;

use frozen_backbone::Backbone;
use ndarray::{Array2, ArrayView3};

use crate::detectors::provenance::Provenance;
use crate::detectors::{Detector, Prediction};
use crate::error::Error;
use crate::features::gaussians::Gaussians;
use crate::features::input_scales::Scales;
use crate::features::patches::{self, Patches};
use crate::persistence::format::Persist;
use crate::training::discriminator::Shape;

/// Evidence that the score map is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Fusion {
    /// Mean of logit and distance, each in standard deviations over held-out normal patches.
    #[default]
    Both,
    /// Logit of the trained discriminator alone.
    Discriminator,
    /// Mahalanobis distance from the Gaussian of the position alone, which needs no training.
    Distance,
}

/// Mean and standard deviation over held-out normal patches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Calibration {
    pub(crate) logit: (f32, f32),
    pub(crate) distance: (f32, f32),
}

/// Unscaled evidence of each patch of one image.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) grid: (usize, usize),
    pub(crate) logits: Vec<f32>,
    pub(crate) distances: Vec<f32>,
}

/// Detector made of a frozen backbone, Gaussians of normal features by position and level, and a discriminator that is
/// trained on deviations from them.
///
/// Trained by [`fit`](crate::fit), read by [`PatchDetector::load`]. For products that lie much the same way in every
/// image; in an image of another size, each patch is compared with the position at the same place of the frame.
#[derive(Debug, Clone)]
pub struct PatchDetector {
    pub(crate) backbone: Arc<dyn Backbone>,
    pub(crate) normal: Gaussians,
    pub(crate) scales: Scales,
    pub(crate) shape: Shape,
    pub(crate) theta: Vec<f64>,
    pub(crate) calibration: Calibration,
    pub(crate) smoothing: f32,
    pub(crate) training_side: usize,
    pub(crate) fusion: Fusion,
    pub(crate) normal_scores: Vec<f64>,
    pub(crate) validation_hashes: Vec<u64>,
}

impl PatchDetector {
    /// Sets the evidence that the score map is made of. Its normal scores are dropped, because they no longer apply:
    /// [`Threshold::calibrate`](crate::Threshold::calibrate) takes images.
    #[must_use]
    pub fn with_fusion(&self, fusion: Fusion) -> Self {
        let normal_scores = if fusion == self.fusion { self.normal_scores.clone() } else { Vec::new() };
        Self { fusion, normal_scores, ..self.clone() }
    }

    /// Inputs of the discriminator for patches `which` of an image, or for all, against `normal`.
    pub(crate) fn reads(&self, normal: &Gaussians, patches: &Patches, which: Option<&[usize]>) -> Array2<f32> {
        self.scales.read(&normal.deviations(patches, which))
    }

    /// Logit and distance of each patch of an image.
    pub(crate) fn raw(&self, image: ArrayView3<'_, f32>) -> Result<Raw, Error> {
        let (_, patches) = patches::read(self.backbone.as_ref(), image)?;
        let rows = self.reads(&self.normal, &patches, None);
        let distances = self.scales.distances(&rows);
        if self.fusion == Fusion::Distance {
            return Ok(Raw { grid: patches.grid, logits: vec![0.0; distances.len()], distances });
        }
        let logits = self.shape.logits(&self.theta, rows.view())?;
        Ok(Raw { grid: patches.grid, logits, distances })
    }
}

impl Detector for PatchDetector {
    fn name(&self) -> &'static str {
        match self.fusion {
            Fusion::Both => "bisqad",
            Fusion::Discriminator => "bisqad-discriminator",
            Fusion::Distance => "bisqad-distance",
        }
    }

    fn predict(&self, image: ArrayView3<'_, f32>) -> Result<Prediction, Error> {
        let (h, w, _) = image.dim();
        let Raw { grid, logits, distances } = self.raw(image)?;
        let deviation = |value: f32, (mean, spread): (f32, f32)| (value - mean) / spread;
        let scores = logits.iter().zip(&distances).map(|(&l, &d)| {
            let (l, d) = (deviation(l, self.calibration.logit), deviation(d, self.calibration.distance));
            match self.fusion {
                Fusion::Both => (l + d) / 2.0,
                Fusion::Discriminator => l,
                Fusion::Distance => d,
            }
        });
        Prediction::of_patches(scores.collect(), grid, (h, w), self.smoothing)?.checked(self.name())
    }

    fn normal_scores(&self) -> &[f64] {
        &self.normal_scores
    }

    fn provenance(&self) -> Provenance {
        Provenance::new(Some(self.training_side), self.validation_hashes.clone())
    }

    fn as_persist(&self) -> Option<&dyn Persist> {
        Some(self)
    }
}
