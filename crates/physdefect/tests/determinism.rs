//! A sample is a pure function of (seed, index): on any thread count, in any order, in every release.
// A failed set-up is a failed test.
#![allow(clippy::unwrap_used)]

mod common;

use ndarray::Array3;
use physdefect::{Domain, Sample, SampleKey};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

fn bytes(sample: &Sample) -> (Vec<u32>, Vec<bool>, String) {
    (
        sample.patch.iter().chain(&sample.soft).map(|v| v.to_bits()).collect(),
        sample.mask.iter().chain(&sample.changed).copied().collect(),
        serde_json::to_string(&sample.record).unwrap(),
    )
}

/// A mid-gray ground with a slope of light and faint noise.
fn even((h, w, c): (usize, usize, usize)) -> Array3<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    Array3::from_shape_fn((h, w, c), |(y, x, k)| {
        0.45 + 0.001 * y as f32 + 0.0005 * x as f32 + 0.01 * k as f32 + rng.random_range(-0.008..0.008f32)
    })
}

#[test]
fn equal_on_any_thread_count_and_in_any_order() {
    let photo = even((90, 101, 3));
    let domain = Domain::full(90, 101).unwrap();
    for synth in common::synthesizers() {
        let domain = common::outlined(synth.name(), &domain);
        let make = |index| synth.synthesize(photo.view(), &domain, SampleKey { seed: 8, index }).map(|s| bytes(&s));
        let serial: Vec<_> = (0..1000).map(make).collect();
        // Dents on fabric, clones of an even ground, and pieces broken off where the background looks alike are refused
        // where they cannot be seen; refusals must agree too.
        let least = match synth.name() {
            "plastic-warpage" | "patch-clone" => 500,
            "edge-loss" => 880,
            _ => 950,
        };
        let made = serial.iter().filter(|s| s.is_ok()).count();
        assert!(made >= least, "{}: {made} of 1000 made", synth.name());
        let backwards: Vec<_> = (0..1000).rev().map(make).collect();
        assert!(serial.iter().eq(backwards.iter().rev()), "{} depends on the order", synth.name());
        for threads in [2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let parallel: Vec<_> = pool.install(|| (0..1000u64).into_par_iter().map(make).collect());
            assert!(serial == parallel, "{} depends on {threads} threads", synth.name());
        }
        // The record names its key; the pixels must differ too.
        let pixels = |k: usize| serial[k].as_ref().map(|(patch, mask, _)| (patch, mask));
        assert!((1..20).all(|k| pixels(0) != pixels(k)), "{}: two indices, one sample", synth.name());
    }
}

#[test]
fn records_survive_json() {
    let photo = even((96, 96, 1));
    let domain = Domain::full(96, 96).unwrap();
    for synth in common::undemanding() {
        let domain = common::outlined(synth.name(), &domain);
        let made = (0..8).find_map(|index| synth.synthesize(photo.view(), &domain, SampleKey { seed: 1, index }).ok());
        let Some(sample) = made else { panic!("{}: no sample in eight", synth.name()) };
        let text = serde_json::to_string(&sample.record).unwrap();
        let back: physdefect::Record = serde_json::from_str(&text).unwrap();
        assert_eq!(back.model, synth.name());
        assert_eq!(back, sample.record);
        assert!(back.measures.values().any(|&v| v != 0.0), "{text}");
    }
}

/// Sample (2026, 7) of each synthesizer on a fixed gradient, as last changed: mask pixels and the sum of the patch's
/// changes. A change here changes every data set made with this crate and belongs into the change log.
#[test]
fn values_are_stable() {
    let photo = Array3::from_shape_fn((96, 128, 3), |(y, x, k)| {
        0.3 + 0.002 * y as f32 + 0.001 * x as f32 + 0.05 * k as f32 + 0.002 * ((y * 5 + x * 3) % 7) as f32
    });
    let domain = Domain::full(96, 128).unwrap();
    let recorded = [
        ("fracture-line", 143, 11.4681),
        ("paper-frontier", 109, 8.9105),
        ("pitting-loss", 66, 5.8111),
        ("paper-polygon", 99, 8.7143),
        ("plastic-warpage", 539, 40.2977),
        ("abrasion", 169, 13.5105),
        ("surface-unevenness", 3631, 279.8708),
        ("edge-loss", 70, 6.3750),
        ("cutpaste", 1058, 341.6485),
        ("cutpaste-scar", 55, 9.7604),
        ("perlin-blend", 2157, 98.4524),
        ("patch-clone", 143, 3.7535),
    ];
    let mut wrong = Vec::new();
    for (name, pixels, change) in recorded {
        let synth = common::synthesizer(name);
        let domain = common::outlined(name, &domain);
        let sample = synth.synthesize(photo.view(), &domain, SampleKey { seed: 2026, index: 7 }).unwrap();
        let count = sample.mask.iter().filter(|&&m| m).count();
        let b = sample.bbox;
        let total: f64 = sample
            .patch
            .indexed_iter()
            .map(|((y, x, k), v)| f64::from((v - photo[[b.top + y, b.left + x, k]]).abs()))
            .sum();
        if count != pixels || (total - change).abs() > 1e-3 * change {
            wrong.push(format!("{name}: {count} px, change {total:.4}; recorded {pixels} px, {change}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
