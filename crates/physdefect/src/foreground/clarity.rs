//! How clearly object and background part in a segmentation.

use super::background::{Background, ring_width};
use super::parts::erode;
use super::segment::Segmentation;
use super::small_matrix::median;

/// Smallest share of the frame that counts as objects on a plain ground, and how much more on a rough one.
const SMALLEST: (f64, f64) = (0.002, 0.03);
/// Spread of log luma from which a ground is rough, and at which it is so in full.
const ROUGH: (f64, f64) = (0.1, 0.3);

/// Smallest share of the frame that counts as objects.
pub(super) fn smallest(background: &Background) -> f64 {
    let spread = background.tones.first().map_or(0.0, |t| t.spread[0]);
    SMALLEST.0 + SMALLEST.1 * ramp(spread, ROUGH.0, ROUGH.1)
}

/// Measures of one segmentation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clarity {
    /// Share of the border that the background explains.
    pub(super) explained: f64,
    /// Share of the frame that is object.
    pub(super) area: f64,
    /// Share of each side of the border that is object: top, right, bottom, left.
    pub(super) sides: [f64; 4],
    /// Share of the cells 2 to 5 off the outline whose own distance agrees with their side.
    pub(super) sided: f64,
}

fn ramp(x: f64, from: f64, to: f64) -> f64 {
    ((x - from) / (to - from)).clamp(0.0, 1.0)
}

impl Clarity {
    pub(super) fn of(s: &Segmentation, threshold: f32) -> Self {
        let (h, w) = (s.mask.h, s.mask.w);
        let area = s.mask.data.iter().filter(|&&m| m).count() as f64 / (h * w) as f64;
        let ring = ring_width(h, w);
        let cover = |near: &dyn Fn(usize, usize) -> bool| {
            let (mut n, mut covered) = (0.0, 0.0);
            for (i, &m) in s.mask.data.iter().enumerate() {
                if near(i / w, i % w) {
                    n += 1.0;
                    covered += f64::from(u8::from(m));
                }
            }
            covered / f64::max(n, 1.0)
        };
        let sides = [
            cover(&|y, _| y < ring),
            cover(&|_, x| x + ring >= w),
            cover(&|y, _| y + ring >= h),
            cover(&|_, x| x < ring),
        ];
        let outside = s.mask.map(|m| !m);
        let near = |side: &super::cells::Plane<bool>| {
            let (close, far) = (erode(side, 1), erode(side, 5));
            close.with(close.data.iter().zip(&far.data).map(|(c, f)| *c && !*f).collect::<Vec<bool>>())
        };
        let (inner, outer) = (near(&s.mask), near(&outside));
        let (mut right, mut all) = (0.0, 0.0);
        for i in 0..h * w {
            if inner.data[i] || outer.data[i] {
                all += 1.0;
                let far = s.distance.data[i] > threshold;
                right += f64::from(u8::from(if inner.data[i] { far } else { !far || s.shadowy.data[i] }));
            }
        }
        Self { explained: s.explained, area, sides, sided: if all > 0.0 { right / all } else { 0.0 } }
    }

    /// How surely objects lie on a background, in \[0, 1\].
    ///
    /// `smallest` is the share of the frame from which something stands out.
    pub(super) fn objects(&self, smallest: f64) -> f64 {
        let stands_out = ramp(self.area, 0.0, smallest);
        stands_out * (1.0 - spill(&self.sides, self.area)) * ramp(self.sided, 0.4, 0.95)
    }
}

/// How much what stands out is spread as evenly over all sides of the border as over the frame, in \[0, 1\]: a
/// texture's lighter or darker half, not objects.
fn spill(sides: &[f64; 4], area: f64) -> f64 {
    let least = sides.iter().copied().fold(f64::INFINITY, f64::min);
    let covered = sides.iter().sum::<f64>() / 4.0;
    ramp(least / area.max(1e-9), 0.5, 0.8) * ramp(covered, 0.2, 0.35)
}

/// How surely the photos of a set show objects on a background, and how surely a texture, each in \[0, 1\].
pub(super) fn of_set(photos: &[Clarity], smallest: f64) -> (f64, f64) {
    let mean = |f: &dyn Fn(&Clarity) -> f64| photos.iter().map(f).sum::<f64>() / photos.len().max(1) as f64;
    let area = mean(&|c| c.area);
    let spilled = spill(&[0, 1, 2, 3].map(|k| mean(&|c| c.sides[k])), area);
    let objects = median(&mut photos.iter().map(|c| c.objects(smallest)).collect::<Vec<_>>());
    let empty = 1.0 - ramp(median(&mut photos.iter().map(|c| c.area).collect::<Vec<_>>()), smallest, 10.0 * smallest);
    let spills = median(&mut photos.iter().map(|c| spill(&c.sides, c.area)).collect::<Vec<_>>());
    (objects * (1.0 - spilled), empty.max(spilled).max(spills))
}
