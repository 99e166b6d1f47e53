//! The foreground estimate on drawn scenes with a known answer and, where they lie beside the project, on real photos.
// A failed set-up is a failed test; a test says when it skips.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use std::path::Path;

use ndarray::{Array2, Array3};
use physdefect::{Error, Foreground, estimate_foreground};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Intersection over union.
fn overlap(a: &Array2<bool>, b: &Array2<bool>) -> f64 {
    let both = a.iter().zip(b).filter(|(a, b)| **a && **b).count() as f64;
    both / a.iter().zip(b).filter(|(a, b)| **a || **b).count() as f64
}

#[test]
fn a_ring_on_bright_or_dark_ground_is_found_with_its_hole_filled() {
    for (ground, object) in [(0.92f32, 0.3f32), (0.05, 0.7), (0.4, 0.65)] {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let (h, w) = (150, 171);
        let radius = |y: usize, x: usize| (y as f64 - 70.0).hypot(x as f64 - 90.0);
        let photo = Array3::from_shape_fn((h, w, 3), |(y, x, _)| {
            let v = if (20.0..55.0).contains(&radius(y, x)) { object } else { ground };
            // Vignetting and sensor noise.
            v - 0.03 * (y as f32 / h as f32) + rng.random_range(-0.02..0.02f32)
        });
        let found = estimate_foreground(photo.view()).unwrap();
        let disc = Array2::from_shape_fn((h, w), |(y, x)| radius(y, x) < 55.0);
        assert!(!found.fills_frame && found.confidence > 0.7, "ground {ground}: {}", found.confidence);
        assert!(overlap(&found.mask, &disc) > 0.95, "ground {ground}: {}", overlap(&found.mask, &disc));
    }
}

#[test]
fn a_texture_fills_the_frame() {
    for kind in [0, 3, 4] {
        for seed in 0..10 {
            let photo = common::photo(kind, 128, 140, 1, &mut ChaCha8Rng::seed_from_u64(seed));
            let found = estimate_foreground(common::to_float(&photo).view()).unwrap();
            assert!(found.fills_frame && found.confidence < 0.5, "kind {kind}, seed {seed}: {}", found.confidence);
        }
    }
}

#[test]
fn nothing_to_see_is_refused() {
    for photo in [Array3::from_elem((64, 64, 3), 0.5f32), Array3::zeros((0, 0, 3)), Array3::zeros((4, 90, 1))] {
        assert!(matches!(estimate_foreground(photo.view()), Err(Error::NoForeground { .. })));
    }
}

fn on_file(path: &str) -> Option<Foreground> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(path);
    let Ok(image) = image::open(&root) else {
        let wanted = std::env::var_os("MAPHC2F_NEEDS_DATA").is_some();
        assert!(!wanted, "MAPHC2F_NEEDS_DATA is set, but {} is missing", root.display());
        println!("skipped: no {}", root.display());
        return None;
    };
    let rgb = image.to_rgb8();
    let size = (rgb.height() as usize, rgb.width() as usize, 3);
    let photo = Array3::from_shape_fn(size, |(y, x, k)| f32::from(rgb.get_pixel(x as u32, y as u32)[k]) / 255.0);
    Some(estimate_foreground(photo.view()).unwrap())
}

#[test]
fn real_photos() {
    for (path, low, high) in
        [("mvtec/bottle/train/good/000.png", 0.60, 0.68), ("mvtec/pill/train/good/000.png", 0.37, 0.45)]
    {
        if let Some(found) = on_file(path) {
            let area = found.mask.iter().filter(|&&m| m).count() as f64 / found.mask.len() as f64;
            assert!(!found.fills_frame && found.confidence > 0.9, "{path}: {}", found.confidence);
            assert!((low..high).contains(&area), "{path}: {area}");
        }
    }
    if let Some(found) = on_file("magnetic_tile/tile/train/good/exp0_num_743.png") {
        assert!(found.fills_frame && found.confidence < 0.5);
    }
}
