//! Warping of a photo by a displacement field.

use imgkit::Rect;
use imgkit::simd::widely;
use ndarray::{Array3, ArrayView2, ArrayView3};

/// Catmull-Rom weights at fraction `t` (Keys 1981, a = -1/2).
#[inline(always)]
fn weights(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    [-0.5 * t3 + t2 - 0.5 * t, 1.5 * t3 - 2.5 * t2 + 1.0, -1.5 * t3 + 2.0 * t2 + 0.5 * t, 0.5 * t3 - 0.5 * t2]
}

/// Overwrites `patch` with the photo at `p - shift` wherever the opacity and the shift are not zero. Outside the frame
/// the nearest edge pixel is read.
pub(super) fn warp(
    photo: ArrayView3<'_, f32>,
    bbox: Rect,
    shift: ArrayView3<'_, f32>,
    opacity: ArrayView2<'_, f32>,
    patch: &mut Array3<f32>,
) {
    let channels = photo.dim().2;
    let (photo, shift, opacity) =
        (photo.as_standard_layout(), shift.as_standard_layout(), opacity.as_standard_layout());
    let (Some(pixels), Some(shift), Some(opacity)) = (photo.as_slice(), shift.as_slice(), opacity.as_slice()) else {
        return;
    };
    let (height, width, _) = photo.dim();
    if pixels.is_empty() || bbox.is_empty() {
        return;
    }
    let Some(patch) = patch.as_slice_mut() else { return };
    let source = Source { pixels, height, width, channels };
    // Shifts beyond the frame all read its edge.
    let limit = (height + width) as f32;
    let row = bbox.width();
    widely(
        #[inline(always)]
        || {
            let rows = patch.chunks_exact_mut(row * channels).zip(shift.chunks_exact(2 * row));
            for (i, ((patch, shift), opacity)) in rows.zip(opacity.chunks_exact(row)).enumerate() {
                let line = patch.chunks_exact_mut(channels).zip(shift.as_chunks().0).zip(opacity);
                for (j, ((pixel, &[dy, dx]), &a)) in line.enumerate() {
                    if !(a > 0.0 && dy.is_finite() && dx.is_finite()) || (dy == 0.0 && dx == 0.0) {
                        continue;
                    }
                    let y = (bbox.top + i) as f32 - dy.clamp(-limit, limit);
                    let x = (bbox.left + j) as f32 - dx.clamp(-limit, limit);
                    match pixel {
                        [gray] if source.surrounds(y, x) => [*gray] = source.inside::<1, 4>(y, x),
                        [red, green, blue] if source.surrounds(y, x) => {
                            [*red, *green, *blue] = source.inside::<3, 12>(y, x);
                        }
                        pixel => pixel.iter_mut().enumerate().for_each(|(k, v)| *v = source.at(y, x, k)),
                    }
                }
            }
        },
    );
}

/// A photo that is read between its pixels.
struct Source<'a> {
    pixels: &'a [f32],
    height: usize,
    width: usize,
    channels: usize,
}

impl Source<'_> {
    /// Channel `k` at a place, within \[0, 1\].
    #[inline(never)]
    fn at(&self, y: f32, x: f32, k: usize) -> f32 {
        let (top, left) = (y.floor(), x.floor());
        let (wy, wx) = (weights(y - top), weights(x - left));
        let clamp = |v: f32, i: usize, n: usize| (v as i64 + i as i64 - 1).clamp(0, n as i64 - 1) as usize;
        let mut sum = 0.0;
        for (i, wy) in wy.iter().enumerate() {
            let row = clamp(top, i, self.height) * self.width;
            let at = |j: usize| self.pixels[(row + clamp(left, j, self.width)) * self.channels + k];
            sum += wy * (wx[0] * at(0) + wx[1] * at(1) + wx[2] * at(2) + wx[3] * at(3));
        }
        sum.clamp(0.0, 1.0)
    }

    /// Whether all pixels that are read at a place lie in the frame.
    #[inline(always)]
    fn surrounds(&self, y: f32, x: f32) -> bool {
        y >= 1.0 && x >= 1.0 && y as usize + 2 < self.height && x as usize + 2 < self.width
    }

    /// All `C` channels at a place that the photo surrounds, from `N = 4 C` values in each of four rows: the same as
    /// [`Self::at`] but for rounding.
    #[inline(always)]
    fn inside<const C: usize, const N: usize>(&self, y: f32, x: f32) -> [f32; C] {
        let (top, left) = (y as usize, x as usize);
        let (wy, wx) = (weights(y - top as f32), weights(x - left as f32));
        let mut sums = [0.0f32; N];
        for (i, wy) in wy.iter().enumerate() {
            let from = ((top + i - 1) * self.width + left - 1) * C;
            let row = &self.pixels[from..from + N];
            for n in 0..N {
                sums[n] += wy * row[n];
            }
        }
        let mut out = [0.0; C];
        for k in 0..C {
            let sum = wx[0] * sums[k] + wx[1] * sums[C + k] + wx[2] * sums[2 * C + k] + wx[3] * sums[3 * C + k];
            out[k] = sum.clamp(0.0, 1.0);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn a_ramp_is_shifted_exactly() {
        // Catmull-Rom reproduces linear functions. Two channels are read one by one, one and three together.
        for channels in 1..=3 {
            let ramp = |y: f32, x: f32, k: usize| 0.02 * x + 0.01 * y + 0.1 * k as f32;
            let photo = Array3::from_shape_fn((20, 20, channels), |(y, x, k)| ramp(y as f32, x as f32, k));
            let bbox = Rect { top: 5, left: 5, bottom: 12, right: 12 };
            let shift = Array3::from_shape_fn((7, 7, 2), |(_, _, k)| if k == 0 { 0.3 } else { -1.4 });
            let mut patch = Array3::zeros((7, 7, channels));
            warp(photo.view(), bbox, shift.view(), Array2::ones((7, 7)).view(), &mut patch);
            for ((y, x, k), v) in patch.indexed_iter() {
                let expected = ramp(y as f32 + 5.0 - 0.3, x as f32 + 5.0 + 1.4, k);
                assert!((v - expected).abs() < 1e-5, "{channels} channels: {v} {expected}");
            }
        }
    }

    #[test]
    fn outside_the_frame_its_edge_is_read() {
        for channels in 1..=3 {
            let photo =
                Array3::from_shape_fn((9, 9, channels), |(y, x, k)| (y * 31 + x * 17 + k * 7) as f32 % 1.7 / 2.0);
            let mut patch = Array3::zeros((9, 9, channels));
            let shift = Array3::from_shape_fn((9, 9, 2), |(_, _, k)| if k == 0 { 2.0 } else { -3.0 });
            warp(photo.view(), Rect::whole((9, 9)), shift.view(), Array2::ones((9, 9)).view(), &mut patch);
            for ((y, x, k), &v) in patch.indexed_iter() {
                let expected = photo[[y.saturating_sub(2), (x + 3).min(8), k]];
                assert!((v - expected).abs() < 1e-6, "{channels} channels at {y} {x}: {v} {expected}");
            }
        }
    }
}
