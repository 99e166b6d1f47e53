//! The error of reports.
//!
//! Stable: the variants and their fields. The source of [`ReportError::Picture`] and the wording may change.

use imgkit::Size;
use thiserror::Error;

use crate::metrics::MetricError;

/// Reason why a report cannot be made. Nothing has been written then.
#[derive(Debug, Error)]
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
    #[error(
        "{id}: {} a score map, unlike earlier images; push the maps of all images or of none",
        if *.has_map { "with" } else { "without" }
    )]
    MapsOfSome {
        /// The image that differs from the first one.
        id: String,
        /// Whether it has a map.
        has_map: bool,
    },
    /// A photo cannot be shown with its map.
    #[error(
        "{id}: photo of {found} and {channels} channels for a map of {expected} (height x width); give the photo at \
         the map's size, gray or RGB"
    )]
    Photo {
        /// The image.
        id: String,
        /// Size of the map.
        expected: Size,
        /// Size of the photo.
        found: Size,
        /// Channels of the photo; 1 and 3 are allowed.
        channels: usize,
    },
    /// A picture cannot be encoded.
    #[error("{id}: picture cannot be encoded ({source})")]
    Picture {
        /// The image.
        id: String,
        /// The encoder's error.
        source: Box<dyn std::error::Error + Send + Sync>,
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
