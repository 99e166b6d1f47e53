//! Odd arguments of constructors and networks give a value or a typed error, and never a panic.
#![cfg(feature = "embedded-weights")]
#![allow(clippy::unwrap_used)] // a test may panic

mod common;

use std::sync::LazyLock;

use common::{Tensor, file, tensors};
use frozen_backbone::{
    Backbone, DinoV2, DinoV3, DinoVariant, EfficientNetLite, EfficientNetLite0, LiteVariant, Weights, WideResNet50,
};
use ndarray::Array3;
use oracles::both_ways;
use proptest::prelude::*;

static NET: LazyLock<EfficientNetLite0> = LazyLock::new(|| EfficientNetLite0::pretrained().unwrap());
static LITE0: LazyLock<Vec<Tensor>> = LazyLock::new(|| tensors("lite0"));

fn number() -> impl Strategy<Value = f32> {
    prop_oneof![
        8 => 0.0f32..1.0,
        1 => prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, -0.0, 1e-40]),
    ]
}

#[test]
fn any_image() {
    let side = || prop_oneof![0usize..4, 30usize..70];
    let strategy = (side(), side(), 0usize..6, prop::collection::vec(number(), 1..4));
    both_ways(96, &strategy, |(height, width, channels, values)| {
        let image = Array3::from_shape_fn((height, width, channels), |(y, x, c)| values[(y + x + c) % values.len()]);
        NET.extract(image.view()).is_ok()
    });
}

/// A file with some bytes altered: refused, or read as whatever it says.
#[test]
fn any_file() {
    let whole = file(&[
        Tensor::new("a", &[2, 3], (0..6).map(|i| i as f32)),
        Tensor::new("conv_stem.weight", &[1], [1.0].into_iter()),
    ]);
    let strategy = (
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        any::<prop::sample::Index>(),
        any::<bool>(),
    );
    both_ways(512, &strategy, |(changes, end, cut)| {
        let mut bytes = whole.clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if cut {
            bytes.truncate(end.index(bytes.len()));
        }
        let weights = Weights::from_bytes("net.safetensors", bytes);
        if let Ok(weights) = &weights {
            assert!(EfficientNetLite0::new(weights).is_err());
            assert!(WideResNet50::new(weights, &WideResNet50::STRIDES).is_err());
        }
        weights.is_ok()
    });
}

/// Any choice of taps on a file whose tensors fit, lack, or have another shape or type.
#[test]
fn any_taps_and_tensors() {
    let tap = prop_oneof![Just(4usize), Just(8), Just(16), Just(32), Just(0), Just(1), Just(usize::MAX), 0usize..40];
    let taps = prop_oneof![2 => Just(vec![4, 8]), 1 => Just(vec![16]), 3 => prop::collection::vec(tap, 0..5)];
    let strategy = (taps, any::<prop::sample::Index>(), 0usize..8);
    both_ways(48, &strategy, |(taps, at, damage)| {
        let mut tensors = LITE0.clone();
        let at = at.index(tensors.len());
        match damage {
            0 => drop(tensors.remove(at)),
            1 => tensors[at].shape.reverse(),
            2 => tensors[at].kind = "F64",
            3 => tensors[at].shape = vec![],
            _ => {}
        }
        let Ok(weights) = Weights::from_bytes("net.safetensors", file(&tensors)) else { return false };
        assert!(DinoV2::new(DinoVariant::Small, &weights, &taps).is_err());
        assert!(DinoV3::new(DinoVariant::Small, &weights, &taps).is_err());
        assert!(WideResNet50::new(&weights, &taps).is_err());
        let image = Array3::from_elem((33, 32, 1), 0.5);
        match EfficientNetLite::new(LiteVariant::Lite0, &weights, &taps) {
            Ok(net) => net.extract(image.view()).is_ok(),
            Err(_) => false,
        }
    });
}
