//! Distances against a search over all pixels.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

use imgkit::distance::{deepest_squared, half_width, near_background, squared_to_background, to_background};
use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn disc(h: usize, w: usize, cy: f64, cx: f64, r: f64) -> Array2<bool> {
    Array2::from_shape_fn((h, w), |(y, x)| (y as f64 - cy).hypot(x as f64 - cx) < r)
}

#[test]
fn large_discs_cover_what_lies_within_their_radius() {
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    for (h, w) in [(150, 170), (1, 300), (300, 1), (90, 260), (7, 7)] {
        for share in [0.5, 0.999, 1.0] {
            let mask = Array2::from_shape_fn((h, w), |_| rng.random::<f64>() < share);
            let exact = squared_to_background(mask.view());
            for squared in [40 * 40 + 81, 41 * 41 - 1, 41 * 41, 70 * 70 + 3, 160 * 160, 90_000, u64::from(u32::MAX)] {
                let expected = exact.mapv(|d| d <= squared);
                assert_eq!(near_background(mask.view(), squared), expected, "{h}x{w}, {share}, {squared}");
            }
        }
    }
}

#[test]
fn distance_equals_brute_force() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    for case in 0..60 {
        let (h, w) = (rng.random_range(1..40), rng.random_range(1..40));
        let share = [0.02, 0.2, 0.6, 0.97, 0.999][case % 5];
        let mask = Array2::from_shape_fn((h, w), |_| rng.random::<f64>() < share);
        let outside: Vec<_> = mask.indexed_iter().filter(|(_, m)| !**m).map(|(i, _)| i).collect();
        let deepest = squared_to_background(mask.view()).iter().fold(0, |a, &d| a.max(d));
        assert_eq!(deepest_squared(mask.view()), deepest, "{h}x{w}");
        // the larger discs are laid by sweeps
        let squares = [0, 1, 2, 7, 50, 401, 1 << 40];
        let near = squares.map(|squared| (squared, near_background(mask.view(), squared)));
        for ((y, x), &d) in squared_to_background(mask.view()).indexed_iter() {
            let brute = outside.iter().map(|&(a, b)| (a.abs_diff(y).pow(2) + b.abs_diff(x).pow(2)) as u64).min();
            assert_eq!(d, brute.unwrap_or(u64::MAX), "{h}x{w} at {y},{x}");
            for (squared, near) in &near {
                assert_eq!(near[[y, x]], brute.is_some_and(|b| b <= *squared), "{h}x{w} at {y},{x} within {squared}");
            }
        }
    }
}

#[test]
fn half_width_lies_between_the_distance_and_the_largest_disc() {
    let mut mask = disc(50, 90, 25.0, 25.0, 15.0);
    for x in 25..85 {
        for y in 24..27 {
            mask[(y, x)] = true;
        }
    }
    let d = to_background(mask.view());
    let width = half_width(d.view(), 100.0);
    for ((y, x), &t) in width.indexed_iter() {
        let covers = |&(&(a, b), r): &(&(usize, usize), f32)| (a as f32 - y as f32).hypot(b as f32 - x as f32) < r;
        let centers: Vec<((usize, usize), f32)> = d.indexed_iter().map(|(i, r)| (i, *r)).collect();
        let best = centers.iter().map(|(i, r)| (i, *r)).filter(covers).map(|(_, r)| r).fold(0.0, f32::max);
        assert!(t >= d[(y, x)] && t <= best, "{y},{x}: {t} not in {}..{best}", d[(y, x)]);
    }
    assert_eq!(width[(25, 60)], 2.0);
    assert!(width[(25, 25)] > 14.0);
}
