//! The error type of the crate.
//!
//! Stable: the variants, their fields, and that `source()` gives the cause. The words of the messages may change.

use frozen_backbone::model_file::ModelFileError;
use imgkit::{ParameterError, Size};

/// Boxed cause of an error, of a type that is not part of the stable interface.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Every failure of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter is out of range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The mask marks no pixel, so there is no defect to assess.
    #[error("the mask marks no pixel: quality is a property of a defect, pass its mask")]
    EmptyMask,
    /// Two images that belong together differ in size.
    #[error("{what} is {found}, but the image is {expected}: pass the one that belongs to this image")]
    Shape {
        /// What differs from the image.
        what: &'static str,
        /// Size of the image.
        expected: Size,
        /// Size found.
        found: Size,
    },
    /// Features or descriptors are NaN or infinite.
    #[error("{what} are not finite: check the image and the feature maps for NaN and infinite values")]
    NotFinite {
        /// Which numbers.
        what: &'static str,
    },
    /// The features belong to another head or backbone.
    #[error("there are {found} features, but this head reads {expected}: extract them with the backbone of this head")]
    Width {
        /// Numbers found.
        found: usize,
        /// Numbers needed.
        expected: usize,
    },
    /// The estimator was made for another backbone.
    #[error(
        "the quality estimator reads features of {expected}, but the backbone is {found}: make or load one for this \
         backbone"
    )]
    OtherBackbone {
        /// Id and hash of the backbone given.
        found: String,
        /// Id and hash of the backbone of the estimator.
        expected: String,
    },
    /// There is too little to learn from.
    #[error("at least two defects of two versions each are needed to learn from, got {usable}: make more defects")]
    TooFewRankings {
        /// Defects of at least two versions.
        usable: usize,
    },
    /// There are too few defects to compare.
    #[error(
        "a density ratio needs at least one real and two drawn defects, got {real} and {drawn}: mark a real one, draw more"
    )]
    TooFewDefects {
        /// Real defects.
        real: usize,
        /// Drawn defects.
        drawn: usize,
    },
    /// A file cannot be read or written, is damaged, or belongs to another model.
    #[error(transparent)]
    File(#[from] ModelFileError),
    /// The backbone rejected the image.
    #[error(transparent)]
    Backbone(#[from] frozen_backbone::Error),
    /// A tensor operation failed: out of memory, or a fault of this crate.
    #[error("a tensor operation of the quality head failed: {source}")]
    Network {
        /// Failure of the tensor library.
        source: Cause,
    },
}

impl Error {
    /// Hides the error type of candle, which is an implementation detail.
    pub(crate) fn network(source: candle_core::Error) -> Self {
        Self::Network { source: source.into() }
    }
}
