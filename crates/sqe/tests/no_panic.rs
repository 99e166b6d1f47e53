//! Odd arguments of public functions give a value or a typed error, and never a panic.
#![allow(clippy::unwrap_used)] // a test may panic

use std::path::Path;
use std::sync::LazyLock;

use frozen_backbone::EfficientNetLite0;
use ndarray::{Array2, Array3};
use oracles::both_ways;
use proptest::prelude::*;
use sqe::{
    Composite, Degradation, Descriptors, Fault, Head, LocalStatistics, QualityFeatures, RankedVersions, Sqe,
    WarmStartParams, effective_sample_size, keep_best, mean_one_weights, pair_accuracy, spearman, temper_to_ess,
};

static NET: LazyLock<EfficientNetLite0> = LazyLock::new(|| EfficientNetLite0::pretrained().unwrap());

const ODD: [f64; 9] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, -0.0, 0.0, 1e-320, -1.0];

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![8 => 0.0..1.0f64, 1 => prop::sample::select(ODD.to_vec())]
}

fn numbers() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(number(), 0..6)
}

/// An image and a mask, mostly of one size.
fn sample() -> impl Strategy<Value = (Array3<f32>, Array2<bool>)> {
    let side = || prop_oneof![1 => 0usize..4, 3 => 30usize..50];
    let values = prop::collection::vec(number(), 1..4);
    (side(), side(), 0usize..5, values, 1usize..9, 0usize..8).prop_map(|(h, w, c, values, step, odd)| {
        let image = Array3::from_shape_fn((h, w, c), |(y, x, c)| values[(y + x + c) % values.len()] as f32);
        let mask = Array2::from_shape_fn((h + usize::from(odd == 0), w), |(y, x)| match odd {
            1 => false,
            2 => true,
            _ => y / step % 2 == 1 && x / step % 2 == 1,
        });
        (image, mask)
    })
}

#[test]
fn any_image_and_mask() {
    let sqe = Sqe::new(&*NET, Head::default(), 1).unwrap();
    both_ways(192, &sample(), |(image, mask)| {
        let (image, mask) = (image.view(), mask.view());
        let measured = Descriptors::measure(image, mask);
        if let Ok(measured) = &measured {
            assert!(measured.named().all(|(_, value)| value.is_finite()));
        }
        match sqe.score_image(&*NET, image, mask) {
            Ok(quality) => assert!(quality == 0.5 && measured.is_ok()),
            Err(_) => assert!(QualityFeatures::extract(&*NET, image, mask).is_err()),
        }
        measured.is_ok()
    });
}

#[test]
fn any_defect_and_fault() {
    both_ways(192, &(sample(), number(), 0u64..9), |((image, mask), strength, index)| {
        let photo = Array3::from_elem(image.dim(), 0.5);
        let defect = Composite { photo: photo.view(), image: image.view(), mask: mask.view(), object: None };
        let made = Fault::ALL.map(|fault| fault.spoil(&defect, strength, 1, index));
        assert!(made.iter().all(|one| one.is_ok() == made[0].is_ok()));
        let object = Composite { object: Some(mask.view()), ..defect };
        let _ = (Fault::OffObject.spoil(&object, strength, 1, index), defect.at_gain(strength));
        let measured = LocalStatistics::measure(image.view(), mask.view());
        if let Ok(measured) = &measured {
            assert!(measured.values().iter().all(|v| v.is_finite()));
        }
        measured.is_ok()
    });
}

#[test]
fn any_pyramid() {
    let level = (0usize..4, 0usize..60, 0usize..60, number());
    let strategy = (sample(), prop::collection::vec(level, 0..3));
    both_ways(192, &strategy, |((image, mask), levels)| {
        let level = |(c, h, w, value)| Array3::from_elem((c, h, w), value as f32);
        let pyramid = levels.into_iter().map(level).collect();
        QualityFeatures::from_pyramid(&pyramid, image.view(), mask.view()).is_ok()
    });
}

#[test]
fn any_degradation() {
    both_ways(192, &(sample(), number()), |((image, mask), strength)| {
        let done = Degradation::ALL.map(|d| d.apply(image.view(), mask.view(), strength).is_ok());
        assert!(done.iter().all(|ok| *ok == done[0]));
        done[0]
    });
}

#[test]
fn any_weighting() {
    both_ways(512, &(numbers(), numbers(), number()), |(quality, other, fraction)| {
        let _ = effective_sample_size(&quality);
        let _ = temper_to_ess(&quality, fraction);
        let _ = pair_accuracy(&[quality.clone(), other.clone()]);
        if let Some(rho) = spearman(&quality, &other) {
            assert!((-1.0 - 1e-12..=1.0 + 1e-12).contains(&rho), "{rho}");
        }
        if let Some(weights) = mean_one_weights(&quality) {
            let n = weights.len() as f64;
            assert!((weights.iter().sum::<f64>() - n).abs() < 1e-9 * n, "{weights:?}");
        }
        keep_best(&quality, fraction).is_ok()
    });
}

/// Heads of odd sizes, parameters and gradients of odd lengths and values.
#[test]
fn any_head_and_parameters() {
    let hidden = prop_oneof![3 => 0usize..5, 1 => Just(usize::MAX), 1 => Just(usize::MAX / 519), 1 => Just(1 << 40)];
    let row = QualityFeatures::extract(
        &*NET,
        Array3::from_shape_fn((32, 32, 1), |(y, x, _)| ((y * 7 + x * 3) % 11) as f32 / 11.0).view(),
        Array2::from_shape_fn((32, 32), |(y, x)| y < 20 && x < 20).view(),
    );
    let row = row.unwrap();
    both_ways(128, &(hidden, numbers(), number(), 0usize..4), |(hidden, values, penalty, images)| {
        let Ok(mut sqe) = Sqe::new(&*NET, Head::Masked { hidden }, 1) else { return false };
        let n = sqe.parameters().unwrap().len();
        assert_eq!(sqe.set_parameters(&values).is_ok(), values.len() == n);
        sqe.set_parameters(&vec![values.first().copied().unwrap_or(0.0); n]).unwrap();
        let batch = sqe.batch(&vec![&row; images]).unwrap();
        assert_eq!(sqe.score_batch(&batch).unwrap().len(), images);
        sqe.objective_gradient(&batch, &values[..values.len().min(images)], penalty).is_ok()
    });
}

#[test]
fn any_warm_start() {
    let features = |step: f32| {
        let image = Array3::from_shape_fn((32, 32, 1), |(y, x, _)| if y < 20 && x < 20 { step } else { 0.3 });
        let mask = Array2::from_shape_fn((32, 32), |(y, x)| y < 20 && x < 20);
        QualityFeatures::extract(&*NET, image.view(), mask.view()).unwrap()
    };
    let versions = [0.9, 0.6, 0.4].map(features);
    let sets = prop::collection::vec(0usize..4, 0..5);
    let settings = (0usize..3, number(), number(), number());
    both_ways(96, &(sets, settings), |(sets, (epochs, rate, decay, held_out))| {
        let params = WarmStartParams::default()
            .with_epochs(epochs)
            .with_learning_rate(rate)
            .with_weight_decay(decay)
            .with_held_out(held_out);
        let rankings: Vec<_> = sets.iter().map(|n| RankedVersions::worst_first(versions[..*n].to_vec())).collect();
        let mut sqe = Sqe::new(&*NET, Head::Global, 1).unwrap();
        let found = sqe.warm_start(&rankings, &params);
        assert!(found.is_err() || params.check().is_ok());
        found.is_ok()
    });
}

#[test]
fn any_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("q.safetensors");
    Sqe::new(&*NET, Head::Masked { hidden: 2 }, 1).unwrap().save(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let change = (any::<prop::sample::Index>(), any::<u8>(), any::<bool>());
    both_ways(512, &prop::collection::vec(change, 0..4), |changes| {
        let mut bytes = whole.clone();
        for (at, value, in_header) in changes {
            let end = if in_header { bytes.len().min(700) } else { bytes.len() };
            bytes[at.index(end)] = value;
        }
        Sqe::from_bytes(Path::new("q.safetensors"), &bytes, &*NET).is_ok()
    });
}
