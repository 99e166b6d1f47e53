//! Calibration of the crack model: cracks of a given length, opening and course.

use std::f64::consts::FRAC_PI_2;

use super::line::NAME;
use super::{FractureLine, FractureParams};
use crate::calibration::{Calibrate, Target};
use crate::{Error, MechanismKind};

/// Cone of directions, radians, that gives cracks of waviness one in proportion: measured on cracks of the default
/// toughness.
const CONE_OVER_WAVINESS: f64 = 4.0;

impl Calibrate for FractureLine {
    const NAME: &'static str = NAME;
    const KIND: MechanismKind = MechanismKind::FractureLine;

    fn with_target(target: &Target) -> Result<Self, Error> {
        let length = target.size.clamp(0.01, 1.0);
        let opening = target.width.clamp(0.001, 0.1);
        let defaults = FractureParams::default();
        let params = defaults
            .with_length((length, length))
            .with_opening((opening, opening))
            .with_edge_start(if target.at_edge { 1.0 } else { 0.0 })
            .with_branching(0.0)
            .with_aspect(target.aspect.clamp(0.1, 20.0))
            .with_wander((1.0, 1.0))
            .with_driven(true);
        Self::new(match target.course {
            None => params,
            Some(course) => params
                .with_stress_angle(Some(course.direction + FRAC_PI_2))
                .with_flaw_tilt(0.1)
                .with_cone((course.waviness * CONE_OVER_WAVINESS).clamp(0.05, defaults.cone())),
        })
    }
}
