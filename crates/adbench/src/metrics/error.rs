//! The error of the metrics.
//!
//! Stable: the variants, their fields, and that [`MetricError`] can be compared and cloned. The wording may change.

use imgkit::{ParameterError, Size};
use thiserror::Error;

/// Reason why a metric cannot be computed.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum MetricError {
    /// Two lists that belong together differ in length.
    #[error("{expected} {what} are needed, but there are {found}; give as many as there are scores")]
    Length {
        /// What there is too much or too little of.
        what: &'static str,
        /// Number needed.
        expected: usize,
        /// Number given.
        found: usize,
    },
    /// An image differs in size from the one it belongs to.
    #[error("{what} of {found}, but {expected} (height x width) are needed; resize one to the other")]
    Shape {
        /// The image that does not fit.
        what: &'static str,
        /// Size needed.
        expected: Size,
        /// Size given.
        found: Size,
    },
    /// A score is NaN or infinite.
    #[error("score {index} is {value}; scores must be finite, find out why the detector gives this one")]
    NotFinite {
        /// Index of the score, in row-major order for a map.
        index: usize,
        /// The score.
        value: f64,
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
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// A map or a mask cannot be resized as the protocol says.
    #[cfg(feature = "protocols")]
    #[error(transparent)]
    Resize(#[from] imgkit::resize::ResizeError),
    /// A score map holds no pixel.
    #[error("the score map is empty; give at least one pixel")]
    EmptyMap,
}

impl MetricError {
    pub(crate) fn labels(scores: usize, labels: usize) -> Self {
        Self::Length { what: "labels", expected: scores, found: labels }
    }

    pub(crate) fn masks(maps: usize, masks: usize) -> Self {
        Self::Length { what: "masks", expected: maps, found: masks }
    }

    pub(crate) fn mask_size(map: (usize, usize), mask: (usize, usize)) -> Self {
        Self::Shape { what: "mask", expected: map.into(), found: mask.into() }
    }
}
