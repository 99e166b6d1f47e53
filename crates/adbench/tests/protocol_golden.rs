//! Ground truth and smoothing of the named protocols against PIL, OpenCV and scipy, frozen by
//! `golden/make_protocol.py`.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

use adbench::protocol::{PROTOCOLS, Protocol};
use adbench::smoothing::Smoothing;
use ndarray::{Array2, s};
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/protocol.json")).unwrap()
}

fn shape(value: &Value) -> (usize, usize) {
    (value["height"].as_u64().unwrap() as usize, value["width"].as_u64().unwrap() as usize)
}

fn mask(case: &Value) -> Array2<bool> {
    let ellipses: Vec<Vec<f64>> = serde_json::from_value(case["ellipses"].clone()).unwrap();
    let mask = Array2::from_shape_fn(shape(case), |(y, x)| {
        let inside = |e: &Vec<f64>| ((y as f64 - e[0]) / e[2]).powi(2) + ((x as f64 - e[1]) / e[3]).powi(2) <= 1.0;
        ellipses.iter().any(inside)
    });
    assert_eq!(mask.iter().filter(|m| **m).count() as u64, case["pixels"].as_u64().unwrap());
    mask
}

#[test]
fn the_ground_truth_is_that_of_the_papers_tools() {
    for case in golden()["truth"].as_array().unwrap() {
        let mask = mask(case);
        for (name, pixels) in case["truth"].as_object().unwrap() {
            let ours = Protocol::named(name).unwrap().truth(mask.view()).unwrap();
            let ours: Vec<u64> = (0..).zip(ours.iter()).filter(|x| *x.1).map(|x| x.0).collect();
            let theirs: Vec<u64> = pixels.as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect();
            assert!(theirs.len() > 50, "{name}");
            let differing =
                ours.iter().filter(|i| !theirs.contains(i)).chain(theirs.iter().filter(|i| !ours.contains(i)));
            assert_eq!(differing.copied().collect::<Vec<_>>(), [0_u64; 0], "{name} of {:?}", mask.dim());
        }
        assert_eq!(Protocol::named("native").unwrap().truth(mask.view()).unwrap(), mask);
    }
}

#[test]
fn maps_are_smoothed_as_by_scipy() {
    for case in golden()["smoothing"].as_array().unwrap() {
        let of = |name: &str| -> Array2<f32> {
            let values = case[name].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
            Array2::from_shape_vec(shape(case), values).unwrap()
        };
        let zero = Smoothing::ZeroPadded { sigma: 4.0, side: 5 };
        for (smoothing, name) in [(Smoothing::ScipyGaussian { sigma: 4.0 }, "scipy"), (zero, "zero")] {
            let worst = (smoothing.apply(of("map").view()).unwrap() - of(name)).fold(0.0_f32, |w, d| w.max(d.abs()));
            assert!(worst < 3e-7, "{name}: {worst}");
        }
    }
}

#[test]
fn crops_lose_defects_at_the_border() {
    let protocol = Protocol::named("patchcore-224").unwrap();
    // 16 of 256 rows are cut off at each side: of 512 rows, the outer 32.
    let mut mask = Array2::from_elem((512, 512), false);
    mask.slice_mut(s![..32, 100..110]).fill(true);
    mask.slice_mut(s![200..210, 480..500]).fill(true);
    mask.slice_mut(s![200..210, 300..310]).fill(true);
    assert_eq!(protocol.cropped_away(mask.view()), 2);
    mask.slice_mut(s![..33, 100..110]).fill(true);
    assert_eq!(protocol.cropped_away(mask.view()), 1);
    assert_eq!(Protocol::named("native").unwrap().cropped_away(mask.view()), 0);
}

#[test]
fn maps_and_ground_truth_meet_in_size() {
    let mask = Array2::from_elem((300, 413), true);
    for protocol in PROTOCOLS {
        let truth = protocol.truth(mask.view()).unwrap();
        let map = protocol.map(Array2::from_elem((28, 28), 0.5).view(), mask.dim()).unwrap();
        assert_eq!(map.dim(), truth.dim(), "{}", protocol.name);
        assert!(truth.iter().all(|t| *t), "{}", protocol.name);
        assert!(protocol.truth(Array2::from_elem((0, 3), true).view()).is_err() || protocol.name == "native");
    }
}
