//! The foreground of a single photo: the background is grown inward from the photo's border.

use imgkit::components::{Components, label_components};
use ndarray::{Array2, ArrayView3};

use super::{Foreground, FrameReason};
use crate::Error;

/// Longest side of the grid the estimate works on; larger photos are block-averaged first.
const GRID: usize = 384;
/// Below this confidence the whole frame is recommended.
const TRUSTED: f64 = 0.5;

/// Estimates the foreground of `photo` `(H, W, C)`, f32 in \[0, 1\], any number of channels.
///
/// The border's color is modeled as a Gaussian fitted to its inliers; each pixel's Mahalanobis distance to it is
/// thresholded (Otsu 1979 on log distances, never below the border's own spread); what is near *and* connected to the
/// border is background, so holes in the object are filled; parts smaller than a tenth of the largest are dropped.
/// Where the border is as busy as the interior the confidence is below 0.5 and the whole frame is returned
/// (`fills_frame`).
///
/// This is our own combination of textbook steps, meant for one object on a plain background. It cannot know an object
/// that covers most of the border.
///
/// # Errors
/// [`Error::NoForeground`] for a photo without pixels, smaller than 8 x 8, or uniform; [`Error::NotFinite`].
///
/// ```
/// use ndarray::Array3;
/// use physdefect::estimate_foreground;
///
/// let photo = Array3::from_shape_fn((64, 64, 3), |(y, x, _)| {
///     let inside = (y as f32 - 32.0).hypot(x as f32 - 32.0) < 20.0;
///     (if inside { 0.8 } else { 0.1 }) + 0.02 * ((y * 31 + x * 17) % 7) as f32 / 7.0
/// });
/// let found = estimate_foreground(photo.view())?;
/// assert!(!found.fills_frame && found.confidence > 0.8);
/// let area = found.mask.iter().filter(|&&m| m).count() as f64;
/// assert!((area / (std::f64::consts::PI * 400.0) - 1.0).abs() < 0.1);
/// # Ok::<(), physdefect::Error>(())
/// ```
pub fn estimate_foreground(photo: ArrayView3<'_, f32>) -> Result<Foreground, Error> {
    let (height, width, channels) = photo.dim();
    if height < 8 || width < 8 || channels == 0 {
        return Err(Error::NoForeground { reason: "the photo is smaller than 8 x 8 px or has no channel" });
    }
    if let Some((row, column, channel)) = imgkit::first_non_finite(photo) {
        return Err(Error::NotFinite { row, column, channel });
    }
    let block = height.max(width).div_ceil(GRID);
    let grid = Grid::new(photo, block);
    let model = BorderModel::fit(&grid)?;
    let distance = smooth(&model.distances(&grid), grid.h, grid.w);
    let border = grid.border();
    let spread = quantile(border.iter().map(|&i| distance[i]).collect(), 0.75);
    let threshold = otsu(&distance).max(2.0 * spread).max(3f32.ln_1p());

    let near: Vec<bool> = distance.iter().map(|&d| d < threshold).collect();
    let background = flood(&near, &border, grid.h, grid.w);
    let mut foreground = Array2::from_shape_fn((grid.h, grid.w), |(y, x)| !background[y * grid.w + x]);
    let (largest, total, dropped_parts) = keep_large_parts(&mut foreground);

    let whole = |confidence, reason| Foreground {
        mask: Array2::from_elem((height, width), true),
        confidence,
        fills_frame: true,
        reason: Some(reason),
        dropped_parts: 0,
    };
    if total == 0 {
        return Ok(whole(0.0, FrameReason::NothingFound));
    }
    let outside =
        border.iter().filter(|&&i| !foreground[[i / grid.w, i % grid.w]]).count() as f64 / border.len() as f64;
    // Undecided: within a quarter of the threshold on the log scale, measured against the smaller class.
    let undecided = distance.iter().filter(|&&d| (d - threshold).abs() < 0.25 * threshold).count() as f64;
    let smaller = total.min(grid.h * grid.w - total).max(1) as f64;
    let decided = (1.0 - undecided / smaller).max(0.0);
    let confidence = outside * decided * largest as f64 / total as f64;
    if confidence < TRUSTED {
        return Ok(whole(confidence, FrameReason::Unclear));
    }
    let mask = Array2::from_shape_fn((height, width), |(y, x)| foreground[[y / block, x / block]]);
    Ok(Foreground { mask, confidence, fills_frame: false, reason: None, dropped_parts })
}

/// The photo averaged over blocks, channels interleaved.
struct Grid {
    h: usize,
    w: usize,
    c: usize,
    data: Vec<f32>,
}

impl Grid {
    fn new(photo: ArrayView3<'_, f32>, block: usize) -> Self {
        let (height, width, c) = photo.dim();
        let (h, w) = (height.div_ceil(block), width.div_ceil(block));
        let mut data = vec![0.0; h * w * c];
        let mut count = vec![0u32; h * w];
        for y in 0..height {
            for x in 0..width {
                let cell = (y / block) * w + x / block;
                count[cell] += 1;
                for k in 0..c {
                    data[cell * c + k] += photo[[y, x, k]];
                }
            }
        }
        for (cell, &n) in data.chunks_exact_mut(c).zip(&count) {
            cell.iter_mut().for_each(|v| *v /= n as f32);
        }
        Self { h, w, c, data }
    }

    /// Indices of the outer ring, 3 % of the shorter side but at least two cells wide.
    fn border(&self) -> Vec<usize> {
        let ring = ((self.h.min(self.w) as f64 * 0.03).round() as usize).max(2);
        (0..self.h * self.w)
            .filter(|i| {
                let (y, x) = (i / self.w, i % self.w);
                y.min(self.h - 1 - y).min(x).min(self.w - 1 - x) < ring
            })
            .collect()
    }
}

/// A Gaussian of the border's colors in up to three channels (more are averaged into three groups).
struct BorderModel {
    mean: [f64; 3],
    /// Lower Cholesky factor of the covariance.
    root: [[f64; 3]; 3],
}

impl BorderModel {
    fn fit(grid: &Grid) -> Result<Self, Error> {
        let all: Vec<[f64; 3]> = (0..grid.h * grid.w).map(|i| color(grid, i)).collect();
        let mut inliers: Vec<[f64; 3]> = grid.border().iter().map(|&i| all[i]).collect();
        let span = all.iter().flat_map(|v| v.iter().zip(&all[0]).map(|(a, b)| (a - b).abs())).fold(0.0, f64::max);
        if span < 1.0 / 255.0 {
            return Err(Error::NoForeground { reason: "the photo is uniform" });
        }
        let mut mean: [f64; 3] = std::array::from_fn(|k| median(inliers.iter().map(|v| v[k]).collect()));
        // Start from the half of the border that is nearest to the median, then refit once on its 4-sigma inliers.
        let mut distances: Vec<f64> = inliers.iter().map(|v| sum_of_squares(v, &mean)).collect();
        let cut = median(std::mem::take(&mut distances).into_iter().collect());
        let core: Vec<[f64; 3]> = inliers.iter().filter(|v| sum_of_squares(v, &mean) <= cut).copied().collect();
        // Half of a Gaussian has a quarter to a third of its variance.
        let mut model = Self::moments(&core, 4.0, &mut mean);
        for _ in 0..2 {
            let kept: Vec<[f64; 3]> = inliers.iter().filter(|v| model.squared(v) < 16.0).copied().collect();
            if kept.len() * 4 < inliers.len() {
                break;
            }
            model = Self::moments(&kept, 1.0, &mut mean);
        }
        inliers.clear();
        Ok(model)
    }

    fn moments(samples: &[[f64; 3]], inflate: f64, mean: &mut [f64; 3]) -> Self {
        let n = samples.len().max(1) as f64;
        *mean = std::array::from_fn(|k| samples.iter().map(|v| v[k]).sum::<f64>() / n);
        let mut covariance = [[0.0; 3]; 3];
        for v in samples {
            for i in 0..3 {
                for j in 0..3 {
                    covariance[i][j] += inflate * (v[i] - mean[i]) * (v[j] - mean[j]) / n;
                }
            }
        }
        // Two 8-bit levels of sensor noise at least.
        for (i, row) in covariance.iter_mut().enumerate() {
            row[i] += (2.0f64 / 255.0).powi(2);
        }
        let mut root = [[0.0; 3]; 3];
        for i in 0..3 {
            for j in 0..=i {
                let dot: f64 = (0..j).map(|k| root[i][k] * root[j][k]).sum();
                let rest = covariance[i][j] - dot;
                root[i][j] = if i == j { rest.max(1e-12).sqrt() } else { rest / root[j][j] };
            }
        }
        Self { mean: *mean, root }
    }

    /// Squared Mahalanobis distance.
    fn squared(&self, v: &[f64; 3]) -> f64 {
        let mut z = [0.0; 3];
        for i in 0..3 {
            let dot: f64 = (0..i).map(|k| self.root[i][k] * z[k]).sum();
            z[i] = (v[i] - self.mean[i] - dot) / self.root[i][i];
        }
        z.iter().map(|z| z * z).sum()
    }

    /// log(1 + distance) of each cell.
    fn distances(&self, grid: &Grid) -> Vec<f32> {
        (0..grid.h * grid.w).map(|i| self.squared(&color(grid, i)).sqrt().ln_1p() as f32).collect()
    }
}

fn color(grid: &Grid, i: usize) -> [f64; 3] {
    let cell = &grid.data[i * grid.c..(i + 1) * grid.c];
    let group = |k: usize| {
        let (lo, hi) = (k * grid.c / 3, ((k + 1) * grid.c).div_ceil(3).min(grid.c));
        let part = &cell[lo..hi.max(lo + 1)];
        part.iter().map(|&v| f64::from(v)).sum::<f64>() / part.len() as f64
    };
    [group(0), group(1), group(2)]
}

fn sum_of_squares(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

fn median(mut values: Vec<f64>) -> f64 {
    let mid = values.len() / 2;
    if values.is_empty() { 0.0 } else { *values.select_nth_unstable_by(mid, f64::total_cmp).1 }
}

fn quantile(mut values: Vec<f32>, q: f64) -> f32 {
    let at = (q * values.len().saturating_sub(1) as f64) as usize;
    if values.is_empty() { 0.0 } else { *values.select_nth_unstable_by(at, f32::total_cmp).1 }
}

/// 3 x 3 mean.
fn smooth(values: &[f32], h: usize, w: usize) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    for y in 0..h {
        for x in 0..w {
            let (mut sum, mut n) = (0.0, 0.0);
            for yy in y.saturating_sub(1)..(y + 2).min(h) {
                for xx in x.saturating_sub(1)..(x + 2).min(w) {
                    sum += values[yy * w + xx];
                    n += 1.0;
                }
            }
            out[y * w + x] = sum / n;
        }
    }
    out
}

/// Otsu's threshold over 256 bins.
pub(super) fn otsu(values: &[f32]) -> f32 {
    let (lo, hi) = values.iter().fold((f32::INFINITY, 0.0f32), |(a, b), &v| (a.min(v), b.max(v)));
    let width = (hi - lo).max(1e-6) / 256.0;
    let mut histogram = [0.0f64; 256];
    for v in values {
        histogram[(((v - lo) / width) as usize).min(255)] += 1.0;
    }
    let total = values.len() as f64;
    let mean = histogram.iter().enumerate().map(|(i, n)| i as f64 * n).sum::<f64>() / total;
    let (mut below, mut sum, mut best, mut at) = (0.0, 0.0, -1.0, 0usize);
    for (i, n) in histogram.iter().enumerate() {
        below += n / total;
        sum += i as f64 * n / total;
        let between = (mean * below - sum).powi(2) / (below * (1.0 - below)).max(1e-12);
        if between > best {
            (best, at) = (between, i);
        }
    }
    lo + (at + 1) as f32 * width
}

/// Cells of `open` that are 4-connected to an open seed.
fn flood(open: &[bool], seeds: &[usize], h: usize, w: usize) -> Vec<bool> {
    let mut reached = vec![false; open.len()];
    let mut stack: Vec<usize> = seeds.iter().copied().filter(|&i| open[i]).collect();
    for &i in &stack {
        reached[i] = true;
    }
    while let Some(i) = stack.pop() {
        let (y, x) = (i / w, i % w);
        let candidates = [
            (y > 0).then(|| i - w),
            (y + 1 < h).then_some(i + w),
            (x > 0).then(|| i - 1),
            (x + 1 < w).then_some(i + 1),
        ];
        for j in candidates.into_iter().flatten() {
            if open[j] && !reached[j] {
                reached[j] = true;
                stack.push(j);
            }
        }
    }
    reached
}

/// Drops parts smaller than a tenth of the largest; returns the sizes of the largest part and of all parts *before*,
/// and how many were dropped.
fn keep_large_parts(mask: &mut Array2<bool>) -> (usize, usize, usize) {
    let Components { labels, sizes } = label_components(mask.view());
    let (largest, total) = (sizes.iter().copied().max().unwrap_or(0), sizes.iter().sum());
    for (m, &number) in mask.iter_mut().zip(&labels) {
        *m = *m && sizes[number as usize - 1] * 10 >= largest;
    }
    (largest, total, sizes.iter().filter(|&&n| n * 10 < largest).count())
}
