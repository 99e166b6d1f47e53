//! Undecimated (a trous) B3-spline wavelet transform.

use ndarray::{Array2, ArrayView2};

use crate::simd::widely;
use crate::{ParameterError, Rect, ensure};

/// Undecimated wavelet decomposition: detail bands, finest first, and the smooth remainder.
///
/// Band `j` is the difference of two successive smoothings with the B3-spline kernel `[1, 4, 6, 4, 1] / 16`, its taps
/// `2^j` pixels apart, mirrored at the array's edges (Starck, Fadili and Murtagh, "The undecimated wavelet
/// decomposition and its reconstruction", 2007). The image is the sum of all bands and the remainder.
///
/// ```
/// use ndarray::Array2;
/// use imgkit::wavelet::Atrous;
/// let image = Array2::from_shape_fn((20, 30), |(y, x)| ((y * 7 + x * 3) % 11) as f32 / 11.0);
/// let bands = Atrous::decompose(image.view(), 3)?;
/// let worst = (&bands.reconstruct() - &image).mapv(f32::abs).into_iter().fold(0.0, f32::max);
/// assert!(worst < 1e-6);
/// # Ok::<(), imgkit::ParameterError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Atrous {
    /// Detail bands (H, W), finest first; zero mean up to edge effects.
    pub details: Vec<Array2<f32>>,
    /// What remains after the last smoothing.
    pub smooth: Array2<f32>,
}

impl Atrous {
    /// Decomposes `plane` (H, W) into `levels` detail bands, 1 to 10.
    ///
    /// # Errors
    /// [`ParameterError`] if `levels` is outside 1 to 10.
    pub fn decompose(plane: ArrayView2<'_, f32>, levels: usize) -> Result<Self, ParameterError> {
        let (h, w) = plane.dim();
        check_levels(levels)?;
        let mut bands = vec![0.0; slots(h * w, levels)];
        for (slot, &v) in bands.iter_mut().zip(plane) {
            *slot = v;
        }
        decompose(&mut bands, (h, w), levels, Rect::whole((h, w)), &mut Vec::new())?;
        let array =
            |band: usize| Array2::from_shape_vec((h, w), bands[band * h * w..][..h * w].to_vec()).unwrap_or_default();
        Ok(Atrous { details: (0..levels).map(array).collect(), smooth: array(levels) })
    }

    /// Reconstructs the plane: the sum of all bands and the remainder.
    #[must_use]
    pub fn reconstruct(&self) -> Array2<f32> {
        self.details.iter().rev().fold(self.smooth.clone(), |sum, band| sum + band)
    }
}

/// Number of pixels that a decomposition of `levels` bands looks to each side.
#[must_use]
pub fn reach(levels: usize) -> usize {
    2usize.saturating_pow(levels.min(64) as u32 + 1).saturating_sub(2)
}

/// Number of slots that [`decompose`] fills for planes of `pixels`: the bands and the remainder, one after another.
#[must_use]
pub fn slots(pixels: usize, levels: usize) -> usize {
    pixels.saturating_mul(levels.saturating_add(1))
}

/// Decomposes the plane (h, w) in the first of `bands`, [`slots`] values: turns it into the detail bands, finest first,
/// and the remainder, within `window`; beyond it values are left unspecified. `row` is working memory.
///
/// # Errors
/// [`ParameterError`] if `levels` is outside 1 to 10, `bands` too short, or `window` not within the plane.
pub fn decompose(
    bands: &mut [f32],
    (h, w): (usize, usize),
    levels: usize,
    window: Rect,
    row: &mut Vec<f32>,
) -> Result<(), ParameterError> {
    const WHAT: &str = "wavelet::decompose";
    check_levels(levels)?;
    let needed = slots(h.saturating_mul(w), levels);
    ensure(bands.len() >= needed, WHAT, "bands", format_args!("{} long", bands.len()), "as long as `slots` says")?;
    let is_inside =
        window.top <= window.bottom && window.bottom <= h && window.left <= window.right && window.right <= w;
    ensure(is_inside, WHAT, "window", format_args!("{window:?}"), "within the plane")?;
    for j in 0..levels {
        let (band, rest) = bands[j * h * w..].split_at_mut(h * w);
        let smoothed = &mut rest[..h * w];
        // what the coarser bands look at beside the window
        let seen = window.grow(reach(levels) - reach(j + 1), (h, w));
        smooth(band, smoothed, (h, w), 1 << j, seen, row);
        widely(
            #[inline(always)]
            || {
                for y in window.top..window.bottom {
                    let (from, to) = (y * w + window.left, y * w + window.right);
                    for (detail, &smooth) in band[from..to].iter_mut().zip(&smoothed[from..to]) {
                        *detail -= smooth;
                    }
                }
            },
        );
    }
    Ok(())
}

fn check_levels(levels: usize) -> Result<(), ParameterError> {
    ensure((1..=10).contains(&levels), "wavelet", "levels", levels, "1 to 10")
}

/// Index mirrored into `0..n` about the first and last sample.
fn mirror(i: isize, n: usize) -> usize {
    if n == 1 {
        return 0;
    }
    let period = 2 * (n - 1) as isize;
    let i = i.rem_euclid(period) as usize;
    i.min(period as usize - i)
}

/// B3-spline smoothing with taps `step` apart of the pixels in `window`, which lies in the plane (h, w).
fn smooth(input: &[f32], output: &mut [f32], (h, w): (usize, usize), step: usize, window: Rect, row: &mut Vec<f32>) {
    let (width, margin) = (window.right - window.left, 2 * step);
    if width == 0 {
        return;
    }
    // one row from `margin` before the window to `margin` beyond, of which `from..to` lie in the plane
    row.clear();
    row.resize(width + 2 * margin, 0.0);
    let (from, to) = (window.left.saturating_sub(margin), (window.right + margin).min(w));
    let column = |x: usize| x + margin - window.left;
    let before = margin.saturating_sub(window.left);
    let beyond = (window.right + margin).saturating_sub(w);
    widely(
        #[inline(always)]
        || {
            for y in window.top..window.bottom {
                let tap = |k: isize| &input[mirror(y as isize + k * step as isize, h) * w..][from..to];
                taps(&mut row[column(from)..column(to)], [tap(-2), tap(-1), tap(0), tap(1), tap(2)]);
                for k in 0..before {
                    row[k] = row[column(mirror(k as isize - before as isize, w))];
                }
                for k in 0..beyond {
                    row[column(w + k)] = row[column(mirror((w + k) as isize, w))];
                }
                let at = |k: usize| &row[k * step..][..width];
                taps(&mut output[y * w + window.left..][..width], [at(0), at(1), at(2), at(3), at(4)]);
            }
        },
    );
}

#[inline(always)]
fn taps(out: &mut [f32], [a, b, c, d, e]: [&[f32]; 5]) {
    let n = out.len();
    let (a, b, c, d, e) = (&a[..n], &b[..n], &c[..n], &d[..n], &e[..n]);
    for x in 0..n {
        out[x] = (a[x] + e[x]) * (1.0 / 16.0) + ((b[x] + d[x]) * 0.25 + c[x] * 0.375);
    }
}
