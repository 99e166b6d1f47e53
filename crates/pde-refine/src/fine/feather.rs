//! Feathering: blend weights near the mask's edge.

use super::patch::Patch;
use crate::simd::{smaller, widely};
use imgkit::distance::{half_width, to_background};
use ndarray::Array2;

/// Distance, local half-width and local blur at each pixel of the mask, in order.
#[derive(Debug)]
pub(crate) struct Feather {
    depth: Vec<f32>,
    /// Width of the finest band's feather.
    finest: Vec<f32>,
    /// No feather is wider than this.
    widest: Vec<f32>,
}

/// Largest half-width, in pixels, that is measured.
const MAX_HALF_WIDTH: f32 = 64.0;

/// Half the side of the window over which the blur is estimated.
const BLUR_RADIUS: usize = 8;

impl Feather {
    pub(crate) fn new(patch: &Patch, scale: f32, max_fraction: f32) -> Self {
        // nearest pixels outside lie at most one beside the mask's box
        let near = patch.window.grow(1, patch.dim());
        let mask = near.crop(patch.mask());
        let distance = to_background(mask);
        let width = half_width(distance.view(), MAX_HALF_WIDTH);
        let inside = |a: &Array2<f32>| a.iter().zip(mask).filter(|(_, m)| **m).map(|(&v, _)| v).collect::<Vec<f32>>();
        let (depth, mut widest, mut finest) = (inside(&distance), inside(&width), local_blur(patch));
        widest.iter_mut().for_each(|t| *t *= max_fraction);
        finest.iter_mut().for_each(|t| *t *= scale);
        Feather { depth, finest, widest }
    }

    /// Weights of the refined image in band `band` at the pixels of the mask: 0 at the edge, 1 at the depth of the
    /// feather's width, which doubles from band to band.
    pub(crate) fn weights(&self, band: usize) -> Vec<f32> {
        let scale = (1 << band) as f32;
        let mut weights = vec![0.0; self.depth.len()];
        widely(
            #[inline(always)]
            || {
                let (n, scale) = (self.depth.len(), scale);
                let weights = &mut weights[..n];
                let (depth, finest, widest) = (&self.depth[..n], &self.finest[..n], &self.widest[..n]);
                for k in 0..n {
                    let width = smaller(finest[k] * scale, widest[k]);
                    let s = smaller(depth[k] / (width + 1.0), 1.0);
                    weights[k] = s * s * (3.0 - 2.0 * s);
                }
            },
        );
        weights
    }
}

/// Standard deviation, in pixels, of the Gaussian that would give white noise the local ratio of first to second
/// differences: for such a field E|grad|^2 / E(laplacian)^2 = sigma^2 / 2. Between 0.5 and 4; 1 where the image is
/// flat. One value for each pixel of the mask.
fn local_blur(patch: &Patch) -> Vec<f32> {
    let (h, w) = patch.dim();
    let mut gray = vec![0.0f32; h * w];
    for plane in patch.normal.chunks_exact(h * w) {
        gray.iter_mut().zip(plane).for_each(|(gray, v)| *gray += v);
    }
    let channels = (patch.normal.len() / (h * w)).max(1) as f32;
    gray.iter_mut().for_each(|gray| *gray /= channels);
    // running sums of both energies, one row and column longer than the image
    let mut sums = vec![(0.0f64, 0.0f64); (h + 1) * (w + 1)];
    for y in 0..h {
        let (above, here) = sums[y * (w + 1)..][..2 * (w + 1)].split_at_mut(w + 1);
        if y == 0 || y + 1 == h || w < 3 {
            here.copy_from_slice(above);
            continue;
        }
        let row = |y: usize| &gray[y * w..][..w];
        let (n, c, s) = (row(y - 1), row(y), row(y + 1));
        let mut sum = (0.0f64, 0.0f64);
        here[1] = above[1];
        for x in 1..w - 1 {
            let first = (s[x] - c[x]).powi(2) + (c[x + 1] - c[x]).powi(2);
            let second = (n[x] + s[x] + c[x + 1] + c[x - 1] - 4.0 * c[x]).powi(2);
            sum = (sum.0 + f64::from(first), sum.1 + f64::from(second));
            here[x + 1] = (above[x + 1].0 + sum.0, above[x + 1].1 + sum.1);
        }
        here[w] = (above[w].0 + sum.0, above[w].1 + sum.1);
    }
    let mut blur = Vec::with_capacity(patch.inside);
    for &(start, length) in &patch.runs {
        let y = start / w;
        let top = &sums[y.saturating_sub(BLUR_RADIUS) * (w + 1)..][..w + 1];
        let bottom = &sums[(y + BLUR_RADIUS + 1).min(h) * (w + 1)..][..w + 1];
        blur.extend((start % w..).take(length).map(|x| {
            let (left, right) = (x.saturating_sub(BLUR_RADIUS), (x + BLUR_RADIUS + 1).min(w));
            let (a, b, c, d) = (bottom[right], top[right], bottom[left], top[left]);
            let (first, second) = (a.0 - b.0 - c.0 + d.0, a.1 - b.1 - c.1 + d.1);
            if second < 1e-9 { 1.0 } else { ((2.0 * first.max(0.0) / second).sqrt() as f32).clamp(0.5, 4.0) }
        }));
    }
    blur
}
