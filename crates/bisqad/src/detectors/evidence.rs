//! The default detector: a sum of evidence chosen for the product, and heads that synthetic defects trained.

use std::sync::Arc;

use frozen_backbone::Backbone;
use ndarray::{Array2, ArrayView3};

use crate::detectors::provenance::{Provenance, image_hash};
use crate::detectors::{Detector, Prediction};
use crate::error::Error;
use crate::evidence::EvidenceKind;
use crate::evidence::heads::{Head, largest};
use crate::evidence::level::Level;
use crate::features::patches::to_image;
use crate::persistence::format::Persist;
use crate::selection::criterion::Reduction;
use crate::selection::cross_fit::Maps;
use crate::views::registration::Registration;
use crate::views::seen::Seen;

/// Detector that adds up evidence at several levels of a frozen backbone: which kinds, at which levels and at which
/// size of the image was chosen for the product ([`EvidenceDetector::fit`]). The heads that synthetic defects trained,
/// one a mechanism, enter with the weight that their use on defects of *other* mechanisms justifies.
///
/// The score map is in standard deviations over held-out normal patches; the image score is the mean of its highest
/// pixels, of a share that was chosen, too ([`Detector::score_share`]).
#[derive(Debug)]
pub struct EvidenceDetector {
    pub(crate) backbone: Arc<dyn Backbone>,
    /// Shorter side at which images are seen, px.
    pub(crate) side: usize,
    /// What images are aligned by before they are seen.
    pub(crate) registration: Option<Registration>,
    /// Largest shorter side of the training images, px.
    pub(crate) training_side: usize,
    pub(crate) levels: Vec<Level>,
    /// Mean and standard deviation of each kind at each level over held-out normal patches.
    pub(crate) term_scales: Vec<(f32, f32)>,
    /// Of their sum.
    pub(crate) sum_scale: (f32, f32),
    pub(crate) heads: Vec<Head>,
    /// Of the largest head.
    pub(crate) head_scale: (f32, f32),
    pub(crate) head_weight: f32,
    pub(crate) reduction: Reduction,
    /// Every normal image that was fitted or added, by its number.
    pub(crate) normals: Vec<NormalImage>,
    /// Scores of those that were not removed.
    pub(crate) normal_scores: Vec<f64>,
    /// Scores of the real defects that it was fitted with, each by heads that were fitted without it.
    pub(crate) defect_scores: Vec<f64>,
    /// [`image_hash`] of each.
    pub(crate) defect_hashes: Vec<u64>,
}

/// A normal image that a detector knows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NormalImage {
    /// [`image_hash`].
    pub(crate) hash: u64,
    /// Image score by what was fitted without it.
    pub(crate) score: f64,
    pub(crate) removed: bool,
}

impl EvidenceDetector {
    /// Shorter side at which images are seen, px: others are resized to it first.
    #[must_use]
    pub fn side(&self) -> usize {
        self.side
    }

    /// Whether it brings each image to a reference by a rotation and a shift first; its maps lie in the image itself.
    #[must_use]
    pub fn aligns(&self) -> bool {
        self.registration.is_some()
    }

    /// Kinds of evidence and levels that are added up.
    #[must_use]
    pub fn terms(&self) -> Vec<(EvidenceKind, usize)> {
        self.levels.iter().flat_map(|l| l.evidence.iter().map(|e| (e.kind(), l.level))).collect()
    }

    /// Weight of the heads beside the evidence, whose weight is 1.
    #[must_use]
    pub fn head_weight(&self) -> f32 {
        self.head_weight
    }

    /// The same evidence without heads, for comparison. Its normal scores are dropped, because they no longer apply:
    /// [`Threshold::calibrate`](crate::Threshold::calibrate) takes images.
    #[must_use]
    pub fn without_heads(self) -> Self {
        let (normals, normal_scores, defect_scores) = (Vec::new(), Vec::new(), Vec::new());
        Self { heads: Vec::new(), head_weight: 0.0, normals, normal_scores, defect_scores, ..self }
    }

    /// Mechanisms that have a head.
    #[must_use]
    pub fn mechanisms(&self) -> Vec<&str> {
        self.heads.iter().map(|head| head.name.as_str()).collect()
    }

    /// Number of normal images that it knows.
    #[must_use]
    pub fn normals(&self) -> usize {
        self.normals.iter().filter(|normal| !normal.removed).count()
    }

    /// Adds a normal image `(H, W, C)` to what was fitted, without training again: its patches join the places and the
    /// banks, and its score before that joins those that thresholds rest on. Components, Gaussians, heads and scales
    /// stay: train again once many were added.
    ///
    /// # Errors
    /// [`Error::KnownNormal`] for an image that it knows, and those of [`Detector::predict`].
    pub fn add_normal(&mut self, image: ArrayView3<'_, f32>) -> Result<(), Error> {
        let hash = image_hash(image);
        if self.normals.iter().any(|normal| normal.hash == hash && !normal.removed) {
            return Err(Error::KnownNormal { is_known: true });
        }
        let seen = self.see(image)?;
        let score = self.predict_seen(&seen, image.dim())?.score;
        let number = self.normals.len() as u32;
        for level in &mut self.levels {
            level.add(&seen.levels[level.level], number);
        }
        self.normals.push(NormalImage { hash, score, removed: false });
        self.collect_scores();
        Ok(())
    }

    /// Removes a normal image that was fitted or added: its patches leave the places and the banks, its score those
    /// that thresholds rest on. Components, Gaussians, heads and scales stay.
    ///
    /// # Errors
    /// [`Error::KnownNormal`] for an image that it does not know, [`Error::TooFewNormals`] for the last one.
    pub fn remove_normal(&mut self, image: ArrayView3<'_, f32>) -> Result<(), Error> {
        let hash = image_hash(image);
        let found = self.normals.iter().position(|normal| normal.hash == hash && !normal.removed);
        let Some(number) = found else { return Err(Error::KnownNormal { is_known: false }) };
        if self.normals() < 2 {
            return Err(Error::TooFewNormals { found: 0, needed: 1 });
        }
        self.levels.iter_mut().for_each(|level| level.remove(number as u32));
        self.normals[number].removed = true;
        self.collect_scores();
        Ok(())
    }

    /// Features of an image as it sees it.
    fn see(&self, image: ArrayView3<'_, f32>) -> Result<Seen, Error> {
        Seen::read(self.backbone.as_ref(), self.registration.as_ref(), self.side, image)
    }

    /// Prediction for an image of some shape from its features.
    fn predict_seen(&self, seen: &Seen, (h, w, _): (usize, usize, usize)) -> Result<Prediction, Error> {
        let heads = if self.head_weight > 0.0 { &self.heads[..] } else { &[] };
        let map = self.patch_map(&Maps::of(&self.levels, heads, seen));
        let map = to_image(map.view(), seen.size, (h, w));
        Prediction::of_share(map, self.reduction.share).checked(self.name())
    }

    /// Takes the scores of the normal images that were not removed.
    pub(crate) fn collect_scores(&mut self) {
        self.normal_scores = self.normals.iter().filter(|n| !n.removed).map(|n| n.score).collect();
    }

    /// Smoothed map of patches, at stride 8 of the image as it is seen.
    pub(crate) fn patch_map(&self, maps: &Maps) -> Array2<f32> {
        let mut sum = vec![0.0f32; maps.grid.0 * maps.grid.1];
        for (term, (mean, deviation)) in maps.terms.iter().zip(&self.term_scales) {
            sum.iter_mut().zip(term).for_each(|(s, v)| *s += (v - mean) / deviation);
        }
        let (mean, deviation) = self.sum_scale;
        sum.iter_mut().for_each(|s| *s = (*s - mean) / deviation);
        if self.head_weight > 0.0 {
            let (mean, deviation) = self.head_scale;
            let largest = largest(maps.heads.view(), &[]);
            sum.iter_mut().zip(largest).for_each(|(s, v)| *s += self.head_weight * (v - mean) / deviation);
        }
        let map = Array2::from_shape_vec(maps.grid, sum).unwrap_or_default();
        self.reduction.smooth(&map)
    }
}

impl Detector for EvidenceDetector {
    fn name(&self) -> &'static str {
        "evidence"
    }

    fn predict(&self, image: ArrayView3<'_, f32>) -> Result<Prediction, Error> {
        self.predict_seen(&self.see(image)?, image.dim())
    }

    fn normal_scores(&self) -> &[f64] {
        &self.normal_scores
    }

    fn defect_scores(&self) -> &[f64] {
        &self.defect_scores
    }

    fn score_share(&self) -> f64 {
        self.reduction.share
    }

    fn provenance(&self) -> Provenance {
        Provenance::new(Some(self.training_side), self.defect_hashes.clone())
    }

    fn as_persist(&self) -> Option<&dyn Persist> {
        Some(self)
    }
}
