//! Faults that a synthetic defect can have: made at a known strength, learned, and named.

mod estimator;
mod file;
mod learn;
mod spoil;
mod statistics;

pub use estimator::{Diagnosis, FaultEstimator};
pub use learn::{FaultParams, FaultReport, FaultSet, SpoiledDefect};
pub use spoil::{Composite, Spoiled};
pub use statistics::LocalStatistics;

/// Fault of a synthetic defect: what tells it from a defect that belongs to its photo.
///
/// All but [`Self::Light`] are made by [`Self::spoil`]; light from another side is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// A step along the outline of the mask, as of a patch that was pasted.
    Seam,
    /// Colors that neither the photo nor its light has.
    ColorCast,
    /// Sharper or softer than the photo around.
    Sharpness,
    /// More noise than the photo around.
    Grain,
    /// Shading by light from another side than the photo's.
    Light,
    /// Beside the object, on the background.
    OffObject,
    /// A mask that lies beside the defect.
    MaskMisfit,
    /// A pattern magnified within its mask: details too coarse for its size.
    Scale,
}

impl Fault {
    /// All faults.
    pub const ALL: [Self; 8] = [
        Self::Seam,
        Self::ColorCast,
        Self::Sharpness,
        Self::Grain,
        Self::Light,
        Self::OffObject,
        Self::MaskMisfit,
        Self::Scale,
    ];

    /// Name for tables and files.
    ///
    /// ```
    /// use sqe::Fault;
    /// assert_eq!(Fault::OffObject.name(), "off-object");
    /// assert!(Fault::ALL.iter().all(|fault| Fault::by_name(fault.name()) == Some(*fault)));
    /// ```
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Seam => "seam",
            Self::ColorCast => "color-cast",
            Self::Sharpness => "sharpness",
            Self::Grain => "grain",
            Self::Light => "light",
            Self::OffObject => "off-object",
            Self::MaskMisfit => "mask-misfit",
            Self::Scale => "scale",
        }
    }

    /// Fault called `name`; `None` if none is.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }

    /// Position in [`Self::ALL`].
    pub(crate) fn number(self) -> usize {
        self as usize
    }
}
