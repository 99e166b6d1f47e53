//! Visibility: the contrast of a change in units of the just noticeable contrast of its surround.
//!
//! A change `d` of a photo (encoded values, as a screen shows them) has at each pixel the contrast
//!
//! ```text
//! c = sqrt(mean over channels of (G d)^2)               G: binomial filter of 5 x 5, standard deviation 1 px
//! J = sqrt(J0^2 + (2 s)^2)                              J0 = 0.01, s: local standard deviation of G photo, 9 x 9 px,
//!                                                       about its local slope: shading hides nothing
//! ```
//!
//! and the same once more for what is large and soft, which the eye sees by summing over an area (Ricco's and Piper's
//! laws): d and the photo are averaged over 9 x 9 px first, and s is taken over 25 x 25 px. The larger of the two c / J
//! counts, the second only where the change itself is at least half of its mean.
//!
//! `J` is the just noticeable contrast: on an even surround a fixed step of the display's scale, which is nearly
//! uniform for the eye (Weber's law); on a texture, two standard deviations of the texture (masking; Legge and Foley
//! 1980, with the slope of one that holds for noise maskers). The filter stands for the eye's optics at a distance at
//! which pixels just merge. **Visibility** is the mean of c / J over the defect, weighted by min(1, c / J): 1 is just
//! noticeable. Pixels of less than half of J do not count. The model and its constants are this project's own; the
//! paper has none.

use std::fmt;
use std::str::FromStr;

use imgkit::simd::widely;
use imgkit::{ParameterError, Rect};
use ndarray::{Array2, Array3, ArrayView2, ArrayView3};

mod filters;
mod surround;

use filters::{binomial, window_mean};
pub(crate) use surround::{Surround, averaged, contrast, filtered};

use crate::Error;
use crate::params::{self, parameters};

const NAME: &str = "visibility";
/// Just noticeable contrast on an even surround, of the encoded range: two and a half 8-bit levels.
const EVEN: f32 = 0.01;
/// Standard deviations of a texture that are just noticeable in it.
const MASKING: f32 = 2.0;
/// Half side of the window of the local standard deviation, px, and of the area that is summed over.
const HALF: usize = 4;
/// Half side of the window of the standard deviation of those areas' means, px.
const WIDE: usize = 12;
/// Ratio from which a pixel counts as seen.
pub(crate) const SEEN: f32 = 0.5;
/// Pixels around a box that its thresholds depend on.
const MARGIN: usize = 2 * WIDE + HALF + 2;

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
        from / with_from: f64 = 2.0,
        /// Largest visibility, from the least to 100.
        to / with_to: f64 = 8.0,
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

impl FromStr for Visibility {
    type Err = Error;

    /// Reads `low..high` or one value.
    fn from_str(text: &str) -> Result<Self, Error> {
        let (low, high) = text.split_once("..").unwrap_or((text, text));
        let (Ok(low), Ok(high)) = (low.trim().parse(), high.trim().parse()) else {
            return Err(ParameterError::new(NAME, "range", text, "low..high in just noticeable contrasts").into());
        };
        let range = Self::between(low, high);
        range.check().map(|()| range)
    }
}

impl fmt::Display for Visibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.from, self.to)
    }
}

/// Just noticeable contrast of each pixel of a box of a photo.
#[derive(Debug, Clone)]
pub(crate) struct Threshold {
    /// 1 / J `(h, w)`.
    inverse: Array2<f32>,
    /// The same for means over an area.
    wide: Array2<f32>,
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
        for (line, row) in luma.chunks_exact_mut(w.max(1)).zip(crop.outer_iter()) {
            let row = row.as_standard_layout();
            let pixels = row.as_slice().unwrap_or_default().chunks_exact(channels.max(1));
            for (v, pixel) in line.iter_mut().zip(pixels) {
                let sum = match pixel {
                    [red, green, blue] => red + green + blue,
                    other => other.iter().sum(),
                } * per;
                *v = if sum.is_finite() { sum } else { 0.0 };
            }
        }
        binomial(&mut luma, w, 1);
        let inner = bbox.relative_to(reach);
        let fine = inverse_thresholds(&luma, w, HALF, inner);
        window_mean(&mut luma, w, 1, HALF);
        Self { inverse: fine, wide: inverse_thresholds(&luma, w, WIDE, inner) }
    }

    /// Contrast of the change from `old` to `new`, both `(h, w, C)` of the box, over the just noticeable one.
    pub(crate) fn ratios(&self, old: &Array3<f32>, new: &Array3<f32>) -> Array2<f32> {
        let (h, w, channels) = old.dim();
        let (old, new) = (old.as_standard_layout(), new.as_standard_layout());
        let (old, new) = (old.as_slice().unwrap_or_default(), new.as_slice().unwrap_or_default());
        let mut change = vec![0.0f32; old.len().min(new.len())];
        widely(
            #[inline(always)]
            || {
                for ((v, o), n) in change.iter_mut().zip(old).zip(new) {
                    let change = n - o;
                    *v = if change.is_finite() { change } else { 0.0 };
                }
            },
        );
        binomial(&mut change, w, channels);
        let mut ratios = self.inverse.clone();
        let channels = channels.max(1);
        let per = 1.0 / channels as f32;
        let fine = squares(&change, channels);
        let Some(values) = ratios.as_slice_mut() else { return ratios };
        widely(
            #[inline(always)]
            || values.iter_mut().zip(&fine).for_each(|(r, s)| *r *= (s * per).sqrt()),
        );
        // A change that is smaller than the area says nothing there.
        if h <= 2 * HALF || w <= 2 * HALF {
            return ratios;
        }
        window_mean(&mut change, w, channels, HALF);
        let area = squares(&change, channels);
        let inverse = self.wide.as_slice().unwrap_or_default();
        widely(
            #[inline(always)]
            || {
                let squares = fine.iter().zip(&area);
                for ((r, inverse), (fine, area)) in values.iter_mut().zip(inverse).zip(squares) {
                    // Beside a strong line the area has a mean, but there is nothing to see.
                    let wide = if *fine >= 0.25 * area { inverse * (area * per).sqrt() } else { 0.0 };
                    *r = r.max(wide);
                }
            },
        );
        ratios
    }
}

/// Sum of the squares of each pixel's channels.
fn squares(values: &[f32], channels: usize) -> Vec<f32> {
    let mut sums = vec![0.0f32; values.len() / channels];
    widely(
        #[inline(always)]
        || {
            if channels == 3 {
                for (sum, [red, green, blue]) in sums.iter_mut().zip(values.as_chunks().0) {
                    *sum = red * red + green * green + blue * blue;
                }
            } else {
                for (sum, pixel) in sums.iter_mut().zip(values.chunks_exact(channels)) {
                    *sum = pixel.iter().map(|v| v * v).sum();
                }
            }
        },
    );
    sums
}

/// 1 / J in a box of a plane of `w` columns, s over windows of `half` to each side, about the window's slope.
fn inverse_thresholds(plane: &[f32], w: usize, half: usize, inner: Rect) -> Array2<f32> {
    // The windows whose means are compared reach twice as far.
    let h = plane.len() / w.max(1);
    let reach = inner.grow(2 * half, (h, w));
    let inner = inner.relative_to(reach);
    let mut mean = Vec::with_capacity(reach.area());
    for y in reach.top..reach.bottom {
        mean.extend_from_slice(&plane[y * w + reach.left..][..reach.width()]);
    }
    let mut squares: Vec<f32> = mean.iter().map(|v| v * v).collect();
    let (h, w) = (reach.height(), reach.width());
    window_mean(&mut mean, w, 1, half);
    window_mean(&mut squares, w, 1, half);
    let mut inverse = Array2::zeros((inner.height(), inner.width()));
    // A plane has the variance slope^2 (n^2 - 1) / 12 over n pixels; its slope is that of the means around.
    let side = (2 * half + 1) as f32;
    let of_slope = (side * side - 1.0) / 12.0;
    let variance =
        |square: f32, mean: f32, gx: f32, gy: f32| (square - mean * mean - of_slope * (gx * gx + gy * gy)).max(0.0);
    // Columns whose neighbors at the distance `half` lie in the plane.
    let from = half.clamp(inner.left, inner.right);
    let to = w.saturating_sub(half).clamp(from, inner.right);
    widely(
        #[inline(always)]
        || {
            for (y, mut out) in inverse.rows_mut().into_iter().enumerate() {
                let v = y + inner.top;
                let (up, down) = (v.saturating_sub(half), (v + half).min(h - 1));
                let per = 1.0 / (down - up).max(1) as f32;
                let row = |y: usize| &mean[y * w..][..w];
                let (here, up, down, squares) = (row(v), row(up), row(down), &squares[v * w..][..w]);
                for u in (inner.left..from).chain(to..inner.right) {
                    let (left, right) = (u.saturating_sub(half), (u + half).min(w - 1));
                    let gx = (here[right] - here[left]) / (right - left).max(1) as f32;
                    let gy = (down[u] - up[u]) * per;
                    out[u - inner.left] = 1.0 / just_noticeable(variance(squares[u], here[u], gx, gy));
                }
                let Some(out) = out.as_slice_mut() else { continue };
                let out = &mut out[from - inner.left..to - inner.left];
                let n = out.len();
                if n == 0 {
                    continue;
                }
                let (left, right) = (&here[from - half..][..n], &here[from + half..][..n]);
                let (here, squares) = (&here[from..][..n], &squares[from..][..n]);
                let (up, down) = (&up[from..][..n], &down[from..][..n]);
                let along = 1.0 / (2 * half) as f32;
                for i in 0..n {
                    let (gx, gy) = ((right[i] - left[i]) * along, (down[i] - up[i]) * per);
                    out[i] = 1.0 / just_noticeable(variance(squares[i], here[i], gx, gy));
                }
            }
        },
    );
    inverse
}

/// Just noticeable contrast J on a surround of this local variance.
#[inline(always)]
fn just_noticeable(variance: f32) -> f32 {
    (EVEN * EVEN + MASKING * MASKING * variance).sqrt()
}

/// Mean of the ratios from [`SEEN`] on over the true pixels, weighted by min(1, ratio): 0 for none.
pub(crate) fn visibility(ratios: &Array2<f32>, mask: ArrayView2<'_, bool>) -> f64 {
    let (mut sum, mut weight) = (0.0f64, 0.0f64);
    for (ratios, mask) in ratios.rows().into_iter().zip(mask.rows()) {
        for (&ratio, _) in ratios.iter().zip(mask).filter(|(ratio, inside)| **inside && **ratio >= SEEN) {
            let share = f64::from(ratio.min(1.0));
            sum += share * f64::from(ratio);
            weight += share;
        }
    }
    if weight > 0.0 { sum / weight } else { 0.0 }
}

/// Ratios of pixels in sight, on a grid where there are many: what visibility would be if all changes were multiplied.
#[derive(Debug)]
pub(crate) struct Prediction(Vec<f32>);

impl Prediction {
    pub(crate) fn of(ratios: &Array2<f32>, mask: ArrayView2<'_, bool>) -> Self {
        const ENOUGH: usize = 3000;
        let step = (((ratios.len() / ENOUGH) as f64).sqrt() as usize).max(1);
        let mut inside = Vec::with_capacity(2 * ENOUGH);
        for (ratios, mask) in ratios.rows().into_iter().zip(mask.rows()).step_by(step) {
            inside.extend(ratios.iter().zip(mask).step_by(step).filter(|(_, m)| **m).map(|(r, _)| *r));
        }
        Self(inside)
    }

    /// Visibility of the changes times `factor`.
    pub(crate) fn at(&self, factor: f64) -> f64 {
        let factor = factor as f32;
        let (mut sum, mut weight) = (0.0f32, 0.0f32);
        for ratio in self.0.iter().map(|r| r * factor).filter(|r| *r >= SEEN) {
            let share = ratio.min(1.0);
            sum += share * ratio;
            weight += share;
        }
        if weight > 0.0 { f64::from(sum / weight) } else { 0.0 }
    }

    /// Factor within `range` that brings the visibility nearest to `wanted`, by bisection of its logarithm.
    pub(crate) fn factor(&self, wanted: f64, range: (f64, f64)) -> f64 {
        let (mut low, mut high) = (range.0.ln(), range.1.ln());
        for _ in 0..12 {
            let middle = 0.5 * (low + high);
            if self.at(middle.exp()) < wanted {
                low = middle;
            } else {
                high = middle;
            }
        }
        (0.5 * (low + high)).exp()
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
        // deviation is a / sqrt 2 times the filter's gain at that frequency, cos^4(pi f). Its mean over the window is
        // none, so a large change is seen as on an even surround.
        let frequency = 1.0 / 9.0;
        let photo = Array3::from_shape_fn((64, 64, 1), |(_, x, _)| {
            0.5 + 0.1 * (std::f32::consts::TAU * frequency * x as f32).sin()
        });
        let mut line = photo.clone();
        for y in 0..64 {
            line[[y, 32, 0]] += 0.05;
        }
        let threshold = Threshold::of(photo.view(), whole(&photo));
        let gain = (std::f32::consts::PI * frequency).cos().powi(4);
        let masked = (0.01f32.powi(2) + (2.0 * 0.1 * gain).powi(2) / 2.0).sqrt();
        // A line keeps 6/16 of its contrast, and its mean over nine columns is a ninth of it.
        let (fine, wide) = (0.05 * 6.0 / 16.0 / masked, 0.05 / 9.0 / 0.01);
        let found = threshold.ratios(&photo, &line)[[32, 32]];
        assert!((found / fine.max(wide) - 1.0).abs() < 0.02, "{found} {fine} {wide}");
        let mut image = photo.clone();
        image.mapv_inplace(|v| v + 0.02);
        let found = threshold.ratios(&photo, &image)[[32, 32]];
        assert!((found - 2.0).abs() < 0.02, "{found}");
    }

    #[test]
    fn a_slope_of_light_hides_nothing() {
        let photo = Array3::from_shape_fn((60, 60, 3), |(y, x, _)| 0.2 + 0.006 * x as f32 - 0.002 * y as f32);
        let inverse = Threshold::of(photo.view(), whole(&photo)).inverse;
        for y in 12..48 {
            for x in 12..48 {
                assert!((inverse[[y, x]] * EVEN - 1.0).abs() < 0.02, "{y} {x}: {}", inverse[[y, x]]);
            }
        }
    }

    #[test]
    fn a_box_sees_the_surround_beyond_it() {
        let photo = Array3::from_shape_fn((50, 60, 3), |(y, x, k)| ((y * 31 + x * 17 + k * 7) % 23) as f32 / 23.0);
        let bbox = Rect { top: 13, left: 20, bottom: 30, right: 44 };
        let (all, part) = (Threshold::of(photo.view(), whole(&photo)), Threshold::of(photo.view(), bbox));
        for (all, part) in [(&all.inverse, &part.inverse), (&all.wide, &part.wide)] {
            let off = bbox.crop(all.view()).iter().zip(part).map(|(a, b)| (a / b - 1.0).abs()).fold(0.0, f32::max);
            assert!(off < 1e-4, "{off}");
        }
    }

    #[test]
    fn window_means_are_sums_over_the_window() {
        let (h, w) = (7usize, 13usize);
        let plane: Vec<f32> = (0..h * w).map(|i| ((i * 29) % 17) as f32).collect();
        let mut found = plane.clone();
        window_mean(&mut found, w, 1, HALF);
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
        assert_eq!("2..8".parse(), Ok(range));
        assert_eq!(Visibility::between(1.5, 1.5).to_string().parse(), Ok(Visibility::between(1.5, 1.5)));
        assert!(["", "2..", "8..2", "nan", "0..1"].iter().all(|text| text.parse::<Visibility>().is_err()));
        assert!(Visibility::between(3.0, 2.0).check().is_err() && Visibility::between(f64::NAN, 2.0).check().is_err());
    }
}
