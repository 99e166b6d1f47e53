//! Adjustment of a rendered defect to a wanted mean contrast.

use ndarray::{Array2, Array3};

use crate::appearance::srgb::Tables;
use crate::finalize::LEVEL;

/// Bounds of a pixel's log-ratio: e^-5 is black on any photo.
const LOWEST: f32 = -5.0;
const HIGHEST: f32 = 3.0;

/// Least change of a pixel inside the cavity.
const NUDGE: f32 = 1.5 * LEVEL;

/// Changes `patch` so that ln(mean new light / mean old light) over its visibly changed pixels is `target`, as nearly
/// as clipping allows; returns the contrast reached.
///
/// If the shading already goes the right way its log-ratio is multiplied by one gain, which keeps the relief's modeling
/// (a deeper or shallower look); else the cavity's reflectance is changed by one factor, faded by `opacity`.
///
/// A pixel of at least `whole` opacity that would keep its value is moved by one and a half 8-bit levels, so that the
/// mask is the whole cavity, as people label it, and not only its shaded parts.
pub(super) fn set_contrast(
    original: &Array3<f32>,
    patch: &mut Array3<f32>,
    support: &Array2<bool>,
    (opacity, whole): (&Array2<f32>, f32),
    target: f64,
) -> f64 {
    let tables = Tables::get();
    let channels = original.dim().2;
    let pixels: Vec<Pixel> = support
        .indexed_iter()
        .filter(|&(_, &s)| s)
        .map(|((y, x), _)| {
            let light = |a: &Array3<f32>| (0..channels).map(|k| tables.linear(a[[y, x, k]])).sum::<f32>();
            let (old, new) = (light(original).max(1e-4), light(patch).max(1e-5));
            Pixel { at: (y, x), ratio: (new / old).ln(), fade: opacity[[y, x]].clamp(0.0, 1.0) }
        })
        .collect();
    let apply = |p: &Pixel, (gain, shift): (f64, f64), k: usize| {
        let change = (gain as f32 * p.ratio + shift as f32 * p.fade).clamp(LOWEST, HIGHEST).exp();
        let was = original[[p.at.0, p.at.1, k]];
        let is = tables.encoded((tables.linear(was) * change).min(1.0));
        if p.fade < whole || (is - was).abs() >= LEVEL {
            return is;
        }
        let step = if (target < 0.0 && was > NUDGE) || was > 1.0 - NUDGE { -NUDGE } else { NUDGE };
        was + step
    };
    let reached = |setting: (f64, f64)| {
        let (mut old, mut new) = (0.0f64, 0.0f64);
        for p in &pixels {
            let (mut seen, mut before, mut after) = (false, 0.0, 0.0);
            for k in 0..channels {
                let was = original[[p.at.0, p.at.1, k]];
                let is = apply(p, setting, k);
                seen |= (is - was).abs() >= LEVEL;
                before += f64::from(tables.linear(was));
                after += f64::from(tables.linear(is));
            }
            if seen {
                (old, new) = (old + before, new + after);
            }
        }
        if old > 0.0 { (new.max(1e-6) / old).ln() } else { 0.0 }
    };
    let gained = solve(&reached, |v| (v, 0.0), (0.05, 6.0), target);
    let shifted = solve(&reached, |v| (1.0, v), (f64::from(LOWEST), f64::from(HIGHEST)), target);
    let off = |setting| (reached(setting) - target).abs();
    let best = if off(gained) <= 0.02 || off(gained) <= off(shifted) { gained } else { shifted };
    for p in &pixels {
        for k in 0..channels {
            patch[[p.at.0, p.at.1, k]] = apply(p, best, k);
        }
    }
    reached(best)
}

struct Pixel {
    at: (usize, usize),
    /// ln of new over old light.
    ratio: f32,
    fade: f32,
}

/// Bisection on the nearly monotone contrast; keeps the end that comes nearer.
fn solve(
    reached: &impl Fn((f64, f64)) -> f64,
    setting: impl Fn(f64) -> (f64, f64),
    (mut low, mut high): (f64, f64),
    target: f64,
) -> (f64, f64) {
    let rising = reached(setting(high)) > reached(setting(low));
    for _ in 0..14 {
        let mid = 0.5 * (low + high);
        if (reached(setting(mid)) < target) == rising { low = mid } else { high = mid }
    }
    let off = |v: f64| (reached(setting(v)) - target).abs();
    setting(if off(low) < off(high) { low } else { high })
}
