//! What a mechanism is asked for, so that its defects follow a calibration.

use super::shape::Course;
use crate::{Error, Mechanism, MechanismKind};

/// A mechanism whose size and shape can be set: what lets it follow a [`Calibration`](super::Calibration).
pub trait Calibrate: Mechanism + Sized + 'static {
    /// Name, as in [`Mechanism::name`]: that of the calibrated synthesizer, too.
    const NAME: &'static str;
    /// Family, as in [`Mechanism::kind`].
    const KIND: MechanismKind;
    /// As [`Mechanism::follows_grain`].
    const FOLLOWS_GRAIN: bool = false;
    /// Builds the mechanism for one defect.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first value out of range and its range.
    fn with_target(target: &Target) -> Result<Self, Error>;
}

/// Nominal size, shape and look of one defect, for [`Calibrate::with_target`]. Values are not clamped to a mechanism's
/// range.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Target {
    /// Length of a crack or a scratch, diameter of anything else, over the domain's scale.
    pub size: f64,
    /// Width of a crack or a scratch over the domain's scale.
    pub width: f64,
    /// Depth over width.
    pub aspect: f64,
    /// Area of the mask over that of its convex hull.
    pub solidity: f64,
    /// Whether the defect touches the object's outline.
    pub at_edge: bool,
    /// Axis and waviness of a crack or a scratch, where they were measured.
    pub course: Option<Course>,
    /// Whether it is darker than its surround.
    pub darker: bool,
    /// Size of the mean ln of light over that of the surround.
    pub contrast: f64,
    /// Standard deviation of ln of light within the defect over the size of its mean.
    pub mottle: f64,
}
