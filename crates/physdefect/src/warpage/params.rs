//! Parameters of the plate model.

use super::{Load, MODEL};
use crate::Error;
use crate::params::{parameters, require};

parameters! {
    /// Parameters of [`PlasticWarpage`](super::PlasticWarpage); the defaults make dents and creases of cold-rolled
    /// steel sheet, 15 % to 45 % of the domain's scale across.
    pub struct WarpageParams {
        /// Loads that are chosen with equal chance, at least one. Default indenter and line.
        loads / with_loads: Vec<Load> = vec![Load::Indenter, Load::Line],
        /// Width of the visible bend at severity 0 and 1, fraction of the scale, 0 < first <= last <= 1. Default (0.15,
        /// 0.45). A patch of load is 0.58 of it wide, a line 0.9 of it long; with the defaults a dent shows on 0.8 of
        /// it, a crease on all of it (equal-area diameter).
        size / with_size: (f64, f64) = (0.15, 0.45),
        /// Load over first-yield load at severity 0 and 1, 1 < first <= last <= 10: at or below 1 nothing stays.
        /// Default (5.5, 6).
        load_ratio / with_load_ratio: (f64, f64) = (5.5, 6.0),
        /// Plate thickness, fraction of the scale, in \[1e-6, 0.5\]. Default 0.007 (1.8 px on 256 px).
        thickness / with_thickness: f64 = 0.007,
        /// Yield strain sigma_y / E, in \[1e-6, 0.1\]. Default 0.003 (600 MPa over 200 GPa, cold-rolled steel); about
        /// 0.02 for a polymer.
        yield_strain / with_yield_strain: f64 = 0.003,
        /// Poisson's ratio, in \[0, 0.5\]. Default 0.3; about 0.4 for a polymer.
        poisson / with_poisson: f64 = 0.3,
        /// Elastic foundation's length (D / K)^(1/4) over the footprint's width (half a line's length), in \[0.1,
        /// 100\]: decides how far the bend reaches beyond the footprint. Default 0.37, for which the visible bend is
        /// about as wide as the stated size.
        foundation_length / with_foundation_length: f64 = 0.37,
        /// Irregularity of the footprint's outline, in \[0, 0.5\]. Default 0.25.
        irregularity / with_irregularity: f64 = 0.25,
        /// Whether the plate bends towards the viewer instead of away. Default false.
        outward / with_outward: bool = false,
        /// Direction to the viewer `[v_x, v_y, v_z]` (x right, y down, z out of the surface) with v_z > 0 and |v_x|,
        /// |v_y| <= 10 v_z; `None` is 20 degrees off the normal, towards a random side. Default `None`.
        view / with_view: Option<[f64; 3]> = None,
    }
}

impl WarpageParams {
    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first value out of range and its range.
    pub fn check(&self) -> Result<(), Error> {
        require(!self.loads.is_empty(), MODEL, "loads", 0.0, "at least one load")?;
        let (a, b) = self.size;
        require(a > 0.0 && a <= 1.0, MODEL, "size.0", a, "in (0, 1] domain scales")?;
        require(b >= a && b <= 1.0, MODEL, "size.1", b, "at least the first and at most 1 domain scale")?;
        let (a, b) = self.load_ratio;
        require(a > 1.0 && a <= 10.0, MODEL, "load_ratio.0", a, "in (1, 10] first-yield loads")?;
        require(b >= a && b <= 10.0, MODEL, "load_ratio.1", b, "at least the first and at most 10")?;
        require(
            (1e-6..=0.5).contains(&self.thickness),
            MODEL,
            "thickness",
            self.thickness,
            "in [1e-6, 0.5] domain scales",
        )?;
        let e = self.yield_strain;
        require((1e-6..=0.1).contains(&e), MODEL, "yield_strain", e, "in [1e-6, 0.1]")?;
        require((0.0..=0.5).contains(&self.poisson), MODEL, "poisson", self.poisson, "in [0, 0.5]")?;
        let f = self.foundation_length;
        require((0.1..=100.0).contains(&f), MODEL, "foundation_length", f, "in [0.1, 100] footprint widths")?;
        let i = self.irregularity;
        require((0.0..=0.5).contains(&i), MODEL, "irregularity", i, "in [0, 0.5]")?;
        if let Some([x, y, z]) = self.view {
            require(z > 0.0, MODEL, "view[2]", z, "greater than 0: the viewer is in front of the surface")?;
            require(x.abs() <= 10.0 * z, MODEL, "view[0]", x, "at most 10 view[2] in size")?;
            require(y.abs() <= 10.0 * z, MODEL, "view[1]", y, "at most 10 view[2] in size")?;
        }
        Ok(())
    }
}
