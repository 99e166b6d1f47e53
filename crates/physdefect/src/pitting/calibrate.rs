//! Calibration of the pit model: one pit of a given diameter and depth.

use super::{Interaction, MODEL, Nucleation, PitShape, PittingLoss, PittingParams, Product, Susceptibility};
use crate::calibration::{Calibrate, Target};
use crate::{Error, MechanismKind};

/// Contrast of the grains' speeds for a loss of solidity of one: measured on single pits of 12 to 24 px.
const GRAINS: f64 = 16.0;

impl Calibrate for PittingLoss {
    const NAME: &'static str = MODEL;
    const KIND: MechanismKind = MechanismKind::PittingLoss;

    fn with_target(target: &Target) -> Result<Self, Error> {
        let shapes = [
            PitShape::WideShallow,
            PitShape::Front,
            PitShape::Hemispherical,
            PitShape::Elliptical,
            PitShape::NarrowDeep,
        ];
        let off = |s: &PitShape| (s.aspect() / target.aspect).ln().abs();
        let shape = shapes.into_iter().min_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or(PitShape::Front);
        let alone = Nucleation {
            rate: 0.0,
            decay: 1.0,
            susceptibility: Susceptibility::Uniform,
            interaction: Interaction::Independent,
        };
        // The floor's depth varies as much as its light does, for walls and floor see the less sky the deeper they lie.
        let roughness = target.mottle.clamp(0.0, 1.0) * 0.5;
        // Discs of some pixels have a solidity of 0.92, and 0.88 when marked by hand; grains of different speed make
        // bays.
        let grains = (GRAINS * (0.88 - target.solidity)).clamp(0.0, 0.55);
        Self::new(
            PittingParams::default()
                .with_grain_contrast(grains)
                .with_nucleation(alone)
                .with_exposure_years((1.0, 1.0))
                .with_spread_rate((0.5 * target.size).clamp(1e-6, 1.0))
                .with_rate_spread(0.0)
                .with_product(Product::None)
                .with_deposit(0.0)
                .with_stain(0.0)
                .with_roughness(roughness)
                .with_shape(shape),
        )
    }
}
