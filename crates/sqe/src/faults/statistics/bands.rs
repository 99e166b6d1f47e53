//! Bands along the outline of a mask, and what the picture is like in each.

use imgkit::distance::{to_background, to_foreground};
use imgkit::gaussian::{Border, gaussian_filter};
use ndarray::{Array2, ArrayView2, ArrayView3, Axis};

use super::{FLOOR, log_ratio, tame};

/// Number of bands: deep inside, two inside the outline, two outside, the ring and what lies beyond.
pub(super) const BANDS: usize = 7;
/// The band that the others are compared with: 4 to 16 px outside.
pub(super) const RING: usize = 5;
/// What lies beyond it, which is not measured.
const BEYOND: usize = 6;
/// Bands of the mask.
pub(super) const INSIDE: std::ops::Range<usize> = 0..3;
/// Half the width of the profile across the outline, px.
const REACH: f32 = 5.0;

/// Brightness, smoothed brightness and color of a picture.
pub(super) struct Planes {
    pub(super) luma: Plane,
    /// Smoothed by 1, 2 and 4 px.
    pub(super) smooth: [Plane; 3],
    /// First and last channel less brightness.
    red: Plane,
    blue: Plane,
}

impl Planes {
    pub(super) fn new(image: ArrayView3<'_, f32>) -> Self {
        let luma = image.mean_axis(Axis(2)).unwrap_or_default();
        let last = image.dim().2 - 1;
        let smooth = |s: f64| gaussian_filter(luma.view(), s, (2.0 * s) as usize, Border::Mirrored);
        Self {
            red: Plane::new((&image.index_axis(Axis(2), 0) - &luma).view()),
            blue: Plane::new((&image.index_axis(Axis(2), last) - &luma).view()),
            smooth: [1.0, 2.0, 4.0].map(|s| Plane::new(smooth(s).view())),
            luma: Plane::new(luma.view()),
        }
    }
}

/// A picture of one channel with its border pixels repeated once around it.
pub(super) struct Plane {
    values: Vec<f32>,
    stride: usize,
}

impl Plane {
    fn new(plane: ArrayView2<'_, f32>) -> Self {
        let (h, w) = plane.dim();
        let stride = w + 2;
        let mut values = Vec::with_capacity((h + 2) * stride);
        for y in 0..h + 2 {
            let row = plane.row(y.saturating_sub(1).min(h - 1));
            values.push(row[0]);
            values.extend(row);
            values.push(row[w - 1]);
        }
        Self { values, stride }
    }

    #[inline(always)]
    pub(super) fn value(&self, y: usize, x: usize) -> f64 {
        f64::from(self.values[(y + 1) * self.stride + x + 1])
    }

    /// Derivative to the right and downwards.
    #[inline(always)]
    pub(super) fn gradient(&self, y: usize, x: usize) -> (f64, f64) {
        let near = &self.values[y * self.stride + x + 1..];
        let (right, left) = (near[self.stride + 1], near[self.stride - 1]);
        (f64::from(right - left) / 2.0, f64::from(near[2 * self.stride] - near[0]) / 2.0)
    }

    /// Second derivative in both directions together, and across the diagonal.
    #[inline(always)]
    fn second(&self, y: usize, x: usize) -> (f64, f64) {
        let w = self.stride;
        let near = &self.values[y * w + x + 1..];
        let (own, below, right) = (near[w], near[2 * w], near[w + 1]);
        let around = near[0] + below + near[w - 1] + right;
        (f64::from(4.0 * own - around), f64::from(own - below - right + near[2 * w + 1]))
    }
}

/// Sums over a band.
#[derive(Clone, Copy, Default)]
pub(super) struct Sums {
    pub(super) count: f64,
    pub(super) luma: f64,
    luma2: f64,
    gradient: f64,
    laplacian: f64,
    /// |luma - smoothed|, and the differences between smoothings.
    scales: [f64; 3],
    diagonal: f64,
    pub(super) red: f64,
    red2: f64,
    pub(super) blue: f64,
    blue2: f64,
    /// Squared deviation of the smoothed brightness from the ring's mean.
    pub(super) deviation2: f64,
}

impl Sums {
    fn per(&self, of: f64) -> f64 {
        of / self.count.max(1e-6)
    }
    pub(super) fn mean(&self) -> f64 {
        self.per(self.luma)
    }
    fn spread(&self, sum: f64, squares: f64) -> f64 {
        (self.per(squares) - self.per(sum).powi(2)).max(0.0).sqrt().max(FLOOR)
    }
    /// Standard deviation of brightness.
    pub(super) fn deviation(&self) -> f64 {
        self.spread(self.luma, self.luma2)
    }
    /// Energies that are compared between bands.
    pub(super) fn energies(&self) -> [f64; 6] {
        let [a, b, c] = self.scales;
        [self.gradient, self.laplacian, a, b, c, self.diagonal].map(|sum| self.per(sum))
    }
    fn is_some(&self) -> bool {
        self.count > 8.0
    }
}

/// Bands along the outline of a mask, in a box of a picture.
pub(super) struct Bands {
    /// Of each pixel.
    pub(super) band: Array2<u8>,
    /// Signed distance from the outline, positive inside.
    pub(super) depth: Plane,
    pub(super) sums: [Sums; BANDS],
    /// Median of the diagonal second difference.
    medians: [Option<f64>; BANDS],
    /// Sum and count of |derivative across the outline| by depth.
    across: [(f64, f64); 2 * REACH as usize],
    /// How color follows brightness inside and in the ring: slopes of both colors and what they leave.
    follows: [[f64; 3]; 2],
}

impl Bands {
    pub(super) fn new(planes: &Planes, mask: ArrayView2<'_, bool>) -> Self {
        let (inner, outer) = (to_background(mask), to_foreground(mask));
        let of = |at: [usize; 2]| match (mask[at], inner[at], outer[at]) {
            (true, d, _) if d > 4.0 => 0,
            (true, d, _) if d > 2.0 => 1,
            (true, ..) => 2,
            (_, _, d) if d <= 2.0 => 3,
            (_, _, d) if d <= 4.0 => 4,
            (_, _, d) if d <= 16.0 => 5,
            _ => 6,
        };
        let band = Array2::from_shape_fn(mask.dim(), |(y, x)| of([y, x]));
        let depth = Array2::from_shape_fn(mask.dim(), |(y, x)| match mask[[y, x]] {
            true => inner[[y, x]] - 0.5,
            false => 0.5 - outer[[y, x]],
        });
        let mut found = Self {
            band,
            depth: Plane::new(depth.view()),
            sums: [Sums::default(); BANDS],
            medians: [None; BANDS],
            across: Default::default(),
            follows: Default::default(),
        };
        found.add(planes);
        found
    }

    fn add(&mut self, planes: &Planes) {
        let Planes { luma, smooth, red, blue } = planes;
        let mut diagonals: [Vec<f32>; BANDS] = Default::default();
        let mut follows = [[0.0f64; 9]; 2];
        for ((y, x), &band) in self.band.indexed_iter() {
            let band = usize::from(band);
            if band == BEYOND {
                continue;
            }
            let v = luma.value(y, x);
            let ((gx, gy), (laplacian, diagonal)) = (luma.gradient(y, x), luma.second(y, x));
            let (r, b) = (red.value(y, x), blue.value(y, x));
            let [s1, s2, s4] = [0, 1, 2].map(|i: usize| smooth[i].value(y, x));
            let sums = &mut self.sums[band];
            sums.count += 1.0;
            sums.luma += v;
            sums.luma2 += v * v;
            sums.gradient += (gx * gx + gy * gy).sqrt();
            sums.laplacian += laplacian.abs();
            let scales = [v - s1, s1 - s2, s2 - s4];
            sums.scales.iter_mut().zip(scales).for_each(|(sum, d)| *sum += d.abs());
            sums.diagonal += diagonal.abs();
            sums.red += r;
            sums.red2 += r * r;
            sums.blue += b;
            sums.blue2 += b * b;
            diagonals[band].push(diagonal.abs() as f32);
            let depth = self.depth.value(y, x) as f32;
            if depth.abs() < REACH {
                let (nx, ny) = self.depth.gradient(y, x);
                let bin = &mut self.across[((depth + REACH) as usize).min(2 * REACH as usize - 1)];
                bin.0 += (gx * nx + gy * ny).abs() / (nx * nx + ny * ny).sqrt().max(FLOOR);
                bin.1 += 1.0;
            }
            if INSIDE.contains(&band) || band == RING {
                let terms = [1.0, v, r, b, v * v, v * r, v * b, r * r, b * b];
                follows[usize::from(band == RING)].iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
            }
        }
        let ring = self.sums[RING].mean();
        for ((y, x), &band) in self.band.indexed_iter().filter(|(_, band)| usize::from(**band) != BEYOND) {
            self.sums[usize::from(band)].deviation2 += (smooth[1].value(y, x) - ring).powi(2);
        }
        let median = |mut values: Vec<f32>| {
            let middle = values.len() / 2;
            (values.len() >= 8).then(|| f64::from(*values.select_nth_unstable_by(middle, f32::total_cmp).1))
        };
        self.medians = diagonals.map(median);
        self.follows = follows.map(regression);
    }

    /// Energies and noise of each band over those of the ring.
    pub(super) fn texture(&self, out: &mut Vec<f32>) {
        let ring = self.sums[RING].energies();
        for band in [0, 1, 2, 3, 4] {
            let own = &self.sums[band];
            out.extend(
                own.energies().iter().zip(ring).map(|(a, b)| if own.is_some() { log_ratio(*a, b) } else { 0.0 }),
            );
        }
        for band in [0, 1, 2, 3, 4] {
            out.push(match (self.medians[band], self.medians[RING]) {
                (Some(own), Some(ring)) => log_ratio(own, ring),
                _ => 0.0,
            });
        }
        let deviation = |band: usize| self.sums[band].per(self.sums[band].deviation2);
        for band in [0, 1, 2, 3, 4] {
            out.push(if self.sums[band].is_some() { log_ratio(deviation(band), deviation(RING)) } else { 0.0 });
        }
        let [a, b, c] = [0, 1, 2].map(|band: usize| self.sums[band].count);
        out.push((a / (a + b + c)) as f32);
    }

    /// The derivative across the outline by depth, over the gradient of the ring.
    pub(super) fn profile(&self, out: &mut Vec<f32>) {
        let ring = self.sums[RING].energies()[0];
        out.extend(self.across.iter().map(|(sum, count)| log_ratio(sum / count.max(1e-6), ring)));
    }

    /// Mean over the mask.
    pub(super) fn inside(&self, of: fn(&Sums) -> f64) -> f64 {
        let (sum, count) = self.sums[INSIDE].iter().fold((0.0, 0.0), |(s, n), band| (s + of(band), n + band.count));
        sum / f64::max(count, 1.0)
    }

    /// Color inside and in the ring, and how it follows brightness.
    pub(super) fn color(&self, out: &mut Vec<f32>) {
        let ring = &self.sums[RING];
        let (sr, sb) = (ring.spread(ring.red, ring.red2), ring.spread(ring.blue, ring.blue2));
        let light = self.inside(|s| s.luma) - ring.mean();
        let (red, blue) = (self.inside(|s| s.red) - ring.per(ring.red), self.inside(|s| s.blue) - ring.per(ring.blue));
        out.push((light.abs() / ring.deviation()).ln_1p() as f32);
        out.extend([tame(red / sr), tame(blue / sb)]);
        out.push((red.hypot(blue) / (light.abs() + 5.0 * FLOOR)).ln_1p() as f32);
        out.push((red.hypot(blue) / (sr + sb)).ln_1p() as f32);
        let spread = |s: &Sums| s.spread(s.red, s.red2).hypot(s.spread(s.blue, s.blue2));
        for band in [0, 1, 2, 3] {
            let own = &self.sums[band];
            out.push(if own.is_some() { log_ratio(spread(own), spread(ring)) } else { 0.0 });
        }
        let [own, ring] = self.follows;
        let (red, blue) = (own[0] - ring[0], own[1] - ring[1]);
        out.extend([tame(red), tame(blue), red.hypot(blue).ln_1p() as f32, log_ratio(own[2], ring[2])]);
    }
}

/// Slopes of both colors over brightness, and the standard deviation that is left, of sums of 1, v, r, b, vv, vr, vb,
/// rr, bb.
fn regression(sums: [f64; 9]) -> [f64; 3] {
    let n = sums[0].max(1e-6);
    let [_, v, r, b, vv, vr, vb, rr, bb] = sums.map(|sum| sum / n);
    let variance = vv - v * v + FLOOR * FLOOR;
    let (red, blue) = ((vr - v * r) / variance, (vb - v * b) / variance);
    let left = rr - r * r + bb - b * b - (red * red + blue * blue) * variance;
    [red, blue, left.max(0.0).sqrt()]
}
