//! Photos that are unlike the good photos that a detector knows: another product, or a defect.

use bisqad::Detector;
use ndarray::Array3;
use rayon::prelude::*;

use crate::error::Error;

/// Deviations from the median, in robust standard deviations, beyond which a photo is unlike: those beyond which
/// training calls a good photo suspect.
const UNLIKE: f64 = 6.0;

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

/// Finds the photos `(H, W, C)`, in their order, whose scores lie more than 6 robust standard deviations (1.4826 times
/// the median absolute deviation) above the median of [`Detector::normal_scores`]: a check, before photos are added to
/// a detector, that they show its product.
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
    let Some((bound, largest)) = bound(detector.normal_scores()) else { return Ok(Vec::new()) };
    let score = |photo: &Array3<f32>| detector.predict(photo.view()).map(|prediction| prediction.score);
    let scores: Vec<f64> = photos.par_iter().map(score).collect::<Result<_, _>>()?;
    let numbered = scores.into_iter().enumerate().filter(|(_, score)| *score > bound);
    Ok(numbered.map(|(photo, score)| UnlikePhoto { photo, score, largest }).collect())
}

/// Score beyond which a photo is unlike, and the largest score; `None` for fewer than two scores.
fn bound(scores: &[f64]) -> Option<(f64, f64)> {
    let median = |mut values: Vec<f64>| {
        values.sort_unstable_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    let (middle, largest) = (median(scores.to_vec())?, scores.iter().copied().reduce(f64::max)?);
    // of normally distributed scores the standard deviation
    let spread = 1.4826 * median(scores.iter().map(|score| (score - middle).abs()).collect())?;
    (scores.len() > 1).then_some((middle + UNLIKE * spread.max(1e-9), largest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_six_robust_deviations_above_the_median_whatever_one_outlier_is() {
        for outlier in [5.0, 1e6] {
            // median 3; deviations 2, 1, 0, 1 and the outlier's, in the middle 1
            let (at, largest) = bound(&[1.0, outlier, 3.0, 2.0, 4.0]).unwrap();
            assert!((at - (3.0 + 6.0 * 1.4826)).abs() < 1e-12 && largest == outlier, "{at}");
        }
        assert_eq!((bound(&[]), bound(&[1.0])), (None, None));
        assert_eq!(bound(&[2.0, 2.0, 2.0]), Some((2.0 + 6e-9, 2.0)));
    }
}
