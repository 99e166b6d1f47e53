//! The error of reports.

use thiserror::Error;

use crate::metrics::MetricError;

/// Why a report cannot be made. Nothing has been written then.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ReportError {
    /// An image's score, map or mask cannot be used.
    #[error("{id}: {source}")]
    Image {
        /// The image.
        id: String,
        /// What is wrong.
        source: MetricError,
    },
    /// Two images have the same id.
    #[error("{id}: pushed twice; push each test image once, under an id of its own")]
    Duplicate {
        /// The id.
        id: String,
    },
    /// Some images came with a score map and some without.
    #[error("{id}: {}; push the maps of all images or of none", if *.has_map { "a score map, where earlier images had none" } else { "no score map, where earlier images had one" })]
    MapsOfSome {
        /// The image that differs from the first one.
        id: String,
        /// Whether it has a map.
        has_map: bool,
    },
    /// A photo cannot be shown with its map.
    #[error("{id}: photo of {}x{}x{} for a map of {}x{} (height x width x channels); give the photo at the map's size, grey or RGB", .photo.0, .photo.1, .photo.2, .map.0, .map.1)]
    Photo {
        /// The image.
        id: String,
        /// The photo's shape.
        photo: (usize, usize, usize),
        /// The map's shape.
        map: (usize, usize),
    },
    /// A picture cannot be encoded.
    #[error("{id}: picture cannot be encoded ({reason})")]
    Picture {
        /// The image.
        id: String,
        /// The encoder's reason.
        reason: String,
    },
    /// A document without a category.
    #[error("no category to report on; add the report of one at least")]
    Empty,
    /// A figure of the whole category or of a kind cannot be computed, most often because a class has no member.
    #[error("{name}: {source}")]
    Figure {
        /// The category, and the kind of defect if it is one's.
        name: String,
        /// Why.
        source: MetricError,
    },
}
