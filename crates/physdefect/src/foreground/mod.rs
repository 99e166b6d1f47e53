//! The foreground of a photo: from its own border alone, or from the set of photos it belongs to.

mod background;
mod cells;
mod clarity;
mod distances;
mod fit;
mod model;
mod outline;
mod params;
mod parts;
mod segment;
mod single;
mod small_matrix;
#[cfg(feature = "serde")]
mod stored;
mod walker;

use ndarray::Array2;

use crate::{Domain, Error};

pub use fit::ForegroundFit;
pub use model::ForegroundModel;
pub use params::ForegroundParams;
pub use single::estimate_foreground;

/// Foreground found on a photo.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Foreground {
    /// Foreground pixels `(H, W)`; every pixel if `fills_frame`.
    pub mask: Array2<bool>,
    /// How clearly object and background part, in \[0, 1\]; below 0.5 the whole frame is returned. Of a set whose
    /// product fills the frame: how sure that is.
    pub confidence: f64,
    /// `mask` is all true: the product fills the frame, or the photo could not be told apart.
    pub fills_frame: bool,
    /// Why `fills_frame`; none otherwise.
    pub reason: Option<FrameReason>,
    /// Parts that were left out because they are too small beside the largest.
    pub dropped_parts: usize,
}

impl Foreground {
    /// Converts the mask to a domain.
    ///
    /// # Errors
    /// [`Error::EmptyDomain`] if the mask holds no pixel (not for masks made by [`estimate_foreground`] or a
    /// [`ForegroundModel`]).
    pub fn into_domain(self) -> Result<Domain, Error> {
        Domain::from_mask(self.mask)
    }
}

/// Reason why the whole frame was returned as foreground.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum FrameReason {
    /// A texture, or a product that covers the frame: the border looks like the interior.
    Texture,
    /// Object and background do not part clearly.
    Unclear,
    /// Nothing stands out from the background.
    NothingFound,
    /// The border is not the background of the set.
    OtherBackground,
    /// Far more of the frame stands out than in the photos of the set.
    UnusualArea,
}

impl FrameReason {
    /// The reason in words, to end a sentence with.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Texture => "the product fills the frame",
            Self::Unclear => "object and background do not part clearly",
            Self::NothingFound => "nothing stands out from the background",
            Self::OtherBackground => "the background is not that of the other photos",
            Self::UnusualArea => "far more of the frame stands out than on the other photos",
        }
    }
}

/// What the photos of a set show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum SetKind {
    /// One or more objects on a background.
    Objects,
    /// A texture, or a product that fills the frame.
    FillsFrame,
}
