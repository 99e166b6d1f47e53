//! The ways taken with many scores agree with those taken with few, and with wider scores.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

use adbench::metrics::{MetricError, PixelPool, auroc, average_precision};
use adbench::metrics::{au_pro, f1_max};
use ndarray::{Array2, ArrayView2, s};
use oracles::Xorshift;

fn set(n: usize, share: f32, shape: impl Fn(f32) -> f32) -> (Vec<f32>, Vec<bool>) {
    let mut random = Xorshift::new(7);
    let labels: Vec<bool> = (0..n).map(|_| random.uniform() < share).collect();
    let scores = labels.iter().map(|&l| shape(if l { random.uniform().sqrt() } else { random.uniform() })).collect();
    (scores, labels)
}

/// 32-bit scores are counted where few are anomalous, 64-bit ones always sorted and compared as they are.
#[test]
fn counting_equals_sorting() {
    type Shape = fn(f32) -> f32;
    let shapes: [(&str, Shape); 6] = [
        ("even", |u| u),
        ("rare ties", |u| (u * 1e6).floor()),
        ("levels", |u| (u * 40.0).floor()),
        ("skewed over sixty orders", |u| (60.0 * u - 30.0).exp2() * 1e-9 - 1e-3),
        ("crowded beside an outlier", |u| if u > 0.99999 { -1e30 } else { 1000.0 + u / 100.0 }),
        ("negative", |u| -u),
    ];
    for (name, shape) in shapes {
        for share in [0.001, 0.02, 0.1, 0.5] {
            let (scores, labels) = set(90_000, share, shape);
            let wide: Vec<f64> = scores.iter().map(|&s| s.into()).collect();
            assert_eq!(auroc(&scores, &labels), auroc(&wide, &labels), "{name} {share}");
            assert_eq!(average_precision(&scores, &labels), average_precision(&wide, &labels), "{name} {share}");
            let (best, wide) = (f1_max(&scores, &labels).unwrap(), f1_max(&wide, &labels).unwrap());
            assert_eq!((best.f1, f64::from(best.threshold)), (wide.f1, wide.threshold), "{name} {share}");
        }
    }
}

#[test]
fn wide_scores_are_not_rounded() {
    let labels = [false, true];
    assert_eq!(auroc(&[1.0, 1.0 + 1e-12], &labels), Ok(1.0));
    assert_eq!(auroc(&[1.0 + 1e-12, 1.0], &labels), Ok(0.0));
}

#[test]
fn a_bad_score_among_many_is_found() {
    let (mut scores, labels) = set(90_000, 0.02, |u| u);
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        scores[77_777] = value;
        assert!(matches!(auroc(&scores, &labels), Err(MetricError::NotFinite { index: 77_777, .. })));
    }
}

/// Passing over pixels beyond the limit changes nothing.
#[test]
fn au_pro_of_maps_equals_that_of_the_pool() {
    let mut random = Xorshift::new(3);
    let side = 160;
    let images: Vec<(Array2<f32>, Array2<bool>)> = (0..6)
        .map(|i| {
            let mask = Array2::from_shape_fn((side, side), |(y, x)| i % 3 > 0 && (y * y + x * x) % 97 < 3 * i);
            let map = Array2::from_shape_fn((side, side), |(y, x)| {
                (random.uniform() * 50.0).floor() / 50.0 + if mask[(y, x)] { 0.2 } else { 0.0 }
            });
            (map, mask)
        })
        .collect();
    for images in [&images[..4], &images[3..5], &images[1..]] {
        for limit in [0.01, 0.3, 0.95, 1.0] {
            let maps: Vec<ArrayView2<'_, f32>> = images.iter().map(|(m, _)| m.view()).collect();
            let masks: Vec<ArrayView2<'_, bool>> = images.iter().map(|(_, m)| m.view()).collect();
            let mut pool = PixelPool::new();
            maps.iter().zip(&masks).for_each(|(map, mask)| pool.push(*map, *mask).unwrap());
            let (ours, pooled) = (au_pro(&maps, &masks, limit).unwrap(), pool.rank().unwrap().au_pro(limit).unwrap());
            assert!((ours - pooled).abs() < 1e-14, "{limit}: {ours} but {pooled}");
            // A view that is not contiguous.
            let maps: Vec<_> = maps.iter().map(|m| m.slice_move(s![.., ..;-1])).collect();
            let masks: Vec<_> = masks.iter().map(|m| m.slice_move(s![.., ..;-1])).collect();
            assert!((au_pro(&maps, &masks, limit).unwrap() - pooled).abs() < 1e-14);
        }
    }
}

/// The sample of pixels that guesses where the limit lies takes the columns `y / 3 % 61`, and 61 further on, of every
/// third row; here these are the highest of all, so that the guess is far too high.
#[test]
fn a_misguided_guess_changes_nothing() {
    let mut random = Xorshift::new(5);
    let mask = Array2::from_shape_fn((300, 300), |(y, x)| y / 20 == 3 && x / 20 == 7);
    let map = Array2::from_shape_fn((300, 300), |(y, x)| {
        let is_sampled = y.is_multiple_of(3) && x % 61 == y / 3 % 61;
        random.uniform() + if mask[(y, x)] { 0.2 } else { 0.0 } + if is_sampled { 10.0 } else { 0.0 }
    });
    let mut pool = PixelPool::new();
    pool.push(map.view(), mask.view()).unwrap();
    let pooled = pool.rank().unwrap().au_pro(0.3).unwrap();
    assert!((au_pro(&[map.view()], &[mask.view()], 0.3).unwrap() - pooled).abs() < 1e-14);
}
