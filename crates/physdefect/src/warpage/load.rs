//! Loads that bend the plate.

use std::f64::consts::{PI, TAU};

use rand::{Rng, RngCore};

/// Kind of load. Each acts on the middle of the plate and is as wide as the defect's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Load {
    /// An indenter's patch, an irregular ellipse under Hertz's pressure sqrt(1 - (r/a)^2): a dent.
    Indenter,
    /// A slightly bowed line: a crease.
    Line,
    /// A patch cut off along a straight line, the edge of a tool pressed in: a dent with one steeper side.
    PressedEdge,
    /// A heated spot whose free curvature alpha dT / h the cold rest resists: a warp, bent the other way after cooling.
    HotSpot,
}

/// Random outline of a load, sampled before its strength is known.
#[derive(Debug, Clone)]
pub(crate) struct Footprint {
    load: Load,
    /// Direction of the long axis, line or edge.
    turn: f64,
    /// Short over long axis.
    aspect: f64,
    /// Bow of a line: sagitta over length.
    bow: f64,
    /// Amplitude and phase of the outline's harmonics 2.. over the radius.
    lumps: [(f64, f64); 4],
}

impl Footprint {
    pub(crate) fn draw(load: Load, irregularity: f64, rng: &mut dyn RngCore) -> Self {
        let turn = rng.random_range(0.0..PI);
        let aspect = rng.random_range(0.55..1.0);
        let bow = rng.random_range(-0.12..0.12);
        let mut lumps = [(0.0, 0.0); 4];
        for (k, lump) in lumps.iter_mut().enumerate() {
            *lump = (irregularity * rng.random_range(-1.0..1.0) / (k + 1) as f64, rng.random_range(0.0..TAU));
        }
        Self { load, turn, aspect, bow, lumps }
    }

    pub(crate) fn load(&self) -> Load {
        self.load
    }

    /// Footprint's width over the plate's side.
    pub(crate) fn fill(&self) -> f64 {
        match self.load {
            Load::Line => 0.56,
            _ => 0.36,
        }
    }

    /// Length that the foundation's length refers to, over the plate's side: a line has no width, so half its length.
    pub(crate) fn transverse(&self) -> f64 {
        match self.load {
            Load::Line => 0.5 * self.fill(),
            _ => self.fill(),
        }
    }

    /// Load intensity (any scale) on the `n` x `n` interior nodes of the unit plate; `fill` is the footprint's width
    /// over the plate's.
    pub(crate) fn field(&self, n: usize, fill: f64) -> Vec<f64> {
        let h = 1.0 / (n + 1) as f64;
        let (sin, cos) = self.turn.sin_cos();
        let half = 0.5 * fill;
        let mut q = Vec::with_capacity(n * n);
        for j in 0..n {
            let y = (j + 1) as f64 * h - 0.5;
            for i in 0..n {
                let x = (i + 1) as f64 * h - 0.5;
                let (along, across) = (cos * x + sin * y, cos * y - sin * x);
                q.push(match self.load {
                    Load::Indenter | Load::HotSpot => self.patch(along, across, half),
                    Load::PressedEdge => {
                        // One cell of smoothing keeps the edge's place below the grid's spacing.
                        let side = (0.5 + across / (2.0 * h)).clamp(0.0, 1.0);
                        side * self.patch(along, across, half)
                    }
                    Load::Line => {
                        let s = along / half;
                        let off = (across - self.bow * fill * (1.0 - s * s)) / (1.8 * h);
                        let lumps: f64 =
                            self.lumps.iter().zip(1..).map(|(l, k)| l.0 * (k as f64 * PI * s + l.1).sin()).sum();
                        if s.abs() < 1.0 {
                            (1.0 + lumps) * (1.0 - s.powi(8)).sqrt() * (-0.5 * off * off).exp()
                        } else {
                            0.0
                        }
                    }
                });
            }
        }
        q
    }

    fn patch(&self, along: f64, across: f64, half: f64) -> f64 {
        let (u, v) = (along / half, across / (half * self.aspect));
        let angle = v.atan2(u);
        let lumps: f64 = self.lumps.iter().zip(2..).map(|(l, k)| l.0 * (f64::from(k) * angle + l.1).cos()).sum();
        let r = u.hypot(v) / (1.0 + lumps).max(0.3);
        (1.0 - r * r).max(0.0).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SampleKey;

    #[test]
    fn an_indenter_presses_as_hertz_says() {
        // Peak p0 in the middle and a total of 2/3 p0 pi a b over the ellipse.
        let (n, fill) = (401, 0.6);
        let mut footprint = Footprint::draw(Load::Indenter, 0.0, &mut SampleKey { seed: 1, index: 0 }.rng());
        footprint.aspect = 0.7;
        let q = footprint.field(n, fill);
        let h = 1.0 / (n + 1) as f64;
        let total = q.iter().sum::<f64>() * h * h;
        let (a, b) = (0.5 * fill, 0.5 * fill * 0.7);
        assert!((q[(n / 2) * n + n / 2] - 1.0).abs() < 1e-9);
        assert!((total / (2.0 / 3.0 * PI * a * b) - 1.0).abs() < 1e-3, "{total}");
        // The edge of a tool cuts half of it off.
        footprint.load = Load::PressedEdge;
        let half = footprint.field(n, fill).iter().sum::<f64>() * h * h;
        assert!((half / total - 0.5).abs() < 1e-3, "{half} of {total}");
    }

    #[test]
    fn a_line_load_is_a_bowed_line_of_even_pressure() {
        let (n, fill) = (401, 0.6);
        let mut footprint = Footprint::draw(Load::Line, 0.0, &mut SampleKey { seed: 1, index: 0 }.rng());
        (footprint.turn, footprint.bow) = (0.0, 0.0);
        let h = 1.0 / (n + 1) as f64;
        let q = footprint.field(n, fill);
        // Gaussian of deviation 1.8 h across; along it the integral of sqrt(1 - s^8) over (-1, 1) is 2 Beta(1/8,
        // 3/2)/8.
        let along = 0.5 * fill * 2.0 * 0.930_874_1;
        let exact = along * 1.8 * h * (2.0 * PI).sqrt();
        let total = q.iter().sum::<f64>() * h * h;
        assert!((total / exact - 1.0).abs() < 2e-3, "{total} for {exact}");
        // The sagitta over the length is the bow.
        footprint.bow = 0.1;
        let q = footprint.field(n, fill);
        let ridge = |i: usize| (0..n).max_by(|&a, &b| q[a * n + i].total_cmp(&q[b * n + i])).unwrap() as f64 * h;
        // half way to the end the parabola has left a quarter of it
        let half_way = n / 2 + (0.25 * fill / h).round() as usize;
        let sagitta = (ridge(n / 2) - ridge(half_way)) / 0.25 / fill;
        assert!((sagitta - 0.1).abs() < 0.02, "{sagitta}");
    }
}
