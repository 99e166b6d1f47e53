//! The guidance field of the coarse stage.

use crate::error::Error;
use imgkit::ensure;

/// Guidance field `v`: the differences between neighboring pixels that the result should have inside the mask.
///
/// On the faces between the mask and the pixels around it the difference of the composite is the seam to be removed, so
/// there `v` is always the difference of the normal image.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub enum Guidance {
    /// Gradient of the composite, `grad c`: keeps all of its structure (the default).
    #[default]
    Import,
    /// Stronger of `grad c` and `grad I` on each face and channel: the texture of the normal image `I` shows through.
    Mixed,
    /// Weighted mean `alpha grad c + (1 - alpha) grad I`, with `alpha` in `[0, 1]`.
    Blend(f64),
}

impl Guidance {
    /// Checks the weight of a blend.
    pub(crate) fn check(self) -> Result<(), Error> {
        let Guidance::Blend(alpha) = self else { return Ok(()) };
        ensure((0.0..=1.0).contains(&alpha), "Guidance::Blend", "alpha", alpha, "0 to 1")?;
        Ok(())
    }
}
