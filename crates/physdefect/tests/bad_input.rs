//! Photos, domains and numbers that nobody should pass: a typed error or a sound sample, never a panic, a hang or a
//! wrong label.
// A failed set-up is a failed test.
#![allow(clippy::unwrap_used)]

mod common;

use common::contract;
use ndarray::{Array2, Array3};
use physdefect::appearance::{Appearance, Light, Material, Rendered};
use physdefect::fracture::FractureLine;
use physdefect::imgkit::ParameterError;
use physdefect::imgkit::Rect;
use physdefect::noise::Perlin;
use physdefect::{Defect, Domain, Error, Measures, SampleKey, Synthesizer};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A sound sample or one of the three errors that mean "not here".
fn sound_or_refused(synth: &dyn Synthesizer, photo: &Array3<f32>, domain: &Domain, index: u64) -> bool {
    let domain = common::outlined(synth.name(), domain);
    match synth.synthesize(photo.view(), &domain, SampleKey { seed: 21, index }) {
        Ok(sample) => {
            contract::check(synth.name(), &sample, photo, &domain);
            true
        }
        Err(Error::Invisible { .. } | Error::DomainTooSmall { .. } | Error::VisibilityOutOfReach { .. }) => false,
        Err(other) => panic!("{}: {other}", synth.name()),
    }
}

#[test]
fn one_broken_value_is_refused_or_stays_out() {
    for synth in common::synthesizers() {
        for (index, value) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].into_iter().cycle().take(60).enumerate() {
            let mut rng = ChaCha8Rng::seed_from_u64(index as u64);
            let mut photo = common::to_float(&common::photo(index as u32, 48, 56, 3, &mut rng));
            let (y, x, k) = (index * 7 % 48, index * 11 % 56, index % 3);
            photo[[y, x, k]] = value;
            let domain = common::outlined(synth.name(), &Domain::full(48, 56).unwrap());
            match synth.synthesize(photo.view(), &domain, SampleKey { seed: 5, index: index as u64 }) {
                Ok(sample) => drop(contract::check(synth.name(), &sample, &photo, &domain)),
                Err(Error::NotFinite { row, column, channel }) => assert_eq!((row, column, channel), (y, x, k)),
                Err(Error::Invisible { .. } | Error::VisibilityOutOfReach { .. }) => {}
                Err(other) => panic!("{}: {other}", synth.name()),
            }
        }
    }
}

#[test]
fn no_light_at_all() {
    // Black photo, saturated photo, a material that reflects nothing under a light without ambient.
    let domain = Domain::full(64, 64).unwrap();
    let dead = Material::MATTE.with_diffuse(0.0).with_specular(0.0);
    let dark = Light::default().with_ambient(0.0).with_elevation(0.1);
    for synth in common::synthesizers() {
        for value in [0.0, 1.0] {
            sound_or_refused(&*synth, &Array3::from_elem((64, 64, 3), value), &domain, 0);
        }
    }
    for look in [Appearance::new(dead).lit(dark), Appearance::new(Material::METAL).lit(dark), Appearance::new(dead)] {
        for model in common::models() {
            let synth = Rendered::new(model, look).unwrap();
            for index in 0..10 {
                sound_or_refused(&synth, &Array3::from_elem((64, 64, 3), 0.5), &domain, index);
            }
        }
    }
    let below = Light::default().with_elevation(0.0);
    let refused = Rendered::new(FractureLine::default(), Appearance::default().lit(below)).unwrap_err();
    assert!(matches!(refused, Error::Parameter(ParameterError { name: "elevation", .. })));
}

#[test]
fn shapes_that_do_not_fit() {
    let domain = Domain::full(40, 50).unwrap();
    let key = SampleKey { seed: 1, index: 0 };
    let photo = Array3::from_elem((40, 50, 3), 0.5f32);
    for synth in common::synthesizers() {
        for shape in [(39, 50, 3), (40, 51, 3), (50, 40, 3), (40, 50, 0), (0, 0, 3)] {
            let refused = synth.synthesize(Array3::zeros(shape).view(), &domain, key);
            assert!(matches!(refused, Err(Error::Shape { what: "photo", .. })), "{} {shape:?}", synth.name());
        }
    }
    let crack = Rendered::new(FractureLine::default(), Appearance::default()).unwrap();
    let bbox = Rect { top: 5, left: 5, bottom: 15, right: 25 };
    fn plane(h: usize, w: usize) -> Array2<f32> {
        Array2::from_elem((h, w), 1.0)
    }
    let breaks: [fn(&mut Defect); 6] = [
        |d| d.height = plane(10, 19),
        |d| d.opacity = plane(20, 10),
        |d| d.displacement = Some(Array3::zeros((10, 20, 3))),
        |d| d.reflectance = Some(plane(9, 20)),
        |d| d.bbox.bottom = 41,
        |d| (d.bbox.top, d.bbox.bottom) = (15, 5),
    ];
    for broken in breaks {
        let mut defect = Defect::new(bbox, plane(10, 20), plane(10, 20), Measures::new());
        broken(&mut defect);
        assert!(matches!(crack.render(photo.view(), &domain, defect, 0.5, key), Err(Error::Shape { .. })));
    }
    let sample = crack.synthesize(photo.view(), &domain, key).unwrap();
    let small = (sample.bbox.bottom - 1, 50);
    assert!(matches!(sample.paste(Array3::zeros((small.0, small.1, 3)).view()), Err(Error::Shape { .. })));
    assert!(matches!(sample.paste_u8(Array3::zeros((40, 50, 1)).view()), Err(Error::Shape { .. })));
    assert!(matches!(sample.full_mask(small.0, small.1), Err(Error::Shape { .. })));
    // A sample edited by hand into disagreement with itself.
    let mut edited = sample;
    edited.bbox = Rect { top: 0, left: 0, bottom: 1, right: 1 };
    assert!(matches!(edited.paste(photo.view()), Err(Error::Shape { .. })));
    assert!(matches!(edited.full_mask(40, 50), Err(Error::Shape { .. })));
}

type Inside = Box<dyn Fn(usize, usize) -> bool>;

#[test]
fn domains_smaller_than_the_defect() {
    let (h, w) = (160, 200);
    let photo = common::to_float(&common::photo(3, h, w, 3, &mut ChaCha8Rng::seed_from_u64(8)));
    let masks: [(&str, Inside); 6] = [
        ("one pixel", Box::new(|y, x| y == 80 && x == 90)),
        ("8 x 8", Box::new(|y, x| (70..78).contains(&y) && (90..98).contains(&x))),
        ("row", Box::new(|y, _| y == 40)),
        ("corner", Box::new(|y, x| y + x < 14)),
        ("specks", Box::new(|y, x| y % 8 == 0 && x % 8 == 0)),
        ("ring", Box::new(|y, x| (40.0..43.0).contains(&(y as f64 - 80.0).hypot(x as f64 - 100.0)))),
    ];
    for synth in common::synthesizers() {
        for (_, inside) in &masks {
            let domain = Domain::from_mask(Array2::from_shape_fn((h, w), |(y, x)| inside(y, x))).unwrap();
            for index in 0..6 {
                sound_or_refused(&*synth, &photo, &domain, index);
            }
        }
        let pixel = Domain::from_mask(Array2::from_shape_fn((h, w), |(y, x)| masks[0].1(y, x))).unwrap();
        let refused = synth.synthesize(photo.view(), &pixel, SampleKey { seed: 1, index: 1 });
        assert!(matches!(refused, Err(Error::DomainTooSmall { found: 1, .. })), "{}: {refused:?}", synth.name());
    }
    assert!(matches!(Domain::from_mask(Array2::from_elem((5, 5), false)), Err(Error::EmptyDomain { .. })));
    assert!(matches!(Domain::full(0, 7), Err(Error::EmptyDomain { .. })));
}

#[test]
fn from_32_to_8192_pixels_with_one_to_five_channels() {
    let sizes = [
        (32, 32, 1),
        (32, 32, 5),
        (33, 47, 3),
        (1, 4096, 3),
        (3000, 3, 1),
        (512, 384, 5),
        (8192, 64, 3),
        (64, 8192, 1),
    ];
    for (kind, (h, w, c)) in sizes.into_iter().enumerate() {
        // A soft texture on mid gray: wide enough to clone, faint enough to see a thin crack on.
        let noise = Perlin::new(kind as u64);
        let photo = Array3::from_shape_fn((h, w, c), |(y, x, k)| {
            let wave = noise.fractal(y as f64 / 9.0, x as f64 / 9.0 + 50.0 * k as f64, 2);
            (0.5 + 0.06 * wave).clamp(0.0, 1.0) as f32
        });
        let domain = Domain::full(h, w).unwrap();
        for synth in common::undemanding() {
            let mut made = 0;
            for index in 0..8 {
                made += usize::from(sound_or_refused(&*synth, &photo, &domain, index));
            }
            // Lines of one or three pixels may hold no dent.
            assert!(made > 0 || h.min(w) < 8, "{} {h}x{w}x{c}: nothing in eight tries", synth.name());
        }
    }
}

#[test]
fn bytes_and_words_change_inside_the_mask_only() {
    for c in [1, 3, 5] {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let bytes = Array3::from_shape_fn((90, 70, c), |(y, x, k)| {
            let wave = (y as f64 / 7.0).sin() * (x as f64 / 11.0 + k as f64).cos();
            (128.0 + 10.0 * wave + rng.random_range(-2.0..2.0)).round() as u8
        });
        let words = bytes.mapv(|v| u16::from(v) * 257);
        for synth in common::undemanding() {
            let domain = common::outlined(synth.name(), &Domain::full(90, 70).unwrap());
            let float = common::to_float(&bytes);
            let key = |index: u64| SampleKey { seed: 2, index: c as u64 + 10 * index };
            let made = (0..8).find_map(|index| synth.synthesize(float.view(), &domain, key(index)).ok());
            let Some(sample) = made else { panic!("{}, {c} channels: no sample in eight", synth.name()) };
            let mut changed = 0;
            let mask = sample.full_mask(90, 70).unwrap();
            let (a, b) = (sample.paste_u8(bytes.view()).unwrap(), sample.paste_u16(words.view()).unwrap());
            for ((y, x), &masked) in mask.indexed_iter() {
                for k in 0..c {
                    let at = [y, x, k];
                    assert!(masked || (a[at] == bytes[at] && b[at] == words[at]), "{} {at:?}", synth.name());
                    assert!(u16::from(a[at]).abs_diff(b[at] / 257) <= 1);
                    changed += usize::from(a[at] != bytes[at] && b[at] != words[at]);
                }
            }
            assert!(changed >= 4, "{}: {changed} values changed", synth.name());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_photo_and_domain(
        kind in 0u32..5, h in 1usize..90, w in 1usize..90, c in 1usize..6, share in 0.0..1.0f64, seed: u64,
        which in 0..common::synthesizers().len(),
    ) {
        let photo = common::to_float(&common::photo(kind, h, w, c, &mut ChaCha8Rng::seed_from_u64(seed)));
        let noise = Perlin::new(seed);
        let inside = |(y, x): (usize, usize)| noise.at(y as f64 / 12.0, x as f64 / 12.0) < 2.0 * share - 1.0;
        let mask = Array2::from_shape_fn((h, w), inside);
        let domain = Domain::from_mask(mask);
        prop_assume!(domain.is_ok());
        sound_or_refused(&*common::synthesizers()[which], &photo, &domain.unwrap(), seed);
    }
}
