//! The guidance field of the coarse stage.

use crate::error::Error;
use imgkit::ensure;

/// The field `v` whose differences the result should have, inside the mask.
///
/// On the faces between the mask and the pixels around it the composite's own difference is the seam to be removed, so
/// `v` is there always the normal image's.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub enum Guidance {
    /// `grad c`: all of the composite's structure (the default).
    #[default]
    Import,
    /// On each face and channel the stronger of `grad c` and `grad I`: the normal image's texture shows through.
    Mixed,
    /// `alpha grad c + (1 - alpha) grad I`, `alpha` in `[0, 1]`.
    Blend(f64),
}

impl Guidance {
    /// Refuses a blend outside 0 to 1.
    pub(crate) fn check(self) -> Result<(), Error> {
        let Guidance::Blend(alpha) = self else { return Ok(()) };
        ensure((0.0..=1.0).contains(&alpha), "Guidance::Blend", "alpha", alpha, "0 to 1")?;
        Ok(())
    }
}
