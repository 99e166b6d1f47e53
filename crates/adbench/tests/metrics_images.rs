//! Metrics of few images: separation at an allowance, and bootstrap intervals.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

use adbench::metrics::MetricError;
use adbench::metrics::{
    BootstrapParams, aupimo, auroc, bootstrap, recall_at_false_positive_rate, specificity_at_miss_rate,
};
use ndarray::{Array2, arr2};
use proptest::prelude::*;

proptest! {
    // Failures are printed with their input; no file of them is kept.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The best threshold found by trying every score.
    #[test]
    fn separation_is_its_definition(
        good in prop::collection::vec(-9_i32..9, 1..30),
        bad in prop::collection::vec(-6_i32..12, 1..30),
        percent in 0_usize..100,
    ) {
        let scores: Vec<f32> = good.iter().chain(&bad).map(|&s| s as f32).collect();
        let labels: Vec<bool> = (0..scores.len()).map(|i| i >= good.len()).collect();
        let share = |list: &[i32], is_hit: &dyn Fn(i32) -> bool| {
            list.iter().filter(|&&s| is_hit(s)).count() as f64 / list.len() as f64
        };
        let within = |list: &[i32], is_hit: &dyn Fn(i32) -> bool| {
            100 * list.iter().filter(|&&s| is_hit(s)).count() <= percent * list.len()
        };
        let passing = bad.iter().filter(|&&t| within(&bad, &|s| s < t)).map(|&t| share(&good, &|s| s < t));
        let caught = good.iter().filter(|&&t| within(&good, &|s| s > t)).map(|&t| share(&bad, &|s| s > t));
        let n = percent as f64 / 100.0;
        prop_assert_eq!(specificity_at_miss_rate(&scores, &labels, n).unwrap(), passing.fold(0.0, f64::max));
        prop_assert_eq!(recall_at_false_positive_rate(&scores, &labels, n).unwrap(), caught.fold(0.0, f64::max));
    }
}

#[test]
fn a_bootstrapped_mean_has_the_textbook_interval() {
    // The mean of n values, drawn with replacement, is nearly normal with variance s^2 / n.
    let n = 400;
    let values: Vec<f64> = (0..n).map(|i| ((i * 7919) % n) as f64 / n as f64).collect();
    let labels: Vec<bool> = (0..n + 1).map(|i| i == n).collect();
    let mean = values.iter().sum::<f64>() / n as f64;
    let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64 / n as f64).sqrt();
    let figure = |drawn: &[usize]| Ok(drawn[..n].iter().map(|&i| values[i]).sum::<f64>() / n as f64);
    for (level, z) in [(0.95, 1.960), (0.5, 0.6745)] {
        let settings = BootstrapParams::default().with_resamples(20_000).with_level(level).with_seed(3);
        let interval = bootstrap(&labels, settings, figure).unwrap();
        for (end, expected) in [(interval.low, mean - z * deviation), (interval.high, mean + z * deviation)] {
            assert!((end - expected).abs() < 0.06 * deviation, "{level}: {end} but {expected}");
        }
    }
}

#[test]
fn a_bootstrap_is_a_function_of_its_seed() {
    let scores: Vec<f32> = (0..40).map(|i| ((i * 17) % 40) as f32 + if i >= 20 { 8.0 } else { 0.0 }).collect();
    let labels: Vec<bool> = (0..40).map(|i| i >= 20).collect();
    let run = |seed, threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            bootstrap(&labels, BootstrapParams::default().with_resamples(200).with_seed(seed), |drawn| {
                let (s, l): (Vec<f32>, Vec<bool>) = drawn.iter().map(|&i| (scores[i], labels[i])).unzip();
                // Both classes keep their size.
                assert_eq!(l.iter().filter(|x| **x).count(), 20);
                auroc(&s, &l)
            })
        })
        .unwrap()
    };
    assert_eq!(run(1, 1), run(1, 3));
    assert_ne!(run(1, 1), run(2, 1));
    let all = auroc(&scores, &labels).unwrap();
    assert!(run(1, 1).low < all && all < run(1, 1).high);
}

#[test]
fn one_good_image_may_hold_all_false_positives() {
    let marked = Array2::from_shape_fn((10, 10), |(y, x)| 1000.0 + (10 * y + x) as f32);
    let clean = Array2::from_shape_fn((10, 10), |(y, x)| -((10 * y + x) as f32));
    // Below ten of the 200 good pixels: the overlap jumps from 0 to 1 at the rate 0.05.
    let (map, mask) = (arr2(&[[1089.5]]), arr2(&[[true]]));
    let areas = aupimo(&[marked.view(), clean.view()], &[map.view()], &[mask.view()], (0.02, 0.1)).unwrap();
    assert!((areas[0] - 2_f64.ln() / 5_f64.ln()).abs() < 1e-12, "{areas:?}");
}

#[test]
fn bad_input_is_refused() {
    let figure = |_: &[usize]| Ok(0.5);
    let labels = [true, false];
    for settings in [
        BootstrapParams::default().with_resamples(1),
        BootstrapParams::default().with_level(1.0),
        BootstrapParams::default().with_level(f64::NAN),
    ] {
        assert!(matches!(bootstrap(&labels, settings, figure), Err(MetricError::Parameter(_))));
    }
    let one = bootstrap(&[true], BootstrapParams::default(), figure);
    assert_eq!(one, Err(MetricError::MissingClass { class: "normal", count: 1 }));
    assert!(bootstrap(&labels, BootstrapParams::default(), |_| Ok(f64::NAN)).is_err());
    assert!(matches!(specificity_at_miss_rate(&[0.0, 1.0], &labels, 1.0), Err(MetricError::Parameter(_))));
    assert!(matches!(
        recall_at_false_positive_rate(&[0.0, 1.0], &[true, true], 0.1),
        Err(MetricError::MissingClass { class: "normal", .. })
    ));

    let (map, mask) = (arr2(&[[0.0_f32, 1.0]]), arr2(&[[true, false]]));
    let run = |bounds| aupimo(&[map.view()], &[map.view()], &[mask.view()], bounds);
    for bounds in [(0.0, 0.1), (0.2, 0.1), (0.1, 1.1), (f64::NAN, 0.1)] {
        assert!(matches!(run(bounds), Err(MetricError::Parameter(_))), "{bounds:?}");
    }
    let empty = Array2::from_elem((1, 2), false);
    let no_defect = aupimo(&[map.view()], &[map.view()], &[empty.view()], (0.1, 0.2));
    assert!(matches!(no_defect, Err(MetricError::MissingClass { class: "anomalous", .. })));
    let no_good = aupimo(&[], &[map.view()], &[mask.view()], (0.1, 0.2));
    assert!(matches!(no_good, Err(MetricError::MissingClass { class: "normal", .. })));
}
