//! Parameters of the crack model.

use std::f64::consts::TAU;

use super::line::NAME;
use super::toughness::Toughness;
use crate::Error;
use crate::params::{self, parameters};

parameters! {
    /// Parameters of [`FractureLine`](super::FractureLine); lengths relative to the domain's scale sqrt(area).
    #[derive(Copy)]
    pub struct FractureParams {
        /// Tip-to-tip length of the arrested crack in the homogeneous solid at severity 0 and 1, share of the domain's
        /// scale (geometric between them), in \[0.01, 1\]. Default (0.10, 0.80).
        length / with_length: (f64, f64) = (0.10, 0.80),
        /// Largest opening at severity 0 and 1, share of the scale, in \[0.001, 0.1\]; at least 0.8 px. Default (1/256,
        /// 3.5/256).
        opening / with_opening: (f64, f64) = (1.0 / 256.0, 3.5 / 256.0),
        /// Direction of the largest principal stress, radians; `None` samples it. A crack runs across it. Default
        /// `None`.
        stress_angle / with_stress_angle: Option<f64> = None,
        /// Chance that a crack inside a surface with a grain ([`Domain::grain`](crate::Domain::grain)) follows it,
        /// within 12 degrees, in \[0, 1\]: rolled, drawn, ground and woven materials are weakest there. Default 0.5.
        along_grain / with_along_grain: f64 = 0.5,
        /// s2/s1 in \[-1, 0.95\]. 0 is uniaxial tension, 0.95 leaves the direction almost free. Default 0.
        stress_ratio / with_stress_ratio: f64 = 0.0,
        /// Half-width of the loaded zone over the half-length of the arrested crack at severity 0, in \[0.01, 1\] (a
        /// local load; see [`zone_factor`](super::lefm::zone_factor)). Default 0.5.
        zone / with_zone: f64 = 0.5,
        /// Largest angle between the initial flaw and the plane normal to s1, radians in \[0, 1.2\]. Default 0.5.
        flaw_tilt / with_flaw_tilt: f64 = 0.5,
        /// Probability that the crack starts at the domain's edge, in \[0, 1\]. Default 0.3.
        edge_start / with_edge_start: f64 = 0.3,
        /// Grain size over the scale, in \[0.002, 0.2\]; at least 2 px. Default 3/256.
        grain / with_grain: f64 = 3.0 / 256.0,
        /// Toughness statistics.
        toughness / with_toughness: Toughness = Toughness::default(),
        /// Half-angle of the cone of directions, radians in \[0.05, 1.4\]. Default 0.35.
        cone / with_cone: f64 = 0.35,
        /// Factors on the cone, low and high bound in \[0, 1\], one drawn for each crack: near 0 it runs straight, as
        /// through fine grain, at 1 it follows every grain. Default (0.1, 1).
        wander / with_wander: (f64, f64) = (0.1, 1.0),
        /// Length over which a tip keeps its heading (the process zone averages the driving direction), grains, in \[0,
        /// 20\]. Default 1.5.
        process_zone / with_process_zone: f64 = 1.5,
        /// Chance per step to branch while G >= 2 G_c (1 + noise), in \[0, 1\]. Default 0.08.
        branching / with_branching: f64 = 0.08,
        /// Full angle between two branches, radians, low and high bound in \[0.1, 2\]. Default 25 and 60 degrees.
        branch_angle / with_branch_angle: (f64, f64) = (25f64.to_radians(), 60f64.to_radians()),
        /// Share of K that each of two tips keeps in the shadow of the other, in \[0, 1\]. Default 0.75: that two tips
        /// share one G would give 0.71.
        shielding / with_shielding: f64 = 0.75,
        /// Depth of the V-groove over its opening, in \[0.1, 20\]. Default 3.
        aspect / with_aspect: f64 = 3.0,
        /// Whether the crack is driven to exactly its length whatever the grains are (displacement control), so that
        /// only the domain's edge can stop it. Default false: it comes to rest where the load no longer suffices.
        driven / with_driven: bool = false,
    }
}

impl FractureParams {
    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first value out of range and its range.
    pub fn check(&self) -> Result<(), Error> {
        let p = self;
        let check = |name, value, range, expected| params::within(NAME, name, value, range, expected);
        check("length.0", p.length.0, (0.01, 1.0), "in [0.01, 1] of the domain's scale")?;
        check("length.1", p.length.1, (p.length.0, 1.0), "in [length.0, 1] of the domain's scale")?;
        check("opening.0", p.opening.0, (0.001, 0.1), "in [0.001, 0.1] of the domain's scale")?;
        check("opening.1", p.opening.1, (p.opening.0, 0.1), "in [opening.0, 0.1] of the domain's scale")?;
        check("stress_angle", p.stress_angle.unwrap_or(0.0), (-TAU, TAU), "in [-2 pi, 2 pi] radians")?;
        check("along_grain", p.along_grain, (0.0, 1.0), "in [0, 1]")?;
        check("stress_ratio", p.stress_ratio, (-1.0, 0.95), "in [-1, 0.95]")?;
        check("zone", p.zone, (0.01, 1.0), "in [0.01, 1]")?;
        check("flaw_tilt", p.flaw_tilt, (0.0, 1.2), "in [0, 1.2] radians")?;
        check("edge_start", p.edge_start, (0.0, 1.0), "in [0, 1]")?;
        check("grain", p.grain, (0.002, 0.2), "in [0.002, 0.2] of the domain's scale")?;
        check("cone", p.cone, (0.05, 1.4), "in [0.05, 1.4] radians")?;
        check("wander.0", p.wander.0, (0.0, 1.0), "in [0, 1]")?;
        check("wander.1", p.wander.1, (p.wander.0, 1.0), "in [wander.0, 1]")?;
        check("process_zone", p.process_zone, (0.0, 20.0), "in [0, 20] grains")?;
        check("branching", p.branching, (0.0, 1.0), "in [0, 1]")?;
        check("branch_angle.0", p.branch_angle.0, (0.1, 2.0), "in [0.1, 2] radians")?;
        check("branch_angle.1", p.branch_angle.1, (p.branch_angle.0, 2.0), "in [branch_angle.0, 2] radians")?;
        check("shielding", p.shielding, (0.0, 1.0), "in [0, 1]")?;
        check("aspect", p.aspect, (0.1, 20.0), "in [0.1, 20]")?;
        p.toughness.check()
    }
}
