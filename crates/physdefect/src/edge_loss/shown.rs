//! What shows where an object is gone: the photo mirrored across a line beyond the blur of the object's outline.

use imgkit::Rect;
use ndarray::ArrayView2;

use crate::Domain;

/// Ground beyond a part of an outline.
pub(super) struct Ground {
    /// Pixels outside the object that touch it.
    outside: Vec<[f64; 2]>,
    /// Distance of the mirror from the outline, px.
    clearance: f64,
}

/// How a pixel lies to the outline.
struct Side {
    /// Distance from the outline, px, positive inside.
    depth: f64,
    /// Unit vector away from the object.
    outward: [f64; 2],
}

impl Ground {
    /// No ground: shifts nothing.
    pub(super) fn none() -> Self {
        Self { outside: Vec::new(), clearance: 0.0 }
    }

    /// The ground beyond the part of the outline within `reach` px of a box.
    pub(super) fn near(domain: &Domain, outline: &[(usize, usize)], area: Rect, reach: f64, clearance: f64) -> Self {
        let mask = domain.mask();
        let near = area.grow(reach.ceil() as usize, domain.dim());
        let mut outside = Vec::new();
        for &(y, x) in outline.iter().filter(|&&p| near.contains(p)) {
            for (v, u) in [(y.wrapping_sub(1), x), (y + 1, x), (y, x.wrapping_sub(1)), (y, x + 1)] {
                if mask.get((v, u)).is_some_and(|inside| !inside) {
                    outside.push((v, u));
                }
            }
        }
        outside.sort_unstable();
        outside.dedup();
        Self { outside: outside.into_iter().map(|(y, x)| [y as f64, x as f64]).collect(), clearance }
    }

    /// The pixel outside that is nearest to a place: searched row by row away from it, until the rows are farther.
    fn nearest(&self, at: [f64; 2]) -> Option<[f64; 2]> {
        let split = self.outside.partition_point(|q| q[0] < at[0]);
        let (above, below) = self.outside.split_at(split);
        let mut best: Option<(f64, [f64; 2])> = None;
        let mut search = |rows: &mut dyn Iterator<Item = &[f64; 2]>| {
            for q in rows {
                let (dy, dx) = (q[0] - at[0], q[1] - at[1]);
                if best.is_some_and(|(least, _)| dy * dy > least) {
                    break;
                }
                if best.is_none_or(|(least, _)| dy * dy + dx * dx < least) {
                    best = Some((dy * dy + dx * dx, *q));
                }
            }
        };
        search(&mut below.iter());
        search(&mut above.iter().rev());
        best.map(|(_, q)| q)
    }

    fn side(&self, (y, x): (usize, usize), mask: ArrayView2<'_, bool>) -> Option<Side> {
        let (at, inside) = ([y as f64, x as f64], mask[[y, x]]);
        let nearest = self.nearest(at)?;
        let away = [nearest[0] - at[0], nearest[1] - at[1]];
        let distance = away[0].hypot(away[1]);
        // The outline lies half way between the last pixel inside and the first outside.
        let (depth, sign) = if inside { (distance - 0.5, 1.0) } else { (-distance - 0.5, -1.0) };
        let outward = if distance > 1e-9 {
            [sign * away[0] / distance, sign * away[1] / distance]
        } else {
            away_from(mask, y, x)
        };
        Some(Side { depth, outward })
    }

    /// Shift (dy, dx) with which a pixel shows the ground; `beyond` is its distance from the new outline, px, positive
    /// where the object is gone. `None` outside the object beyond the mirror, where the ground shows as it is.
    pub(super) fn shift(&self, (y, x): (usize, usize), beyond: f64, domain: &Domain) -> Option<[f64; 2]> {
        let at = [y as f64, x as f64];
        let Some(Side { depth, outward }) = self.side((y, x), domain.mask()) else {
            return domain.mask()[[y, x]].then_some([0.0; 2]);
        };
        if depth <= -self.clearance {
            return None;
        }
        let mirrored = depth + 2.0 * self.clearance;
        // The new outline takes over the blur of the old one.
        let blur = 2.0 * self.clearance;
        let wanted = if beyond < blur { beyond.min(mirrored).max(-depth) } else { mirrored };
        let source = |past: f64| [at[0] + (depth + past) * outward[0], at[1] + (depth + past) * outward[1]];
        let (height, width) = domain.dim();
        let shows_ground = |past: f64| {
            let [v, u] = source(past);
            v >= 0.0
                && u >= 0.0
                && v <= height as f64 - 1.0
                && u <= width as f64 - 1.0
                && !domain.contains(v + 0.5, u + 0.5)
        };
        // Less far where another part of the object or the frame's border is in the way.
        let mut past = wanted;
        for _ in 0..4 {
            if past < blur || shows_ground(past) {
                break;
            }
            past *= 0.5;
        }
        let [v, u] = source(past);
        Some([at[0] - v, at[1] - u])
    }
}

/// Unit vector from the set ones among the eight neighbors of a pixel; none if they balance.
fn away_from(mask: ArrayView2<'_, bool>, y: usize, x: usize) -> [f64; 2] {
    let mut sum = [0.0f64; 2];
    for v in y.saturating_sub(1)..(y + 2).min(mask.nrows()) {
        for u in x.saturating_sub(1)..(x + 2).min(mask.ncols()) {
            if mask[[v, u]] {
                sum[0] += y as f64 - v as f64;
                sum[1] += x as f64 - u as f64;
            }
        }
    }
    let norm = sum[0].hypot(sum[1]);
    if norm > 0.0 { [sum[0] / norm, sum[1] / norm] } else { sum }
}
