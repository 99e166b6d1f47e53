//! Gaussian filter with a kernel cut off at a radius, summed in double precision.

use ndarray::{Array, ArrayView, ArrayView1, Axis, Dimension};

use crate::simd::widely;

/// Values beyond the border of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Border {
    /// Mirrored, the border pixel repeated: `d c b a | a b c d | d c b a`.
    Mirrored,
    /// Zeros; the kernel is not scaled up.
    Zeros,
}

/// Largest radius, px.
const MAX_RADIUS: usize = 1 << 20;

/// Filters the first two axes (height, width) of a map or an image with a Gaussian of standard deviation `sigma`
/// pixels, cut off at `radius` (at most 2^20) pixels and normalized to sum 1.
///
/// With a radius of `floor(4 sigma + 0.5)` and [`Border::Mirrored`] it is `scipy.ndimage.gaussian_filter`. Kernel and
/// sums are `f64`, and each axis rounds to `f32` once. A `sigma` that is not above 0, or a radius of 0, changes
/// nothing.
///
/// ```
/// use imgkit::gaussian::{Border, gaussian_filter};
/// use ndarray::arr2;
/// // an impulse becomes the outer product of the kernel with itself
/// let impulse = arr2(&[[0.0_f32, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]);
/// let filtered = gaussian_filter(impulse.view(), 1.0, 1, Border::Zeros);
/// let side = (-0.5_f32).exp();
/// assert!((filtered[(1, 0)] - side / (1.0 + 2.0 * side).powi(2)).abs() < 1e-6);
/// ```
#[must_use]
pub fn gaussian_filter<D: Dimension>(
    image: ArrayView<'_, f32, D>,
    sigma: f64,
    radius: usize,
    border: Border,
) -> Array<f32, D> {
    let mut filtered = image.to_owned();
    if sigma.is_nan() || sigma <= 0.0 || radius == 0 {
        return filtered;
    }
    // Farther out all taps are zero in double precision.
    let radius = radius.min((40.0 * sigma).ceil() as usize).min(MAX_RADIUS);
    let raw: Vec<f64> = (0..=2 * radius).map(|i| (-0.5 * ((i as f64 - radius as f64) / sigma).powi(2)).exp()).collect();
    let sum: f64 = raw.iter().sum();
    let taps: Vec<f64> = raw.iter().map(|t| t / sum).collect();
    let (mut line, mut sums) = (Vec::new(), Vec::new());
    for axis in 0..filtered.ndim().min(2) {
        for mut lane in filtered.lanes_mut(Axis(axis)).into_iter().filter(|lane| !lane.is_empty()) {
            extend(lane.view(), radius, border, &mut line);
            sums.clear();
            sums.resize(lane.len(), 0.0);
            // tap by tap, so that it vectorizes; every sum still adds its taps in order
            widely(
                #[inline(always)]
                || {
                    for (tap, values) in taps.iter().zip(line.windows(sums.len())) {
                        sums.iter_mut().zip(values).for_each(|(sum, v)| *sum += tap * v);
                    }
                },
            );
            lane.iter_mut().zip(&sums).for_each(|(out, sum)| *out = *sum as f32);
        }
    }
    filtered
}

/// A line with `radius` values beyond each end.
fn extend(lane: ArrayView1<'_, f32>, radius: usize, border: Border, line: &mut Vec<f64>) {
    let (length, radius) = (lane.len() as isize, radius as isize);
    line.clear();
    line.extend((-radius..length + radius).map(|i| match border {
        Border::Mirrored => {
            // the mirrored line has the period 2 length
            let i = i.rem_euclid(2 * length);
            f64::from(lane[i.min(2 * length - 1 - i) as usize])
        }
        Border::Zeros if i < 0 || i >= length => 0.0,
        Border::Zeros => f64::from(lane[i as usize]),
    }));
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Array3, arr2};

    use super::*;

    /// scipy 1.17.1: `gaussian_filter(a, 1.5, mode="reflect", truncate=4.0)` with a = (7 y + 3 x) % 5, 6 x 7, float64.
    const SCIPY: [(usize, usize, f32); 4] = [(0, 0, 1.606273), (2, 3, 1.992975), (5, 6, 1.937656), (4, 1, 2.038721)];

    #[test]
    fn equals_scipy_channel_by_channel() {
        let value = |y: usize, x: usize| ((7 * y + 3 * x) % 5) as f32;
        let map = Array2::from_shape_fn((6, 7), |(y, x)| value(y, x));
        let image = Array3::from_shape_fn((6, 7, 2), |(y, x, c)| value(y, x) * (c + 1) as f32);
        let (map, image) = (
            gaussian_filter(map.view(), 1.5, 6, Border::Mirrored),
            gaussian_filter(image.view(), 1.5, 6, Border::Mirrored),
        );
        for (y, x, want) in SCIPY {
            assert!((map[(y, x)] - want).abs() < 1e-6, "{y} {x}: {} {want}", map[(y, x)]);
            assert!((image[(y, x, 1)] - 2.0 * want).abs() < 2e-6);
        }
    }

    #[test]
    fn a_constant_stays_but_where_zeros_lie_beyond() {
        let map = Array2::from_elem((5, 9), 2.5_f32);
        let mirrored = gaussian_filter(map.view(), 4.0, 16, Border::Mirrored);
        assert!(mirrored.iter().all(|v| (v - 2.5).abs() < 1e-6));
        let zeros = gaussian_filter(map.view(), 1.0, 2, Border::Zeros);
        assert!((zeros[(2, 4)] - 2.5).abs() < 1e-6 && zeros[(0, 0)] < 2.0);
    }

    #[test]
    fn odd_parameters_change_nothing_or_stay_finite() {
        let map = arr2(&[[1.0_f32, 2.0]]);
        for sigma in [0.0, -1.0, f64::NAN] {
            assert_eq!(gaussian_filter(map.view(), sigma, 3, Border::Zeros), map);
        }
        assert!(gaussian_filter(map.view(), 1e-300, usize::MAX / 4, Border::Mirrored).iter().all(|v| v.is_finite()));
        assert!(gaussian_filter(Array2::zeros((0, 3)).view(), 1.0, 3, Border::Mirrored).is_empty());
    }
}
