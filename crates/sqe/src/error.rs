//! What can go wrong.

use std::path::PathBuf;

/// Every failure of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The mask marks no pixel, so there is no defect to judge.
    #[error("the mask marks no pixel: quality is a property of a defect, pass its mask")]
    EmptyMask,
    /// Image and mask differ in size.
    #[error("the mask is {mask:?}, but the image is {image:?} (rows, columns): give the mask of this image")]
    Shape {
        /// `(H, W)` of the image.
        image: (usize, usize),
        /// `(H, W)` of the mask.
        mask: (usize, usize),
    },
    /// A parameter is out of range.
    #[error("parameter `{name}` is {value}, but must be {expected}")]
    Parameter {
        /// Field name.
        name: &'static str,
        /// Offending value.
        value: f64,
        /// Range in words.
        expected: &'static str,
    },
    /// Evidence of another head or backbone.
    #[error("the evidence has {found} numbers, but this head reads {expected}: gather it with this head's backbone")]
    Width {
        /// Numbers found.
        found: usize,
        /// Numbers needed.
        expected: usize,
    },
    /// The estimator was made for another backbone.
    #[error(
        "the quality estimator reads features of {expected}, but the backbone is {found}: make or load it for this backbone"
    )]
    OtherBackbone {
        /// The backbone at hand: id and hash.
        found: String,
        /// The estimator's own.
        expected: String,
    },
    /// Nothing to learn from.
    #[error("warm start needs at least two ladders with two rungs each, got {ladders}")]
    TooFewLadders {
        /// Usable ladders.
        ladders: usize,
    },
    /// A file does not belong to this estimator.
    #[error("{}: {field} is `{found}`, expected `{expected}`: it was saved by another estimator", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// Which metadata field.
        field: &'static str,
        /// What it says.
        found: String,
        /// What it should say.
        expected: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// The backbone refused the image.
    #[error(transparent)]
    Backbone(#[from] frozen_backbone::Error),
    /// A tensor operation failed.
    #[error("network: {0}")]
    Network(#[from] candle_core::Error),
}
