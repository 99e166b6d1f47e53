//! Cameras: sharpness and noise of a photo, so that what is drawn is neither sharper nor cleaner than its surround.

use imgkit::Rect;
use ndarray::ArrayView3;

use crate::params::{self, parameters};
use crate::{Domain, Error};

const NAME: &str = "camera";
/// Smallest window that is looked at around a defect, px.
const WINDOW: usize = 96;
/// Fewest edge pixels that say something about sharpness.
const LEAST_EDGES: usize = 24;
/// Standard deviation of the second blur that edges are compared with, px: that of the filter (1 2 1) / 4.
const REBLUR: f32 = std::f32::consts::FRAC_1_SQRT_2;
/// Quantile of the edges' blur that is the camera's: noise sharpens some, softer ones are soft in the scene.
const SHARPEST: f64 = 0.35;

parameters! {
    /// Sharpness and noise of a camera with its lens and its image processing.
    ///
    /// The default is the sharpness of a photo that was reduced with a good filter, without noise.
    #[derive(Copy)]
    pub struct Camera {
        /// Standard deviation of the point spread function (Gaussian), px, in \[0, 5\].
        blur / with_blur: f64 = 0.6,
        /// Standard deviation of the noise, of the encoded range, in \[0, 0.5\].
        noise / with_noise: f64 = 0.0,
    }
}

impl Camera {
    /// A camera that adds nothing: edges as sharp as the pixel grid, no noise.
    pub const IDEAL: Self = Self { blur: 0.0, noise: 0.0 };

    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first value out of range and its range.
    pub fn check(&self) -> Result<(), Error> {
        params::within(NAME, "blur", self.blur, (0.0, 5.0), "in [0, 5] px")?;
        params::within(NAME, "noise", self.noise, (0.0, 0.5), "in [0, 0.5] of the encoded range")
    }

    /// Estimates the camera on the surround of a box of a photo `(H, W, C)`, within the domain's box.
    ///
    /// Noise: the median of |N * photo| with N the Laplacian's difference (1 -2 1; -2 4 -2; 1 -2 1) / 6, which leaves
    /// flat and linear parts alone (Immerkaer 1996), over 0.6745; fine texture counts as noise. Sharpness: at strong
    /// edges the ratio R of the gradient to that of the photo blurred once more by s is sqrt(1 + s^2 / blur^2) for a
    /// step (Zhuo and Sim 2011); the quantile 0.35 of the edges is taken. Without edges the blur is the default's.
    #[must_use]
    pub fn estimate(photo: ArrayView3<'_, f32>, domain: &Domain, bbox: Rect) -> Self {
        let (height, width, channels) = photo.dim();
        let margin = WINDOW.saturating_sub(bbox.height().min(bbox.width())) / 2;
        let limits = domain.bbox();
        let grown = bbox.grow(margin, (height, width));
        let window = Rect {
            top: grown.top.max(limits.top.min(bbox.top)),
            left: grown.left.max(limits.left.min(bbox.left)),
            bottom: grown.bottom.min(limits.bottom.max(bbox.bottom)),
            right: grown.right.min(limits.right.max(bbox.right)),
        };
        // A window of some thousand pixels is enough: the middle of a larger one.
        let cut = |low: usize, high: usize| {
            let extra = (high - low).saturating_sub(2 * WINDOW) / 2;
            (low + extra, high - extra)
        };
        let ((top, bottom), (left, right)) = (cut(window.top, window.bottom), cut(window.left, window.right));
        let (h, w) = (bottom.saturating_sub(top), right.saturating_sub(left));
        let default = Self::default();
        if h < 8 || w < 8 || channels == 0 {
            return default;
        }
        let crop = Rect { top, left, bottom, right }.crop(photo);
        let per = 1.0 / channels as f32;
        let luma: Vec<f32> = crop.rows().into_iter().map(|pixel| pixel.iter().sum::<f32>() * per).collect();
        let noise = noise(crop, (h, w));
        let blur = blur(&luma, w, noise).unwrap_or(default.blur);
        Self { blur, noise: f64::from(noise) }
    }
}

/// Source of the camera of an appearance: given, or estimated from each photo.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum CameraSource {
    /// [`Camera::estimate`] around each defect.
    #[default]
    Estimated,
    /// A known camera.
    Given(Camera),
}

fn noise(crop: ArrayView3<'_, f32>, (h, w): (usize, usize)) -> f32 {
    let mut found = Vec::with_capacity((h / 2) * (w / 2));
    for y in (1..h - 1).step_by(2) {
        for x in (1..w - 1).step_by(2) {
            let at = |dy: usize, dx: usize| crop[[y + dy - 1, x + dx - 1, 0]];
            let corners = at(0, 0) + at(0, 2) + at(2, 0) + at(2, 2);
            let sides = at(0, 1) + at(1, 0) + at(1, 2) + at(2, 1);
            let v = (corners - 2.0 * sides + 4.0 * at(1, 1)) / 6.0;
            if v.is_finite() {
                found.push(v.abs());
            }
        }
    }
    if found.is_empty() {
        return 0.0;
    }
    let middle = found.len() / 2;
    let (_, median, _) = found.select_nth_unstable_by(middle, f32::total_cmp);
    (*median / 0.6745).min(0.5)
}

fn blur(luma: &[f32], w: usize, noise: f32) -> Option<f64> {
    let h = luma.len() / w;
    let smooth = {
        let mut rows = luma.to_vec();
        for (out, line) in rows.chunks_exact_mut(w).zip(luma.chunks_exact(w)) {
            for x in 1..w - 1 {
                out[x] = 0.25 * (line[x - 1] + line[x + 1]) + 0.5 * line[x];
            }
        }
        let mut both = rows.clone();
        for y in 1..h - 1 {
            for x in 0..w {
                both[y * w + x] = 0.25 * (rows[(y - 1) * w + x] + rows[(y + 1) * w + x]) + 0.5 * rows[y * w + x];
            }
        }
        both
    };
    let gradient = |v: &[f32], i: usize| {
        let (gx, gy) = (0.5 * (v[i + 1] - v[i - 1]), 0.5 * (v[i + w] - v[i - w]));
        (gx * gx + gy * gy).sqrt()
    };
    let floor = (8.0 * noise).max(0.03);
    let mut found = Vec::new();
    for y in 2..h - 2 {
        for x in 2..w - 2 {
            let i = y * w + x;
            let g = gradient(luma, i);
            if !(g > floor) {
                continue;
            }
            // A ridge of the gradient: the edge itself.
            let across = [(i - 1, i + 1), (i - w, i + w)];
            if !across.iter().any(|&(a, b)| g >= gradient(luma, a) && g >= gradient(luma, b)) {
                continue;
            }
            let ratio = g / gradient(&smooth, i).max(1e-6);
            // The central difference is a blur of its own, of variance one third.
            let variance = REBLUR * REBLUR / (ratio * ratio - 1.0).max(1e-3) - 1.0 / 3.0;
            found.push(variance.max(0.01).sqrt());
        }
    }
    if found.len() < LEAST_EDGES {
        return None;
    }
    let at = (SHARPEST * found.len() as f64) as usize;
    let (_, sigma, _) = found.select_nth_unstable_by(at, f32::total_cmp);
    Some(f64::from(sigma.clamp(0.1, 3.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use imgkit::gaussian::{Border, gaussian_filter};
    use ndarray::Array3;
    use rand::SeedableRng;
    use rand_distr::{Distribution, Normal};

    fn camera(photo: &Array3<f32>) -> Camera {
        let (h, w, _) = photo.dim();
        Camera::estimate(photo.view(), &Domain::full(h, w).unwrap(), Rect { top: 60, left: 60, bottom: 90, right: 90 })
    }

    #[test]
    fn blurred_edges_and_known_noise_are_found() {
        // A checkerboard tilted by 20 degrees, drawn four times finer, blurred, and reduced.
        for (sigma, deviation) in [(0.8, 0.0), (1.2, 0.01), (2.0, 0.01), (0.8, 0.02)] {
            let fine = Array3::from_shape_fn((600, 600, 1), |(y, x, _)| {
                let (s, c) = 20f64.to_radians().sin_cos();
                let (u, v) = (x as f64 * c + y as f64 * s, y as f64 * c - x as f64 * s);
                if ((u / 100.0).floor() + (v / 100.0).floor()) as i64 % 2 == 0 { 0.3f32 } else { 0.7 }
            });
            let soft = gaussian_filter(fine.view(), 4.0 * sigma, 40, Border::Mirrored);
            let normal = Normal::new(0.0, deviation).unwrap();
            let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
            let photo = Array3::from_shape_fn((150, 150, 1), |(y, x, _)| {
                soft[[4 * y + 2, 4 * x + 2, 0]] + normal.sample(&mut rng) as f32
            });
            let found = camera(&photo);
            assert!((found.blur() / sigma - 1.0).abs() < 0.25, "{} for {sigma}", found.blur());
            assert!((found.noise() - deviation).abs() < 0.15 * deviation + 2e-3, "{} for {deviation}", found.noise());
        }
    }

    #[test]
    fn a_flat_photo_says_nothing_of_sharpness() {
        let found = camera(&Array3::from_elem((150, 150, 3), 0.5));
        assert_eq!(found, Camera::default());
        assert!(Camera::default().with_blur(9.0).check().is_err() && Camera::IDEAL.check().is_ok());
    }
}
