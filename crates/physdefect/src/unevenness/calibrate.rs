//! Calibration of uneven shading: a zone at the outline or a blotch of a given size and contrast.

use super::{MODEL, SurfaceUnevenness, Unevenness, UnevennessParams};
use crate::calibration::{Calibrate, Target};
use crate::{Error, MechanismKind};

/// Wavelengths of grinding streaks, fraction of the scale: the shorter half of the defaults, as fine as a photo shows
/// them.
const STREAKS: (f64, f64) = (0.008, 0.03);

impl Calibrate for SurfaceUnevenness {
    const NAME: &'static str = MODEL;
    const KIND: MechanismKind = MechanismKind::SurfaceUnevenness;
    const FOLLOWS_GRAIN: bool = true;

    fn with_target(target: &Target) -> Result<Self, Error> {
        // A zone ends at the outline by what it is; a blotch lies anywhere.
        let kind = if target.at_edge { Unevenness::Grinding } else { Unevenness::Stain };
        let size = target.size.clamp(0.01, 2.0);
        let contrast = target.contrast.clamp(0.0, 3.0);
        Self::new(
            UnevennessParams::default()
                .with_kinds(vec![kind])
                .with_size((size, size))
                .with_contrast((contrast, contrast))
                .with_streaks(STREAKS)
                .with_color_weight(0.0)
                .with_brighter(if target.darker { 0.0 } else { 1.0 }),
        )
    }
}
