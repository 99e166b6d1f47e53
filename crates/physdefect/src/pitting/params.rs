//! Parameters of the pitting model.

use super::{Interaction, MODEL, Nucleation, PitShape, Product, Susceptibility, nucleation};
use crate::Error;
use crate::params::{parameters, require};

parameters! {
    /// Parameters of [`PittingLoss`](super::PittingLoss); the defaults make a few deep iron pits that cover about
    /// 0.025 % (severity 0) to 0.6 % (severity 1) of the domain.
    pub struct PittingParams {
        /// Birth process. Default 1 birth a year, used up in 2.5 years, on a patch of 0.12 scale, independent: one
        /// to about two pits. Rate at least 0 and low enough for 10 000
        /// births, decay in \[1e-6, 1e6\] years, lengths in \[0.0001, 1\].
        nucleation / with_nucleation: Nucleation = Nucleation {
            rate: 1.0,
            decay: 2.5,
            susceptibility: Susceptibility::Patch { radius: 0.12 },
            interaction: Interaction::Independent,
        },
        /// Exposure at severity 0 and at severity 1, years, 0.001 <= first <= last <= 1000; between them it grows
        /// geometrically. Default (1, 4).
        exposure_years / with_exposure_years: (f64, f64) = (1.0, 4.0),
        /// F0, speed of the outline, domain scales a year, in \[1e-6, 1\]. Default 0.008 (2 px a year on 256 px).
        spread_rate / with_spread_rate: f64 = 0.008,
        /// Mean grain diameter, fraction of the scale, in \[0.0001, 1\]. Default 0.018.
        grain_size / with_grain_size: f64 = 0.018,
        /// d, standard deviation of the speed between grains over its mean, in \[0, 0.55\], so that every grain keeps a
        /// positive speed. Default 0.4.
        grain_contrast / with_grain_contrast: f64 = 0.4,
        /// n of d = k t^n, in \[1/3, 1/2\] for diffusion control. Default 1/2 (salt film).
        exponent / with_exponent: f64 = 0.5,
        /// Standard deviation of ln k between pits, in \[0, 1.5\]. Default 0.35.
        rate_spread / with_rate_spread: f64 = 0.35,
        /// Cross-section. Default [`PitShape::Hemispherical`].
        shape / with_shape: PitShape = PitShape::Hemispherical,
        /// Corrosion product. Default iron oxides.
        product / with_product: Product = Product::IronOxides,
        /// Tint weight of the deposit on the rim, in \[0, 1\]. Default 0.5.
        deposit / with_deposit: f64 = 0.5,
        /// Length over which the stain fades outside the pit, fraction of the scale, in \[0, 0.5\]. Default 0.003.
        stain / with_stain: f64 = 0.003,
        /// Roughness of the pit's floor: standard deviation of its depth over its mean, and of the logarithm of its
        /// reflectance, in \[0, 0.5\]; constant on each facet, which is a third of a grain wide. Default 0.4.
        roughness / with_roughness: f64 = 0.4,
        /// Reflectance of the pit's floor over that of the surface, in \[0.05, 2\]: what is rougher than a pixel shows
        /// traps light. Default 0.7.
        floor_reflectance / with_floor_reflectance: f64 = 0.7,
        /// Millimeters a pixel, above 0: adds `mass_loss_mg` and `charge_c` to the measures. Default `None`.
        pixel_pitch_mm / with_pixel_pitch_mm: Option<f64> = None,
    }
}

impl PittingParams {
    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first value out of range and its range.
    pub fn check(&self) -> Result<(), Error> {
        let fraction =
            |name, v: f64| require((1e-4..=1.0).contains(&v), MODEL, name, v, "in [0.0001, 1] domain scales");
        let n = &self.nucleation;
        require((0.0..=1e6).contains(&n.rate), MODEL, "nucleation.rate", n.rate, "in [0, 1e6] births a year")?;
        require((1e-6..=1e6).contains(&n.decay), MODEL, "nucleation.decay", n.decay, "in [1e-6, 1e6] years")?;
        if let Susceptibility::Patch { radius } = n.susceptibility {
            fraction("nucleation.susceptibility.radius", radius)?;
        }
        match n.interaction {
            Interaction::Independent => {}
            Interaction::Thomas { pits_per_cluster: p, spread } => {
                require(
                    (1e-3..=1e4).contains(&p),
                    MODEL,
                    "nucleation.interaction.pits_per_cluster",
                    p,
                    "in [0.001, 1e4]",
                )?;
                fraction("nucleation.interaction.spread", spread)?;
            }
            Interaction::Inhibition { radius } => fraction("nucleation.interaction.radius", radius)?,
        }
        let (first, last) = self.exposure_years;
        require((1e-3..=1e3).contains(&first), MODEL, "exposure_years.0", first, "in [0.001, 1000] years")?;
        require(last >= first && last <= 1e3, MODEL, "exposure_years.1", last, "at least the first and at most 1000")?;
        let births = n.expected(last);
        require(
            births <= nucleation::MOST_PITS,
            MODEL,
            "nucleation.rate",
            n.rate,
            "low enough for at most 10000 births in the longest exposure",
        )?;
        let f = self.spread_rate;
        require((1e-6..=1.0).contains(&f), MODEL, "spread_rate", f, "in [1e-6, 1] domain scales a year")?;
        fraction("grain_size", self.grain_size)?;
        let d = self.grain_contrast;
        require((0.0..=0.55).contains(&d), MODEL, "grain_contrast", d, "in [0, 0.55]")?;
        let third = 1.0 / 3.0 - 1e-9;
        require((third..=0.5).contains(&self.exponent), MODEL, "exponent", self.exponent, "in [1/3, 1/2]")?;
        require((0.0..=1.5).contains(&self.rate_spread), MODEL, "rate_spread", self.rate_spread, "in [0, 1.5]")?;
        require((0.0..=1.0).contains(&self.deposit), MODEL, "deposit", self.deposit, "in [0, 1]")?;
        require((0.0..=0.5).contains(&self.stain), MODEL, "stain", self.stain, "in [0, 0.5] domain scales")?;
        require((0.0..=0.5).contains(&self.roughness), MODEL, "roughness", self.roughness, "in [0, 0.5]")?;
        let floor = self.floor_reflectance;
        require((0.05..=2.0).contains(&floor), MODEL, "floor_reflectance", floor, "in [0.05, 2]")?;
        match self.pixel_pitch_mm {
            Some(p) => require(p > 0.0, MODEL, "pixel_pitch_mm", p, "greater than 0 mm"),
            None => Ok(()),
        }
    }
}
