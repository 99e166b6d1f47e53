//! What must hold for any scores: invariances, the definitions by brute force, and the refusal of bad input.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

use adbench::metrics::au_pro;
use adbench::metrics::{MetricError, PixelPool, Reducer, auroc, average_precision, f1_max};
use ndarray::{Array2, ArrayView2, arr2};
use proptest::prelude::*;

/// Scores on few levels, so that ties abound, with both classes present.
fn labeled() -> impl Strategy<Value = (Vec<f32>, Vec<bool>)> {
    prop::collection::vec((-6_i32..6, any::<bool>()), 2..60)
        .prop_filter("both classes", |v| v.iter().any(|p| p.1) && v.iter().any(|p| !p.1))
        .prop_map(|v| v.into_iter().map(|(s, l)| (s as f32 * 0.75, l)).unzip())
}

fn images() -> impl Strategy<Value = Vec<(Array2<f32>, Array2<bool>)>> {
    let image = (1_usize..7, 1_usize..7).prop_flat_map(|(h, w)| {
        prop::collection::vec((-5_i32..5, prop::bool::weighted(0.3)), h * w).prop_map(move |v| {
            let map = Array2::from_shape_fn((h, w), |(y, x)| v[y * w + x].0 as f32);
            let mask = Array2::from_shape_fn((h, w), |(y, x)| v[y * w + x].1);
            (map, mask)
        })
    });
    prop::collection::vec(image, 1..4).prop_filter("both classes", |v| {
        let all: Vec<bool> = v.iter().flat_map(|(_, m)| m.iter().copied()).collect();
        all.contains(&true) && all.contains(&false)
    })
}

fn auroc_by_pairs(scores: &[f32], labels: &[bool]) -> f64 {
    let (mut won, mut pairs) = (0.0, 0.0);
    for (p, _) in scores.iter().zip(labels).filter(|x| *x.1) {
        for (n, _) in scores.iter().zip(labels).filter(|x| !*x.1) {
            pairs += 1.0;
            won += if p > n {
                1.0
            } else if p == n {
                0.5
            } else {
                0.0
            };
        }
    }
    won / pairs
}

/// Every pixel's region, found by merging neighbors until nothing changes.
fn regions(mask: &Array2<bool>) -> Vec<Vec<(usize, usize)>> {
    let mut list: Vec<Vec<(usize, usize)>> = mask.indexed_iter().filter(|x| *x.1).map(|(i, _)| vec![i]).collect();
    let touch = |a: &[(usize, usize)], b: &[(usize, usize)]| {
        a.iter().any(|p| b.iter().any(|q| p.0.abs_diff(q.0) <= 1 && p.1.abs_diff(q.1) <= 1))
    };
    'merging: loop {
        for i in 0..list.len() {
            for j in i + 1..list.len() {
                if touch(&list[i], &list[j]) {
                    let other = list.swap_remove(j);
                    list[i].extend(other);
                    continue 'merging;
                }
            }
        }
        return list;
    }
}

fn au_pro_by_definition(images: &[(Array2<f32>, Array2<bool>)], limit: f64) -> f64 {
    let mut thresholds: Vec<f32> = images.iter().flat_map(|(m, _)| m.iter().copied()).collect();
    thresholds.sort_by(|a, b| b.total_cmp(a));
    thresholds.dedup();
    let share = |hits: usize, all: usize| hits as f64 / all as f64;
    let mut curve = vec![(0.0, 0.0)];
    for t in thresholds {
        let pixels = || images.iter().flat_map(|(m, g)| m.iter().zip(g));
        let normal = pixels().filter(|x| !*x.1).count();
        let false_positives = pixels().filter(|x| !*x.1 && *x.0 >= t).count();
        let overlaps: Vec<f64> = images
            .iter()
            .flat_map(|(m, g)| regions(g).into_iter().map(move |r| (m, r)))
            .map(|(m, r)| share(r.iter().filter(|&&i| m[i] >= t).count(), r.len()))
            .collect();
        curve.push((share(false_positives, normal), overlaps.iter().sum::<f64>() / overlaps.len() as f64));
    }
    curve.push((1.0, 1.0));
    let mut area = 0.0;
    for pair in curve.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        if x0 >= limit || x1 == x0 {
            continue;
        }
        let x = x1.min(limit);
        let y = y0 + (y1 - y0) * (x - x0) / (x1 - x0);
        area += (x - x0) * (y0 + y) / 2.0;
    }
    area / limit
}

fn views(images: &[(Array2<f32>, Array2<bool>)]) -> (Vec<ArrayView2<'_, f32>>, Vec<ArrayView2<'_, bool>>) {
    images.iter().map(|(m, g)| (m.view(), g.view())).unzip()
}

proptest! {
    // Failures are printed with their input; no file of them is kept.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn auroc_is_the_share_of_pairs((scores, labels) in labeled()) {
        prop_assert!((auroc(&scores, &labels).unwrap() - auroc_by_pairs(&scores, &labels)).abs() < 1e-12);
    }

    #[test]
    fn only_the_order_of_scores_counts((scores, labels) in labeled()) {
        let mapped: Vec<f32> = scores.iter().map(|&s| (0.5 * s).exp() * 1e20 - 3.0).collect();
        prop_assert_eq!(auroc(&scores, &labels), auroc(&mapped, &labels));
        prop_assert_eq!(average_precision(&scores, &labels), average_precision(&mapped, &labels));
        prop_assert_eq!(f1_max(&scores, &labels).unwrap().f1, f1_max(&mapped, &labels).unwrap().f1);
    }

    #[test]
    fn the_order_of_samples_does_not_count((scores, labels) in labeled(), turn in 0_usize..60, stride in 1_usize..4) {
        // Turned round and read backwards, or with a stride prime to the length.
        let n = scores.len();
        let stride = if n.is_multiple_of(stride) { n - 1 } else { stride };
        let coprime = (2..=n).all(|d| !(n.is_multiple_of(d) && stride.is_multiple_of(d)));
        prop_assume!(coprime);
        let at = |i: usize| (turn + i * stride) % n;
        let mixed: Vec<f32> = (0..n).map(|i| scores[at(i)]).collect();
        let mixed_labels: Vec<bool> = (0..n).map(|i| labels[at(i)]).collect();
        prop_assert_eq!(auroc(&mixed, &mixed_labels), auroc(&scores, &labels));
        prop_assert_eq!(average_precision(&mixed, &mixed_labels), average_precision(&scores, &labels));
        prop_assert_eq!(f1_max(&mixed, &mixed_labels), f1_max(&scores, &labels));
    }

    #[test]
    fn negated_scores_give_the_complement((scores, labels) in labeled()) {
        let negated: Vec<f32> = scores.iter().map(|s| -s).collect();
        prop_assert!((auroc(&negated, &labels).unwrap() + auroc(&scores, &labels).unwrap() - 1.0).abs() < 1e-15);
    }

    #[test]
    fn f1_max_is_the_best_over_all_scores((scores, labels) in labeled()) {
        let f1 = |t: f32| {
            let called = scores.iter().filter(|&&s| s >= t).count();
            let hits = scores.iter().zip(&labels).filter(|(s, l)| **s >= t && **l).count();
            2.0 * hits as f64 / (called + labels.iter().filter(|l| **l).count()) as f64
        };
        let best = scores.iter().map(|&t| f1(t)).fold(0.0, f64::max);
        let ours = f1_max(&scores, &labels).unwrap();
        prop_assert_eq!(ours.f1, best);
        prop_assert_eq!(f1(ours.threshold), best);
    }

    #[test]
    fn au_pro_is_its_definition(images in images(), limit in 0.01_f64..1.0) {
        let (maps, masks) = views(&images);
        let ours = au_pro(&maps, &masks, limit).unwrap();
        prop_assert!((ours - au_pro_by_definition(&images, limit)).abs() < 1e-12, "{}", ours);
    }

    #[test]
    fn a_pool_is_all_pixels_together(images in images()) {
        let mut pool = PixelPool::new();
        let mut halves = (PixelPool::new(), PixelPool::new());
        for (i, (map, mask)) in images.iter().enumerate() {
            pool.push(map.view(), mask.view()).unwrap();
            let half = if i % 2 == 0 { &mut halves.0 } else { &mut halves.1 };
            half.push(map.view(), mask.view()).unwrap();
        }
        let scores: Vec<f32> = images.iter().flat_map(|(m, _)| m.iter().copied()).collect();
        let labels: Vec<bool> = images.iter().flat_map(|(_, g)| g.iter().copied()).collect();
        halves.0.append(&halves.1);
        let (ranked, appended) = (pool.rank().unwrap(), halves.0.rank().unwrap());
        prop_assert_eq!(Ok(ranked.auroc()), auroc(&scores, &labels));
        prop_assert_eq!(Ok(ranked.average_precision()), average_precision(&scores, &labels));
        prop_assert_eq!(Ok(ranked.f1_max()), f1_max(&scores, &labels));
        prop_assert_eq!(appended.auroc(), ranked.auroc());
        prop_assert!((appended.au_pro(0.3).unwrap() - ranked.au_pro(0.3).unwrap()).abs() < 1e-12);
    }
}

/// Enough scores for the radix sort and for several runs of normal scores.
#[test]
fn large_inputs_are_exact() {
    // Score i for i in 0..n, every k-th anomalous: the pairs can be counted by hand.
    let n = 1_u64 << 20;
    for k in [4, 4096] {
        let scores: Vec<f32> = (0..n).map(|i| (i.wrapping_mul(387_559) % n) as f32 * 0.25 - 5000.0).collect();
        let labels: Vec<bool> = (0..n).map(|i| i.wrapping_mul(387_559) % n % k == k - 1).collect();
        // The anomalous score number j, from 0, exceeds (k - 1) (j + 1) normal ones.
        let won: u64 = (0..n / k).map(|j| (k - 1) * (j + 1)).sum();
        let expected = won as f64 / ((n / k) * (n - n / k)) as f64;
        assert_eq!(auroc(&scores, &labels), Ok(expected), "every {k}th");
        // Of the k m highest scores, m are anomalous, the lowest of which stands k (m - 1) + 1 from the top.
        let precisions = (1..=n / k).map(|m| m as f64 / (k * (m - 1) + 1) as f64);
        let expected = precisions.sum::<f64>() / (n / k) as f64;
        assert!((average_precision(&scores, &labels).unwrap() - expected).abs() < 1e-12, "every {k}th");
    }
}

/// A sigmoid in single precision makes these scores equal; the order is all that counts.
#[test]
fn large_scores_are_not_saturated() {
    let scores = [98.0, 98.5, 99.0, 99.5, 97.0, 97.5, 99.25, 100.0, 98.75];
    let labels = [false, false, true, true, false, false, true, true, false];
    assert_eq!(auroc(&scores, &labels), Ok(1.0));
    let flipped: Vec<bool> = labels.iter().map(|l| !l).collect();
    assert_eq!(auroc(&scores, &flipped), Ok(0.0));
}

#[test]
fn a_constant_score_gives_one_half_and_the_prevalence() {
    let labels: Vec<bool> = (0..10).map(|i| i < 3).collect();
    let scores = [7.5; 10];
    assert_eq!(auroc(&scores, &labels), Ok(0.5));
    assert!((average_precision(&scores, &labels).unwrap() - 0.3).abs() < 1e-15);
    assert_eq!(auroc(&[0.0, -0.0], &[true, false]), Ok(0.5));
}

#[test]
fn of_equal_f1_the_highest_threshold_is_returned() {
    // One of two found without a false alarm, or both with two: 2/3 either way.
    let best = f1_max(&[4.0, 3.0, 2.0, 1.0], &[true, false, false, true]).unwrap();
    assert_eq!((best.f1, best.threshold), (2.0 / 3.0, 4.0));
}

#[test]
fn bad_input_is_refused() {
    assert_eq!(auroc(&[1.0], &[]), Err(MetricError::Length { what: "labels", expected: 1, found: 0 }));
    assert_eq!(auroc(&[1.0, 2.0], &[true, true]), Err(MetricError::MissingClass { class: "normal", count: 2 }));
    assert_eq!(auroc::<f32>(&[], &[]), Err(MetricError::MissingClass { class: "normal", count: 0 }));
    let none = average_precision(&[1.0, 2.0], &[false, false]);
    assert_eq!(none, Err(MetricError::MissingClass { class: "anomalous", count: 2 }));
    let nan = f1_max(&[1.0, f32::NAN], &[false, true]);
    assert!(matches!(nan, Err(MetricError::NotFinite { index: 1, value }) if value.is_nan()));
    let infinite = auroc(&[1.0, f32::INFINITY], &[false, true]);
    assert_eq!(infinite, Err(MetricError::NotFinite { index: 1, value: f64::INFINITY }));

    let (map, mask) = (arr2(&[[0.0_f32, 1.0]]), arr2(&[[true, false]]));
    for limit in [0.0, -0.1, 1.1, f64::NAN] {
        let result = au_pro(&[map.view()], &[mask.view()], limit);
        assert!(matches!(result, Err(MetricError::Parameter(ref e)) if e.name == "limit"), "{limit}");
    }
    let mut pool = PixelPool::new();
    let shape = pool.push(map.view(), arr2(&[[true], [false]]).view());
    assert_eq!(shape, Err(MetricError::Shape { what: "mask", expected: (1, 2).into(), found: (2, 1).into() }));
    assert!(pool.push(arr2(&[[0.0, f32::NAN]]).view(), mask.view()).is_err());
    assert_eq!((pool.normal(), pool.anomalous()), (0, 0));
}

#[test]
fn reducers_follow_their_definitions() {
    let map = Array2::from_shape_fn((10, 20), |(y, x)| (y * 20 + x) as f32);
    assert_eq!(Reducer::Max.reduce(map.view()), Ok(199.0));
    assert_eq!(Reducer::MeanTopK(4).reduce(map.view()), Ok(197.5));
    assert_eq!(Reducer::MeanTopK(1000).reduce(map.view()), Ok(99.5));
    // One per cent of 200 pixels is 2; of 20 pixels it is none, and one is taken.
    assert_eq!(Reducer::MeanTopFraction(0.01).reduce(map.view()), Ok(198.5));
    assert_eq!(Reducer::MeanTopFraction(0.01).reduce(arr2(&[[1.0; 20]]).view()), Ok(1.0));
    // A single bright pixel fills one ninth of every window that holds it; outside the map is 0.
    let mut spot = Array2::zeros((5, 5));
    spot[(0, 0)] = 9.0;
    assert_eq!(Reducer::MaxOfAvgPool(3).reduce(spot.view()), Ok(1.0));
    assert_eq!(Reducer::MaxOfAvgPool(3).reduce(arr2(&[[9.0]]).view()), Ok(1.0));
    let invalid = [
        Reducer::MeanTopFraction(0.0),
        Reducer::MeanTopFraction(f64::NAN),
        Reducer::MeanTopK(0),
        Reducer::MaxOfAvgPool(0),
        Reducer::MaxOfAvgPool(20),
    ];
    for reducer in invalid {
        assert!(matches!(reducer.reduce(map.view()), Err(MetricError::Parameter(_))), "{reducer:?}");
    }
    assert_eq!(Reducer::Max.reduce(Array2::zeros((0, 3)).view()), Err(MetricError::EmptyMap));
    assert!(Reducer::Max.reduce(arr2(&[[f32::NAN]]).view()).is_err());
}
