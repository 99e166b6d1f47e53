//! The mask contract, over 1 000 random samples of each synthesizer and on bytes.
// A failed set-up is a failed test; a test may print its figures.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use ndarray::Array3;
use physdefect::{Domain, Error, SampleKey, Synthesizer, compose};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Draws photo and domain number `index`.
fn scene(index: u64) -> (Array3<u8>, Domain) {
    let mut rng = ChaCha8Rng::seed_from_u64(index);
    // Mostly small photos, every tenth a large one: sizes 32..=512, odd ones among them.
    let top = if index.is_multiple_of(10) { 512 } else { 128 };
    let (h, w) = (rng.random_range(32..=top), rng.random_range(32..=top));
    let c = if index.is_multiple_of(3) { 1 } else { 3 };
    let photo = common::photo(index as u32, h, w, c, &mut rng);
    (photo, common::domain(h, w, index % 2 == 1))
}

fn holds(synth: &dyn Synthesizer, samples: u64) {
    let (mut refused, mut flat) = (0, 0);
    for index in 0..samples {
        let (bytes, domain) = scene(index);
        let domain = common::outlined(synth.name(), &domain);
        let photo = common::to_float(&bytes);
        let (h, w, c) = photo.dim();
        let sample = match synth.synthesize(photo.view(), &domain, SampleKey { seed: 99, index }) {
            Ok(sample) => sample,
            Err(Error::Invisible { .. } | Error::DomainTooSmall { .. } | Error::VisibilityOutOfReach { .. }) => {
                // A cloned patch of a uniform photo, its mean shifted, is the same uniform photo.
                let uniform = index % 5 == 2 && synth.name() == "patch-clone";
                *(if uniform { &mut flat } else { &mut refused }) += 1;
                continue;
            }
            Err(other) => panic!("{} #{index} ({h}x{w}x{c}): {other}", synth.name()),
        };
        let image = sample.paste(photo.view()).unwrap();
        let pasted = sample.paste_u8(bytes.view()).unwrap();
        let mask = sample.full_mask(h, w).unwrap();
        let (changed, soft) = (sample.full_changed(h, w).unwrap(), sample.full_soft(h, w).unwrap());
        let (mut inside, mut visible) = (0u64, 0u64);
        for ((y, x), &masked) in mask.indexed_iter() {
            let name = format!("{} #{index} ({h}x{w}x{c}) at {y},{x}", synth.name());
            let change = (0..c).map(|k| (image[[y, x, k]] - photo[[y, x, k]]).abs()).fold(0.0, f32::max);
            let byte_change = (0..c).map(|k| image_step(&pasted, &bytes, y, x, k)).max().unwrap();
            assert_eq!((change > 0.0, byte_change > 0), (changed[[y, x]], changed[[y, x]]), "{name}: {change}");
            assert!(change == 0.0 || change >= 1.0 / 255.0, "{name}: {change}");
            assert!(masked || !changed[[y, x]], "{name}: changed outside the mask");
            assert!(!masked || domain.mask()[[y, x]], "{name}: mask leaves the domain");
            assert!((0.0..=1.0).contains(&soft[[y, x]]) && (masked || soft[[y, x]] == 0.0), "{name}: soft");
            assert!((0..c).all(|k| (0.0..=1.0).contains(&image[[y, x, k]])), "{name}: value out of range");
            inside += u64::from(masked);
            visible += u64::from(masked && soft[[y, x]] >= 0.5);
        }
        assert!(inside >= 4);
        let share = visible as f64 / inside as f64;
        assert!(share >= 0.6, "{} #{index} ({h}x{w}x{c}): visible share {share}", synth.name());
        let record = &sample.record;
        assert!((record.area_fraction - inside as f64 / (h * w) as f64).abs() < 1e-12);
        assert!(record.contrast_to_noise.is_finite() && record.contrast_to_noise > 0.0);
    }
    println!("{}: {refused} of {samples} refused, and {flat} on uniform photos", synth.name());
    assert!(refused * 20 <= samples, "{}: {refused} of {samples} refused", synth.name());
}

fn image_step(a: &Array3<u8>, b: &Array3<u8>, y: usize, x: usize, k: usize) -> u8 {
    a[[y, x, k]].abs_diff(b[[y, x, k]])
}

macro_rules! contract {
    ($($name:ident: $model:expr),* $(,)?) => {$(
        #[test]
        fn $name() {
            holds(&*common::synthesizer($model), 1000);
        }
    )*};
}

contract! {
    fracture_line: "fracture-line",
    paper_frontier: "paper-frontier",
    pitting_loss: "pitting-loss",
    paper_polygon: "paper-polygon",
    plastic_warpage: "plastic-warpage",
    abrasion: "abrasion",
    surface_unevenness: "surface-unevenness",
    edge_loss: "edge-loss",
    cutpaste: "cutpaste",
    cutpaste_scar: "cutpaste-scar",
    perlin_blend: "perlin-blend",
    patch_clone: "patch-clone",
}

#[test]
fn sixteen_bits() {
    let synths = common::synthesizers();
    let photo = Array3::from_shape_fn((64, 80, 1), |(y, x, _)| (20_000 + 300 * y + 77 * x) as u16);
    let float = photo.mapv(|v| f32::from(v) / 65535.0);
    for synth in &synths {
        let domain = common::outlined(synth.name(), &Domain::full(64, 80).unwrap());
        // A seed may find no place; one of eight must.
        let made = (0..8).find_map(|index| synth.synthesize(float.view(), &domain, SampleKey { seed: 4, index }).ok());
        let Some(sample) = made else { panic!("{}: no sample in eight", synth.name()) };
        let out = sample.paste_u16(photo.view()).unwrap();
        let mask = sample.full_mask(64, 80).unwrap();
        let mut visible = 0;
        for ((y, x), &masked) in mask.indexed_iter() {
            let change = out[[y, x, 0]].abs_diff(photo[[y, x, 0]]);
            assert!(masked || change == 0);
            // One 8-bit level is 257 16-bit levels.
            visible += usize::from(masked && change >= 256);
        }
        assert!(visible as f64 >= 0.95 * mask.iter().filter(|&&m| m).count() as f64, "{}", synth.name());
    }
}

#[test]
fn the_largest_photo_keeps_the_contract() {
    const SIDE: usize = 8192;
    let photo = Array3::from_shape_fn((SIDE, SIDE, 1), |(y, x, _)| 0.3 + 0.4 * ((y * 31 + x * 17) % 97) as f32 / 97.0);
    // The part is small on the large photo: work is bounded by the defect's domain.
    let part =
        ndarray::Array2::from_shape_fn((SIDE, SIDE), |(y, x)| (8000..8190).contains(&y) && (7900..8192).contains(&x));
    let mut made = std::collections::BTreeSet::new();
    for domain in [Domain::full(SIDE, SIDE).unwrap(), Domain::from_mask(part).unwrap()] {
        let whole = domain.area() == SIDE * SIDE;
        for synth in common::synthesizers() {
            // Physics on the whole photo; the arms that are drawn everywhere on the part only.
            if whole && !synth.name().starts_with("fracture") {
                continue;
            }
            let sample =
                (1..5).find_map(|index| match synth.synthesize(photo.view(), &domain, SampleKey { seed: 2, index }) {
                    Ok(sample) => Some(sample),
                    Err(
                        Error::Invisible { .. } | Error::DomainTooSmall { .. } | Error::VisibilityOutOfReach { .. },
                    ) => None,
                    Err(other) => panic!("{}: {other}", synth.name()),
                });
            let Some(sample) = sample else { continue };
            made.insert((whole, synth.name()));
            let image = sample.paste(photo.view()).unwrap();
            let mask = sample.full_mask(SIDE, SIDE).unwrap();
            let soft = sample.full_soft(SIDE, SIDE).unwrap();
            let (mut inside, mut visible) = (0u64, 0u64);
            for (((&masked, &old), &new), &soft) in mask.iter().zip(&photo).zip(&image).zip(&soft) {
                assert!(masked || old.to_bits() == new.to_bits(), "{}", synth.name());
                inside += u64::from(masked);
                visible += u64::from(masked && soft >= 0.5);
            }
            assert!(inside >= 4 && visible as f64 >= 0.6 * inside as f64, "{}: {visible}/{inside}", synth.name());
        }
    }
    assert_eq!(made.len(), common::synthesizers().len() + 1, "{made:?}");
}

#[test]
fn composites_keep_the_contract() {
    let synths = common::synthesizers();
    let refs: Vec<&dyn Synthesizer> = synths.iter().map(|s| &**s).collect();
    let mut done = 0;
    for index in 0..40 {
        let (bytes, domain) = scene(index);
        let domain = common::outlined("edge-loss", &domain);
        let photo = common::to_float(&bytes);
        let Ok(all) = compose(photo.view(), &domain, &refs, SampleKey { seed: 1, index }) else { continue };
        done += 1;
        assert_eq!(all.records.len(), refs.len());
        for ((y, x), &id) in all.instances.indexed_iter() {
            let change =
                (0..photo.dim().2).map(|k| (all.image[[y, x, k]] - photo[[y, x, k]]).abs()).fold(0.0, f32::max);
            assert!(usize::from(id) <= refs.len());
            assert!(id > 0 || change == 0.0, "#{index} {y},{x}: {id} {change}");
        }
    }
    assert!(done >= 30, "{done} of 40 composites");
}

#[test]
fn impossible_photos_are_refused() {
    let domain = Domain::full(64, 64).unwrap();
    let black = Array3::zeros((64, 64, 3));
    let key = SampleKey { seed: 0, index: 0 };
    let crack = &common::synthesizers()[0];
    // Nothing can be darker than black.
    assert!(matches!(crack.synthesize(black.view(), &domain, key), Err(Error::Invisible { .. })));
    let mut broken = Array3::from_elem((64, 64, 3), 0.5);
    broken.fill(f32::NAN);
    for synth in common::synthesizers() {
        let domain = common::outlined(synth.name(), &domain);
        assert!(
            matches!(synth.synthesize(broken.view(), &domain, key), Err(Error::NotFinite { .. })),
            "{}",
            synth.name()
        );
        let wrong = Array3::from_elem((64, 63, 3), 0.5);
        assert!(matches!(synth.synthesize(wrong.view(), &domain, key), Err(Error::Shape { .. })), "{}", synth.name());
    }
}
