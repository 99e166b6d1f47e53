//! Calibration of the plate model: bends of a given diameter.

use super::{PlasticWarpage, WarpageParams};
use crate::Error;
use crate::calibration::{Calibrate, Target};

impl Calibrate for PlasticWarpage {
    const CALIBRATED_NAME: &'static str = "calibrated-plastic-warpage";

    fn with_target(target: &Target) -> Result<Self, Error> {
        let size = target.size.clamp(0.01, 1.0);
        Self::new(WarpageParams::default().with_size((size, size)))
    }
}
