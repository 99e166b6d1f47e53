//! Rigid motions of a photo: rotation and shift.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3};
use rayon::prelude::*;

use crate::features::patches::STRIDE;

/// Rotation about the center of the frame, then a shift: where in a photo each point of the reference frame lies.
/// Points are (down, right) from the center, in shorter sides of the frame, so that a motion holds at any size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Motion {
    /// Angle, radians.
    pub(crate) angle: f32,
    /// Shift, shorter sides.
    pub(crate) down: f32,
    /// Shift, shorter sides.
    pub(crate) right: f32,
}

impl Motion {
    /// No motion.
    pub(crate) const NONE: Self = Self { angle: 0.0, down: 0.0, right: 0.0 };

    /// Motion by which the photo is seen in its own frame again.
    pub(crate) fn inverse(self) -> Self {
        let turn = Self { angle: -self.angle, ..Self::NONE };
        let (down, right) = Affine::new(turn, (2, 2)).turned((-self.down, -self.right));
        Self { angle: -self.angle, down, right }
    }

    /// Brings an image `(H, W, C)` into the reference frame: bilinear, border replicated.
    pub(crate) fn warp(self, image: ArrayView3<'_, f32>) -> Array3<f32> {
        let (h, w, c) = image.dim();
        if self == Self::NONE || image.is_empty() {
            return image.to_owned();
        }
        let affine = Affine::new(self, (h, w));
        let mut out = vec![0.0f32; h * w * c];
        out.par_chunks_mut(w * c).with_min_len(16).enumerate().for_each(|(y, line)| {
            for (x, pixel) in line.chunks_exact_mut(c).enumerate() {
                let corners = Corners::at(affine.at((y as f32, x as f32)), (h, w));
                for (channel, value) in pixel.iter_mut().enumerate() {
                    *value = corners.blend(|y, x| image[[y, x, channel]]);
                }
            }
        });
        Array3::from_shape_vec((h, w, c), out).unwrap_or_default()
    }

    /// Brings a mask into the reference frame: nearest pixel; outside the photo nothing is marked.
    pub(crate) fn warp_mask(self, mask: ArrayView2<'_, bool>) -> Array2<bool> {
        let (h, w) = mask.dim();
        let affine = Affine::new(self, (h, w));
        Array2::from_shape_fn((h, w), |(y, x)| {
            let (y, x) = affine.at((y as f32, x as f32));
            let (y, x) = (y.round(), x.round());
            y >= 0.0 && x >= 0.0 && mask.get((y as usize, x as usize)).copied().unwrap_or(false)
        })
    }

    /// Brings a map over the patches of the reference frame back to the patches of the photo, both of an image of size
    /// `seen`: bilinear; what left the frame takes the nearest value in it.
    pub(crate) fn back(self, map: ArrayView2<'_, f32>, seen: (usize, usize)) -> Array2<f32> {
        if self == Self::NONE || map.is_empty() {
            return map.to_owned();
        }
        let affine = Affine::new(self.inverse(), seen);
        let (rows, columns) = (Cells::of(map.nrows(), seen.0), Cells::of(map.ncols(), seen.1));
        Array2::from_shape_fn(map.dim(), |(i, j)| {
            let (y, x) = affine.at((rows.middle(i), columns.middle(j)));
            Corners::at((rows.position(y), columns.position(x)), map.dim()).blend(|y, x| map[[y, x]])
        })
    }

    /// Whether the middle of each patch of the reference frame, a grid over an image of size `seen`, lies in the photo;
    /// row-major.
    pub(crate) fn inside(self, (rows, columns): (usize, usize), seen: (usize, usize)) -> Vec<bool> {
        if self == Self::NONE {
            return vec![true; rows * columns];
        }
        let affine = Affine::new(self, seen);
        let (down, right) = (Cells::of(rows, seen.0), Cells::of(columns, seen.1));
        let lies_in = |v: f32, n: usize| v >= -0.5 && v <= n as f32 - 0.5;
        let is_inside = |p: usize| {
            let (y, x) = affine.at((down.middle(p / columns), right.middle(p % columns)));
            lies_in(y, seen.0) && lies_in(x, seen.1)
        };
        (0..rows * columns).map(is_inside).collect()
    }
}

/// Side of the patches along one axis, px.
#[derive(Debug, Clone, Copy)]
struct Cells(f32);

impl Cells {
    /// `count` patches over `pixels`: of the stride of maps, or even ones where a backbone has none.
    fn of(count: usize, pixels: usize) -> Self {
        Self(if pixels.div_ceil(STRIDE) == count { STRIDE as f32 } else { pixels as f32 / count.max(1) as f32 })
    }

    /// Pixel at the middle of patch `i`.
    fn middle(self, i: usize) -> f32 {
        (i as f32 + 0.5) * self.0 - 0.5
    }

    /// Position of a pixel in patches.
    fn position(self, pixel: f32) -> f32 {
        (pixel + 0.5) / self.0 - 0.5
    }
}

/// Motion in pixels of one frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Affine {
    sin: f32,
    cos: f32,
    /// Middle of the frame that is mapped from, pixels.
    from: (f32, f32),
    /// Where it comes to lie.
    to: (f32, f32),
}

impl Affine {
    /// Motion in an image of `size`.
    pub(crate) fn new(motion: Motion, size: (usize, usize)) -> Self {
        Self::between(motion, size, size)
    }

    /// Motion between a reference and a photo of the same scale, whose middles correspond.
    pub(crate) fn between(motion: Motion, reference: (usize, usize), photo: (usize, usize)) -> Self {
        let side = photo.0.min(photo.1) as f32;
        let middle = |(h, w): (usize, usize)| ((h as f32 - 1.0) / 2.0, (w as f32 - 1.0) / 2.0);
        let (y, x) = middle(photo);
        let (sin, cos) = motion.angle.sin_cos();
        Self { sin, cos, from: middle(reference), to: (y + motion.down * side, x + motion.right * side) }
    }

    fn turned(self, (y, x): (f32, f32)) -> (f32, f32) {
        (self.cos * y + self.sin * x, self.cos * x - self.sin * y)
    }

    /// Position in the photo of a pixel of the reference.
    pub(crate) fn at(self, (y, x): (f32, f32)) -> (f32, f32) {
        let (y, x) = self.turned((y - self.from.0, x - self.from.1));
        (y + self.to.0, x + self.to.1)
    }
}

/// The four pixels about a position and the weights of the second ones; positions outside are moved to the border.
#[derive(Debug, Clone, Copy)]
struct Corners {
    y: (usize, usize, f32),
    x: (usize, usize, f32),
}

impl Corners {
    fn at((y, x): (f32, f32), (h, w): (usize, usize)) -> Self {
        let tap = |v: f32, n: usize| {
            let v = v.clamp(0.0, n.saturating_sub(1) as f32);
            let low = v as usize;
            (low, (low + 1).min(n.saturating_sub(1)), v - low as f32)
        };
        Self { y: tap(y, h), x: tap(x, w) }
    }

    fn blend(self, value: impl Fn(usize, usize) -> f32) -> f32 {
        let ((y0, y1, v), (x0, x1, u)) = (self.y, self.x);
        let top = value(y0, x0) * (1.0 - u) + value(y0, x1) * u;
        let bottom = value(y1, x0) * (1.0 - u) + value(y1, x1) * u;
        top * (1.0 - v) + bottom * v
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::FRAC_PI_2;

    #[test]
    fn a_quarter_turn_is_that_of_the_array() {
        let image = Array3::from_shape_fn((5, 5, 2), |(y, x, c)| (10 * y + x) as f32 + 100.0 * c as f32);
        let turned = Motion { angle: FRAC_PI_2, ..Motion::NONE }.warp(image.view());
        // closed form: pixel (y, x) of the turned image is pixel (x, 4 - y) of the image
        for ((y, x, c), v) in turned.indexed_iter() {
            assert!((v - image[[x, 4 - y, c]]).abs() < 1e-3, "{y} {x}: {v}");
        }
    }

    #[test]
    fn a_shift_moves_and_replicates_the_border() {
        let image = Array3::from_shape_fn((10, 20, 1), |(y, x, _)| (20 * y + x) as f32);
        let moved = Motion { right: 0.3, down: -0.2, angle: 0.0 }.warp(image.view());
        assert!((moved[[5, 4, 0]] - image[[3, 7, 0]]).abs() < 1e-3);
        assert!((moved[[0, 19, 0]] - image[[0, 19, 0]]).abs() < 1e-3);
        let mask = Array2::from_shape_fn((10, 20), |at| at == (3, 7));
        let moved = Motion { right: 0.3, down: -0.2, angle: 0.0 }.warp_mask(mask.view());
        let marked: Vec<_> = moved.indexed_iter().filter(|(_, m)| **m).map(|(at, _)| at).collect();
        assert_eq!(marked, [(5, 4)]);
    }

    #[test]
    fn the_inverse_undoes_a_motion() {
        let motion = Motion { angle: 0.7, down: 0.12, right: -0.2 };
        let (there, back) = (Affine::new(motion, (90, 130)), Affine::new(motion.inverse(), (90, 130)));
        for at in [(0.0, 0.0), (50.0, 99.0), (89.0, 3.0)] {
            let (y, x) = back.at(there.at(at));
            assert!((y - at.0).abs() < 1e-3 && (x - at.1).abs() < 1e-3, "{at:?}: {y} {x}");
        }
    }

    /// A hot patch of the aligned frame comes back to where the motion says that its middle lies in the photo.
    #[test]
    fn maps_come_back_to_the_place_in_the_photo() {
        let (seen, motion) = ((128, 160), Motion { angle: 2.0, down: 0.1, right: 0.05 });
        let mut map = Array2::zeros((16, 20));
        let middle = |i: usize| 8.0 * i as f32 + 3.5;
        map[[6, 11]] = 1.0;
        let back = motion.back(map.view(), seen);
        let (y, x) = Affine::new(motion, seen).at((middle(6), middle(11)));
        let total = back.sum();
        let mean = |of: &dyn Fn((usize, usize)) -> usize| {
            back.indexed_iter().map(|(at, v)| v * middle(of(at))).sum::<f32>() / total
        };
        let found = (mean(&|at| at.0), mean(&|at| at.1));
        assert!((found.0 - y).abs() < 4.0 && (found.1 - x).abs() < 4.0, "{found:?}, {y} {x}");
    }

    #[test]
    fn what_the_frame_shows_beside_the_photo_is_outside() {
        let inside = Motion { right: 0.5, ..Motion::NONE }.inside((8, 8), (64, 64));
        // the right half of the frame shows what lies right of the photo
        assert!(inside.iter().enumerate().all(|(p, inside)| *inside == (p % 8 < 4)));
        assert!(Motion::NONE.inside((8, 9), (64, 70)).iter().all(|inside| *inside));
    }
}
