//! Parameters of uneven surfaces.

use super::{MODEL, Unevenness};
use crate::Error;
use crate::params::{parameters, require, within};

parameters! {
    /// Parameters of [`SurfaceUnevenness`](super::SurfaceUnevenness); the defaults make patches of 25 % to 80 % of
    /// the domain's scale.
    pub struct UnevennessParams {
        /// Kinds that are chosen from, at least one; see [`Domain::grain`](crate::Domain::grain) for their chances.
        /// Default all four.
        kinds / with_kinds: Vec<Unevenness> = Unevenness::ALL.to_vec(),
        /// Width of the patch (depth of a ground zone, diameter of a blotch, 1 / 0.6 of that of a drop) at severity 0
        /// and 1, fraction of the scale, 0 < first <= last <= 2. Default (0.25, 0.8).
        size / with_size: (f64, f64) = (0.25, 0.8),
        /// Size of the change, |ln of the reflectance factor|, at severity 0 and 1, 0 <= first <= last <= 3. Default
        /// (0.1, 0.4): by 10 % to 40 %.
        contrast / with_contrast: (f64, f64) = (0.1, 0.4),
        /// Root mean square slope of the waviness at severity 0 and 1, 0 <= first <= last <= 0.5. Default (0.04, 0.16).
        waviness / with_waviness: (f64, f64) = (0.04, 0.16),
        /// Shortest and longest wavelength of waviness, across the grain, fraction of the scale, 0 < first <= last <=
        /// 2; blotches are three times as large. Default (0.1, 0.3).
        waves / with_waves: (f64, f64) = (0.1, 0.3),
        /// Shortest and longest wavelength of grinding streaks, across the grain, as `waves`; below 2.5 px counts as
        /// 2.5 px. Default (0.008, 0.06).
        streaks / with_streaks: (f64, f64) = (0.008, 0.06),
        /// Exponent of the fall of the streaks' and waves' power with the wave number, in \[0, 8\]. Default 2: as much
        /// power in each octave.
        slope / with_slope: f64 = 2.0,
        /// Length of streaks over their width, in \[1, 10000\]; waves are as long as its cube root. Default 60.
        aspect / with_aspect: f64 = 60.0,
        /// Direction of the grain, radians from +x (right) towards +y (down), in \[-100, 100\]; `None` is that of
        /// the surface ([`Domain::grain`](crate::Domain::grain)), or along or across the domain's longer axis, within 4
        /// degrees. Default `None`.
        grain / with_grain: Option<f64> = None,
        /// Deviation of the patch's outline from a circle or a line, in \[0, 0.6\]. Default 0.25.
        irregularity / with_irregularity: f64 = 0.25,
        /// Width over which a blotch fades, fraction of its radius, in \[0.01, 1\]; a ground zone ends in an eighth of
        /// it. Default 0.6.
        softness / with_softness: f64 = 0.6,
        /// Chance that a change is brighter than the surround, in \[0, 1\]. Default 0.4.
        brighter / with_brighter: f64 = 0.4,
        /// Linear-light reflectance of red, green and blue of what stains, each in \[0, 1\]. Default a brown,
        /// (0.24, 0.19, 0.13): tea, oil, rust-laden water.
        color / with_color: [f64; 3] = [0.24, 0.19, 0.13],
        /// Tint weight of a stain at severity 1, in \[0, 1\]; it grows in step with `contrast`. Default 0.25.
        color_weight / with_color_weight: f64 = 0.25,
        /// Share of a drying drop's residue that the flow carries to the contact line, in \[0, 1\]. Default 0.7.
        transport / with_transport: f64 = 0.7,
        /// Width over which the ring's deposit falls off inward, fraction of the drop's radius, in \[0.005, 1\].
        /// Default 0.08.
        ring_width / with_ring_width: f64 = 0.08,
    }
}

impl UnevennessParams {
    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first value out of range and its range.
    pub fn check(&self) -> Result<(), Error> {
        require(!self.kinds.is_empty(), MODEL, "kinds", 0.0, "at least one kind")?;
        let scales = "in (0, 2] domain scales";
        let last = "at least the first and at most 2 domain scales";
        for (first, second, (a, b)) in [
            ("size.0", "size.1", self.size),
            ("waves.0", "waves.1", self.waves),
            ("streaks.0", "streaks.1", self.streaks),
        ] {
            require(a > 0.0 && a <= 2.0, MODEL, first, a, scales)?;
            within(MODEL, second, b, (a, 2.0), last)?;
        }
        within(MODEL, "contrast.0", self.contrast.0, (0.0, 3.0), "in [0, 3]")?;
        within(MODEL, "contrast.1", self.contrast.1, (self.contrast.0, 3.0), "at least the first and at most 3")?;
        within(MODEL, "waviness.0", self.waviness.0, (0.0, 0.5), "in [0, 0.5]")?;
        within(MODEL, "waviness.1", self.waviness.1, (self.waviness.0, 0.5), "at least the first and at most 0.5")?;
        within(MODEL, "slope", self.slope, (0.0, 8.0), "in [0, 8]")?;
        within(MODEL, "aspect", self.aspect, (1.0, 1e4), "in [1, 10000]")?;
        if let Some(grain) = self.grain {
            within(MODEL, "grain", grain, (-100.0, 100.0), "in [-100, 100] radians")?;
        }
        within(MODEL, "irregularity", self.irregularity, (0.0, 0.6), "in [0, 0.6]")?;
        within(MODEL, "softness", self.softness, (0.01, 1.0), "in [0.01, 1] patch radii")?;
        within(MODEL, "brighter", self.brighter, (0.0, 1.0), "in [0, 1]")?;
        for (name, v) in ["color[0]", "color[1]", "color[2]"].into_iter().zip(self.color) {
            within(MODEL, name, v, (0.0, 1.0), "in [0, 1]")?;
        }
        within(MODEL, "color_weight", self.color_weight, (0.0, 1.0), "in [0, 1]")?;
        within(MODEL, "transport", self.transport, (0.0, 1.0), "in [0, 1]")?;
        within(MODEL, "ring_width", self.ring_width, (0.005, 1.0), "in [0.005, 1] drop radii")
    }
}
