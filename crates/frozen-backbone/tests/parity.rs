//! The networks that read downloaded weights against PyTorch, timm, torchvision and transformers on weights made by a
//! formula (`scripts/parity.py`; the golden file names their versions).
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test may panic, and prints its figures

mod common;

use common::{golden, pattern, weights};
use frozen_backbone::{Backbone, DinoV2, DinoV3, DinoVariant, EfficientNetLite, Error, LiteVariant, WideResNet50};
use ndarray::Array3;

/// Largest relative error: each map by itself (L2), and its worst number by the map's largest.
const TOLERANCE: f64 = 1e-3;

/// `height` x `width` pixels; the golden maps hold every fifth channel.
fn compare(net: &dyn Backbone, name: &str, (height, width): (usize, usize)) {
    let golden = golden("parity");
    let pyramid = net.extract(pattern(height, width).view()).unwrap();
    // one thread, in a pool's task, and all of them
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert!(pool.install(|| net.extract(pattern(height, width).view()).unwrap()) == pyramid, "{name}: bits differ");
    assert_eq!(golden.keys().filter(|k| k.starts_with(&format!("{name}/"))).count(), pyramid.len());
    for (i, (features, level)) in pyramid.iter().zip(net.levels()).enumerate() {
        let (rows, columns) = (height.div_ceil(level.stride), width.div_ceil(level.stride));
        assert_eq!(features.dim(), (level.channels, rows, columns));
        let want = &golden[&format!("{name}/{i}")];
        assert_eq!(want.dim(), (level.channels.div_ceil(5), rows, columns));
        let got = features.slice(ndarray::s![..;5, .., ..]);
        let (mut square, mut norm, mut worst, mut largest) = (0.0, 0.0, 0.0f64, 0.0f64);
        for (got, want) in got.iter().zip(want) {
            let difference = f64::from(got - want);
            square += difference * difference;
            norm += f64::from(want * want);
            worst = worst.max(difference.abs());
            largest = largest.max(f64::from(want.abs()));
        }
        let relative = (square / norm).sqrt();
        println!(
            "{name}, map {i}: relative L2 error {relative:.1e}, largest {:.1e} of the largest number",
            worst / largest
        );
        assert!(relative < TOLERANCE && worst / largest < TOLERANCE, "{name} {i}: {relative} {worst} {largest}");
    }
}

#[test]
fn efficientnet_lite_equals_timm() {
    let variants = [("lite0", LiteVariant::Lite0), ("lite1", LiteVariant::Lite1), ("lite2", LiteVariant::Lite2)];
    for (name, variant) in variants {
        let net = EfficientNetLite::new(variant, &weights(name), &[4, 8, 16, 32]).unwrap();
        compare(&net, name, (50, 71));
    }
}

#[test]
fn wide_resnet_equals_torchvision() {
    let net = WideResNet50::new(&weights("wide_resnet50_2"), &WideResNet50::STRIDES).unwrap();
    compare(&net, "wide_resnet50_2", (39, 50));
}

#[test]
fn dinov2_equals_transformers() {
    let net = DinoV2::new(DinoVariant::Small, &weights("dinov2_small"), &[1, 3, 12]).unwrap();
    compare(&net, "dinov2_small", (42, 56));
    let net = DinoV2::new(DinoVariant::Base, &weights("dinov2_base"), &[2]).unwrap();
    // more tokens than are answered together
    compare(&net, "dinov2_base", (126, 140));
}

#[test]
fn dinov3_equals_transformers() {
    let net = DinoV3::new(DinoVariant::Small, &weights("dinov3_small"), &[1, 3, 12]).unwrap();
    compare(&net, "dinov3_small", (48, 64));
    let net = DinoV3::new(DinoVariant::Base, &weights("dinov3_base"), &[2]).unwrap();
    compare(&net, "dinov3_base", (144, 160));
}

#[test]
fn dinov3_continues_an_image_to_whole_patches() {
    let net = DinoV3::new(DinoVariant::Base, &weights("dinov3_base"), &[1]).unwrap();
    let image = pattern(33, 47);
    let continued = Array3::from_shape_fn((48, 48, 3), |(y, x, c)| image[[y.min(32), x.min(46), c]]);
    let features = net.extract(image.view()).unwrap();
    assert_eq!(features[0].dim(), (768, 3, 3));
    assert_eq!(features, net.extract(continued.view()).unwrap());
}

/// Sides that are not multiples of 14 are padded by repeating the last row and column.
#[test]
fn dinov2_continues_an_image_to_whole_patches() {
    let net = DinoV2::new(DinoVariant::Base, &weights("dinov2_base"), &[1]).unwrap();
    let image = pattern(30, 43);
    let continued = Array3::from_shape_fn((42, 56, 3), |(y, x, c)| image[[y.min(29), x.min(42), c]]);
    let features = net.extract(image.view()).unwrap();
    assert_eq!(features[0].dim(), (768, 3, 4));
    assert_eq!(features, net.extract(continued.view()).unwrap());
    let error = net.extract(pattern(30, 13).view()).unwrap_err();
    let Error::TooSmall { found, minimum: 14, backbone } = &error else { panic!("{error}") };
    assert_eq!((found.height, found.width, backbone.as_str()), (30, 13, "dinov2-base-v1@1"));
}
