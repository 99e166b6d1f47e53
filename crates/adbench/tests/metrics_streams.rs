//! Streamed and approximate pixel metrics against the exact ones in memory, and figures over seeds.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

use adbench::metrics::{AnomalousPixels, HistogramPixels, over_seeds};
use adbench::metrics::{MetricError, PixelPool, auroc};
use ndarray::{Array2, arr2};
use proptest::prelude::*;

type Image = (Array2<f32>, Array2<bool>);

fn images() -> impl Strategy<Value = Vec<Image>> {
    let image = (1_usize..9, 1_usize..9).prop_flat_map(|(h, w)| {
        prop::collection::vec((-400_i32..400, prop::bool::weighted(0.3)), h * w).prop_map(move |v| {
            // Many magnitudes and signs, and ties.
            let score = |v: i32| (v as f32 / 40.0).round() * (v as f32 * 0.05).exp();
            let map = Array2::from_shape_fn((h, w), |(y, x)| score(v[y * w + x].0));
            (map, Array2::from_shape_fn((h, w), |(y, x)| v[y * w + x].1))
        })
    });
    prop::collection::vec(image, 1..5).prop_filter("both classes", |v| {
        let all: Vec<bool> = v.iter().flat_map(|(_, m)| m.iter().copied()).collect();
        all.contains(&true) && all.contains(&false)
    })
}

fn pool(images: &[Image]) -> adbench::metrics::RankedPixels {
    let mut pool = PixelPool::new();
    images.iter().for_each(|(map, mask)| pool.push(map.view(), mask.view()).unwrap());
    pool.rank().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn streams_and_their_merge_are_the_whole(images in images(), cut in 0_usize..5) {
        let cut = cut.min(images.len());
        let (mut first, mut other) = (AnomalousPixels::new(), AnomalousPixels::new());
        images[..cut].iter().for_each(|(map, mask)| first.push(map.view(), mask.view()).unwrap());
        images[cut..].iter().for_each(|(map, mask)| other.push(map.view(), mask.view()).unwrap());
        first.merge(&other);
        let mut second = first.into_counting().unwrap();
        let mut clone = second.clone();
        images[..cut].iter().for_each(|(map, mask)| second.push(map.view(), mask.view()).unwrap());
        images[cut..].iter().rev().for_each(|(map, mask)| clone.push(map.view(), mask.view()).unwrap());
        second.merge(clone).unwrap();
        let (streamed, whole) = (second.rank().unwrap(), pool(&images));
        prop_assert_eq!(streamed.auroc(), whole.auroc());
        prop_assert_eq!(streamed.average_precision(), whole.average_precision());
        prop_assert_eq!(streamed.f1_max(), whole.f1_max());
        prop_assert!((streamed.au_pro(0.3).unwrap() - whole.au_pro(0.3).unwrap()).abs() < 1e-12);
    }

    #[test]
    fn the_exact_figures_are_within_the_bounds(images in images(), bits in 9_u32..20, limit in 0.02_f64..1.0) {
        let mut histogram = HistogramPixels::new(bits).unwrap();
        let mut rest = histogram.clone();
        for (i, (map, mask)) in images.iter().enumerate() {
            let part = if i % 2 == 0 { &mut histogram } else { &mut rest };
            part.push(map.view(), mask.view()).unwrap();
        }
        histogram.merge(&rest).unwrap();
        let whole = pool(&images);
        let exact = [whole.auroc(), whole.au_pro(limit).unwrap()];
        for (exact, found) in exact.into_iter().zip([histogram.auroc().unwrap(), histogram.au_pro(limit).unwrap()]) {
            prop_assert!((found.value - exact).abs() <= found.error + 1e-12, "{:?} but {}", found, exact);
        }
    }

    /// The pairs by brute force, whatever the spread of the scores: many anomalous scores in one cell, huge ranges,
    /// ties.
    #[test]
    fn auroc_is_exact_for_skewed_scores(
        list in prop::collection::vec(
            (any::<f32>().prop_filter("finite", |s| s.is_finite()), any::<bool>(), 0_u8..4), 2..300,
        ),
    ) {
        let of = |(score, label, scale): &(f32, bool, u8)| {
            let score = match scale {
                0 => *score,
                1 => (score * 1e-38).round(),
                2 => score.signum(),
                _ => score.sqrt().max(0.0),
            };
            (score, *label)
        };
        let (scores, labels): (Vec<f32>, Vec<bool>) = list.iter().map(of).unzip();
        prop_assume!(labels.contains(&true) && labels.contains(&false));
        let (mut twice, mut pairs) = (0_u64, 0_u64);
        for (p, _) in scores.iter().zip(&labels).filter(|x| *x.1) {
            for (n, _) in scores.iter().zip(&labels).filter(|x| !*x.1) {
                twice += 2 * u64::from(p > n) + u64::from(p == n);
                pairs += 2;
            }
        }
        prop_assert_eq!(auroc(&scores, &labels), Ok(twice as f64 / pairs as f64));
    }
}

/// Cells fill up and are emptied: 100 000 equal normal scores, with and without an anomalous one among them.
#[test]
fn many_ties_are_counted() {
    for among in [false, true] {
        let mut scores = vec![0.25_f32; 100_000];
        scores.extend([0.0, if among { 0.25 } else { 0.5 }, 1.0]);
        let labels: Vec<bool> = (0..scores.len()).map(|i| i >= 100_000).collect();
        let expected = if among { (0.5 + 1.0) / 3.0 } else { 2.0 / 3.0 };
        assert_eq!(auroc(&scores, &labels), Ok(expected));
    }
}

#[test]
fn an_approximate_figure_tells_how_good_it_is() {
    // Both scores share every bin of 9 bits (sign and exponent), and are told apart by 11.
    let (map, mask) = (arr2(&[[1.0, 1.5]]), arr2(&[[false, true]]));
    let auroc = |bits| {
        let mut histogram = HistogramPixels::new(bits).unwrap();
        histogram.push(map.view(), mask.view()).unwrap();
        let found = histogram.auroc().unwrap();
        (found.value, found.error)
    };
    assert_eq!((auroc(9), auroc(11)), ((0.5, 0.5), (1.0, 0.0)));
    assert!(matches!(HistogramPixels::new(8), Err(MetricError::Parameter(_))));
    let empty = HistogramPixels::new(9).unwrap();
    assert!(matches!(empty.auroc(), Err(MetricError::MissingClass { .. })));
    assert!(matches!(empty.au_pro(0.0), Err(MetricError::Parameter(_))));
    assert!(HistogramPixels::new(9).unwrap().merge(&HistogramPixels::new(10).unwrap()).is_err());
}

#[test]
fn passes_that_saw_different_images_are_refused() {
    let (map, mask) = (arr2(&[[1.0, 1.5]]), arr2(&[[false, true]]));
    let mut first = AnomalousPixels::new();
    assert!(matches!(first.clone().into_counting(), Err(MetricError::MissingClass { class: "anomalous", .. })));
    assert!(matches!(first.push(arr2(&[[f32::NAN, 1.0]]).view(), mask.view()), Err(MetricError::NotFinite { .. })));
    first.push(map.view(), mask.view()).unwrap();
    let second = first.into_counting().unwrap();
    assert!(matches!(second.clone().rank(), Err(MetricError::Length { expected: 1, found: 0, .. })));
    let mut twice = second.clone();
    twice.push(map.view(), mask.view()).unwrap();
    assert!(matches!(twice.push(map.view(), arr2(&[[true]]).view()), Err(MetricError::Shape { .. })));
    assert_eq!(twice.rank().unwrap().auroc(), 1.0);
}

#[test]
fn figures_over_seeds_are_textbook() {
    let runs = over_seeds(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
    assert_eq!((runs.runs, runs.mean, runs.low, runs.high), (8, 5.0, 2.0, 9.0));
    assert!((runs.deviation - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
    assert_eq!(over_seeds(&[0.5]).unwrap().deviation, 0.0);
    assert!(over_seeds(&[]).is_err() && over_seeds(&[0.5, f64::NAN]).is_err());
}
