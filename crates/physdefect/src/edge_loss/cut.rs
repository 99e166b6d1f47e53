//! Shapes of cuts, star-shaped around the middle of their mouth.

use rand::{Rng, RngCore};

use crate::outline::Outline;

/// Shape of a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Cut {
    /// Circular segment with a bowl-shaped, rippled fracture surface: glass, ceramics, hard plastic, tablets.
    Conchoidal,
    /// Notch of two or three straight facets: castings, magnets, laminates.
    Faceted,
}

impl Cut {
    /// All shapes.
    pub const ALL: [Self; 2] = [Self::Conchoidal, Self::Faceted];
}

/// Outermost radius over that of the unperturbed shape's larger half axis.
const REACH: f64 = 1.6;
/// How far a faceted cut goes on outside the mouth, half widths.
const OUTSIDE: f64 = 0.3;

/// A cut of half width 1 whose mouth's middle is the origin.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    cut: Cut,
    /// Depth, half widths.
    depth: f64,
    /// Edges of a faceted cut: unit normal (inward, along the mouth) and distance from the origin.
    facets: Vec<[f64; 3]>,
    outline: Outline,
    irregularity: f64,
}

impl Shape {
    /// Draws a shape; `depth` is over the whole width. Always as many random numbers.
    pub(super) fn draw(cut: Cut, depth: f64, irregularity: f64, rng: &mut dyn RngCore) -> Self {
        let depth = 2.0 * depth;
        let tip: f64 = rng.random_range(-0.5..0.5);
        let (blunt, level): (bool, f64) = (rng.random(), rng.random_range(0.55..0.9));
        let mut facets = Vec::new();
        if cut == Cut::Faceted {
            // From either end of the mouth to the tip; where a blunt tip is cut off, the sides are steeper to keep the
            // depth.
            let deep = if blunt { depth / level } else { depth };
            for end in [-1.0, 1.0] {
                let (inward, along) = (-end * (tip - end), end * deep);
                let norm = inward.hypot(along);
                facets.push([inward / norm, along / norm, deep / norm]);
            }
            facets.push([-1.0, 0.0, OUTSIDE]);
            facets.push([1.0, 0.0, depth]);
        }
        Self { cut, depth, facets, outline: Outline::draw(rng), irregularity }
    }

    /// Radius in a direction, radians from the inward normal, half widths.
    pub(super) fn radius(&self, angle: f64) -> f64 {
        let (sin, cos) = angle.sin_cos();
        let plain = match self.cut {
            Cut::Conchoidal => {
                // Circle through both ends of the mouth and the deepest point.
                let r = (1.0 + self.depth * self.depth) / (2.0 * self.depth);
                let outside = r - self.depth;
                (r * r - (outside * sin).powi(2)).max(0.0).sqrt() - outside * cos
            }
            Cut::Faceted => {
                let hit = |[inward, along, distance]: &[f64; 3]| {
                    let toward = inward * cos + along * sin;
                    if toward > 0.0 { distance / toward } else { f64::INFINITY }
                };
                self.facets.iter().map(hit).fold(f64::INFINITY, f64::min)
            }
        };
        plain.min(REACH * self.depth.max(1.0)) * (self.irregularity * self.outline.at(angle)).exp()
    }

    /// Radius that no direction exceeds, half widths.
    pub(super) fn farthest(&self) -> f64 {
        REACH * self.depth.max(1.0) * (2.5 * self.irregularity).exp()
    }

    /// Depth, half widths.
    pub(super) fn depth(&self) -> f64 {
        self.depth
    }
}
