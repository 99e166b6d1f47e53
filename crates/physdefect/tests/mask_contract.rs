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
    let mut by_kind = [[0usize; 5]; 5];
    let (mut comps, mut holed, mut off, mut worst_fill) = (vec![0usize; 40], 0usize, Vec::new(), 0.0f64);
    for index in 0..samples {
        let (bytes, domain) = scene(index);
        let domain = common::outlined(synth.name(), &domain);
        let photo = common::to_float(&bytes);
        let (h, w, c) = photo.dim();
        let kind = (index % 5) as usize;
        let sample = match synth.synthesize(photo.view(), &domain, SampleKey { seed: 99, index }) {
            Ok(sample) => sample,
            Err(Error::Invisible { .. }) => {
                by_kind[kind][1] += 1;
                continue;
            }
            Err(Error::DomainTooSmall { .. }) => {
                by_kind[kind][2] += 1;
                continue;
            }
            Err(Error::VisibilityOutOfReach { wanted, reached, .. }) => {
                if kind == 1 || kind == 2 {
                    println!(
                        "  R#{index} kind {kind} {h}x{w}x{c} mean {:.2} wanted {wanted:.2} reached {reached:.2}",
                        photo.mean().unwrap()
                    );
                }
                by_kind[kind][3] += 1;
                continue;
            }
            Err(other) => panic!("{} #{index} ({h}x{w}x{c}): {other}", synth.name()),
        };
        by_kind[kind][0] += 1;
        let m = common::contract::check(&format!("{} #{index}", synth.name()), &sample, &photo, &domain);
        comps[m.components.min(39)] += 1;
        if m.components > 1 && index < 100 {
            println!("  #{index} comps {} {:?}", m.components, sample.record.measures.get("pit_count"));
        }
        if m.holes > 0 {
            holed += 1;
            worst_fill = worst_fill.max(m.share_if_filled);
            if index < 300 {
                println!("  #{index} holes {} of {} filled share {:.3}", m.holes, m.area, m.share_if_filled);
            }
        }
        if let Some(t) = sample.record.visibility_target {
            off.push((sample.record.visibility / t - 1.0).abs());
        }
    }
    off.sort_by(f64::total_cmp);
    let q = |p: f64| off.get((p * off.len() as f64) as usize).copied().unwrap_or(9.9);
    println!("{}: made/invisible/small/reach by kind noise,grad,flat,texture,stripes {by_kind:?}", synth.name());
    println!(
        "   components {:?} holed {holed} worst {worst_fill:.3} off 50 {:.3} 90 {:.3} 95 {:.3} 99 {:.3} max {:?} n {}",
        &comps[..12],
        q(0.5),
        q(0.9),
        q(0.95),
        q(0.99),
        off.last(),
        off.len()
    );
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
