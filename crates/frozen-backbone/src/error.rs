//! What can go wrong.

/// Every failure of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The image is smaller than the network's largest stride allows.
    #[error("the image is {height}x{width}, but {backbone} needs at least {minimum} px a side: enlarge it")]
    TooSmall {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// Smallest accepted side, px.
        minimum: usize,
        /// Backbone id.
        backbone: &'static str,
    },
    /// The image has neither one nor three channels.
    #[error("the image has {found} channels, but the backbone reads 1 (grey) or 3 (RGB): convert it first")]
    Channels {
        /// Channels found.
        found: usize,
    },
    /// A pixel is NaN or infinite.
    #[error("the image holds a value that is not finite at row {row}, column {column}: clean it first")]
    NotFinite {
        /// Row.
        row: usize,
        /// Column.
        column: usize,
    },
    /// Weights are missing or of another shape, or an operation failed in candle.
    #[error("network: {0}")]
    Network(#[from] candle_core::Error),
}
