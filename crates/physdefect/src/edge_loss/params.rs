//! Parameters of chips and notches.

use super::{Cut, MODEL};
use crate::Error;
use crate::params::{parameters, require, within};

parameters! {
    /// Parameters of [`EdgeLoss`](super::EdgeLoss); the defaults cut pieces of 6 % to 30 % of the domain's scale from
    /// its outline.
    pub struct EdgeLossParams {
        /// Shapes that are chosen with equal chance, at least one. Default both.
        cuts / with_cuts: Vec<Cut> = Cut::ALL.to_vec(),
        /// Width of the cut along the outline at severity 0 and 1, fraction of the scale, 0 < first <= last <= 1.
        /// Default (0.06, 0.3).
        size / with_size: (f64, f64) = (0.06, 0.3),
        /// Least and largest depth over width, in \[0.05, 2\]; drawn between them. Default (0.25, 0.6).
        depth / with_depth: (f64, f64) = (0.25, 0.6),
        /// Largest depth over the object's local thickness, in \[0.01, 1\]. Default 0.5.
        thickness / with_thickness: f64 = 0.5,
        /// Deviation of the cut's outline from its shape, in \[0, 0.5\]. Default 0.12.
        irregularity / with_irregularity: f64 = 0.12,
        /// Least and largest width of the fracture surface over the depth, in \[0, 1\]; drawn between them. Default
        /// (0.15, 0.45).
        band / with_band: (f64, f64) = (0.15, 0.45),
        /// Chance that the piece took the whole thickness with it, so that the background shows, in \[0, 1\];
        /// otherwise all of the cut is fracture surface. Default 0.7.
        through / with_through: f64 = 0.7,
        /// Drop of the fracture surface over the width of its band, in \[0, 3\]. Default 0.7.
        steepness / with_steepness: f64 = 0.7,
        /// Height of the fracture surface's roughness and ripples over its drop, in \[0, 1\]. Default 0.12.
        roughness / with_roughness: f64 = 0.12,
        /// Least and largest |ln| of the fracture surface's reflectance over the old surface's, in \[0, 3\]; drawn
        /// between them. Default (0.15, 0.6).
        fresh / with_fresh: (f64, f64) = (0.15, 0.6),
        /// Chance that the fracture surface is brighter than the old surface, in \[0, 1\]. Default 0.35.
        brighter / with_brighter: f64 = 0.35,
        /// Distance of the mirror that shows the background from the outline, fraction of the scale, in \[0, 0.2\]; at
        /// least 1.5 px. It skips the outline's own blur, which goes with the piece. Default 0.03.
        clearance / with_clearance: f64 = 0.03,
    }
}

impl EdgeLossParams {
    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first value out of range and its range.
    pub fn check(&self) -> Result<(), Error> {
        require(!self.cuts.is_empty(), MODEL, "cuts", 0.0, "at least one shape")?;
        let (a, b) = self.size;
        require(a > 0.0 && a <= 1.0, MODEL, "size.0", a, "in (0, 1] domain scales")?;
        within(MODEL, "size.1", b, (a, 1.0), "at least the first and at most 1 domain scale")?;
        within(MODEL, "depth.0", self.depth.0, (0.05, 2.0), "in [0.05, 2] widths")?;
        within(MODEL, "depth.1", self.depth.1, (self.depth.0, 2.0), "at least the first and at most 2 widths")?;
        within(MODEL, "thickness", self.thickness, (0.01, 1.0), "in [0.01, 1] local thicknesses")?;
        within(MODEL, "irregularity", self.irregularity, (0.0, 0.5), "in [0, 0.5]")?;
        within(MODEL, "band.0", self.band.0, (0.0, 1.0), "in [0, 1] depths")?;
        within(MODEL, "band.1", self.band.1, (self.band.0, 1.0), "at least the first and at most 1 depth")?;
        within(MODEL, "through", self.through, (0.0, 1.0), "in [0, 1]")?;
        within(MODEL, "steepness", self.steepness, (0.0, 3.0), "in [0, 3]")?;
        within(MODEL, "roughness", self.roughness, (0.0, 1.0), "in [0, 1]")?;
        within(MODEL, "fresh.0", self.fresh.0, (0.0, 3.0), "in [0, 3]")?;
        within(MODEL, "fresh.1", self.fresh.1, (self.fresh.0, 3.0), "at least the first and at most 3")?;
        within(MODEL, "brighter", self.brighter, (0.0, 1.0), "in [0, 1]")?;
        within(MODEL, "clearance", self.clearance, (0.0, 0.2), "in [0, 0.2] domain scales")
    }
}
