//! Cracks of a given length, opening and course.

use std::f64::consts::FRAC_PI_2;

use super::{FractureLine, FractureParams};
use crate::Error;
use crate::calibration::{Calibrate, Target};

/// Cone of directions, radians, that gives cracks of waviness one in proportion: measured on cracks of the default
/// toughness.
const CONE_OVER_WAVINESS: f64 = 4.0;

impl Calibrate for FractureLine {
    const CALIBRATED_NAME: &'static str = "calibrated-fracture-line";

    fn with_target(target: &Target) -> Result<Self, Error> {
        let length = target.size.clamp(0.01, 1.0);
        let opening = target.width.clamp(0.001, 0.1);
        Self::new(FractureParams {
            length: (length, length),
            opening: (opening, opening),
            edge_start: target.edge_share,
            branching: 0.0,
            aspect: target.aspect.clamp(0.1, 20.0),
            driven: true,
            stress_angle: target.course.map(|c| c.direction + FRAC_PI_2),
            flaw_tilt: if target.course.is_some() { 0.1 } else { FractureParams::default().flaw_tilt },
            cone: target.course.map_or(FractureParams::default().cone, |c| {
                (c.waviness * CONE_OVER_WAVINESS).clamp(0.05, FractureParams::default().cone)
            }),
            ..FractureParams::default()
        })
    }
}
