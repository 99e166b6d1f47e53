//! Shading factors of a relief, row by row over the active span.

use ndarray::ArrayView2;

use super::{Light, Material};

/// Horizon steps, px.
const STEPS: [usize; 5] = [1, 2, 4, 8, 16];
/// Horizon directions (row, column), by eighths of a turn from +x towards +y.
const COMPASS: [(isize, isize); 8] = [(0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1)];
/// Slope below which a horizon hides nothing: less than 1e-4 of the sky.
const NO_HORIZON: f32 = 0.01;
/// Border of the padded relief: the longest horizon step.
const PAD: usize = 16;

/// The relief with a replicated border, so that no inner loop asks about the edge.
pub(super) struct Relief {
    data: Vec<f32>,
    stride: usize,
    /// Difference between the highest and the lowest point, px.
    range: f32,
    /// Whether what lies below the old surface is a new, rough one.
    rough: bool,
}

impl Relief {
    /// `scale` multiplies the relief.
    pub(super) fn new(height: ArrayView2<'_, f32>, scale: f32) -> Self {
        let (h, w) = height.dim();
        let stride = w + 2 * PAD;
        let mut data = vec![0.0; (h + 2 * PAD) * stride];
        let (mut low, mut high) = (f32::MAX, f32::MIN);
        for y in 0..h + 2 * PAD {
            let from = y.saturating_sub(PAD).min(h - 1);
            let line = &mut data[y * stride..(y + 1) * stride];
            for (v, &s) in line[PAD..PAD + w].iter_mut().zip(height.row(from)) {
                *v = if s.is_finite() { s * scale } else { 0.0 };
                (low, high) = (low.min(*v), high.max(*v));
            }
            let (first, last) = (line[PAD], line[PAD + w - 1]);
            line[..PAD].fill(first);
            line[PAD + w..].fill(last);
        }
        Self { data, stride, range: high - low, rough: false }
    }

    /// Material is gone where the relief is below zero: broken or corroded walls do not shine as the old surface does.
    pub(super) fn roughened(self, rough: bool) -> Self {
        Self { rough, ..self }
    }

    /// Slope (dh/dx, dh/dy) at a pixel, by central differences.
    #[inline(always)]
    pub(super) fn slope(&self, y: usize, x: usize) -> [f32; 2] {
        let i = (y + PAD) * self.stride + x + PAD;
        [0.5 * (self.data[i + 1] - self.data[i - 1]), 0.5 * (self.data[i + self.stride] - self.data[i - self.stride])]
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
    /// Share of each compass direction in the horizon towards the light.
    toward: [f32; 8],
    /// Tangent of the light's elevation.
    rise: f32,
}

/// Buffers of one row.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    slope: Vec<f32>,
    sky: Vec<f32>,
    toward: Vec<f32>,
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
            ambient: light.ambient() as f32,
            diffuse: material.diffuse as f32,
            specular: material.specular as f32,
            gloss: material.gloss,
            cavity: material.cavity as f32,
            rim: material.rim as f32,
            flat: 1.0,
            toward: [0.0; 8],
            rise: l[2] / (l[0] * l[0] + l[1] * l[1]).sqrt().max(1e-3),
        };
        let eighth = (light.azimuth() / std::f64::consts::FRAC_PI_4).rem_euclid(8.0);
        let (k, t) = (eighth as usize % 8, eighth.fract() as f32);
        shader.toward[k] = 1.0 - t;
        shader.toward[(k + 1) % 8] = t;
        shader.flat = shader.shade(0.0, 0.0, 1.0, 1.0, 1.0).max(1e-3);
        shader
    }

    /// Shading of a facet with slopes dh/dx, dh/dy that sees the share `sky` of the ambient and `lit` of the direct
    /// light and keeps the share `shine` of the surface's gloss.
    #[inline(always)]
    fn shade(&self, gx: f32, gy: f32, sky: f32, lit: f32, shine: f32) -> f32 {
        let inv = 1.0 / (1.0 + gx * gx + gy * gy).sqrt();
        let lambert = ((self.light[2] - self.light[0] * gx - self.light[1] * gy) * inv).max(0.0);
        let mut spark = ((self.half[2] - self.half[0] * gx - self.half[1] * gy) * inv).max(0.0);
        for _ in 0..self.gloss {
            spark *= spark;
        }
        self.ambient * sky + (1.0 - self.ambient) * lit * (self.diffuse * lambert + shine * self.specular * spark)
    }

    /// Writes `scratch.factor` for the `n` pixels from (y, x).
    #[inline(always)]
    pub(super) fn row(&self, relief: &Relief, y: usize, x: usize, n: usize, scratch: &mut Scratch) {
        scratch.sky.clear();
        scratch.sky.resize(n, 0.0);
        scratch.toward.clear();
        scratch.toward.resize(n, 0.0);
        scratch.factor.clear();
        scratch.factor.resize(n, 0.0);
        let here = relief.row(y, x, 0, 0, n);
        for ((dy, dx), share) in COMPASS.into_iter().zip(self.toward) {
            scratch.slope.clear();
            scratch.slope.resize(n, 0.0);
            let unit = if dy != 0 && dx != 0 { std::f32::consts::FRAC_1_SQRT_2 } else { 1.0 };
            // Seen from far enough even the whole relief is too low to hide anything.
            for step in STEPS.into_iter().take_while(|&step| relief.range >= NO_HORIZON * step as f32) {
                let far = relief.row(y, x, dy * step as isize, dx * step as isize, n);
                let scale = unit / step as f32;
                for ((s, &f), &h) in scratch.slope.iter_mut().zip(far).zip(here) {
                    *s = s.max((f - h) * scale);
                }
            }
            for (v, &s) in scratch.sky.iter_mut().zip(&scratch.slope) {
                // Cosine-weighted share of this direction's half great circle above the horizon: cos^2.
                *v += 0.125 / (1.0 + s * s);
            }
            if share > 0.0 {
                for (v, &s) in scratch.toward.iter_mut().zip(&scratch.slope) {
                    *v += share * s;
                }
            }
        }
        let (left, right) = (relief.row(y, x, 0, -1, n), relief.row(y, x, 0, 1, n));
        let (up, down) = (relief.row(y, x, -1, 0, n), relief.row(y, x, 1, 0, n));
        for i in 0..n {
            let (gx, gy) = (0.5 * (right[i] - left[i]), 0.5 * (down[i] - up[i]));
            // A penumbra between 0.7 and 1.3 times the light's own rise.
            let shadow = ((scratch.toward[i] / self.rise - 0.7) / 0.6).clamp(0.0, 1.0);
            let sky = 1.0 - self.cavity * (1.0 - scratch.sky[i]);
            // Gone with the first pixel of depth.
            let shine = if relief.rough { 1.0 - (-here[i]).clamp(0.0, 1.0) } else { 1.0 };
            let ratio = self.shade(gx, gy, sky, 1.0 - self.cavity * shadow, shine) / self.flat;
            let lip = (here[i] - 0.25 * (left[i] + right[i] + up[i] + down[i])).clamp(0.0, 1.0);
            let facing = (-(self.light[0] * gx + self.light[1] * gy)).clamp(0.0, 1.0);
            scratch.factor[i] = (ratio * (1.0 + self.rim * lip * facing)).clamp(0.02, 4.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn sky(height: &Array2<f32>, y: usize, x: usize) -> f32 {
        let shader = Shader::new(&Light::default(), &Material::MATTE);
        let mut scratch = Scratch::default();
        shader.row(&Relief::new(height.view(), 1.0), y, x, 1, &mut scratch);
        scratch.sky[0]
    }

    #[test]
    fn a_plane_is_left_alone() {
        let shader = Shader::new(&Light::default(), &Material::METAL);
        let mut scratch = Scratch::default();
        shader.row(&Relief::new(Array2::from_elem((9, 9), 3.0).view(), 1.0), 4, 0, 9, &mut scratch);
        assert!(scratch.factor.iter().all(|f| (f - 1.0).abs() < 1e-6), "{:?}", scratch.factor);
    }

    #[test]
    fn sky_at_the_bottom_of_a_groove() {
        // View factor of the bottom of an endless V-groove of width w and depth d: (w/2)/sqrt(d^2 + w^2/4). Eight
        // directions see it exactly on average over the groove's orientation.
        for (half, depth) in [(4.0f32, 2.0f32), (4.0, 4.0), (4.0, 8.0)] {
            let exact = half / (depth * depth + half * half).sqrt();
            let n = 90;
            let mean: f32 = (0..n)
                .map(|i| {
                    let (s, c) = (std::f32::consts::PI * i as f32 / n as f32).sin_cos();
                    let groove = Array2::from_shape_fn((21, 21), |(y, x)| {
                        let d = ((y as f32 - 10.0) * c - (x as f32 - 10.0) * s).abs();
                        -depth * (1.0 - d / half).max(0.0)
                    });
                    sky(&groove, 10, 10)
                })
                .sum::<f32>()
                / n as f32;
            assert!((mean / exact - 1.0).abs() < 0.05, "depth {depth}: {mean} against {exact}");
        }
    }

    #[test]
    fn the_slope_that_faces_the_light_is_the_brighter_one() {
        // Light from the left (azimuth pi): a bump's left flank is lit, its right one is not.
        let light = Light::default().with_azimuth(std::f64::consts::PI);
        let shader = Shader::new(&light, &Material::MATTE);
        let bump = Array2::from_shape_fn((1, 41), |(_, x)| 4.0 * (-((x as f32 - 20.0) / 6.0).powi(2)).exp());
        let mut scratch = Scratch::default();
        shader.row(&Relief::new(bump.view(), 1.0), 0, 0, 41, &mut scratch);
        // Lambert: slope g at x = 14 and -g at 26.
        let g = (bump[[0, 15]] - bump[[0, 13]]) / 2.0;
        let (e, a) = (50f32.to_radians(), 0.35f32);
        let lambert = |g: f32| (e.sin() + e.cos() * g) / (1.0 + g * g).sqrt();
        for (x, g) in [(14usize, g), (26, -g)] {
            let exact = (a + (1.0 - a) * lambert(g)) / (a + (1.0 - a) * e.sin());
            // The rim and the share of sky that the bump itself hides stay below 10 %.
            assert!((scratch.factor[x] / exact - 1.0).abs() < 0.1, "x {x}: {} against {exact}", scratch.factor[x]);
        }
        assert!(scratch.factor[14] > 1.1 && scratch.factor[26] < 0.9);
    }
}
