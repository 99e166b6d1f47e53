//! Segmentation of one photo against the background of its set, on the coarse grid.

use super::ForegroundParams;
use super::background::{Background, Values, border};
use super::cells::{Cells, Plane};
use super::distances::{COLORED, Distances};
use super::model::Evidence;
use super::parts::{close_holes, drop_small};
use super::walker::walk;

/// Weight that ties a cell to its own evidence; conductances to its neighbors are at most 1.
const TRUST: f32 = 0.08;
/// Color difference (log scale) that counts as an edge, in spreads of the background's luma, and its bounds.
const EDGE: (f64, f64, f64) = (2.5, 0.05, 0.3);
/// Probability of object for a cell that could be a shadow: on a ground whose hue tells, on a gray ground with objects
/// that are themselves of the ground's hue and darker, and with objects that are not.
const HUED_SHADOW: f32 = 0.25;
pub(super) const DARK_OBJECTS: f32 = 0.65;
pub(super) const OTHER_OBJECTS: f32 = 0.45;
/// Intensity of a ground on which shadows are seen.
const LIT: f64 = 0.12;

/// What the segmentation needs besides the photo.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) background: &'a Background,
    pub(super) evidence: Evidence,
    /// Share of the set's photos with an object at a place.
    pub(super) occupancy: Option<&'a Plane<f32>>,
    pub(super) params: &'a ForegroundParams,
}

/// The result on the grid.
#[derive(Debug, Clone)]
pub(super) struct Segmentation {
    /// Probability of object.
    pub(super) p: Plane<f32>,
    pub(super) mask: Plane<bool>,
    pub(super) distance: Plane<f32>,
    /// Cells that could be shadows.
    pub(super) shadowy: Plane<bool>,
    /// Parts that were too small.
    pub(super) dropped: usize,
    pub(super) offset: Values,
    /// Share of the border that the background explains.
    pub(super) explained: f64,
}

fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

pub(super) fn segment(cells: &Cells, rules: &Rules<'_>) -> Segmentation {
    let threshold = rules.evidence.threshold;
    let border = border(&cells.features);
    let offset = rules.background.offset(&border);
    let explained = rules.background.share_explained_at(&border, &offset);
    let Distances { distance, shaded, hue, hue_steps, intensity } = rules.background.distances(cells, &offset);
    let (h, w) = (distance.h, distance.w);
    let evidence = |d: f32| 4.0 * ((d + 0.3) / (threshold + 0.3)).ln();
    let mut prior = distance.map(|d| logistic(evidence(d)));
    if let Some(occupancy) = rules.occupancy {
        for (i, u) in prior.data.iter_mut().enumerate() {
            let (y, x) = ((i / w) * occupancy.h / h, (i % w) * occupancy.w / w);
            let o = occupancy.data[y * occupancy.w + x].clamp(0.03, 0.97);
            let own = u.clamp(1e-4, 1.0 - 1e-4);
            *u = logistic((own / (1.0 - own)).ln() + 0.5 * (o / (1.0 - o)).ln());
        }
    }
    let mut shadowy = Plane::new(h, w, false);
    let mut trust = Plane::new(h, w, TRUST);
    let colored = hue > COLORED && hue_steps > 10.0;
    let in_shadow = if colored { HUED_SHADOW } else { rules.evidence.shadow };
    // On a colored ground an object may differ by as much as the ground from gray.
    let shadow_threshold = threshold.max(0.15 * hue_steps as f32);
    for i in 0..h * w {
        let u = prior.data[i];
        if intensity > LIT && u > in_shadow && shaded.data[i].is_finite() {
            // A darker cell whose hue and texture are the background's: a shadow, or an object of that hue.
            let q = logistic(-4.0 * ((shaded.data[i] + 0.3) / (shadow_threshold + 0.3)).ln());
            prior.data[i] = (1.0 - q) * u + q * in_shadow;
            shadowy.data[i] = q > 0.5;
            trust.data[i] *= 1.0 - 0.95 * q;
        }
    }
    let spread = rules.background.tones.first().map_or(0.0, |t| t.spread[0]);
    let edge = (EDGE.0 * spread).clamp(EDGE.1, EDGE.2) as f32;
    let p = walk(&cells.features, &prior, &trust, edge);
    let mut mask = p.map(|p| p > 0.5);
    let dropped = drop_small(&mut mask, rules.params.smallest_part());
    let area = mask.data.iter().filter(|&&m| m).count() as f64;
    close_holes(&mut mask, |hole| {
        let share =
            |near: &dyn Fn(usize) -> bool| hole.iter().filter(|&&i| near(i)).count() as f64 / hole.len().max(1) as f64;
        // A hole may lie in shadow, but dark print on the object is none.
        let lit = share(&|i| distance.data[i] < threshold);
        let ground = share(&|i| distance.data[i].min(shaded.data[i]) < threshold);
        hole.len() as f64 > rules.params.pinhole() * area && ground > 0.5 && (colored || lit > 0.05)
    });
    Segmentation { p, mask, distance, shadowy, dropped, offset, explained }
}
