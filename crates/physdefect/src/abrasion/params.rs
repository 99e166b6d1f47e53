//! Parameters of scratches.

use super::MODEL;
use crate::Error;
use crate::params::{parameters, require, within};

parameters! {
    /// Parameters of [`Abrasion`](super::Abrasion); the defaults make scratches of 0.4 % to 1.4 % of the domain's scale
    /// across: a polymer or a coating under a hard point.
    pub struct AbrasionParams {
        /// Length at severity 0 and 1, fraction of the scale, 0 < first <= last <= 3. Default (0.1, 0.7).
        length / with_length: (f64, f64) = (0.1, 0.7),
        /// Load of the asperity at severity 0 and 1, N, 1e-6 <= first <= last <= 1e6. Default (3, 40).
        load / with_load: (f64, f64) = (3.0, 40.0),
        /// Hardness of the surface, MPa, in \[1, 1e5\]: about 200 for a polymer, 2000 for steel. Default 200.
        hardness / with_hardness: f64 = 200.0,
        /// Millimeters a pixel, in \[1e-9, 1e9\]; `None` takes the domain's scale for `extent_mm`. Default `None`.
        pixel_pitch_mm / with_pixel_pitch_mm: Option<f64> = None,
        /// Scale of the domain in millimeters where the pixel pitch is not known, in \[1e-3, 1e6\]. Default 50.
        extent_mm / with_extent_mm: f64 = 50.0,
        /// Angle between the asperity's flank and the surface, radians, in (0, 1.4]. Default 0.45 (26 degrees).
        attack_angle / with_attack_angle: f64 = 0.45,
        /// Volume of the ridges over that of the groove, in \[0, 1\]: 1 displaces all, 0 cuts all away. Default 0.6.
        pile_up / with_pile_up: f64 = 0.6,
        /// Width of a ridge over that of the groove, in \[0.1, 2\]. Default 0.5.
        ridge / with_ridge: f64 = 0.5,
        /// Persistence length of the path, fraction of the scale, in \[0.01, 1000\]. Default 6.
        persistence / with_persistence: f64 = 6.0,
        /// Direction of the stroke at its middle, radians from +x (right) towards +y (down), in \[-100, 100\]; `None`
        /// samples it. Default `None`.
        direction / with_direction: Option<f64> = None,
        /// Part of the length over which the load comes in, and goes out, in \[0.01, 0.2\]. Default 0.15.
        fade / with_fade: f64 = 0.15,
        /// Amplitude of stick-slip over the load, in \[0, 0.9\]. Default 0.3.
        chatter / with_chatter: f64 = 0.3,
        /// Distance from slip to slip over the groove's largest width, in \[1, 1000\]; below 3 px counts as 3 px.
        /// Default 4.
        chatter_spacing / with_chatter_spacing: f64 = 4.0,
        /// Standard deviation of the slow variation of ln load along the path, in \[0, 1\]. Default 0.35.
        unsteadiness / with_unsteadiness: f64 = 0.35,
        /// Chance that one more scratch of the stroke runs beside, up to six in all, in \[0, 1\]. Default 0.4.
        parallel / with_parallel: f64 = 0.4,
        /// Farthest distance of a scratch from the first, fraction of the scale, in \[0, 1\]. Default 0.04.
        spread / with_spread: f64 = 0.04,
        /// Least and largest |ln| of the bare groove's reflectance over the old surface's, in \[0, 3\]; drawn evenly
        /// between them. Default (0.2, 0.6).
        bare / with_bare: (f64, f64) = (0.2, 0.6),
        /// Chance that the bare groove is brighter than the old surface, in \[0, 1\]. Default 0.6.
        brighter / with_brighter: f64 = 0.6,
    }
}

impl AbrasionParams {
    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first value out of range and its range.
    pub fn check(&self) -> Result<(), Error> {
        let (a, b) = self.length;
        require(a > 0.0 && a <= 3.0, MODEL, "length.0", a, "in (0, 3] domain scales")?;
        within(MODEL, "length.1", b, (a, 3.0), "at least the first and at most 3 domain scales")?;
        let (a, b) = self.load;
        within(MODEL, "load.0", a, (1e-6, 1e6), "in [1e-6, 1e6] N")?;
        within(MODEL, "load.1", b, (a, 1e6), "at least the first and at most 1e6 N")?;
        within(MODEL, "hardness", self.hardness, (1.0, 1e5), "in [1, 1e5] MPa")?;
        if let Some(pitch) = self.pixel_pitch_mm {
            within(MODEL, "pixel_pitch_mm", pitch, (1e-9, 1e9), "in [1e-9, 1e9] mm")?;
        }
        within(MODEL, "extent_mm", self.extent_mm, (1e-3, 1e6), "in [0.001, 1e6] mm")?;
        let angle = self.attack_angle;
        require(angle > 0.0 && angle <= 1.4, MODEL, "attack_angle", angle, "in (0, 1.4] radians")?;
        within(MODEL, "pile_up", self.pile_up, (0.0, 1.0), "in [0, 1]")?;
        within(MODEL, "ridge", self.ridge, (0.1, 2.0), "in [0.1, 2] groove widths")?;
        within(MODEL, "persistence", self.persistence, (0.01, 1000.0), "in [0.01, 1000] domain scales")?;
        if let Some(direction) = self.direction {
            within(MODEL, "direction", direction, (-100.0, 100.0), "in [-100, 100] radians")?;
        }
        within(MODEL, "fade", self.fade, (0.01, 0.2), "in [0.01, 0.2] lengths")?;
        within(MODEL, "chatter", self.chatter, (0.0, 0.9), "in [0, 0.9]")?;
        within(MODEL, "chatter_spacing", self.chatter_spacing, (1.0, 1000.0), "in [1, 1000] groove widths")?;
        within(MODEL, "unsteadiness", self.unsteadiness, (0.0, 1.0), "in [0, 1]")?;
        within(MODEL, "parallel", self.parallel, (0.0, 1.0), "in [0, 1]")?;
        within(MODEL, "spread", self.spread, (0.0, 1.0), "in [0, 1] domain scales")?;
        within(MODEL, "bare.0", self.bare.0, (0.0, 3.0), "in [0, 3]")?;
        within(MODEL, "bare.1", self.bare.1, (self.bare.0, 3.0), "at least the first and at most 3")?;
        within(MODEL, "brighter", self.brighter, (0.0, 1.0), "in [0, 1]")
    }
}
