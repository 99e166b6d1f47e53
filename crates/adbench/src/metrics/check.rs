//! Checks of scores and masks that all metrics share.

use ndarray::ArrayView2;

use super::error::MetricError;
use super::ranking::ScoreKey;

/// # Errors
/// [`MetricError::NotFinite`] for the first score that is NaN or infinite.
pub(crate) fn check_finite<S: ScoreKey>(scores: &[S]) -> Result<(), MetricError> {
    // Whole blocks at a time, without a branch for each score.
    for (block, chunk) in scores.chunks(1024).enumerate() {
        if chunk.iter().fold(true, |all, s| all & s.is_finite()) {
            continue;
        }
        if let Some((i, value)) = chunk.iter().enumerate().find(|(_, s)| !s.is_finite()) {
            return Err(MetricError::NotFinite { index: block * 1024 + i, value: value.to_f64() });
        }
    }
    Ok(())
}

/// # Errors
/// [`MetricError::NotFinite`] for the first score, in row-major order, that is NaN or infinite.
pub(crate) fn check_finite_map(map: &ArrayView2<'_, f32>) -> Result<(), MetricError> {
    if let Some(scores) = map.as_slice() {
        return check_finite(scores);
    }
    match map.iter().enumerate().find(|(_, s)| !s.is_finite()) {
        Some((index, &value)) => Err(MetricError::NotFinite { index, value: value.into() }),
        None => Ok(()),
    }
}

/// # Errors
/// [`MetricError::Shape`], [`MetricError::NotFinite`].
pub(crate) fn check_map(map: &ArrayView2<'_, f32>, mask: &ArrayView2<'_, bool>) -> Result<(), MetricError> {
    if map.dim() != mask.dim() {
        return Err(MetricError::mask_size(map.dim(), mask.dim()));
    }
    check_finite_map(map)
}
