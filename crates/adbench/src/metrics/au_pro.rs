//! Area under the per-region-overlap curve of maps in memory.

use ndarray::ArrayView2;

use super::MetricError;
use super::pixels::PixelPool;

/// The area under the per-region-overlap curve up to the false-positive rate `limit` (0.3 is customary), divided by it.
///
/// At a threshold, the overlap of a region is the share of its pixels with `score >= threshold`; regions are the
/// 8-connected components of the masks of all images, and every one weighs the same, large or small. The
/// false-positive rate is over all normal pixels of all images. The curve has one point for each distinct score; it
/// starts at (0, 0), ends at (1, 1), and is integrated by the trapezoidal rule with linear interpolation at `limit`.
///
/// Source: P. Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 129, 2021, section 4.
///
/// # Errors
/// [`MetricError::LengthMismatch`] when there is not one mask a map, [`MetricError::ShapeMismatch`],
/// [`MetricError::NonFinite`], [`MetricError::MissingClass`], and [`MetricError::InvalidParameter`] when `limit` is
/// outside `(0, 1]`.
///
/// ```
/// use ndarray::arr2;
/// let map = arr2(&[[3.0, 1.0, 2.0, 0.0]]);
/// let mask = arr2(&[[true, false, true, false]]);
/// // Both regions are found before the first false positive.
/// assert_eq!(adbench::metrics::au_pro(&[map.view()], &[mask.view()], 0.3), Ok(1.0));
/// ```
pub fn au_pro(maps: &[ArrayView2<'_, f32>], masks: &[ArrayView2<'_, bool>], limit: f64) -> Result<f64, MetricError> {
    if maps.len() != masks.len() {
        return Err(MetricError::LengthMismatch { scores: maps.len(), labels: masks.len() });
    }
    let mut pool = PixelPool::new();
    for (map, mask) in maps.iter().zip(masks) {
        pool.push(map.view(), mask.view())?;
    }
    pool.rank()?.au_pro(limit)
}
