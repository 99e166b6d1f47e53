//! Photos that are unlike the good photos that a detector knows: another product, or a defect.

use bisqad::{Detector, Outliers};
use ndarray::Array3;
use rayon::prelude::*;

use crate::error::Error;

/// Photo whose score lies far beyond those of the good photos that a detector knows.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct UnlikePhoto {
    /// Number of the photo.
    pub photo: usize,
    /// Its image score.
    pub score: f64,
    /// Largest score of the known good photos.
    pub largest: f64,
}

/// Finds the photos `(H, W, C)`, in their order, whose scores are [`Outliers`] beside [`Detector::normal_scores`]: a
/// check, before photos are added to a detector, that they show its product.
///
/// None if the detector knows fewer than two good photos: a single score has no deviation.
///
/// ```
/// use maphc2f::bisqad::{GaussianDetector, GaussianParams, NoObserver};
/// use maphc2f::frozen_backbone::EfficientNetLite0;
/// use maphc2f::unlike_photos;
/// use ndarray::Array3;
/// use std::sync::Arc;
///
/// let photo = |i: usize| {
///     Array3::from_shape_fn((64, 64, 3), |(y, x, _)| 0.4 + 0.05 * ((y * 7 + x * 13 + i * 29) % 11) as f32 / 11.0)
/// };
/// let normals: Vec<_> = (0..40).map(photo).collect();
/// let params = GaussianParams::default().with_dimensions(8);
/// let net = Arc::new(EfficientNetLite0::pretrained()?);
/// let detector = GaussianDetector::fit(net, &normals, &params, &mut NoObserver)?;
/// let other = Array3::from_shape_fn((64, 64, 3), |(y, x, _)| if (y / 8 + x / 8) % 2 == 0 { 0.0 } else { 1.0 });
/// let unlike = unlike_photos(&detector, &[other])?;
/// assert!(unlike[0].photo == 0 && unlike[0].score > unlike[0].largest);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::Detector`] as [`Detector::predict`].
pub fn unlike_photos(detector: &dyn Detector, photos: &[Array3<f32>]) -> Result<Vec<UnlikePhoto>, Error> {
    let known = detector.normal_scores();
    let Some(Outliers { bound, .. }) = Outliers::above(known) else { return Ok(Vec::new()) };
    let largest = known.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let score = |photo: &Array3<f32>| detector.predict(photo.view()).map(|prediction| prediction.score);
    let scores: Vec<f64> = photos.par_iter().map(score).collect::<Result<_, _>>()?;
    let numbered = scores.into_iter().enumerate().filter(|(_, score)| *score > bound);
    Ok(numbered.map(|(photo, score)| UnlikePhoto { photo, score, largest }).collect())
}
