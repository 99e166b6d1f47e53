//! Registration of photos to a reference by a rigid motion.

use std::f32::consts::TAU;

use imgkit::resize::resize_map;
use ndarray::{Array2, ArrayView3, Axis};
use rayon::prelude::*;

use super::motion::{Affine, Motion};
use super::seen::scaled;

/// Shorter sides at which a motion is searched, then refined, px.
const SIDES: [usize; 3] = [32, 64, FINE];
const FINE: usize = 128;
/// Angles of the search.
const ANGLES: usize = 48;
/// Largest shift of the search and its step, px of the smallest side.
const MARGIN: usize = 8;
const STEP: usize = 2;
/// Angles that are refined.
const REFINED: usize = 6;
/// Share of what the photo standing still leaves unexplained that a motion leaves at most: products that look alike
/// from several sides stay as they are.
const WORTH: f32 = 0.9;
/// Most photos that make a reference.
const PHOTOS: usize = 48;

/// Reference that photos are brought to: a small gray image.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Registration {
    /// At each of [`SIDES`].
    references: Vec<Array2<f32>>,
}

impl Registration {
    /// Makes the reference of some photos `(H, W, C)`: the mean of all of them, each brought to the one that is most
    /// like their mean. `None` if they show nothing.
    pub(crate) fn fit(photos: &[ArrayView3<'_, f32>]) -> Option<Self> {
        let step = photos.len().div_ceil(PHOTOS).max(1);
        let photos: Vec<&ArrayView3<'_, f32>> = photos.iter().step_by(step).collect();
        let small: Vec<Array2<f32>> = photos.par_iter().map(|photo| gray(photo.view(), FINE)).collect::<Option<_>>()?;
        let first = small.first()?.dim();
        let same: Vec<&Array2<f32>> = small.iter().filter(|s| s.dim() == first).collect();
        let mean = same.iter().fold(Array2::zeros(first), |sum, s| sum + *s) / same.len() as f32;
        let likeness: Vec<f32> = same.par_iter().map(|s| correlation(&mean, s, Motion::NONE)).collect();
        let best = (0..same.len()).max_by(|&a, &b| likeness[a].total_cmp(&likeness[b]).then(b.cmp(&a)))?;
        let to_one = Self::of(same[best].clone())?;
        let aligned: Vec<Array2<f32>> = (same.par_iter())
            .map(|s| {
                let moved = to_one.motion_of(s).warp(s.view().insert_axis(Axis(2)));
                moved.index_axis_move(Axis(2), 0)
            })
            .collect();
        let mean = aligned.iter().fold(Array2::zeros(first), |sum, s| sum + s) / aligned.len() as f32;
        Self::of(mean)
    }

    /// Takes a reference. `None` if it is empty or of one value throughout.
    pub(crate) fn of(reference: Array2<f32>) -> Option<Self> {
        let low = reference.iter().copied().fold(f32::INFINITY, f32::min);
        let high = reference.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if !(high - low).is_finite() || high - low < 1e-4 {
            return None;
        }
        Some(Self { references: pyramid(&reference)? })
    }

    /// Reference, for files.
    pub(crate) fn reference(&self) -> Option<&Array2<f32>> {
        self.references.last()
    }

    /// Motion that brings a photo `(H, W, C)` to the reference; none where it shows nothing.
    pub(crate) fn motion(&self, photo: ArrayView3<'_, f32>) -> Motion {
        gray(photo, FINE).map_or(Motion::NONE, |small| self.motion_of(&small))
    }

    fn motion_of(&self, small: &Array2<f32>) -> Motion {
        let Some(photos) = pyramid(small) else { return Motion::NONE };
        let ([coarse, middle, fine], [photo, photo_middle, photo_fine]) = (&self.references[..], &photos[..]) else {
            return Motion::NONE;
        };
        let mut starts = search(coarse, photo);
        starts.truncate(REFINED);
        let steps = (TAU / ANGLES as f32 / 2.0, 1.0 / SIDES[0] as f32);
        let refined = starts.into_iter().map(|start| climb(middle, photo_middle, start, steps, 4));
        let best = refined.reduce(|best, next| if next.1 > best.1 { next } else { best });
        let fine_steps = (steps.0 / 8.0, 1.0 / SIDES[1] as f32);
        let still = climb(middle, photo_middle, Motion::NONE, steps, 4).0;
        let still = climb(fine, photo_fine, still, fine_steps, 4);
        let best = best.map_or(still, |(motion, _)| climb(fine, photo_fine, motion, fine_steps, 4));
        if 1.0 - best.1 < WORTH * (1.0 - still.1) { best.0 } else { still.0 }
    }
}

/// Mean of the channels at a shorter side of `side`; `None` for an empty image.
pub(crate) fn gray(photo: ArrayView3<'_, f32>, side: usize) -> Option<Array2<f32>> {
    at_side(&photo.mean_axis(Axis(2))?, side)
}

fn at_side(plane: &Array2<f32>, side: usize) -> Option<Array2<f32>> {
    let (size, kernel) = scaled(plane.dim(), side)?;
    resize_map(plane.view(), size, kernel).ok().map(|small| small.as_standard_layout().into_owned())
}

/// The same image at each of [`SIDES`].
fn pyramid(plane: &Array2<f32>) -> Option<Vec<Array2<f32>>> {
    SIDES.iter().map(|&side| at_side(plane, side)).collect()
}

/// Best shift for each of many angles on the smallest images; those of local maxima over the angles, the best first.
fn search(reference: &Array2<f32>, photo: &Array2<f32>) -> Vec<Motion> {
    let (h, w) = reference.dim();
    let mean = reference.sum() / reference.len() as f32;
    let lines: Vec<f32> = reference.iter().map(|v| v - mean).collect();
    let canvas_size = (h + 2 * MARGIN, w + 2 * MARGIN);
    let side = photo.nrows().min(photo.ncols()) as f32;
    let best_at = |k: usize| {
        let turn = Motion { angle: k as f32 * TAU / ANGLES as f32, ..Motion::NONE };
        let affine = Affine::between(turn, canvas_size, photo.dim());
        let canvas = (0..canvas_size.0).flat_map(|y| (0..canvas_size.1).map(move |x| (y as f32, x as f32)));
        let pixels: Vec<f32> = canvas.map(|at| sample(photo, affine.at(at))).collect();
        let mut best = (f32::NEG_INFINITY, Motion::NONE);
        for dy in (0..=2 * MARGIN).step_by(STEP) {
            for dx in (0..=2 * MARGIN).step_by(STEP) {
                let (mut product, mut sum, mut square) = (0.0f32, 0.0f32, 0.0f32);
                for (y, line) in lines.chunks_exact(w).enumerate() {
                    let window = &pixels[(dy + y) * canvas_size.1 + dx..][..w];
                    for (r, v) in line.iter().zip(window) {
                        product += r * v;
                        sum += v;
                        square += v * v;
                    }
                }
                let variance = (square - sum * sum / (h * w) as f32).max(1e-9);
                let score = product / variance.sqrt();
                if score > best.0 {
                    let (y, x) = (dy as f32 - MARGIN as f32, dx as f32 - MARGIN as f32);
                    // the shift is made in the turned frame
                    let (sin, cos) = turn.angle.sin_cos();
                    let (down, right) = ((cos * y + sin * x) / side, (cos * x - sin * y) / side);
                    best = (score, Motion { down, right, ..turn });
                }
            }
        }
        best
    };
    let all: Vec<(f32, Motion)> = (0..ANGLES).map(best_at).collect();
    let is_peak = |&k: &usize| {
        let at = |k: usize| all[k % ANGLES].0;
        at(k) >= at(k + 1) && at(k) >= at(k + ANGLES - 1)
    };
    let mut peaks: Vec<usize> = (0..ANGLES).filter(is_peak).collect();
    peaks.sort_by(|&a, &b| all[b].0.total_cmp(&all[a].0).then(a.cmp(&b)));
    peaks.into_iter().map(|k| all[k].1).collect()
}

/// Raises the correlation from `start` by steps of angle and shift that are halved `halvings` times; with what is
/// reached.
fn climb(
    reference: &Array2<f32>,
    photo: &Array2<f32>,
    start: Motion,
    (mut turn, mut shift): (f32, f32),
    halvings: usize,
) -> (Motion, f32) {
    /// Rounds at one size of steps.
    const ROUNDS: usize = 12;
    let mut best = (start, correlation(reference, photo, start));
    for _ in 0..=halvings {
        for _ in 0..ROUNDS {
            let before = best.1;
            for (angle, down, right) in [(turn, 0.0, 0.0), (0.0, shift, 0.0), (0.0, 0.0, shift)] {
                for sign in [1.0, -1.0] {
                    let Motion { angle: a, down: d, right: r } = best.0;
                    let next = Motion { angle: a + sign * angle, down: d + sign * down, right: r + sign * right };
                    // a product that left the frame is not looked for
                    if next.down.abs() > 0.5 || next.right.abs() > 0.5 {
                        continue;
                    }
                    let found = correlation(reference, photo, next);
                    if found > best.1 {
                        best = (next, found);
                        break;
                    }
                }
            }
            if best.1 <= before {
                break;
            }
        }
        (turn, shift) = (turn / 2.0, shift / 2.0);
    }
    best
}

/// Correlation of a reference and a photo of the same scale that is brought to it, in \[-1, 1\]; 0 where one of them
/// shows nothing.
fn correlation(reference: &Array2<f32>, photo: &Array2<f32>, motion: Motion) -> f32 {
    let affine = Affine::between(motion, reference.dim(), photo.dim());
    // sums of a line at a time keep their digits
    let (mut a, mut b, mut aa, mut bb, mut ab) = (0.0f64, 0.0f64, 0.0f64, 0.0f64, 0.0f64);
    for (y, line) in reference.outer_iter().enumerate() {
        let (mut a1, mut b1, mut aa1, mut bb1, mut ab1) = (0.0f32, 0.0f32, 0.0f32, 0.0f32, 0.0f32);
        for (x, &r) in line.iter().enumerate() {
            let v = sample(photo, affine.at((y as f32, x as f32)));
            a1 += r;
            b1 += v;
            aa1 += r * r;
            bb1 += v * v;
            ab1 += r * v;
        }
        a += f64::from(a1);
        b += f64::from(b1);
        aa += f64::from(aa1);
        bb += f64::from(bb1);
        ab += f64::from(ab1);
    }
    let n = reference.len().max(1) as f64;
    let (aa, bb, ab) = (aa - a * a / n, bb - b * b / n, ab - a * b / n);
    if aa > 1e-6 * n && bb > 1e-6 * n { (ab / (aa * bb).sqrt()) as f32 } else { 0.0 }
}

/// Value at a position; outside the plane that of the border.
#[inline(always)]
fn sample(plane: &Array2<f32>, (y, x): (f32, f32)) -> f32 {
    let (h, w) = plane.dim();
    let Some(values) = plane.as_slice() else { return 0.0 };
    let (y, x) = (y.clamp(0.0, (h - 1) as f32), x.clamp(0.0, (w - 1) as f32));
    let (y0, x0) = (y as usize, x as usize);
    let (v, u) = (y - y0 as f32, x - x0 as f32);
    let (top, x1) = (y0 * w, (x0 + 1).min(w - 1));
    let bottom = (y0 + 1).min(h - 1) * w;
    let above = values[top + x0] * (1.0 - u) + values[top + x1] * u;
    let below = values[bottom + x0] * (1.0 - u) + values[bottom + x1] * u;
    above * (1.0 - v) + below * v
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    /// A gray wedge with a bright and a dark spot about (down, right) turned by `angle`, drawn by its formula.
    fn product(size: (usize, usize), angle: f32, (down, right): (f32, f32)) -> Array3<f32> {
        let side = size.0.min(size.1) as f32;
        let (sin, cos) = angle.sin_cos();
        Array3::from_shape_fn((size.0, size.1, 3), |(y, x, _)| {
            let at = |i: usize, n: usize| (i as f32 - (n as f32 - 1.0) / 2.0) / side;
            let (y, x) = (at(y, size.0) - down, at(x, size.1) - right);
            let (v, u) = (cos * y - sin * x, sin * y + cos * x);
            let blob = |cv: f32, cu: f32, s: f32| (-((v - cv).powi(2) + (u - cu).powi(2)) / (2.0 * s * s)).exp();
            0.2 + 0.5 * blob(0.0, 0.0, 0.13) + 0.3 * blob(0.0, 0.22, 0.06) - 0.3 * blob(-0.1, -0.05, 0.04)
        })
    }

    #[test]
    fn a_known_motion_is_found() {
        for size in [(200, 200), (180, 240)] {
            let registration = Registration::of(gray(product(size, 0.0, (0.0, 0.0)).view(), FINE).unwrap()).unwrap();
            for (degrees, down, right) in
                [(0.0, 0.0, 0.0), (31.0, 0.05, -0.08), (95.0, -0.1, 0.0), (178.0, 0.04, 0.04), (-77.0, 0.1, 0.12)]
            {
                let angle = f32::to_radians(degrees);
                let found = registration.motion(product(size, angle, (down, right)).view());
                // the product's frame is turned against the array's, (down, right)
                let off = (found.angle - angle).rem_euclid(TAU);
                let off = off.min(TAU - off).to_degrees();
                assert!(off < 1.0, "{size:?} {degrees}: {found:?}, off by {off}");
                let side = size.0.min(size.1) as f32;
                let off = ((found.down - down) * side).hypot((found.right - right) * side);
                assert!(off < 1.0, "{size:?} {degrees}: {found:?}, off by {off} px");
            }
        }
    }

    #[test]
    fn a_disc_stays_and_an_empty_image_does_not_panic() {
        let disc = |down: f32| {
            Array3::from_shape_fn((100, 100, 1), |(y, x, _)| {
                let (y, x) = (y as f32 - 49.5 - 100.0 * down, x as f32 - 49.5);
                0.2 + 0.6 * f32::from(u8::from(y.hypot(x) < 30.0))
            })
        };
        let registration = Registration::of(gray(disc(0.0).view(), FINE).unwrap()).unwrap();
        let still = registration.motion(disc(0.0).view());
        assert!(still.angle.abs() < 0.01 && still.down.abs() < 0.01 && still.right.abs() < 0.01, "{still:?}");
        let moved = registration.motion(disc(0.1).view());
        assert!((moved.down - 0.1).abs() < 0.01 && moved.right.abs() < 0.01, "{moved:?}");

        let flat = Array3::from_elem((50, 60, 3), 0.5f32);
        assert_eq!(registration.motion(flat.view()), Motion::NONE);
        assert!(Registration::fit(&[flat.view(), flat.view()]).is_none());
        assert!(Registration::fit(&[]).is_none());
        assert!(Registration::of(Array2::zeros((0, 0))).is_none());
        for size in [(1, 1), (1, 500), (33, 500)] {
            let odd = Array3::from_shape_fn((size.0, size.1, 1), |(_, x, _)| (x % 7) as f32 / 7.0);
            let found = registration.motion(odd.view());
            assert!(found.angle.is_finite() && found.down.is_finite() && found.right.is_finite());
        }
    }

    #[test]
    fn the_reference_is_sharp_after_its_photos_were_aligned() {
        let thrown: Vec<Array3<f32>> = (0..6).map(|i| product((128, 128), i as f32, (0.0, 0.01 * i as f32))).collect();
        let views: Vec<_> = thrown.iter().map(|photo| photo.view()).collect();
        let registration = Registration::fit(&views).unwrap();
        for photo in &views {
            let small = gray(photo.view(), FINE).unwrap();
            let motion = registration.motion(photo.view());
            let found = correlation(registration.reference().unwrap(), &small, motion);
            assert!(found > 0.98, "{found}");
        }
    }
}
