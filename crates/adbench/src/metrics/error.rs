//! The error of the metrics.

use thiserror::Error;

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
