//! Visibility: the contrast of a change in units of the just noticeable contrast of its surround.
//!
//! A change `d` of a photo (encoded values, as a screen shows them) has at each pixel the contrast
//!
//! ```text
//! c = sqrt(mean over channels of (G d)^2)               G: binomial filter of 5 x 5, standard deviation 1 px
//! J = sqrt(J0^2 + (2 s)^2)                              J0 = 0.01, s: local standard deviation of G photo, 9 x 9 px
//! ```
//!
//! `J` is the just noticeable contrast: on an even surround a fixed step of the display's scale, which is nearly
//! uniform for the eye (Weber's law); on a texture, two standard deviations of the texture (masking; Legge and Foley
//! 1980, with the slope of one that holds for noise maskers). The filter stands for the eye's optics at a distance at
//! which pixels just merge. **Visibility** is the mean of c / J over the defect, weighted by min(1, c / J): 1 is just
//! noticeable. Pixels of less than half of J do not count. The model and its constants are this project's own; the paper has none.

use imgkit::Rect;
use ndarray::{Array2, Array3, ArrayView3};

use crate::Error;
use crate::params::{self, parameters};

const NAME: &str = "visibility";
/// Just noticeable contrast on an even surround, of the encoded range: two and a half 8-bit levels.
const EVEN: f32 = 0.01;
/// Standard deviations of a texture that are just noticeable in it.
const MASKING: f32 = 2.0;
/// Half side of the window of the local standard deviation, px.
const HALF: usize = 4;
/// Ratio from which a pixel counts as seen.
pub(crate) const SEEN: f32 = 0.5;
/// Pixels around a box that its thresholds depend on.
const MARGIN: usize = HALF + 2;

/// What becomes of a defect whose visibility cannot be brought into the range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum OutOfReach {
    /// It is drawn again at another place, and refused with [`Error::VisibilityOutOfReach`] in the end.
    #[default]
    Refuse,
    /// It is kept with the visibility that comes nearest.
    Nearest,
}

parameters! {
    /// Range of visibilities that defects are drawn with, in just noticeable contrasts; each sample's is drawn evenly
    /// in its logarithm.
    ///
    /// 1 is what a person finds who knows where to look, 2 what is found without being told, 8 what is seen at once.
    #[derive(Copy)]
    pub struct Visibility {
        /// Least visibility, in \[0.2, 100\].
        from / with_from: f64 = 2.5,
        /// Largest visibility, from the least to 100.
        to / with_to: f64 = 10.0,
        /// What becomes of a defect that cannot be made as visible, or as faint, as drawn.
        out_of_reach / with_out_of_reach: OutOfReach = OutOfReach::Refuse,
    }
}

impl Visibility {
    /// Creates the range `from..=to`.
    #[must_use]
    pub fn between(from: f64, to: f64) -> Self {
        Self { from, to, ..Self::default() }
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first value out of range and its range.
    pub fn check(&self) -> Result<(), Error> {
        params::within(NAME, "from", self.from, (0.2, 100.0), "in [0.2, 100] just noticeable contrasts")?;
        params::within(NAME, "to", self.to, (self.from, 100.0), "in [from, 100] just noticeable contrasts")
    }

    /// The visibility at the quantile `q` in \[0, 1\] of the range.
    #[must_use]
    pub fn at(&self, q: f64) -> f64 {
        self.from * (self.to / self.from).powf(q)
    }
}

/// Just noticeable contrast of each pixel of a box of a photo.
#[derive(Debug, Clone)]
pub(crate) struct Threshold {
    /// 1 / J `(h, w)`.
    inverse: Array2<f32>,
}

impl Threshold {
    /// Measures the surround in `bbox` of the photo `(H, W, C)`.
    pub(crate) fn of(photo: ArrayView3<'_, f32>, bbox: Rect) -> Self {
        let (height, width, channels) = photo.dim();
        let reach = bbox.grow(MARGIN, (height, width));
        let (h, w) = (reach.height(), reach.width());
        let crop = photo.slice_each_axis(|axis| reach.slice_of(axis.axis));
        let per = 1.0 / channels.max(1) as f32;
        let mut luma = vec![0.0f32; h * w];
        for (v, pixel) in luma.iter_mut().zip(crop.rows()) {
            let sum = pixel.iter().sum::<f32>() * per;
            *v = if sum.is_finite() { sum } else { 0.0 };
        }
        binomial(&mut luma, w);
        let mut squares: Vec<f32> = luma.iter().map(|v| v * v).collect();
        window_mean(&mut luma, w);
        window_mean(&mut squares, w);
        let (oy, ox) = (bbox.top - reach.top, bbox.left - reach.left);
        let inverse = Array2::from_shape_fn((bbox.height(), bbox.width()), |(y, x)| {
            let i = (y + oy) * w + x + ox;
            1.0 / just_noticeable((squares[i] - luma[i] * luma[i]).max(0.0))
        });
        Self { inverse }
    }

    /// Contrast of the change from `old` to `new`, both `(h, w, C)` of the box, over the just noticeable one.
    pub(crate) fn ratios(&self, old: &Array3<f32>, new: &Array3<f32>) -> Array2<f32> {
        let (h, w, channels) = old.dim();
        let mut squares = vec![0.0f32; h * w];
        let mut plane = vec![0.0f32; h * w];
        for k in 0..channels {
            for ((v, o), n) in plane.iter_mut().zip(old.rows()).zip(new.rows()) {
                let change = n[k] - o[k];
                *v = if change.is_finite() { change } else { 0.0 };
            }
            binomial(&mut plane, w);
            squares.iter_mut().zip(&plane).for_each(|(s, v)| *s += v * v);
        }
        let per = 1.0 / channels.max(1) as f32;
        let mut ratios = self.inverse.clone();
        ratios.iter_mut().zip(&squares).for_each(|(r, s)| *r *= (s * per).sqrt());
        ratios
    }
}

/// Just noticeable contrast J on a surround of this local variance.
fn just_noticeable(variance: f32) -> f32 {
    (EVEN * EVEN + MASKING * MASKING * variance).sqrt()
}

/// Surround of marked pixels of a photo, whose sound surface below them is not known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surround {
    /// Just noticeable contrast: the harmonic mean over the surround, as visibility averages ratios.
    pub(crate) just_noticeable: f32,
    /// Mean local variance of the filtered surround.
    pub(crate) variance: f32,
}

impl Surround {
    /// Measures, in a crop `(h, w, C)`, the pixels of `ring` by the same filter and window as [`Threshold`]; the window
    /// counts pixels that are `sound` and no filter mixed with others. `None` if the ring has no such pixel.
    pub(crate) fn of(crop: ArrayView3<'_, f32>, sound: &Array2<bool>, ring: &Array2<bool>) -> Option<Self> {
        let (_, w, channels) = crop.dim();
        let per = 1.0 / channels.max(1) as f32;
        let mut luma: Vec<f32> = crop.rows().into_iter().map(|pixel| pixel.iter().sum::<f32>() * per).collect();
        binomial(&mut luma, w);
        let mut share: Vec<f32> = sound.iter().map(|&s| f32::from(u8::from(s))).collect();
        luma.iter_mut().zip(&share).for_each(|(v, s)| *v *= s);
        let mut squares: Vec<f32> = luma.iter().map(|v| v * v).collect();
        window_mean(&mut share, w);
        window_mean(&mut luma, w);
        window_mean(&mut squares, w);
        let (mut inverse, mut variance, mut n) = (0.0f64, 0.0f64, 0u32);
        for (i, _) in ring.iter().enumerate().filter(|(_, r)| **r) {
            // Of fewer pixels than a quarter of the window a variance says little.
            if share[i] > 0.25 {
                let mean = luma[i] / share[i];
                let v = (squares[i] / share[i] - mean * mean).max(0.0);
                inverse += f64::from(1.0 / just_noticeable(v));
                variance += f64::from(v);
                n += 1;
            }
        }
        let n = f64::from(n);
        (n > 0.0).then(|| Self { just_noticeable: (n / inverse) as f32, variance: (variance / n) as f32 })
    }
}

/// Filters each channel of a change `(h, w, C)` as [`Threshold::ratios`] does.
pub(crate) fn filtered(change: &Array3<f32>) -> Array3<f32> {
    let (h, w, channels) = change.dim();
    let mut out = Array3::zeros((h, w, channels));
    let mut plane = vec![0.0f32; h * w];
    for k in 0..channels {
        plane.iter_mut().zip(change.rows()).for_each(|(v, pixel)| *v = pixel[k]);
        binomial(&mut plane, w);
        out.rows_mut().into_iter().zip(&plane).for_each(|(mut pixel, v)| pixel[k] = *v);
    }
    out
}

/// Mean of the ratios from [`SEEN`] on over the true pixels, weighted by min(1, ratio): 0 for none.
pub(crate) fn visibility(ratios: &Array2<f32>, mask: &Array2<bool>) -> f64 {
    let (mut sum, mut weight) = (0.0f64, 0.0f64);
    for (&ratio, _) in ratios.iter().zip(mask).filter(|(ratio, inside)| **inside && **ratio >= SEEN) {
        let share = f64::from(ratio.min(1.0));
        sum += share * f64::from(ratio);
        weight += share;
    }
    if weight > 0.0 { sum / weight } else { 0.0 }
}

/// Filters a plane of `w` columns with (1 4 6 4 1) / 16 along both axes; the edge is repeated.
fn binomial(plane: &mut [f32], w: usize) {
    let h = plane.len() / w.max(1);
    if h == 0 {
        return;
    }
    let mut line = vec![0.0f32; w + 4];
    for row in plane.chunks_exact_mut(w) {
        line[2..w + 2].copy_from_slice(row);
        (line[0], line[1], line[w + 2], line[w + 3]) = (row[0], row[0], row[w - 1], row[w - 1]);
        for (v, t) in row.iter_mut().zip(line.windows(5)) {
            *v = (t[0] + t[4] + 4.0 * (t[1] + t[3]) + 6.0 * t[2]) * (1.0 / 16.0);
        }
    }
    let mut window: [Vec<f32>; 5] = std::array::from_fn(|k| {
        let y = k.saturating_sub(2).min(h - 1);
        plane[y * w..][..w].to_vec()
    });
    for y in 0..h {
        let out = &mut plane[y * w..][..w];
        let [a, b, c, d, e] = &window;
        for (x, v) in out.iter_mut().enumerate() {
            *v = (a[x] + e[x] + 4.0 * (b[x] + d[x]) + 6.0 * c[x]) * (1.0 / 16.0);
        }
        let next = (y + 3).min(h - 1);
        window.rotate_left(1);
        if next > y {
            window[4].copy_from_slice(&plane[next * w..][..w]);
        } else {
            window[4] = window[3].clone();
        }
    }
}

/// Replaces each value by the mean over a window of [`HALF`] to each side, cut off at the edges.
fn window_mean(plane: &mut [f32], w: usize) {
    let h = plane.len() / w.max(1);
    let mut sums = vec![0.0f64; w];
    let copy = plane.to_vec();
    // Running sums in double precision over columns, then along rows.
    let add = |sums: &mut [f64], y: usize, sign: f64| {
        sums.iter_mut().zip(&copy[y * w..][..w]).for_each(|(s, &v)| *s += sign * f64::from(v));
    };
    for y in 0..HALF.min(h) {
        add(&mut sums, y, 1.0);
    }
    for y in 0..h {
        if y + HALF < h {
            add(&mut sums, y + HALF, 1.0);
        }
        if y > HALF {
            add(&mut sums, y - HALF - 1, -1.0);
        }
        let rows = (y + HALF + 1).min(h) - y.saturating_sub(HALF);
        let mut run: f64 = sums.iter().take(HALF).sum();
        for (x, v) in plane[y * w..][..w].iter_mut().enumerate() {
            if x + HALF < w {
                run += sums[x + HALF];
            }
            if x > HALF {
                run -= sums[x - HALF - 1];
            }
            let columns = (x + HALF + 1).min(w) - x.saturating_sub(HALF);
            *v = (run / (rows * columns) as f64) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(photo: &Array3<f32>) -> Rect {
        Rect::whole((photo.dim().0, photo.dim().1))
    }

    #[test]
    fn a_step_on_an_even_surround_is_seen_in_units_of_the_even_threshold() {
        let photo = Array3::from_elem((40, 40, 3), 0.5f32);
        let mut image = photo.clone();
        let inside = Array2::from_shape_fn((40, 40), |(y, x)| (10..30).contains(&y) && (10..30).contains(&x));
        for ((y, x), _) in inside.indexed_iter().filter(|(_, m)| **m) {
            (0..3).for_each(|k| image[[y, x, k]] += 0.03);
        }
        let ratios = Threshold::of(photo.view(), whole(&photo)).ratios(&photo, &image);
        assert!((ratios[[20, 20]] - 3.0).abs() < 1e-4, "{}", ratios[[20, 20]]);
        // The filter leaves 11/16 of a straight edge's first row, 15/16 of its second.
        assert!((ratios[[10, 20]] - 3.0 * 11.0 / 16.0).abs() < 1e-4 && (ratios[[11, 20]] - 45.0 / 16.0).abs() < 1e-4);
    }

    #[test]
    fn texture_masks_by_its_own_contrast() {
        // A sine along x of amplitude 0.1 and wavelength 9 px: the window of 9 x 9 px holds one whole wave, so its
        // deviation is a / sqrt 2 times the filter's gain at that frequency, cos^4(pi f).
        let frequency = 1.0 / 9.0;
        let photo = Array3::from_shape_fn((64, 64, 1), |(_, x, _)| {
            0.5 + 0.1 * (std::f32::consts::TAU * frequency * x as f32).sin()
        });
        let mut image = photo.clone();
        image.mapv_inplace(|v| v + 0.02);
        let ratios = Threshold::of(photo.view(), whole(&photo)).ratios(&photo, &image);
        let gain = (std::f32::consts::PI * frequency).cos().powi(4);
        let exact = 0.02 / (0.01f32.powi(2) + (2.0 * 0.1 * gain).powi(2) / 2.0).sqrt();
        assert!((ratios[[32, 32]] / exact - 1.0).abs() < 1e-3, "{} {exact}", ratios[[32, 32]]);
    }

    #[test]
    fn a_box_sees_the_surround_beyond_it() {
        let photo = Array3::from_shape_fn((50, 60, 3), |(y, x, k)| ((y * 31 + x * 17 + k * 7) % 23) as f32 / 23.0);
        let bbox = Rect { top: 13, left: 20, bottom: 30, right: 44 };
        let all = Threshold::of(photo.view(), whole(&photo)).inverse;
        let part = Threshold::of(photo.view(), bbox).inverse;
        let off = bbox.crop(all.view()).iter().zip(&part).map(|(a, b)| (a / b - 1.0).abs()).fold(0.0, f32::max);
        assert!(off < 1e-4, "{off}");
    }

    #[test]
    fn window_means_are_sums_over_the_window() {
        let (h, w) = (7usize, 13usize);
        let plane: Vec<f32> = (0..h * w).map(|i| ((i * 29) % 17) as f32).collect();
        let mut found = plane.clone();
        window_mean(&mut found, w);
        for y in 0..h {
            for x in 0..w {
                let rows = y.saturating_sub(HALF)..(y + HALF + 1).min(h);
                let values: Vec<f32> = rows
                    .flat_map(|v| (x.saturating_sub(HALF)..(x + HALF + 1).min(w)).map(move |u| (v, u)))
                    .map(|(v, u)| plane[v * w + u])
                    .collect();
                let mean = values.iter().sum::<f32>() / values.len() as f32;
                assert!((found[y * w + x] - mean).abs() < 1e-4, "{y} {x}");
            }
        }
    }

    #[test]
    fn ranges_are_even_in_the_logarithm() {
        let range = Visibility::between(2.0, 8.0);
        assert!((range.at(0.5) - 4.0).abs() < 1e-12 && range.check().is_ok());
        assert!(Visibility::between(3.0, 2.0).check().is_err() && Visibility::between(f64::NAN, 2.0).check().is_err());
    }
}
