//! Dark defects on the shipped photos keep the color of the surface through both stages of the refinement.

#![allow(clippy::unwrap_used)] // helpers of tests, which the lint's own exception for tests does not reach

use std::path::PathBuf;

use maphc2f::physdefect::{Domain, SampleKey};
use maphc2f::{MATERIALS, Pipeline, load_normals};
use ndarray::{Array2, Array3};

/// Mean of each channel where a defect shows.
fn color(image: &Array3<f32>, soft: &Array2<f32>) -> [f64; 3] {
    let shown = soft.indexed_iter().filter(|(_, s)| **s > 0.5);
    let mut sum = [0.0; 3];
    for ((y, x), _) in shown {
        sum.iter_mut().enumerate().for_each(|(k, s)| *s += f64::from(image[[y, x, k]]));
    }
    sum
}

#[test]
fn cracks_and_pits_darken_all_channels_alike() {
    let paths: Vec<PathBuf> = (1..=4).map(|i| PathBuf::from(format!("assets/photos/wood/{i:02}.jpg"))).collect();
    let photos = load_normals(&paths, 256).unwrap();
    let pipeline = Pipeline::from_registry(
        &maphc2f::physdefect::registry::Registry::standard(),
        &["fracture-line", "pitting-loss"],
        &MATERIALS,
        maphc2f::SEVERITY,
    )
    .unwrap();
    let mut drawn = 0;
    for (i, photo) in photos.iter().enumerate() {
        let domain = Domain::full(photo.dim().0, photo.dim().1).unwrap();
        for (group, index) in [(0, 0), (0, 1), (0, 2), (1, 1)] {
            // pits of the other materials rust
            let Ok(made) = pipeline.stages(photo.view(), &domain, group, SampleKey { seed: 1, index }) else {
                continue;
            };
            let of = |image: &Array3<f32>| {
                let (before, after) = (color(photo, &made.soft), color(image, &made.soft));
                [0, 1, 2].map(|k| 1.0 - after[k] / before[k])
            };
            let (raw, fine) = (of(&made.raw), of(&made.fine));
            // what the refinement changes, the same in all channels; shading in sRGB is not quite
            let change = [0, 1, 2].map(|k| fine[k] - raw[k]);
            let mean = change.iter().sum::<f64>() / 3.0;
            let most = change.iter().map(|c| (c - mean).abs()).fold(0.0, f64::max);
            println!("photo {i}, {} {index}: raw {raw:.3?}, refined {fine:.3?}", pipeline.name(group).unwrap());
            assert!(most < 0.03, "photo {i}, group {group}, sample {index}: {raw:.3?} {fine:.3?}");
            drawn += 1;
        }
    }
    assert!(drawn >= 12, "{drawn}");
}
