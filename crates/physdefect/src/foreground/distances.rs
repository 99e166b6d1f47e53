//! How far each cell of a photo lies from the background of its set.

use super::background::{Background, EXPLAINED, TONES, Values, residual, terms, wide};
use super::cells::{Cells, DARK, Feature, Plane, intensities, log_color};

/// Distance of every cell from the background, and how far it could be a shadow on it.
pub(super) struct Distances {
    /// Mahalanobis distance to the nearest tone.
    pub(super) distance: Plane<f32>,
    /// Distance that is left if the cell lies in a shadow; infinite where it is not darker than the background.
    pub(super) shaded: Plane<f32>,
    /// Chroma of the background over its spread: how surely hue tells shadow from object.
    pub(super) hue: f64,
    /// `hue` over the spread of chroma.
    pub(super) hue_steps: f64,
    /// Intensity of the background in the middle of the frame.
    pub(super) intensity: f64,
}

/// Chroma of a ground whose hue tells a shadow from an object, log units.
pub(super) const COLORED: f64 = 0.2;
/// Darkest shadow, log luma.
const DARKEST: f64 = -2.0;

impl Background {
    /// Distances of all cells of a photo at the offset of its exposure.
    pub(super) fn distances(&self, cells: &Cells, offset: &Values) -> Distances {
        let features = &cells.features;
        let (h, w) = (features.h, features.w);
        let (mut distance, mut shaded) = (Plane::new(h, w, 0f32), Plane::new(h, w, f32::INFINITY));
        let mut tones = Plane::new(h, w, u8::MAX);
        let mut hue = 0.0;
        for (i, f) in features.data.iter().enumerate() {
            let (terms, values) = (terms(h, w, i), wide(f));
            let (mut nearest, mut shadow, mut which) = (f64::INFINITY, f64::INFINITY, 0);
            for (t, tone) in self.tones.iter().enumerate() {
                let mean = tone.at(&terms);
                let r = residual(&values, &mean, offset);
                let d = tone.squared(&r);
                if d < nearest {
                    (nearest, which) = (d, t);
                }
                let chroma = f64::hypot(mean[1] + offset[1], mean[2] + offset[2]);
                if t == 0 {
                    hue += chroma;
                }
                if r[0] < 0.0 && r[0] > DARKEST {
                    let mut s = r;
                    s[0] = 0.0;
                    let calm = f64::from(cells.calm.data[i]) - mean[3] - offset[3];
                    s[3] = if chroma > COLORED { 0.0 } else { 0.5 * calm.max(0.0) };
                    if chroma > 0.05 {
                        // A shadow on a colored ground is lit by the ground: more saturated, of the same hue.
                        let along = (s[1] * mean[1] + s[2] * mean[2]) / chroma;
                        if along > 0.0 {
                            s[1] -= 0.6 * along * mean[1] / chroma;
                            s[2] -= 0.6 * along * mean[2] / chroma;
                        }
                    }
                    shadow = shadow.min(tone.squared(&s));
                }
            }
            distance.data[i] = nearest.sqrt() as f32;
            if nearest < EXPLAINED * EXPLAINED {
                tones.data[i] = u8::try_from(which).unwrap_or(u8::MAX);
            }
            shaded.data[i] = shadow.sqrt() as f32;
        }
        if self.tones.len() > 1 {
            self.excuse_seams(features, offset, &tones, &mut distance);
        }
        let hue = hue / (h * w) as f64;
        let spread = self.tones.first().map_or(1.0, |t| f64::max(t.spread[1], t.spread[2]));
        let middle = self.tones.first().map_or(0.0, |t| t.surface[0][0] + offset[0]);
        let intensity = (middle / 3f64.sqrt()).exp() - DARK;
        Distances { distance, shaded, hue, hue_steps: hue / spread, intensity }
    }
}

impl Background {
    /// Lowers the distance of cells on the seam of two tones, whose color is a mixture of both.
    fn excuse_seams(&self, features: &Plane<Feature>, offset: &Values, tones: &Plane<u8>, distance: &mut Plane<f32>) {
        const REACH: usize = 3;
        let (h, w) = (features.h, features.w);
        for i in (0..h * w).filter(|&i| tones.data[i] == u8::MAX) {
            let (y, x) = (i / w, i % w);
            let mut near = [false; TONES];
            for yy in y.saturating_sub(REACH)..(y + REACH + 1).min(h) {
                for xx in x.saturating_sub(REACH)..(x + REACH + 1).min(w) {
                    if let Some(n) = near.get_mut(usize::from(tones.data[yy * w + xx])) {
                        *n = true;
                    }
                }
            }
            let (terms, values) = (terms(h, w, i), wide(&features.data[i]));
            for (a, one) in self.tones.iter().enumerate().filter(|(a, _)| near[*a]) {
                for (b, other) in self.tones.iter().enumerate().skip(a + 1).filter(|(b, _)| near[*b]) {
                    let _ = b;
                    let (from, to) = (intensities(&one.at(&terms)), intensities(&other.at(&terms)));
                    for step in 0..=8 {
                        let share = f64::from(step) / 8.0;
                        let mixed: [f64; 3] = std::array::from_fn(|k| from[k] + share * (to[k] - from[k]));
                        let [luma, one_axis, other_axis] = log_color(mixed);
                        let mean = [luma, one_axis, other_axis, 0.0];
                        let mut r = residual(&values, &mean, offset);
                        // An edge is no texture.
                        r[3] = 0.0;
                        let d = one.squared(&r).min(other.squared(&r)).sqrt() as f32;
                        distance.data[i] = distance.data[i].min(d);
                    }
                }
            }
        }
    }
}
