//! Measures of how real drawn defects are: a linear head on frozen features, precision and recall in feature space,
//! shapes of masks.

pub mod features;
pub mod manifold;
pub mod scoring;
pub mod shape;
