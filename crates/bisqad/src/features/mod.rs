//! Patch features of images, statistics of them, and score maps.

pub(crate) mod coreset;
pub(crate) mod gaussians;
pub(crate) mod input_scales;
pub(crate) mod nearest;
pub(crate) mod patches;
pub(crate) mod projection;
pub(crate) mod score_map;
pub(crate) mod statistics;
pub(crate) mod subsample;
pub(crate) mod whitening;
