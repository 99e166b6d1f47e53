//! Which mechanism drawn defects are taken for.
// A failed set-up is a failed test; a test prints its figures.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use ndarray::{Array2, Array3};
use physdefect::appearance::{Appearance, Material};
use physdefect::calibration::{Marked, identify};
use physdefect::registry::Registry;
use physdefect::{Domain, MechanismKind, SampleKey};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

const SETS: u64 = 6;
const PHOTOS: usize = 5;

/// A plate of another size, brightness and grain than those that the tables were made on.
fn plate(rng: &mut ChaCha8Rng) -> (Array3<f32>, Domain) {
    let noise = Normal::new(0.0, rng.random_range(0.006..0.015)).unwrap();
    let (base, fills) = (rng.random_range(0.4..0.65), rng.random::<f64>() < 0.5);
    let inside = Array2::from_shape_fn((180, 230), |(y, x)| fills || (20..165).contains(&y) && (30..205).contains(&x));
    let photo = Array3::from_shape_fn((180, 230, 3), |(y, x, _)| {
        let v = if inside[[y, x]] { base + 0.04 * y as f64 / 180.0 } else { 0.15 };
        (v + noise.sample(rng)) as f32
    });
    (photo, Domain::from_mask(inside).unwrap())
}

/// Photos with defects of one mechanism at its defaults.
fn set(mechanism: MechanismKind, seed: u64) -> Vec<(Array3<f32>, Array2<bool>, Domain)> {
    let entry = *Registry::standard().calibrated_entry(mechanism).unwrap();
    let look = Appearance::new([Material::MATTE, Material::GLOSSY_PLASTIC, Material::METAL][seed as usize % 3]);
    let synthesizer = entry.synthesizer(look, (0.25, 1.0)).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(77 + seed);
    let mut made = Vec::new();
    for index in 0..60 {
        let (photo, domain) = plate(&mut rng);
        let (h, w, _) = photo.dim();
        let key = SampleKey { seed: 500 + seed, index };
        if let Ok(sample) = synthesizer.synthesize(photo.view(), &domain, key) {
            made.push((sample.paste(photo.view()).unwrap(), sample.full_mask(h, w).unwrap(), domain));
        }
        if made.len() == PHOTOS {
            break;
        }
    }
    assert_eq!(made.len(), PHOTOS, "{mechanism:?}");
    made
}

fn marked(set: &[(Array3<f32>, Array2<bool>, Domain)]) -> Vec<Marked<'_>> {
    set.iter().map(|(photo, mask, domain)| Marked::new(photo.view(), mask.view()).on(domain)).collect()
}

#[test]
fn five_drawn_defects_are_taken_for_their_own_mechanism() {
    for mechanism in [
        MechanismKind::FractureLine,
        MechanismKind::PittingLoss,
        MechanismKind::PlasticWarpage,
        MechanismKind::Abrasion,
        MechanismKind::SurfaceUnevenness,
        MechanismKind::EdgeLoss,
    ] {
        let (mut right, mut fits, mut photos, mut others) = (0u32, 0u32, 0usize, Vec::new());
        for seed in 0..SETS {
            let set = set(mechanism, seed);
            let found = identify(&marked(&set)).unwrap();
            let first = found.set.scores[0].mechanism;
            right += u32::from(first == mechanism);
            fits += u32::from(found.set.best() == Some(mechanism));
            photos += found.photos.iter().filter(|p| p.scores[0].mechanism == mechanism).count();
            if first != mechanism {
                others.push(first);
            }
        }
        let all = SETS as usize * PHOTOS;
        println!("{mechanism:?}: {right} of {SETS} sets, {photos} of {all} photos, {fits} fit; else {others:?}");
        assert!(f64::from(right) >= 0.9 * SETS as f64, "{mechanism:?}: {right} of {SETS}");
        assert!(f64::from(fits) >= 0.8 * SETS as f64, "{mechanism:?}: {fits} of {SETS} fit");
    }
}

/// What no mechanism draws: masks over nothing, and half of a checkerboard.
#[test]
fn what_no_mechanism_draws_fits_none() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let nothing: Vec<_> = (0..PHOTOS)
        .map(|i| {
            let (photo, domain) = plate(&mut rng);
            // Every fourth row: combs.
            let mask = Array2::from_shape_fn((180, 230), |(y, x)| {
                (40..140).contains(&y) && (60..120 + 10 * i).contains(&x) && (y % 4 == 0 || x == 60)
            });
            (photo, mask, domain)
        })
        .collect();
    let found = identify(&marked(&nothing)).unwrap();
    println!("{}", found.set);
    assert_eq!(found.set.best(), None, "{}", found.set);
    assert!(found.photos.iter().all(|photo| photo.best().is_none()));
}
