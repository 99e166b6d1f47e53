//! A photo on a coarse grid: color and texture of each cell, and the reduced photo that the outline is refined on.

use ndarray::ArrayView3;

use crate::Error;

/// Longest side of the reduced photo, px; larger photos are block-averaged.
const REDUCED: usize = 640;
/// Longest side of the grid, cells.
const GRID: usize = 160;
/// Added to intensities before the logarithm: about the darkest noise of an 8-bit camera.
pub(super) const DARK: f64 = 0.03;
/// Added to the texture before the logarithm: one 8-bit level.
const SMOOTH: f32 = 0.004;

/// Number of features of a cell.
pub(super) const FEATURES: usize = 4;
/// Features of a cell: log luma (times sqrt 3), two chroma axes of log RGB, and half the log of local contrast.
pub(super) type Feature = [f32; FEATURES];

/// Log luma (times sqrt 3) and two chroma axes of a color: a rotation of its log intensities.
pub(super) fn log_color(color: [f64; 3]) -> [f64; 3] {
    let [r, g, b] = color.map(|v| (v.max(0.0) + DARK).ln());
    let (root2, root3) = (std::f64::consts::SQRT_2, 3f64.sqrt());
    [(r + g + b) / root3, (r - b) / root2, (r - 2.0 * g + b) / (root2 * root3)]
}

/// The color of features.
pub(super) fn intensities(values: &[f64; FEATURES]) -> [f64; 3] {
    let (root2, root3) = (std::f64::consts::SQRT_2, 3f64.sqrt());
    let (luma, one, other) = (values[0] / root3, values[1] / root2, values[2] / (root2 * root3));
    [luma + one + other, luma - 2.0 * other, luma - one + other].map(|v| v.exp() - DARK)
}

/// A plane of values, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plane<T> {
    pub(super) h: usize,
    pub(super) w: usize,
    pub(super) data: Vec<T>,
}

impl<T: Copy> Plane<T> {
    pub(super) fn new(h: usize, w: usize, value: T) -> Self {
        Self { h, w, data: vec![value; h * w] }
    }

    pub(super) fn map<U>(&self, f: impl FnMut(T) -> U) -> Plane<U> {
        Plane { h: self.h, w: self.w, data: self.data.iter().copied().map(f).collect() }
    }

    /// Same size, other values.
    pub(super) fn with<U>(&self, data: Vec<U>) -> Plane<U> {
        debug_assert_eq!(data.len(), self.data.len());
        Plane { h: self.h, w: self.w, data }
    }
}

/// A photo reduced for the segmentation.
#[derive(Debug, Clone)]
pub(super) struct Cells {
    /// Features of each cell.
    pub(super) features: Plane<Feature>,
    /// Texture feature of each cell with that of an edge beside it left out.
    pub(super) calm: Plane<f32>,
    /// Mean color of each cell.
    pub(super) colors: Plane<[f32; 3]>,
    /// The photo reduced to at most 640 px.
    pub(super) reduced: Plane<[f32; 3]>,
    /// Reduced pixels a cell, along each side.
    pub(super) block: usize,
    /// Photo pixels a reduced pixel, along each side.
    pub(super) shrink: usize,
}

impl Cells {
    /// Reduces `photo` `(H, W, C)`.
    pub(super) fn new(photo: ArrayView3<'_, f32>) -> Result<Self, Error> {
        let (height, width, channels) = photo.dim();
        if height < 8 || width < 8 || channels == 0 {
            return Err(Error::NoForeground { reason: "the photo is smaller than 8 x 8 px or has no channel" });
        }
        if let Some((row, column, channel)) = imgkit::first_non_finite(photo) {
            return Err(Error::NotFinite { row, column, channel });
        }
        let shrink = height.max(width).div_ceil(REDUCED);
        let reduced = reduce(photo, shrink);
        let block = reduced.h.max(reduced.w).div_ceil(GRID);
        let (colors, energy) = average(&reduced, block);
        let texture = box_blur(&energy, 1);
        let features = colors.with(
            colors
                .data
                .iter()
                .zip(&texture.data)
                .map(|(c, e)| {
                    let [luma, one, other] = log_color(c.map(f64::from));
                    [luma as f32, one as f32, other as f32, 0.5 * (e.max(0.0).sqrt() + SMOOTH).ln()]
                })
                .collect(),
        );
        let calm = calmest(&features);
        Ok(Self { calm, features, colors, reduced, block, shrink })
    }

    /// Without the reduced photo, which only the outline needs.
    pub(super) fn grid_only(mut self) -> Self {
        self.reduced = Plane::new(0, 0, [0.0; 3]);
        self
    }

    /// Whether no color differs by an 8-bit level.
    pub(super) fn is_uniform(&self) -> bool {
        let (mut low, mut high) = ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]);
        for c in &self.colors.data {
            for k in 0..3 {
                low[k] = low[k].min(c[k]);
                high[k] = high[k].max(c[k]);
            }
        }
        low.iter().zip(&high).all(|(low, high)| high - low < 1.0 / 255.0)
    }
}

/// Smallest texture feature of a cell and the cells two away: an edge is too thin to cover them all.
fn calmest(features: &Plane<Feature>) -> Plane<f32> {
    let (h, w) = (features.h, features.w);
    let at = |y: usize, x: usize| features.data[y * w + x][3];
    let data = (0..h * w).map(|i| {
        let (y, x) = (i / w, i % w);
        let vertical = at(y.saturating_sub(2), x).min(at((y + 2).min(h - 1), x));
        let horizontal = at(y, x.saturating_sub(2)).min(at(y, (x + 2).min(w - 1)));
        at(y, x).min(vertical).min(horizontal)
    });
    Plane { h, w, data: data.collect() }
}

/// Block means in three channels; more channels are averaged into three groups, one is repeated.
fn reduce(photo: ArrayView3<'_, f32>, block: usize) -> Plane<[f32; 3]> {
    let (height, width, channels) = photo.dim();
    let (h, w) = (height.div_ceil(block), width.div_ceil(block));
    let groups: [(usize, usize); 3] = std::array::from_fn(|k| {
        let low = k * channels / 3;
        (low, ((k + 1) * channels).div_ceil(3).clamp(low + 1, channels))
    });
    let mut out = Plane::new(h, w, [0f32; 3]);
    for (y, row) in photo.outer_iter().enumerate() {
        let target = &mut out.data[y / block * w..(y / block + 1) * w];
        for (x, pixel) in row.outer_iter().enumerate() {
            let cell = &mut target[x / block];
            if channels == 3 {
                for (sum, v) in cell.iter_mut().zip(pixel) {
                    *sum += v;
                }
            } else {
                for (sum, &(low, high)) in cell.iter_mut().zip(&groups) {
                    *sum += pixel.iter().skip(low).take(high - low).sum::<f32>() / (high - low) as f32;
                }
            }
        }
    }
    if block > 1 {
        for (i, cell) in out.data.iter_mut().enumerate() {
            let (rows, columns) = (block.min(height - i / w * block), block.min(width - i % w * block));
            let n = (rows * columns) as f32;
            *cell = cell.map(|v| v / n);
        }
    }
    out
}

/// Mean color and local contrast of each block: mean squared second difference of luma, the variance if it is noise.
fn average(image: &Plane<[f32; 3]>, block: usize) -> (Plane<[f32; 3]>, Plane<f32>) {
    let (h, w) = (image.h.div_ceil(block), image.w.div_ceil(block));
    let (mut colors, mut energy) = (Plane::new(h, w, [0f32; 3]), Plane::new(h, w, 0f32));
    let mut counts = vec![0u32; h * w];
    let luma: Vec<f32> = image.data.iter().map(|[r, g, b]| (r + g + b) / 3.0).collect();
    for y in 0..image.h {
        // Second differences: shading and penumbras are no texture. Mirrored at the border.
        let (above, below) = (if y > 0 { image.w } else { 0 }, if y + 1 < image.h { image.w } else { 0 });
        for x in 0..image.w {
            let (i, cell) = (y * image.w + x, y / block * w + x / block);
            let (left, right) = (usize::from(x > 0), usize::from(x + 1 < image.w));
            let dx = luma[i + right] - 2.0 * luma[i] + luma[i - left];
            let dy = luma[i + below] - 2.0 * luma[i] + luma[i - above];
            energy.data[cell] += (dx * dx + dy * dy) / 12.0;
            counts[cell] += 1;
            for (sum, v) in colors.data[cell].iter_mut().zip(&image.data[i]) {
                *sum += v;
            }
        }
    }
    for ((c, e), &n) in colors.data.iter_mut().zip(&mut energy.data).zip(&counts) {
        *c = c.map(|v| v / n as f32);
        *e /= n as f32;
    }
    (colors, energy)
}

/// Mean over a square of `2 radius + 1` cells, cut off at the border; running sums in double precision.
pub(super) fn box_blur(plane: &Plane<f32>, radius: usize) -> Plane<f32> {
    let (h, w) = (plane.h, plane.w);
    let mut rows = vec![0f32; h * w];
    for (source, target) in plane.data.chunks_exact(w).zip(rows.chunks_exact_mut(w)) {
        let (mut sum, mut n) = (0f64, 0f64);
        for v in source.iter().take(radius) {
            (sum, n) = (sum + f64::from(*v), n + 1.0);
        }
        for (x, out) in target.iter_mut().enumerate() {
            if let Some(v) = source.get(x + radius) {
                (sum, n) = (sum + f64::from(*v), n + 1.0);
            }
            if x > radius {
                (sum, n) = (sum - f64::from(source[x - radius - 1]), n - 1.0);
            }
            *out = (sum / n) as f32;
        }
    }
    let mut out = Plane::new(h, w, 0f32);
    let (mut sums, mut n) = (vec![0f64; w], 0f64);
    let row = |y: usize| rows[y * w..(y + 1) * w].iter().map(|&v| f64::from(v));
    for y in 0..radius.min(h) {
        sums.iter_mut().zip(row(y)).for_each(|(s, v)| *s += v);
        n += 1.0;
    }
    for y in 0..h {
        if y + radius < h {
            sums.iter_mut().zip(row(y + radius)).for_each(|(s, v)| *s += v);
            n += 1.0;
        }
        if y > radius {
            sums.iter_mut().zip(row(y - radius - 1)).for_each(|(s, v)| *s -= v);
            n -= 1.0;
        }
        let target = &mut out.data[y * w..(y + 1) * w];
        target.iter_mut().zip(&sums).for_each(|(t, s)| *t = (s / n) as f32);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Plane, box_blur, intensities, log_color};

    #[test]
    fn the_running_mean_is_the_mean() {
        let (h, w) = (7, 11);
        let plane = Plane { h, w, data: (0..h * w).map(|i| ((i * 37) % 23) as f32 / 23.0).collect() };
        for radius in [1, 2, 4, 9] {
            let blurred = box_blur(&plane, radius);
            for (i, b) in blurred.data.iter().enumerate() {
                let (y, x) = (i / w, i % w);
                let (mut sum, mut n) = (0.0, 0.0);
                for yy in y.saturating_sub(radius)..(y + radius + 1).min(h) {
                    for xx in x.saturating_sub(radius)..(x + radius + 1).min(w) {
                        sum += plane.data[yy * w + xx];
                        n += 1.0;
                    }
                }
                assert!((b - sum / n).abs() < 1e-5, "radius {radius} at {y}, {x}: {b} and {}", sum / n);
            }
        }
    }

    #[test]
    fn a_color_survives_its_log_axes() {
        let color = [0.7, 0.2, 0.05];
        let [luma, one, other] = log_color(color);
        let back = intensities(&[luma, one, other, 0.0]);
        assert!(color.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-12), "{back:?}");
        // A rotation keeps lengths: of the logs of the three intensities.
        let length: f64 = color.iter().map(|v| (v + super::DARK).ln().powi(2)).sum();
        assert!((luma * luma + one * one + other * other - length).abs() < 1e-12);
    }
}
