//! Calibration of scratches: one scratch of a given length, width and course.

use std::f64::consts::PI;

use super::{Abrasion, AbrasionParams, MODEL};
use crate::calibration::{Calibrate, Target};
use crate::{Error, MechanismKind};

/// Waviness of a worm-like chain in the plane over the square root of its length in persistence lengths: simulated,
/// within 4 % from 0.02 to 0.3 persistence lengths.
const WAVINESS: f64 = 0.147;

impl Calibrate for Abrasion {
    const NAME: &'static str = MODEL;
    const KIND: MechanismKind = MechanismKind::Abrasion;

    fn with_target(target: &Target) -> Result<Self, Error> {
        let defaults = AbrasionParams::default();
        // The groove that Archard's law gives for the load has the width asked for.
        let width = target.width.clamp(1e-4, 0.25) * defaults.extent_mm();
        let load = (width * width * PI * defaults.hardness() / 8.0).clamp(1e-6, 1e6);
        let length = target.size.clamp(1e-3, 3.0);
        let params = defaults
            .clone()
            .with_length((length, length))
            .with_load((load, load))
            .with_parallel(0.0)
            .with_brighter(if target.darker { 0.0 } else { 1.0 });
        Self::new(match target.course {
            None => params,
            Some(course) => {
                let persistence = length * (WAVINESS / course.waviness.max(1e-3)).powi(2);
                params.with_persistence(persistence.clamp(0.05, 1000.0)).with_direction(Some(course.direction))
            }
        })
    }
}
