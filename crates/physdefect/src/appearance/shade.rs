//! Relief to shading factors, row by row over the active span.

use ndarray::ArrayView2;

use super::{Light, Material};

/// Horizon steps, px.
const STEPS: [usize; 3] = [1, 2, 4];
/// Border of the padded relief: the longest horizon step.
const PAD: usize = 4;

/// The relief with a replicated border, so that no inner loop asks about the edge.
pub(super) struct Relief {
    data: Vec<f32>,
    stride: usize,
}

impl Relief {
    /// `scale` multiplies the relief.
    pub(super) fn new(height: ArrayView2<'_, f32>, scale: f32) -> Self {
        let (h, w) = height.dim();
        let stride = w + 2 * PAD;
        let mut data = vec![0.0; (h + 2 * PAD) * stride];
        for y in 0..h + 2 * PAD {
            let from = y.saturating_sub(PAD).min(h - 1);
            let line = &mut data[y * stride..(y + 1) * stride];
            for (v, &s) in line[PAD..PAD + w].iter_mut().zip(height.row(from)) {
                *v = if s.is_finite() { s * scale } else { 0.0 };
            }
            let (first, last) = (line[PAD], line[PAD + w - 1]);
            line[..PAD].fill(first);
            line[PAD + w..].fill(last);
        }
        Self { data, stride }
    }

    /// The `n` values from (y + dy, x + dx).
    #[inline(always)]
    fn row(&self, y: usize, x: usize, dy: isize, dx: isize, n: usize) -> &[f32] {
        let start = ((y + PAD) as isize + dy) as usize * self.stride + ((x + PAD) as isize + dx) as usize;
        &self.data[start..start + n]
    }
}

/// Precomputed light and material.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shader {
    light: [f32; 3],
    half: [f32; 3],
    ambient: f32,
    diffuse: f32,
    specular: f32,
    gloss: u8,
    cavity: f32,
    rim: f32,
    flat: f32,
}

/// Buffers of one row.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    slope: Vec<f32>,
    sky: Vec<f32>,
    /// Shading ratio of each pixel of the span.
    pub(super) factor: Vec<f32>,
}

impl Shader {
    pub(super) fn new(light: &Light, material: &Material) -> Self {
        let l = light.direction();
        let norm = (l[0] * l[0] + l[1] * l[1] + (l[2] + 1.0) * (l[2] + 1.0)).sqrt();
        let mut shader = Self {
            light: l,
            half: [l[0] / norm, l[1] / norm, (l[2] + 1.0) / norm],
            ambient: light.ambient as f32,
            diffuse: material.diffuse as f32,
            specular: material.specular as f32,
            gloss: material.gloss,
            cavity: material.cavity as f32,
            rim: material.rim as f32,
            flat: 1.0,
        };
        shader.flat = shader.shade(0.0, 0.0).max(1e-3);
        shader
    }

    /// Shading of a facet with slopes dh/dx, dh/dy.
    #[inline(always)]
    fn shade(&self, gx: f32, gy: f32) -> f32 {
        let inv = 1.0 / (1.0 + gx * gx + gy * gy).sqrt();
        let lambert = ((self.light[2] - self.light[0] * gx - self.light[1] * gy) * inv).max(0.0);
        let mut spark = ((self.half[2] - self.half[0] * gx - self.half[1] * gy) * inv).max(0.0);
        for _ in 0..self.gloss {
            spark *= spark;
        }
        self.ambient + (1.0 - self.ambient) * (self.diffuse * lambert + self.specular * spark)
    }

    /// Writes `scratch.factor` for the `n` pixels from (y, x).
    #[inline(always)]
    pub(super) fn row(&self, relief: &Relief, y: usize, x: usize, n: usize, scratch: &mut Scratch) {
        scratch.sky.clear();
        scratch.sky.resize(n, 0.0);
        scratch.factor.clear();
        scratch.factor.resize(n, 0.0);
        let here = relief.row(y, x, 0, 0, n);
        for (dy, dx) in [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)] {
            scratch.slope.clear();
            scratch.slope.resize(n, 0.0);
            let unit = if dy != 0 && dx != 0 { std::f32::consts::FRAC_1_SQRT_2 } else { 1.0 };
            for step in STEPS {
                let far = relief.row(y, x, dy * step as isize, dx * step as isize, n);
                let scale = unit / step as f32;
                for ((s, &f), &h) in scratch.slope.iter_mut().zip(far).zip(here) {
                    *s = s.max((f - h) * scale);
                }
            }
            for (v, &s) in scratch.sky.iter_mut().zip(&scratch.slope) {
                *v += 1.0 - s / (1.0 + s * s).sqrt();
            }
        }
        let (left, right) = (relief.row(y, x, 0, -1, n), relief.row(y, x, 0, 1, n));
        let (up, down) = (relief.row(y, x, -1, 0, n), relief.row(y, x, 1, 0, n));
        for i in 0..n {
            let (gx, gy) = (0.5 * (right[i] - left[i]), 0.5 * (down[i] - up[i]));
            let ratio = self.shade(gx, gy) / self.flat;
            let visible = 1.0 - self.cavity * (1.0 - scratch.sky[i] * 0.125);
            let lip = (here[i] - 0.25 * (left[i] + right[i] + up[i] + down[i])).clamp(0.0, 1.0);
            let facing = (-(self.light[0] * gx + self.light[1] * gy)).clamp(0.0, 1.0);
            scratch.factor[i] = (ratio * visible * (1.0 + self.rim * lip * facing)).clamp(0.02, 4.0);
        }
    }
}
