//! Features against PyTorch's, frozen by `scripts/convert.py` (torch 2.15.0, efficientnet_lite_pytorch 0.1.0).
#![cfg(feature = "embedded-weights")]
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test may panic, and prints its figures

mod common;

use common::{golden, pattern};
use frozen_backbone::{Backbone, EfficientNetLite0};

/// Largest absolute difference and relative L2 error over all sizes and taps.
fn worst(set: &str) -> (f64, f64) {
    let net = EfficientNetLite0::pretrained_s32().unwrap();
    let golden = golden("features");
    let (mut absolute, mut relative) = (0.0f64, 0.0f64);
    for (height, width) in [(64, 64), (96, 80), (50, 71)] {
        let pyramid = net.extract(pattern(height, width).view()).unwrap();
        assert_eq!(pyramid.len(), 5);
        for (features, block) in pyramid.iter().zip([2, 4, 7, 10, 14]) {
            let want = &golden[&format!("{set}/{height}x{width}.block{block}")];
            assert_eq!(want.dim(), features.dim());
            let (mut square, mut norm) = (0.0f64, 0.0f64);
            for (got, want) in features.iter().zip(want) {
                let difference = f64::from(got - want);
                absolute = absolute.max(difference.abs());
                square += difference * difference;
                norm += f64::from(want * want);
            }
            relative = relative.max((square / norm).sqrt());
        }
    }
    println!("{set}: largest absolute difference {absolute:.2e}, largest relative L2 error {relative:.2e}");
    (absolute, relative)
}

#[test]
fn equal_pytorch_on_the_shipped_weights_to_1e_3() {
    let (absolute, relative) = worst("shipped");
    assert!(absolute < 1e-3, "{absolute}");
    assert!(relative < 1e-5, "{relative}");
}

/// What rounding the weights to f16 costs against the published f32 model.
#[test]
fn stay_within_the_rounding_of_f16_weights_of_the_published_model() {
    let (_, relative) = worst("published");
    assert!(relative < 3e-3, "{relative}");
}

#[test]
fn the_first_four_taps_do_not_depend_on_the_fifth() {
    let image = pattern(70, 96);
    let four = EfficientNetLite0::pretrained().unwrap().extract(image.view()).unwrap();
    let five = EfficientNetLite0::pretrained_s32().unwrap().extract(image.view()).unwrap();
    assert_eq!(four[..], five[..4]);
}

/// On the main thread an image is distributed over all threads, in a pool it runs alone; the unit test of `lite0` has
/// more parts.
#[test]
fn do_not_depend_on_the_thread_count() {
    let net = EfficientNetLite0::pretrained().unwrap();
    let image = pattern(64, 80);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(pool.install(|| net.extract(image.view()).unwrap()), net.extract(image.view()).unwrap());
}
