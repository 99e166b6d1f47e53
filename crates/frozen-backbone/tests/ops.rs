//! The fused convolutions against candle's own, and what they refuse.
#![allow(clippy::unwrap_used)] // a test may panic

use candle_core::{Device, Tensor, Var};
use frozen_backbone::ops::{Activation, conv2d, depthwise_conv2d};
use frozen_backbone::{Backbone, EfficientNetLite0, Error, Window};
use ndarray::Array3;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn random(shape: &[usize], seed: u64) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.random_range(-1.0..1.0)).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// candle's convolution after explicit `SAME` padding.
fn reference(x: &Tensor, weight: &Tensor, bias: &Tensor, stride: usize, groups: usize, relu6: bool) -> Tensor {
    let (_, _, h, w) = x.dims4().unwrap();
    let k = weight.dims()[2];
    let window = Window::same(h, w, k, stride);
    let far = |size: usize, out: usize, near: usize| ((out - 1) * stride + k).saturating_sub(size + near);
    let x = x.pad_with_zeros(2, window.pad_top(), far(h, window.out_height(), window.pad_top())).unwrap();
    let x = x.pad_with_zeros(3, window.pad_left(), far(w, window.out_width(), window.pad_left())).unwrap();
    let y = x.conv2d(weight, 0, stride, 1, groups).unwrap();
    let y = y.broadcast_add(&bias.reshape((1, bias.dims1().unwrap(), 1, 1)).unwrap()).unwrap();
    if relu6 { y.clamp(0.0, 6.0).unwrap() } else { y }
}

fn difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

#[test]
fn equal_candles_convolutions() {
    let mut seed = 0;
    for kernel in [1, 2, 3, 5, 7] {
        for stride in [1, 2, 3] {
            for (h, w) in [(1, 1), (7, 9), (16, 40), (33, 70)] {
                seed += 3;
                let x = random(&[2, 6, h, w], seed);
                for relu6 in [false, true] {
                    let activation = if relu6 { Activation::Relu6 } else { Activation::Linear };
                    let (weight, bias) = (random(&[5, 6, kernel, kernel], seed + 1), random(&[5], seed + 2));
                    let dense = conv2d(&x, &weight, &bias, stride, activation).unwrap();
                    let d = difference(&dense, &reference(&x, &weight, &bias, stride, 1, relu6));
                    assert!(d < 1e-4, "dense {kernel} {stride} {h}x{w}: {d}");
                    let (weight, bias) = (random(&[6, 1, kernel, kernel], seed + 1), random(&[6], seed + 2));
                    let depthwise = depthwise_conv2d(&x, &weight, &bias, stride, activation).unwrap();
                    let d = difference(&depthwise, &reference(&x, &weight, &bias, stride, 6, relu6));
                    assert!(d < 1e-4, "depthwise {kernel} {stride} {h}x{w}: {d}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Any size and channel count, through every tile width and a last panel that is full, half or less.
    #[test]
    fn equal_candles_convolutions_at_any_size(
        (h, w) in (1usize..40, 1usize..40),
        (inputs, outputs) in (1usize..40, 1usize..70),
        kernel in prop::sample::select(vec![1usize, 3, 5]),
        stride in 1usize..3,
        relu6: bool,
        seed: u64,
    ) {
        let activation = if relu6 { Activation::Relu6 } else { Activation::Linear };
        let x = random(&[1, inputs, h, w], seed);
        let (weight, bias) = (random(&[outputs, inputs, kernel, kernel], seed ^ 1), random(&[outputs], seed ^ 2));
        let got = conv2d(&x, &weight, &bias, stride, activation).unwrap();
        let want = reference(&x, &weight, &bias, stride, 1, relu6);
        // sums of up to 1000 products of numbers below one
        let size: f32 = want.abs().unwrap().max_all().unwrap().to_scalar().unwrap();
        prop_assert!(difference(&got, &want) <= 1e-5 * size.max(1.0));
        let (weight, bias) = (random(&[inputs, 1, kernel, kernel], seed ^ 3), random(&[inputs], seed ^ 4));
        let got = depthwise_conv2d(&x, &weight, &bias, stride, activation).unwrap();
        prop_assert!(difference(&got, &reference(&x, &weight, &bias, stride, inputs, relu6)) <= 1e-5);
    }
}

/// One network behind both faces, and an image does not see the rest of its batch.
#[test]
fn a_batch_of_tensors_equals_its_images() {
    let net = EfficientNetLite0::pretrained().unwrap();
    let (h, w) = (45, 38);
    let image = |i: usize| Array3::from_shape_fn((h, w, 3), |(y, x, c)| ((y * 3 + x * 5 + c * i) % 17) as f32 / 16.0);
    let planes = |image: &Array3<f32>| -> Vec<f32> {
        image.view().permuted_axes([2, 0, 1]).iter().map(|v| (v * 255.0 - 127.0) / 128.0).collect()
    };
    let batch = Tensor::from_vec([planes(&image(1)), planes(&image(2))].concat(), (2, 3, h, w), &Device::Cpu).unwrap();
    let taps = net.forward_taps(&batch).unwrap();
    for i in 0..2 {
        for (tap, features) in taps.iter().zip(net.extract(image(i + 1).view()).unwrap()) {
            let got: Vec<f32> = tap.get(i).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            assert_eq!(got, features.iter().copied().collect::<Vec<_>>());
        }
    }
    assert!(net.forward_taps(&random(&[1, 4, 40, 40], 1)).is_err());
    assert!(net.forward_taps(&random(&[1, 3, 0, 40], 1)).is_err());
}

/// Frozen means frozen: there is no gradient to get wrong.
#[test]
fn give_no_gradient() {
    let x = Var::from_tensor(&random(&[1, 2, 4, 4], 1)).unwrap();
    let y = conv2d(&x, &random(&[2, 2, 3, 3], 2), &random(&[2], 3), 1, Activation::Linear).unwrap();
    let grads = y.sum_all().unwrap().backward().unwrap();
    assert!(grads.get(&x).is_none());
}

#[test]
fn refuse_shapes_that_do_not_agree() {
    let x = random(&[1, 3, 8, 8], 1);
    let message = conv2d(&x, &random(&[4, 2, 3, 3], 2), &random(&[4], 3), 1, Activation::Linear).unwrap_err();
    assert!(message.to_string().contains("do not agree"), "{message}");
    assert!(depthwise_conv2d(&x, &random(&[2, 1, 3, 3], 2), &random(&[2], 3), 1, Activation::Linear).is_err());
}

#[test]
fn refuse_bad_images() {
    let net = EfficientNetLite0::pretrained().unwrap();
    let small = net.extract(Array3::zeros((31, 64, 3)).view()).unwrap_err();
    assert!(matches!(small, Error::TooSmall { height: 31, width: 64, minimum: 32, .. }));
    assert!(matches!(net.extract(Array3::zeros((64, 64, 4)).view()), Err(Error::Channels { found: 4 })));
    let mut image = Array3::zeros((32, 32, 1));
    image[[5, 6, 0]] = f32::NAN;
    assert!(matches!(net.extract(image.view()), Err(Error::NotFinite { row: 5, column: 6 })));
}

#[test]
fn grey_equals_repeated_rgb() {
    let net = EfficientNetLite0::pretrained().unwrap();
    let grey = Array3::from_shape_fn((40, 48, 1), |(y, x, _)| ((y * 3 + x * 5) % 17) as f32 / 16.0);
    let rgb = Array3::from_shape_fn((40, 48, 3), |(y, x, _)| grey[[y, x, 0]]);
    assert_eq!(net.extract(grey.view()).unwrap(), net.extract(rgb.view()).unwrap());
}
