//! Score maps of the size of the image, from patch scores.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use crate::features::patches::{STRIDE, bilinear};

/// Resamples a patch grid to `height` x `width` pixels bilinearly, then smooths it with a Gaussian of `sigma` px.
pub(crate) fn upsample(grid: ArrayView2<'_, f32>, height: usize, width: usize, sigma: f32) -> Array2<f32> {
    let (rows, columns) = grid.dim();
    let full = bilinear(grid, rows * STRIDE, columns * STRIDE);
    let cut = full.slice_each_axis(|a| ndarray::Slice::from(0..if a.axis.index() == 0 { height } else { width }));
    gaussian(cut, sigma)
}

/// Gaussian filter with half-sample reflection, cut at four sigma (as `scipy.ndimage.gaussian_filter`).
pub(crate) fn gaussian(image: ArrayView2<'_, f32>, sigma: f32) -> Array2<f32> {
    let radius = (4.0 * sigma + 0.5) as usize;
    if radius == 0 {
        return image.to_owned();
    }
    let taps: Vec<f32> = (0..=radius).map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp()).collect();
    let total = 2.0 * taps[1..].iter().sum::<f32>() + taps[0];
    let taps: Vec<f32> = taps.iter().map(|t| t / total).collect();
    along_rows(along_rows(image.t(), &taps).t(), &taps)
}

fn along_rows(image: ArrayView2<'_, f32>, taps: &[f32]) -> Array2<f32> {
    let (h, w) = image.dim();
    let radius = taps.len() - 1;
    let reflect = |i: isize| -> usize {
        let period = 2 * w as isize;
        let i = i.rem_euclid(period);
        (if i < w as isize { i } else { period - 1 - i }) as usize
    };
    let mut out = vec![0.0f32; h * w];
    let sources: Vec<usize> = (0..w + 2 * radius).map(|j| reflect(j as isize - radius as isize)).collect();
    const LINES: usize = 16;
    out.par_chunks_mut((LINES * w).max(1)).enumerate().for_each(|(block, lines)| {
        let mut padded = vec![0.0f32; w + 2 * radius];
        for (i, target) in lines.chunks_exact_mut(w).enumerate() {
            let line = image.row(block * LINES + i);
            padded.iter_mut().zip(&sources).for_each(|(p, &j)| *p = line[j]);
            pulp::Arch::new().dispatch(Filter { padded: &padded, taps, target });
        }
    });
    Array2::from_shape_vec((h, w), out).unwrap_or_default()
}

struct Filter<'a> {
    padded: &'a [f32],
    taps: &'a [f32],
    target: &'a mut [f32],
}

impl pulp::WithSimd for Filter<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let (n, radius) = (self.target.len(), self.taps.len() - 1);
        for (i, &tap) in self.taps.iter().enumerate() {
            let (left, right) = (&self.padded[radius - i..][..n], &self.padded[radius + i..][..n]);
            if i == 0 {
                self.target.iter_mut().zip(left).for_each(|(t, l)| *t = tap * l);
            } else {
                for ((t, l), r) in self.target.iter_mut().zip(left).zip(right) {
                    *t += tap * (l + r);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy 1.17.1: `gaussian_filter(a, 1.5, mode="reflect", truncate=4.0)` with a = (7 y + 3 x) % 5, 6 x 7, float64.
    const SCIPY: [(usize, usize, f32); 4] = [(0, 0, 1.606273), (2, 3, 1.992975), (5, 6, 1.937656), (4, 1, 2.038721)];

    #[test]
    fn equals_scipy() {
        let image = Array2::from_shape_fn((6, 7), |(y, x)| ((7 * y + 3 * x) % 5) as f32);
        let smooth = gaussian(image.view(), 1.5);
        for (y, x, want) in SCIPY {
            assert!((smooth[[y, x]] - want).abs() < 1e-5, "{y} {x}: {} {want}", smooth[[y, x]]);
        }
    }

    #[test]
    fn a_constant_stays_constant_and_zero_sigma_does_nothing() {
        let image = Array2::from_elem((5, 9), 2.5f32);
        assert!(gaussian(image.view(), 4.0).iter().all(|v| (v - 2.5).abs() < 1e-5));
        let noise = Array2::from_shape_fn((5, 9), |(y, x)| (y * x) as f32);
        assert_eq!(gaussian(noise.view(), 0.0), noise);
    }

    #[test]
    fn a_hot_patch_shows_where_it_is() {
        let mut grid = Array2::zeros((4, 5));
        grid[[1, 3]] = 1.0;
        let map = upsample(grid.view(), 30, 37, 2.0);
        assert_eq!(map.dim(), (30, 37));
        let peak = map.indexed_iter().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
        assert!(peak.0.abs_diff(12) <= 1 && peak.1.abs_diff(28) <= 1, "{peak:?}");
    }
}
