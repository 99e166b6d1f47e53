//! Undecimated (a trous) B3-spline wavelet transform.

use crate::error::{Error, check};
use crate::simd::widely;
use ndarray::{Array2, ArrayView2};

/// An undecimated wavelet decomposition: detail bands, finest first, and the smooth remainder.
///
/// Band `j` is the difference of two successive smoothings with the B3-spline kernel `[1, 4, 6, 4, 1] / 16`, its taps
/// `2^j` pixels apart, mirrored at the array's edges (Starck, Fadili and Murtagh, "The undecimated wavelet
/// decomposition and its reconstruction", 2007). The image is the sum of all bands and the remainder.
///
/// ```
/// use ndarray::Array2;
/// use pde_refine::Atrous;
/// let image = Array2::from_shape_fn((20, 30), |(y, x)| ((y * 7 + x * 3) % 11) as f32 / 11.0);
/// let bands = Atrous::decompose(image.view(), 3)?;
/// let worst = (&bands.reconstruct() - &image).mapv(f32::abs).into_iter().fold(0.0, f32::max);
/// assert!(worst < 1e-6);
/// # Ok::<(), pde_refine::Error>(())
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
    /// [`Error::Parameter`] if `levels` is outside 1 to 10.
    pub fn decompose(plane: ArrayView2<'_, f32>, levels: usize) -> Result<Self, Error> {
        check("levels", levels as f64, (1..=10).contains(&levels), "1 to 10")?;
        Ok(decompose(plane.to_owned(), levels))
    }

    /// The sum of all bands and the remainder.
    pub fn reconstruct(&self) -> Array2<f32> {
        self.details.iter().rev().fold(self.smooth.clone(), |sum, band| sum + band)
    }
}

/// Pixels a decomposition of `levels` bands looks to each side.
pub(crate) fn reach(levels: usize) -> usize {
    2 * ((1 << levels) - 1)
}

/// [`Atrous::decompose`] for a plane in standard layout and a checked number of levels.
pub(crate) fn decompose(mut plane: Array2<f32>, levels: usize) -> Atrous {
    let mut details = Vec::with_capacity(levels);
    for j in 0..levels {
        let smooth = smooth(&plane, 1 << j);
        plane -= &smooth;
        details.push(std::mem::replace(&mut plane, smooth));
    }
    Atrous { details, smooth: plane }
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

/// B3-spline smoothing with taps `step` apart.
fn smooth(plane: &Array2<f32>, step: usize) -> Array2<f32> {
    let (h, w) = plane.dim();
    let mut out = Array2::zeros((h, w));
    let (Some(input), Some(output)) = (plane.as_slice(), out.as_slice_mut()) else { return out };
    if input.is_empty() {
        return out;
    }
    // one row, extended by its mirror image on both sides
    let margin = 2 * step;
    let mut extended = vec![0.0f32; w + 2 * margin];
    let left: Vec<usize> = (0..margin).map(|k| mirror(k as isize - margin as isize, w)).collect();
    let right: Vec<usize> = (0..margin).map(|k| mirror((w + k) as isize, w)).collect();
    widely(
        #[inline(always)]
        || {
            for y in 0..h {
                let row = |k: isize| &input[mirror(y as isize + k * step as isize, h) * w..][..w];
                taps(&mut extended[margin..margin + w], [row(-2), row(-1), row(0), row(1), row(2)]);
                for k in 0..margin {
                    extended[k] = extended[margin + left[k]];
                    extended[margin + w + k] = extended[margin + right[k]];
                }
                let e = &extended;
                let at = |k: usize| &e[k * step..][..w];
                taps(&mut output[y * w..][..w], [at(0), at(1), at(2), at(3), at(4)]);
            }
        },
    );
    out
}

#[inline(always)]
fn taps(out: &mut [f32], [a, b, c, d, e]: [&[f32]; 5]) {
    let n = out.len();
    let (a, b, c, d, e) = (&a[..n], &b[..n], &c[..n], &d[..n], &e[..n]);
    for x in 0..n {
        out[x] = (a[x] + e[x]) * (1.0 / 16.0) + ((b[x] + d[x]) * 0.25 + c[x] * 0.375);
    }
}
