//! Widths of the blend across the mask's edge.

use crate::distance::{distance, half_width};
use ndarray::{Array2, ArrayView2, ArrayView3, Axis};

/// Distance, local half-width and local blur at each pixel of the mask, in the order of the index list.
#[derive(Debug)]
pub(crate) struct Feather {
    depth: Vec<f32>,
    /// Width of the finest band's feather.
    finest: Vec<f32>,
    /// No feather is wider than this.
    widest: Vec<f32>,
}

/// Half-widths beyond this many pixels count as this.
const MAX_HALF_WIDTH: f32 = 64.0;

/// Half the side of the window over which the blur is estimated.
const BLUR_RADIUS: usize = 8;

impl Feather {
    pub(crate) fn new(
        normal: ArrayView3<'_, f32>,
        mask: ArrayView2<'_, bool>,
        inside: &[usize],
        softness: f32,
        share: f32,
    ) -> Self {
        let distance = distance(mask);
        let width = half_width(distance.view(), MAX_HALF_WIDTH);
        let blur = local_blur(normal);
        let w = mask.dim().1;
        let at = |a: &Array2<f32>, i: usize| a[(i / w, i % w)];
        Feather {
            depth: inside.iter().map(|&i| at(&distance, i)).collect(),
            finest: inside.iter().map(|&i| softness * at(&blur, i)).collect(),
            widest: inside.iter().map(|&i| share * at(&width, i)).collect(),
        }
    }

    /// Weight of the refined image in band `band` at the `k`-th pixel of the mask: 0 at the edge, 1 at the depth of
    /// the feather's width, which doubles from band to band.
    #[inline(always)]
    pub(crate) fn weight(&self, band: usize, k: usize) -> f32 {
        let width = (self.finest[k] * (1 << band) as f32).min(self.widest[k]);
        let s = (self.depth[k] / (width + 1.0)).min(1.0);
        s * s * (3.0 - 2.0 * s)
    }
}

/// Standard deviation, in pixels, of the Gaussian that would give white noise the local ratio of first to second
/// differences: for such a field E|grad|^2 / E(laplacian)^2 = sigma^2 / 2. Between 0.5 and 4; 1 where the image is flat.
fn local_blur(image: ArrayView3<'_, f32>) -> Array2<f32> {
    let (h, w, channels) = image.dim();
    let mut grey = Array2::<f32>::zeros((h, w));
    for plane in image.axis_iter(Axis(2)) {
        grey += &plane;
    }
    grey /= channels.max(1) as f32;
    // running sums of both energies, one row and column longer than the image
    let mut sums = vec![(0.0f64, 0.0f64); (h + 1) * (w + 1)];
    for y in 0..h {
        let mut row = (0.0f64, 0.0f64);
        for x in 0..w {
            if y > 0 && y + 1 < h && x > 0 && x + 1 < w {
                let c = grey[(y, x)];
                let (n, s, e, o) = (grey[(y - 1, x)], grey[(y + 1, x)], grey[(y, x + 1)], grey[(y, x - 1)]);
                let first = (s - c).powi(2) + (e - c).powi(2);
                let second = (n + s + e + o - 4.0 * c).powi(2);
                row = (row.0 + f64::from(first), row.1 + f64::from(second));
            }
            let above = sums[y * (w + 1) + x + 1];
            sums[(y + 1) * (w + 1) + x + 1] = (above.0 + row.0, above.1 + row.1);
        }
    }
    Array2::from_shape_fn((h, w), |(y, x)| {
        let (top, bottom) = (y.saturating_sub(BLUR_RADIUS), (y + BLUR_RADIUS + 1).min(h));
        let (left, right) = (x.saturating_sub(BLUR_RADIUS), (x + BLUR_RADIUS + 1).min(w));
        let at = |y: usize, x: usize| sums[y * (w + 1) + x];
        let (a, b, c, d) = (at(bottom, right), at(top, right), at(bottom, left), at(top, left));
        let (first, second) = (a.0 - b.0 - c.0 + d.0, a.1 - b.1 - c.1 + d.1);
        if second < 1e-9 { 1.0 } else { ((2.0 * first.max(0.0) / second).sqrt() as f32).clamp(0.5, 4.0) }
    })
}
