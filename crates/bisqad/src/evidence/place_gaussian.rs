//! Mahalanobis distance from the Gaussian of the place.

use frozen_backbone::model_file::ModelTensor;

use super::{Evidence, EvidenceKind, Rows};
use crate::features::coreset::norms;

/// Length of the deviation that is whitened at its place; what it needs is in the Gaussians of the level.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlaceGaussian;

impl Evidence for PlaceGaussian {
    fn kind(&self) -> EvidenceKind {
        EvidenceKind::PlaceGaussian
    }

    fn score(&self, image: &Rows) -> Vec<f32> {
        norms(&image.rows).to_vec()
    }

    fn add(&mut self, _: &Rows, _: u32) {}

    fn remove(&mut self, _: u32) {}

    fn tensors(&self) -> Vec<(&'static str, ModelTensor)> {
        Vec::new()
    }
}
