//! Cameras: sharpness and noise of a photo, so that what is drawn is neither sharper nor cleaner than its surround.

use imgkit::Rect;
use ndarray::{Array3, ArrayView3};

use super::filter::along;
use crate::params::{self, parameters};
use crate::{Domain, Error};

const NAME: &str = "camera";
/// Smallest window that is looked at around a defect, px.
const WINDOW: usize = 96;
/// Fewest edge pixels that say something about sharpness.
const LEAST_EDGES: usize = 24;
/// Half of the filters (1 4 6 4 1) / 16, of variance 1, and (1 8 28 56 70 56 28 8 1) / 256, of variance 2.
const FIVE: [f32; 3] = [1.0 / 16.0, 4.0 / 16.0, 6.0 / 16.0];
const NINE: [f32; 5] = [1.0 / 256.0, 8.0 / 256.0, 28.0 / 256.0, 56.0 / 256.0, 70.0 / 256.0];
/// Variance of the first filter, and what the other two add to it, px^2.
const VARIANCE: f32 = 1.0;
const ADDED: f32 = 3.0;
/// Expected squared gradient of white noise of variance 1 after one, two and three filters: 2 sum (k * d)^2 sum k^2
/// with the filter k and the difference d = (-1 0 1) / 2.
const NOISE_GAINS: [f32; 3] = [0.04486, 0.01457, 0.004224];
/// Deviations of the noise that an edge's gradient stands above.
const NOISE_FACTOR: f32 = 8.0;
/// Least gradient of an edge after two filters, of the encoded range.
const LEAST_GRADIENT: f32 = 0.015;
/// How much faster than a step's the gradient of an edge may fall: that of a line falls twice as fast.
const STEP: f32 = 1.05;
/// Pixels at the window's border that are not looked at.
const EDGE: usize = 6;
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
    /// flat and linear parts alone (Immerkaer 1996), over 0.6745; fine texture counts as noise. Sharpness: at a step
    /// the ratio of the gradient to that of the photo blurred by s more is sqrt(1 + s^2 / blur^2) (Zhuo and Sim 2011).
    /// It is measured on binomially smoothed copies of variance 1, 2 and 4 px^2, less the noise expected in each;
    /// where the gradient falls faster between the three than a step's does, as on lines and texture, nothing is
    /// measured. The quantile 0.35 of the steps is taken. Without steps the blur is the default's.
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
        if h < 2 * EDGE + 2 || w < 2 * EDGE + 2 || channels == 0 {
            return default;
        }
        let pixels = Rect { top, left, bottom, right }.cut(photo);
        let per = 1.0 / channels as f32;
        let (mut luma, mut first) = (Array3::zeros((h, w, 1)), Vec::with_capacity(h * w));
        let Some(pixels) = pixels.as_slice() else { return default };
        for (v, pixel) in luma.iter_mut().zip(pixels.chunks_exact(channels)) {
            *v = match pixel {
                [red, green, blue] => red + green + blue,
                other => other.iter().sum(),
            } * per;
            first.push(pixel[0]);
        }
        let noise = noise(&first, w);
        let blur = blur(luma, noise).unwrap_or(default.blur);
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

/// Deviation of the noise of a channel of `w` columns.
fn noise(channel: &[f32], w: usize) -> f32 {
    let h = channel.len() / w.max(1);
    let mut found = Vec::with_capacity((h / 2) * (w / 2));
    for y in (1..h.saturating_sub(1)).step_by(2) {
        let [above, here, below] = [y - 1, y, y + 1].map(|y| channel[y * w..][..w].windows(3).step_by(2));
        for ((a, m), b) in above.zip(here).zip(below) {
            let corners = a[0] + a[2] + b[0] + b[2];
            let sides = a[1] + m[0] + m[2] + b[1];
            let v = (corners - 2.0 * sides + 4.0 * m[1]) / 6.0;
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

/// Blur of the step edges in a window `(h, w, 1)` of which `noise` is known; `None` if there are too few.
fn blur(mut luma: Array3<f32>, noise: f32) -> Option<f64> {
    let (h, w, _) = luma.dim();
    luma.mapv_inplace(|v| if v.is_finite() { v } else { 0.0 });
    along(&mut luma, &FIVE);
    let mut twice = luma.clone();
    along(&mut twice, &FIVE);
    let mut thrice = twice.clone();
    along(&mut thrice, &NINE);
    let (Some(once), Some(twice), Some(thrice)) = (luma.as_slice(), twice.as_slice(), thrice.as_slice()) else {
        return None;
    };
    // Squared gradient.
    let gradient = |v: &[f32], i: usize| {
        let (gx, gy) = (0.5 * (v[i + 1] - v[i - 1]), 0.5 * (v[i + w] - v[i - w]));
        gx * gx + gy * gy
    };
    let gains = NOISE_GAINS.map(|gain| gain * noise * noise);
    let floor = (NOISE_FACTOR * NOISE_FACTOR * gains[1]).max(LEAST_GRADIENT * LEAST_GRADIENT);
    let (mut above, mut here, mut below) = (vec![0.0f32; w], vec![0.0f32; w], vec![0.0f32; w]);
    let row = |out: &mut [f32], y: usize| {
        let (up, down) = (&twice[(y - 1) * w..][..w], &twice[(y + 1) * w..][..w]);
        let sides = twice[y * w..][..w].windows(3);
        for (((g, side), u), d) in out[1..].iter_mut().zip(sides).zip(&up[1..]).zip(&down[1..]) {
            let (gx, gy) = (0.5 * (side[2] - side[0]), 0.5 * (d - u));
            *g = gx * gx + gy * gy;
        }
    };
    row(&mut here, EDGE - 1);
    row(&mut below, EDGE);
    let mut found = Vec::new();
    for y in EDGE..h - EDGE {
        std::mem::swap(&mut above, &mut here);
        std::mem::swap(&mut here, &mut below);
        row(&mut below, y + 1);
        for x in EDGE..w - EDGE {
            let g = here[x];
            if g <= floor {
                continue;
            }
            // A ridge of the gradient: the edge itself.
            if !((g >= here[x - 1] && g >= here[x + 1]) || (g >= above[x] && g >= below[x])) {
                continue;
            }
            let i = y * w + x;
            let sharp = (gradient(once, i) - gains[0]).max(0.0);
            let (soft, softest) = ((g - gains[1]).max(1e-12), (gradient(thrice, i) - gains[2]).max(1e-12));
            // Of a step each is the variance added over that before, of a line the second is larger still.
            let (near, far) = (sharp / soft - 1.0, sharp / softest - 1.0);
            if far > STEP * (ADDED / VARIANCE) * near.max(0.02) {
                continue;
            }
            let variance = ADDED / far.max(0.01) - VARIANCE - 1.0 / 3.0;
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
            assert!((found.blur() / sigma - 1.0).abs() < 0.15, "{} for {sigma}", found.blur());
            assert!((found.noise() - deviation).abs() < 0.15 * deviation + 2e-3, "{} for {deviation}", found.noise());
        }
    }

    #[test]
    fn thin_lines_and_noise_say_nothing_of_sharpness() {
        // A line's gradient falls with the added variance to the power -1, a step's to the power -1/2: measured as a
        // step it would look sharper than it is.
        for sigma in [0.8, 1.5] {
            let lines = Array3::from_shape_fn((150, 150, 1), |(y, x, _)| {
                let off = (x as f64 + 0.3 * y as f64).rem_euclid(25.0) - 12.0;
                (0.5 + 0.3 * (-0.5 * (off / sigma).powi(2)).exp()) as f32
            });
            assert_eq!(camera(&lines).blur(), Camera::default().blur(), "sigma {sigma}");
        }
        let normal = Normal::new(0.5, 0.05).unwrap();
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(2);
        let noise = camera(&Array3::from_shape_fn((150, 150, 1), |_| normal.sample(&mut rng) as f32));
        assert_eq!(noise.blur(), Camera::default().blur());
        assert!((noise.noise() / 0.05 - 1.0).abs() < 0.05, "{}", noise.noise());
    }

    #[test]
    fn the_noise_expected_in_gradients_is_that_of_the_filters() {
        // Impulse responses: the squared gradient of white noise is the sum of the squared gradient of the filter.
        let mut spot = Array3::zeros((31, 31, 1));
        spot[[15, 15, 0]] = 1.0f32;
        for (filter, gain) in [&FIVE[..], &FIVE, &NINE].into_iter().zip(NOISE_GAINS) {
            along(&mut spot, filter);
            let sum: f32 = (1..30)
                .flat_map(|y| (1..30).map(move |x| (y, x)))
                .map(|(y, x)| {
                    let gx = 0.5 * (spot[[y, x + 1, 0]] - spot[[y, x - 1, 0]]);
                    let gy = 0.5 * (spot[[y + 1, x, 0]] - spot[[y - 1, x, 0]]);
                    gx * gx + gy * gy
                })
                .sum();
            assert!((sum / gain - 1.0).abs() < 2e-3, "{sum} for {gain}");
        }
    }

    #[test]
    fn a_flat_photo_says_nothing_of_sharpness() {
        let found = camera(&Array3::from_elem((150, 150, 3), 0.5));
        assert_eq!(found, Camera::default());
        assert!(Camera::default().with_blur(9.0).check().is_err() && Camera::IDEAL.check().is_ok());
    }
}
