//! Calibration of chips: one piece of a given size.

use super::{EdgeLoss, EdgeLossParams, MODEL};
use crate::calibration::{Calibrate, Target};
use crate::{Error, MechanismKind};

impl Calibrate for EdgeLoss {
    const NAME: &'static str = MODEL;
    const KIND: MechanismKind = MechanismKind::EdgeLoss;

    fn with_target(target: &Target) -> Result<Self, Error> {
        let size = target.size.clamp(0.005, 1.0);
        Self::new(EdgeLossParams::default().with_size((size, size)).with_brighter(if target.darker {
            0.0
        } else {
            1.0
        }))
    }
}
