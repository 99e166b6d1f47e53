//! Calibration of the plate model: bends of a given diameter.

use super::{MODEL, PlasticWarpage, WarpageParams};
use crate::calibration::{Calibrate, Target};
use crate::{Error, MechanismKind};

impl Calibrate for PlasticWarpage {
    const NAME: &'static str = MODEL;
    const KIND: MechanismKind = MechanismKind::PlasticWarpage;

    fn with_target(target: &Target) -> Result<Self, Error> {
        let size = target.size.clamp(0.01, 1.0);
        Self::new(WarpageParams::default().with_size((size, size)))
    }
}
