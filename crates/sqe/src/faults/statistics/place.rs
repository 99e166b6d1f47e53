//! The surround of a defect beside its whole photo and the photo's border.

use imgkit::plane::{Plane, PlaneSums};
use ndarray::{ArrayView2, ArrayView3};

use super::bands::{Bands, RING};
use super::{FLOOR, log_ratio};

/// Step of the pixels of the whole photo that are looked at.
const STEP: usize = 4;
/// Width of the border, px.
const BORDER: usize = 6;

/// Sums over the pixels of a photo, or of its border.
#[derive(Default, Clone, Copy)]
struct Tones {
    count: f64,
    luma: f64,
    luma2: f64,
    red: f64,
    blue: f64,
}

impl Tones {
    fn add(&mut self, luma: f64, red: f64, blue: f64) {
        self.count += 1.0;
        self.luma += luma;
        self.luma2 += luma * luma;
        self.red += red;
        self.blue += blue;
    }
    fn means(&self) -> [f64; 3] {
        [self.luma, self.red, self.blue].map(|sum| sum / self.count.max(1.0))
    }
    fn deviation(&self) -> f64 {
        let mean = self.means()[0];
        (self.luma2 / self.count.max(1.0) - mean * mean).max(0.0).sqrt().max(FLOOR)
    }
}

/// What the whole photo is like.
pub(super) struct Whole {
    all: Tones,
    border: Tones,
    /// Mean gradient over steps of [`STEP`].
    gradient: f64,
    /// Direction of the light, radians from +x towards +y, and the share of variance that a plane explains.
    pub(super) light: (f64, f64),
}

impl Whole {
    pub(super) fn measure(image: ArrayView3<'_, f32>, mask: ArrayView2<'_, bool>) -> Self {
        let (h, w, channels) = image.dim();
        let (mut all, mut border) = (Tones::default(), Tones::default());
        let (mut gradient, mut steps) = (0.0, 0.0);
        let mut sums = PlaneSums::default();
        let luma = |y: usize, x: usize| -> f64 {
            (0..channels).map(|c| f64::from(image[[y, x, c]])).sum::<f64>() / channels as f64
        };
        for y in (0..h).step_by(STEP) {
            let mut before = None;
            for x in (0..w).step_by(STEP) {
                let v = luma(y, x);
                let (red, blue) = (f64::from(image[[y, x, 0]]) - v, f64::from(image[[y, x, channels - 1]]) - v);
                all.add(v, red, blue);
                if y < BORDER || x < BORDER || y + BORDER >= h || x + BORDER >= w {
                    border.add(v, red, blue);
                }
                if let Some(before) = before {
                    gradient += f64::abs(v - before);
                    steps += 1.0;
                }
                before = Some(v);
                if !mask[[y, x]] {
                    sums.add(x as f64, y as f64, v);
                }
            }
        }
        Self { all, border, gradient: gradient / f64::max(steps, 1.0), light: light(sums.plane()) }
    }
}

/// The slope of the plane through brightness; the upper left where a plane explains less than a twentieth.
fn light(plane: Plane) -> (f64, f64) {
    if plane.explained.is_finite() && plane.explained >= 0.05 {
        (plane.y.atan2(plane.x), plane.explained)
    } else {
        ((-135f64).to_radians(), 0.0)
    }
}

pub(super) fn measure(bands: &Bands, whole: &Whole, out: &mut Vec<f32>) {
    let ring = &bands.sums[RING];
    out.push(log_ratio(ring.energies()[0], whole.gradient));
    out.push(log_ratio(ring.deviation(), whole.all.deviation()));
    out.push(log_ratio(whole.border.deviation(), whole.all.deviation()));
    let own = [ring.luma, ring.red, ring.blue].map(|sum| sum / ring.count.max(1.0));
    let apart = |a: f64, b: f64| ((a - b).abs() / whole.all.deviation()).ln_1p() as f32;
    for ((own, border), all) in own.into_iter().zip(whole.border.means()).zip(whole.all.means()) {
        out.extend([apart(own, border), apart(own, all)]);
    }
}
