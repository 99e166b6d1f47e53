//! Images and masks on which compositing is timed.
//!
//! They are the same on every call, so that our solvers and those that `experiments/peers/poisson.py` times work on the
//! same pixels.

use std::f64::consts::TAU;
use std::fs;
use std::path::Path;

use maphc2f::imgkit::file::write_atomic;
use ndarray::{Array2, Array3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::program::Result;

/// Sides of the square images.
pub const SIDES: [usize; 4] = [256, 512, 1024, 2048];
/// Percentages of the image that the masks cover.
pub const PERCENTAGES: [usize; 2] = [10, 50];

/// A compositing problem.
#[derive(Debug)]
pub struct Case {
    /// The image around the mask, `(H, W, 3)`.
    pub target: Array3<u8>,
    /// The image that is pasted, `(H, W, 3)`.
    pub source: Array3<u8>,
    /// A centered blob that touches no edge of the frame, `(H, W)`.
    pub mask: Array2<bool>,
}

/// Makes the case of one side and percentage, the same on every call.
#[must_use]
pub fn case(side: usize, percentage: usize) -> Case {
    let seed = (side * 100 + percentage) as u64;
    Case { target: texture(side, 2 * seed), source: texture(side, 2 * seed + 1), mask: mask(side, percentage) }
}

/// Makes a few slow waves and grain, for each channel.
fn texture(side: usize, seed: u64) -> Array3<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mean: f64 = rng.random_range(0.35..0.65);
    let mut image = Array3::zeros((side, side, 3));
    for c in 0..3 {
        let waves: Vec<[f64; 4]> = (0..6)
            .map(|_| {
                let (angle, cycles) = (rng.random_range(0.0..TAU), rng.random_range(0.5..8.0f64));
                let amplitude = 0.12 / cycles.sqrt();
                [TAU * cycles * angle.cos(), TAU * cycles * angle.sin(), rng.random_range(0.0..TAU), amplitude]
            })
            .collect();
        for y in 0..side {
            for x in 0..side {
                let (s, t) = (y as f64 / side as f64, x as f64 / side as f64);
                let smooth: f64 = waves.iter().map(|[a, b, phase, size]| size * (a * s + b * t + phase).sin()).sum();
                let grain = 0.06 * (rng.random::<f64>() + rng.random::<f64>() - 1.0);
                image[(y, x, c)] = (255.0 * (mean + smooth + grain)).round().clamp(0.0, 255.0) as u8;
            }
        }
    }
    image
}

/// Radius over the mean radius at an angle: a few harmonics, so that the blob fills about 0.69 of its bounding box.
fn outline(angle: f64) -> f64 {
    1.0 + 0.10 * (3.0 * angle + 0.7).sin() + 0.06 * (5.0 * angle + 2.1).sin() + 0.03 * (11.0 * angle + 4.0).sin()
}

/// Makes a blob that covers `percentage` of the frame, its bounding box centered.
fn mask(side: usize, percentage: usize) -> Array2<bool> {
    let steps = 3600;
    let at = |k: usize| TAU * k as f64 / steps as f64;
    // area and bounding box of the outline at mean radius 1
    let area = (0..steps).map(|k| 0.5 * outline(at(k)).powi(2)).sum::<f64>() * TAU / steps as f64;
    let bounds = |f: fn(f64) -> f64| {
        (0..steps).map(|k| outline(at(k)) * f(at(k))).fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)))
    };
    let (rows, columns) = (bounds(f64::sin), bounds(f64::cos));
    let radius = side as f64 * (percentage as f64 / 100.0 / area).sqrt();
    let middle = (side as f64 - 1.0) / 2.0;
    let (cy, cx) = (middle - radius * (rows.0 + rows.1) / 2.0, middle - radius * (columns.0 + columns.1) / 2.0);
    Array2::from_shape_fn((side, side), |(y, x)| {
        let (dy, dx) = (y as f64 - cy, x as f64 - cx);
        dy.hypot(dx) < radius * outline(dy.atan2(dx))
    })
}

/// Writes every case to `folder/<side>_<percentage>/` as `target.u8`, `source.u8` (H, W, 3) and `mask.u8` (H, W; 0 or
/// 255), raw and row by row, and the list of them to `folder/cases.json`: `[{"name", "side", "share", "pixels"}]`,
/// `pixels` being those of the mask. Calls `done` after each.
///
/// # Errors
///
/// A file or folder cannot be written.
pub fn write(folder: &Path, mut done: impl FnMut(&str)) -> Result<()> {
    let mut list = Vec::new();
    for side in SIDES {
        for percentage in PERCENTAGES {
            let name = format!("{side}_{percentage}");
            let Case { target, source, mask } = case(side, percentage);
            let case = folder.join(&name);
            fs::create_dir_all(&case)?;
            let put = |file: &str, bytes: Vec<u8>| write_atomic(case.join(file), bytes);
            put("target.u8", target.into_iter().collect())?;
            put("source.u8", source.into_iter().collect())?;
            let pixels = mask.iter().filter(|m| **m).count();
            put("mask.u8", mask.iter().map(|&m| if m { 255 } else { 0 }).collect())?;
            list.push(format!(r#"{{"name": "{name}", "side": {side}, "share": {percentage}, "pixels": {pixels}}}"#));
            done(&name);
        }
    }
    write_atomic(folder.join("cases.json"), format!("[\n  {}\n]\n", list.join(",\n  ")))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_cover_their_percentage_and_touch_no_edge() {
        for percentage in PERCENTAGES {
            let Case { mask, target, source } = case(256, percentage);
            let covered = mask.iter().filter(|m| **m).count() as f64 / mask.len() as f64;
            assert!((100.0 * covered - percentage as f64).abs() < 0.1, "{covered} for {percentage} %");
            let inner = mask.indexed_iter().all(|((y, x), m)| !m || (1..255).contains(&y) && (1..255).contains(&x));
            assert!(inner, "{percentage} %");
            assert_ne!(target, source);
        }
    }
}
