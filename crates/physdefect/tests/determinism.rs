//! A sample is a pure function of (seed, index): on any thread count, in any order, in every release.
// A failed set-up is a failed test.
#![allow(clippy::unwrap_used)]

mod common;

use physdefect::{Domain, Sample, SampleKey};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

fn bytes(sample: &Sample) -> (Vec<u32>, Vec<bool>, String) {
    (
        sample.patch.iter().map(|v| v.to_bits()).collect(),
        sample.mask.iter().copied().collect(),
        serde_json::to_string(&sample.record).unwrap(),
    )
}

#[test]
fn equal_on_any_thread_count_and_in_any_order() {
    let photo = common::to_float(&common::photo(3, 90, 101, 3, &mut ChaCha8Rng::seed_from_u64(5)));
    let domain = Domain::full(90, 101).unwrap();
    for synth in common::synthesizers() {
        let domain = common::outlined(synth.name(), &domain);
        let make = |index| synth.synthesize(photo.view(), &domain, SampleKey { seed: 8, index }).map(|s| bytes(&s));
        let serial: Vec<_> = (0..1000).map(make).collect();
        assert!(serial.iter().filter(|s| s.is_ok()).count() >= 950, "{} refuses", synth.name());
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
    let photo = common::to_float(&common::photo(0, 64, 64, 1, &mut ChaCha8Rng::seed_from_u64(1)));
    let domain = Domain::full(64, 64).unwrap();
    for synth in common::synthesizers() {
        let domain = common::outlined(synth.name(), &domain);
        let sample = synth.synthesize(photo.view(), &domain, SampleKey { seed: 1, index: 1 }).unwrap();
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
    let photo = ndarray::Array3::from_shape_fn((96, 128, 3), |(y, x, k)| {
        0.3 + 0.002 * y as f32 + 0.001 * x as f32 + 0.05 * k as f32 + 0.03 * ((y * 5 + x * 3) % 7) as f32
    });
    let domain = Domain::full(96, 128).unwrap();
    let recorded = [
        ("fracture-line", 57, 16.2240),
        ("paper-frontier", 39, 14.3962),
        ("pitting-loss", 225, 81.5587),
        ("paper-polygon", 318, 139.9267),
        ("plastic-warpage", 716, 33.8951),
        ("abrasion", 76, 16.0718),
        ("surface-unevenness", 845, 51.3980),
        ("edge-loss", 39, 6.7059),
        ("cutpaste", 1058, 370.0963),
        ("cutpaste-scar", 26, 10.0113),
        ("perlin-blend", 753, 129.3537),
        ("patch-clone", 108, 13.9072),
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
