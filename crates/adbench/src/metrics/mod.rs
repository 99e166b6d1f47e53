//! Exact metrics of anomaly scores.
//!
//! Scores are any finite numbers ([`f32` or `f64`](Score)), larger meaning more anomalous; only their order matters. They are not passed through
//! a sigmoid, clamped, scaled or flipped, and counts are integers, so that a result is exact up to the last rounding
//! whatever the number of pixels. A missing class is an error, never 0, 0.5 or 1.

mod au_pro;
mod aupimo;
mod auroc;
mod bootstrap;
mod components;
mod counter;
mod histogram;
mod keys;
mod overlap;
mod pixels;
mod places;
mod precision;
mod rank;
mod reducer;
mod regions;
mod seeds;
mod separation;
mod stream;

use ndarray::ArrayView2;
use thiserror::Error;

pub use au_pro::au_pro;
pub use aupimo::aupimo;
pub use auroc::auroc;
pub(crate) use bootstrap::bootstrap_each;
pub use bootstrap::{Bootstrap, Interval, bootstrap};
pub use components::{Components, label_components};
pub use histogram::{Approximate, HistogramPixels};
pub use keys::Score;
pub use pixels::{PixelPool, RankedPixels, pixel_auroc_of_anomalous_images};
pub use precision::{F1Max, average_precision, f1_max};
pub use reducer::Reducer;
pub use seeds::{OverSeeds, over_seeds};
pub use separation::{pb, pg};
pub use stream::{AnomalousPixels, StreamedPixels};

/// Why a metric cannot be computed.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum MetricError {
    /// Not one label a score.
    #[error("{scores} scores but {labels} labels; give one label for each score")]
    LengthMismatch {
        /// Scores given.
        scores: usize,
        /// Labels given.
        labels: usize,
    },
    /// A score map and its mask differ in shape.
    #[error("score map of {}x{} but mask of {}x{} (height x width); resize one to the other", .map.0, .map.1, .mask.0, .mask.1)]
    ShapeMismatch {
        /// Height and width of the map.
        map: (usize, usize),
        /// Height and width of the mask.
        mask: (usize, usize),
    },
    /// A score is NaN or infinite.
    #[error("score {index} is {value}; scores must be finite, find out why the detector gives this one")]
    NonFinite {
        /// The score's index, in row-major order for a map.
        index: usize,
        /// The score.
        value: f32,
    },
    /// One of the two classes has no member.
    #[error("no {class} member among {count} scores; the metric is undefined without both classes")]
    MissingClass {
        /// `normal` or `anomalous`.
        class: &'static str,
        /// Scores of both classes.
        count: usize,
    },
    /// A parameter is outside its range.
    #[error("{name} is {value}; it must be {allowed}")]
    InvalidParameter {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: f64,
        /// The values allowed.
        allowed: &'static str,
    },
    /// A score map holds no pixel.
    #[error("the score map is empty; give at least one pixel")]
    EmptyMap,
}

/// # Errors
/// [`MetricError::NonFinite`] for the first score that is NaN or infinite.
pub(crate) fn check_finite<S: keys::sealed::Score>(scores: &[S]) -> Result<(), MetricError> {
    // Whole blocks at a time, without a branch for each score.
    for (block, chunk) in scores.chunks(1024).enumerate() {
        if chunk.iter().fold(true, |all, s| all & s.is_finite()) {
            continue;
        }
        if let Some((i, value)) = chunk.iter().enumerate().find(|(_, s)| !s.is_finite()) {
            return Err(MetricError::NonFinite { index: block * 1024 + i, value: value.to_f32() });
        }
    }
    Ok(())
}

/// # Errors
/// [`MetricError::NonFinite`] for the first score, in row-major order, that is NaN or infinite.
fn check_finite_map(map: &ArrayView2<'_, f32>) -> Result<(), MetricError> {
    if let Some(scores) = map.as_slice() {
        return check_finite(scores);
    }
    match map.iter().enumerate().find(|(_, s)| !s.is_finite()) {
        Some((index, &value)) => Err(MetricError::NonFinite { index, value }),
        None => Ok(()),
    }
}
