//! Warping of a photo by a displacement field.

use imgkit::Rect;
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
    let (height, width, channels) = photo.dim();
    let clamp = |v: i64, n: usize| v.clamp(0, n as i64 - 1) as usize;
    for ((y, x), &a) in opacity.indexed_iter() {
        let (dy, dx) = (shift[[y, x, 0]], shift[[y, x, 1]]);
        if !(a > 0.0 && dy.is_finite() && dx.is_finite()) || (dy == 0.0 && dx == 0.0) {
            continue;
        }
        // Shifts beyond the frame all read its edge.
        let limit = (height + width) as f32;
        let sy = (bbox.top + y) as f32 - dy.clamp(-limit, limit);
        let sx = (bbox.left + x) as f32 - dx.clamp(-limit, limit);
        let (fy, fx) = (sy.floor(), sx.floor());
        let (wy, wx) = (weights(sy - fy), weights(sx - fx));
        let rows: [usize; 4] = std::array::from_fn(|k| clamp(fy as i64 + k as i64 - 1, height));
        let columns: [usize; 4] = std::array::from_fn(|k| clamp(fx as i64 + k as i64 - 1, width));
        for k in 0..channels {
            let mut sum = 0.0;
            for (&row, &wr) in rows.iter().zip(&wy) {
                let line: f32 = columns.iter().zip(&wx).map(|(&col, &wc)| wc * photo[[row, col, k]]).sum();
                sum += wr * line;
            }
            patch[[y, x, k]] = sum.clamp(0.0, 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn a_ramp_is_shifted_exactly() {
        // Catmull-Rom reproduces linear functions.
        let photo = Array3::from_shape_fn((20, 20, 1), |(y, x, _)| 0.02 * x as f32 + 0.01 * y as f32);
        let bbox = Rect { top: 5, left: 5, bottom: 12, right: 12 };
        let shift = Array3::from_shape_fn((7, 7, 2), |(_, _, k)| if k == 0 { 0.3 } else { -1.4 });
        let mut patch = Array3::zeros((7, 7, 1));
        warp(photo.view(), bbox, shift.view(), Array2::ones((7, 7)).view(), &mut patch);
        for ((y, x, _), v) in patch.indexed_iter() {
            let expected = 0.02 * (x as f32 + 5.0 + 1.4) + 0.01 * (y as f32 + 5.0 - 0.3);
            assert!((v - expected).abs() < 1e-5, "{v} {expected}");
        }
    }
}
