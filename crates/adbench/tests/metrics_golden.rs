//! Metrics against scikit-learn and a direct reading of the AU-PRO and AUPIMO definitions, frozen by `golden/make.py`.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

use adbench::metrics::{PixelPool, auroc, average_precision, f1_max};
use adbench::metrics::{au_pro, aupimo};
use imgkit::components::label_components;
use ndarray::Array2;
use serde_json::Value;

const TOLERANCE: f64 = 1e-13;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/metrics.json")).unwrap()
}

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

fn close(ours: f64, theirs: &Value, what: &str) {
    let theirs = theirs.as_f64().unwrap();
    assert!((ours - theirs).abs() <= TOLERANCE, "{what}: {ours} but {theirs}");
}

#[test]
fn ranked_scores_agree_with_scikit_learn() {
    for case in golden()["ranked"].as_array().unwrap() {
        let scores = floats(&case["scores"]);
        let labels: Vec<bool> = case["labels"].as_array().unwrap().iter().map(|v| v.as_bool().unwrap()).collect();
        close(auroc(&scores, &labels).unwrap(), &case["auroc"], "AUROC");
        close(average_precision(&scores, &labels).unwrap(), &case["average_precision"], "AP");
        let best = f1_max(&scores, &labels).unwrap();
        close(best.f1, &case["f1_max"], "F1-max");
        // The threshold, applied as documented, gives the figure.
        let called: Vec<bool> = scores.iter().map(|&s| s >= best.threshold).collect();
        let hits = called.iter().zip(&labels).filter(|(c, l)| **c && **l).count();
        let sum = called.iter().chain(&labels).filter(|&&x| x).count();
        assert_eq!(best.f1, 2.0 * hits as f64 / sum as f64);
    }
}

#[test]
fn pixels_agree_with_scikit_learn_and_the_definition() {
    for case in golden()["overlap"].as_array().unwrap() {
        let shape = (case["height"].as_u64().unwrap() as usize, case["width"].as_u64().unwrap() as usize);
        let mut pool = PixelPool::new();
        let mut regions = 0;
        for (map, mask) in case["maps"].as_array().unwrap().iter().zip(case["masks"].as_array().unwrap()) {
            let map = Array2::from_shape_vec(shape, floats(map)).unwrap();
            let mask = Array2::from_shape_vec(shape, floats(mask)).unwrap().mapv(|v| v > 0.0);
            regions += label_components(mask.view()).sizes.len();
            pool.push(map.view(), mask.view()).unwrap();
        }
        assert_eq!(regions as u64, case["regions"].as_u64().unwrap());
        let ranked = pool.rank().unwrap();
        close(ranked.auroc(), &case["auroc"], "pixel AUROC");
        for (limit, value) in case["au_pro"].as_object().unwrap() {
            close(ranked.au_pro(limit.parse().unwrap()).unwrap(), value, &format!("AU-PRO@{limit}"));
        }
    }
}

fn shaped(shape: &Value, values: &Value) -> Array2<f32> {
    let side = |i: usize| shape[i].as_u64().unwrap() as usize;
    Array2::from_shape_vec((side(0), side(1)), floats(values)).unwrap()
}

#[test]
fn low_rates_agree_with_the_definition() {
    for case in golden()["low_rate"].as_array().unwrap() {
        let list = |name: &str| case[name].as_array().unwrap();
        let good: Vec<_> = list("good").iter().map(|g| shaped(&g["shape"], &g["map"])).collect();
        let maps: Vec<_> = list("maps").iter().map(|m| shaped(&case["shape"], m)).collect();
        let masks: Vec<_> = list("masks").iter().map(|m| shaped(&case["shape"], m).mapv(|v| v > 0.0)).collect();
        let bounds = (case["bounds"][0].as_f64().unwrap(), case["bounds"][1].as_f64().unwrap());
        let ours = aupimo(
            &good.iter().map(|m| m.view()).collect::<Vec<_>>(),
            &maps.iter().map(|m| m.view()).collect::<Vec<_>>(),
            &masks.iter().map(|m| m.view()).collect::<Vec<_>>(),
            bounds,
        );
        for (ours, theirs) in ours.unwrap().into_iter().zip(list("aupimo")) {
            assert!((ours - theirs.as_f64().unwrap()).abs() < 1e-12, "{ours} but {theirs}");
        }
    }
}

/// The official MVTec AD code, whose rates are of single precision: each of some thousand points of the curve is off by
/// 6e-8 of its rate at most.
#[test]
fn au_pro_agrees_with_the_official_code() {
    let golden: Value = serde_json::from_str(include_str!("golden/aupro.json")).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        let list = |name: &str| case[name].as_array().unwrap();
        let maps: Vec<_> = list("maps").iter().map(|m| shaped(&case["shape"], m)).collect();
        let masks: Vec<_> = list("masks").iter().map(|m| shaped(&case["shape"], m).mapv(|v| v > 0.0)).collect();
        let maps: Vec<_> = maps.iter().map(|m| m.view()).collect();
        let masks: Vec<_> = masks.iter().map(|m| m.view()).collect();
        for (limit, theirs) in case["official"].as_object().unwrap() {
            let ours = au_pro(&maps, &masks, limit.parse().unwrap()).unwrap();
            let theirs = theirs.as_f64().unwrap();
            assert!((ours - theirs).abs() < 2e-7, "AU-PRO@{limit}: {ours} but {theirs}");
        }
    }
}

/// Worked by hand: two regions of 1 and 2 pixels, 5 normal pixels.
#[test]
fn au_pro_by_hand() {
    let map = ndarray::arr2(&[[9.0, 8.0, 7.0, 6.0], [6.0, 5.0, 4.0, 3.0_f32]]);
    let mask = ndarray::arr2(&[[true, false, true, false], [false, false, true, false]]);
    // (0, 1/2) at 9, (1/5, 1/2) at 8, (1/5, 3/4) at 7, (3/5, 3/4) at 6, (4/5, 3/4) at 5, (4/5, 1) at 4, (1, 1) at 3.
    for (limit, area) in [(0.3, 0.2 * 0.5 + 0.1 * 0.75), (0.2, 0.1), (1.0, 0.1 + 0.6 * 0.75 + 0.2), (0.05, 0.025)] {
        let ours = au_pro(&[map.view()], &[mask.view()], limit).unwrap();
        assert!((ours - area / limit).abs() < 1e-15, "{limit}: {ours}");
    }
    // A tie of a normal and an anomalous pixel is one sloping segment: from (0, 0) to (1/2, 1).
    let tie = ndarray::arr2(&[[1.0, 1.0, 0.0_f32]]);
    let mask = ndarray::arr2(&[[true, false, false]]);
    let ours = au_pro(&[tie.view()], &[mask.view()], 0.3).unwrap();
    assert!((ours - 0.3).abs() < 1e-15, "{ours}");
}
