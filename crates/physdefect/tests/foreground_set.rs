//! The foreground model of a set on drawn scenes whose objects are known, and, where they lie beside the project, on
//! real photos.
// A failed set-up is a failed test; a test says when it skips.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "common/scenes.rs"]
mod scenes;

use std::path::Path;

use ndarray::{Array2, Array3};
use physdefect::{Error, ForegroundFit, ForegroundModel, ForegroundParams, FrameReason, SetKind};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use scenes::{Look, Place, Shape, gauss, scene};

fn fit(photos: &[Array3<f32>]) -> Result<ForegroundModel, Error> {
    ForegroundModel::fit(photos.iter().map(|p| p.view()), &ForegroundParams::default())
}

/// Intersection over union, and the share of `found` outside `truth`.
fn overlap(found: &Array2<bool>, truth: &Array2<bool>) -> (f64, f64) {
    let count = |f: fn(bool, bool) -> bool| found.iter().zip(truth).filter(|(a, b)| f(**a, **b)).count() as f64;
    (count(|a, b| a && b) / count(|a, b| a || b), count(|a, b| a && !b) / count(|a, _| a).max(1.0))
}

const YELLOW: [f32; 3] = [0.83, 0.77, 0.24];
/// A bore in deep shadow cannot be told from a dark face.
const SOLID: &[Shape] = &[Shape::Disc, Shape::Bar, Shape::Star];

fn looks() -> Vec<(&'static str, Look)> {
    let d = Look::default;
    vec![
        ("one object", d()),
        ("one to five objects", Look { objects: 1..=5, radius: 0.12, ..d() }),
        ("bright on bright", Look { ground: [[0.9; 3]; 2], object: [0.75, 0.7, 0.6], objects: 1..=3, ..d() }),
        ("in corners", Look { place: Place::Corner, radius: 0.25, ..d() }),
        ("cut by the frame", Look { place: Place::Side, radius: 0.3, ..d() }),
        ("light falls to two fifths", Look { gradient: 2.5, objects: 1..=3, ..d() }),
        ("light falls to a quarter", Look { gradient: 4.0, ground: [[0.9, 0.85, 0.8]; 2], ..d() }),
        (
            "textured, dark on dark",
            Look {
                ground: [[0.05, 0.055, 0.065]; 2],
                grain: [0.012, 0.035],
                object: [0.055, 0.05, 0.045],
                ribs: 0.3,
                radius: 0.25,
                ..d()
            },
        ),
        (
            "black on dark",
            Look {
                ground: [[0.06, 0.07, 0.09]; 2],
                grain: [0.012, 0.004],
                object: [0.04, 0.04, 0.035],
                radius: 0.25,
                ..d()
            },
        ),
        ("dark, with shadow", Look { shadow: 0.6, object: [0.25; 3], radius: 0.2, shapes: SOLID, ..d() }),
        ("bright, with shadow", Look { shadow: 0.6, object: [0.8; 3], radius: 0.2, shapes: SOLID, ..d() }),
        (
            "many, with shadows",
            Look { shadow: 0.7, object: [0.35, 0.3, 0.25], objects: 1..=4, radius: 0.14, shapes: SOLID, ..d() },
        ),
        (
            "shadow on a colored ground",
            Look { shadow: 0.6, ground: [YELLOW; 2], object: [0.74, 0.7, 0.52], radius: 0.2, ..d() },
        ),
        ("two tones", Look { ground: [[0.75; 3], [0.35, 0.3, 0.25]], object: [0.2, 0.3, 0.6], ..d() }),
        ("dark on two tones", Look { ground: [[0.75; 3], [0.5, 0.45, 0.4]], object: [0.2; 3], objects: 1..=3, ..d() }),
        ("little contrast", Look { object: [0.52; 3], ..d() }),
        ("much grain", Look { grain: [0.08, 0.03], objects: 1..=2, ..d() }),
        ("small photos", Look { objects: 1..=5, radius: 0.12, size: (128, 128), ..d() }),
        ("large photos", Look { objects: 1..=3, size: (700, 900), grain: [0.03, 0.03], ..d() }),
        ("large object", Look { radius: 0.33, shapes: &[Shape::Disc, Shape::Star], ..d() }),
    ]
}

#[test]
fn drawn_objects_are_found() {
    for (name, look) in looks() {
        let set = scene(&look, if look.size.0 > 400 { 4 } else { 12 }, 7);
        let model = fit(&set.photos).unwrap();
        assert_eq!(model.kind(), SetKind::Objects, "{name}");
        let mut scores = Vec::new();
        for (photo, truth) in set.photos.iter().zip(&set.masks) {
            let found = model.mask(photo.view()).unwrap();
            assert!(found.confidence >= 0.5 && found.reason.is_none(), "{name}: {:?}", found.reason);
            scores.push(overlap(&found.mask, truth));
        }
        let n = scores.len() as f64;
        let (mean, off) = (scores.iter().map(|s| s.0).sum::<f64>() / n, scores.iter().map(|s| s.1).sum::<f64>() / n);
        let worst = scores.iter().map(|s| s.0).fold(f64::INFINITY, f64::min);
        println!("{name:28} iou {mean:.3} worst {worst:.3} off object {off:.4}");
        assert!(mean >= 0.93 && worst >= 0.85, "{name}: mean {mean}, worst {worst}");
        assert!(off <= 0.025, "{name}: {off} off the object");
    }
}

#[test]
fn a_bore_shows_the_background_and_every_object_counts() {
    let look = Look { objects: 3..=3, shapes: &[Shape::Ring], radius: 0.14, ..Look::default() };
    let set = scene(&look, 6, 3);
    let model = fit(&set.photos).unwrap();
    for (photo, truth) in set.photos.iter().zip(&set.masks) {
        let found = model.mask(photo.view()).unwrap();
        let parts = |mask: &Array2<bool>| imgkit::components::label_components(mask.view()).sizes.len();
        assert_eq!(parts(&found.mask), parts(truth));
        assert_eq!(parts(&found.mask.mapv(|m| !m)), parts(&truth.mapv(|m| !m)), "holes");
    }
}

/// Photos of a texture; `kind` 0 noise, 1 waves, 2 stripes, 3 lattice, 4 patches, 5 broad stripes, 6 gradient.
fn texture(kind: u32, count: usize) -> Vec<Array3<f32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    (0..count)
        .map(|q| {
            let phase = q as f32 * 1.7;
            Array3::from_shape_fn((160, 200, 3), |(y, x, _)| {
                let (y, x, g) = (y as f32, x as f32, gauss(&mut rng));
                let stripe = |width: f32, shift: f32| ((x + shift) / width) as i32 % 2 == 0;
                let v = match kind {
                    0 => 0.5 + 0.1 * g,
                    1 => 0.5 + 0.25 * (x * 0.3 + phase).sin() + 0.02 * g,
                    2 => (if stripe(12.0, 3.0 * phase) { 0.3 } else { 0.7 }) + 0.02 * g,
                    3 if (x + phase) as i32 % 16 < 3 || (y + phase) as i32 % 16 < 3 => 0.2 + 0.02 * g,
                    3 => 0.8 + 0.02 * g,
                    4 => 0.5 + 0.15 * (x * 0.05 + phase).sin() * (y * 0.07 + phase).cos() + 0.03 * g,
                    5 => (if stripe(60.0, 7.0 * phase) { 0.3 } else { 0.7 }) + 0.02 * g,
                    _ => 0.4 + 0.2 * y / 160.0 + 0.05 * g,
                };
                v.clamp(0.0, 1.0)
            })
        })
        .collect()
}

#[test]
fn a_texture_fills_the_frame() {
    for kind in 0..7 {
        let photos = texture(kind, 8);
        let model = fit(&photos).unwrap();
        assert_eq!(model.kind(), SetKind::FillsFrame, "texture {kind}");
        let found = model.mask(photos[3].view()).unwrap();
        assert!(found.fills_frame && found.mask.iter().all(|&m| m), "texture {kind}");
        assert_eq!(found.reason, Some(FrameReason::Texture), "texture {kind}: {}", found.confidence);
        assert!(found.confidence >= 0.5 && found.confidence == model.confidence());
    }
}

#[test]
fn a_photo_that_is_not_of_the_set_gives_the_frame_and_says_why() {
    let look = Look { radius: 0.2, ..Look::default() };
    let model = fit(&scene(&look, 10, 5).photos).unwrap();
    let reason = |look: &Look| {
        let found = model.mask(scene(look, 1, 6).photos[0].view()).unwrap();
        assert_eq!(found.reason.is_some(), found.fills_frame && found.confidence < 0.5);
        found.reason
    };
    assert_eq!(reason(&look), None);
    assert_eq!(reason(&Look { objects: 0..=0, ..look.clone() }), Some(FrameReason::NothingFound));
    assert_eq!(reason(&Look { ground: [[0.1, 0.3, 0.5]; 2], ..look.clone() }), Some(FrameReason::OtherBackground));
    assert_eq!(reason(&Look { radius: 0.48, shapes: &[Shape::Disc], ..look.clone() }), Some(FrameReason::UnusualArea));
}

#[test]
fn sets_that_cannot_be_fitted_are_refused() {
    assert!(matches!(fit(&[]), Err(Error::NoForeground { .. })));
    assert!(matches!(fit(&vec![Array3::from_elem((40, 40, 3), 0.5); 3]), Err(Error::NoForeground { .. })));
    let good = scene(&Look::default(), 4, 1).photos;
    let with = |photo: Array3<f32>| fit(&[good.clone(), vec![photo]].concat());
    let mut nan = good[0].clone();
    nan[(5, 6, 1)] = f32::NAN;
    let Err(Error::SetPhoto { index: 4, source }) = with(nan) else { panic!("NaN") };
    assert_eq!(*source, Error::NotFinite { row: 5, column: 6, channel: 1 });
    for size in [(7, 90, 3), (90, 7, 3), (0, 0, 3), (20, 20, 0)] {
        let Err(Error::SetPhoto { index: 4, source }) = with(Array3::zeros(size)) else { panic!("{size:?}") };
        assert!(matches!(*source, Error::NoForeground { .. }));
    }
    // A uniform photo among good ones is passed over, but has no mask.
    let model = with(Array3::from_elem((40, 40, 3), 0.5)).unwrap();
    assert!(matches!(model.mask(Array3::from_elem((40, 40, 3), 0.5).view()), Err(Error::NoForeground { .. })));
    for params in [
        ForegroundParams::default().with_max_photos(0),
        ForegroundParams::default().with_smallest_part(f64::NAN),
        ForegroundParams::default().with_pinhole(1.5),
    ] {
        assert!(matches!(ForegroundFit::new(&params), Err(Error::Parameter(_))), "{params:?}");
    }
}

#[test]
fn photos_of_another_background_are_named() {
    let grays = scene(&Look::default(), 6, 1).photos;
    let blue = scene(&Look { ground: [[0.1, 0.3, 0.5]; 2], ..Look::default() }, 4, 2).photos;
    let mixed = [grays.clone(), blue.clone()].concat();
    let Err(Error::PhotosDisagree { index, disagreeing: 4, photos: 10 }) = fit(&mixed) else { panic!("mixed") };
    assert!(index >= 6, "{index}");
    // One in ten is left out of the fit, and falls back.
    let few = [grays.clone(), grays[..3].to_vec(), blue[..1].to_vec()].concat();
    let model = fit(&few).unwrap();
    assert_eq!(model.mask(blue[0].view()).unwrap().reason, Some(FrameReason::OtherBackground));
    assert_eq!(model.mask(grays[0].view()).unwrap().reason, None);
}

#[test]
fn photos_may_differ_in_size_and_channels_and_be_many() {
    let mut photos = scene(&Look::default(), 3, 1).photos;
    photos.extend(scene(&Look { size: (100, 130), ..Look::default() }, 3, 2).photos);
    let model = fit(&photos).unwrap();
    for photo in &photos {
        assert_eq!(model.mask(photo.view()).unwrap().mask.dim(), (photo.dim().0, photo.dim().1));
    }
    let gray = scene(&Look { object: [0.3; 3], ..Look::default() }, 3, 1);
    let one: Vec<Array3<f32>> = gray.photos.iter().map(|p| p.slice(ndarray::s![.., .., ..1]).to_owned()).collect();
    let found = fit(&one).unwrap().mask(one[0].view()).unwrap();
    assert!(overlap(&found.mask, &gray.masks[0]).0 > 0.9);
    // More photos than are kept: every second one, then every fourth.
    let params = ForegroundParams::default().with_max_photos(4);
    let mut all = ForegroundFit::new(&params).unwrap();
    let set = scene(&Look { size: (64, 80), ..Look::default() }, 13, 3);
    set.photos.iter().for_each(|p| all.add(p.view()).unwrap());
    assert_eq!(all.len(), 13);
    let kept = ForegroundModel::fit(set.photos.iter().step_by(4).map(|p| p.view()), &params).unwrap();
    let model = all.finish().unwrap();
    assert_eq!(model.photos(), 13);
    assert_eq!(model.mask(set.photos[1].view()).unwrap(), kept.mask(set.photos[1].view()).unwrap());
}

#[test]
fn random_values_give_a_result_or_an_error() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let (mut masks, mut errors) = (0, 0);
    for round in 0..62 {
        let mut size = (rng.random_range(0..40usize), rng.random_range(0..40usize), rng.random_range(0..5usize));
        if round >= 60 {
            // A strip, one cell wide.
            size = if round == 60 { (8, 3000, 1) } else { (3000, 8, 3) };
        }
        let scale = [1e-30f32, 1.0, 300.0, -2.0, 1e30][rng.random_range(0..5usize)];
        let photos: Vec<Array3<f32>> =
            (0..3).map(|_| Array3::from_shape_simple_fn(size, || scale * rng.random::<f32>())).collect();
        match fit(&photos).and_then(|model| model.mask(photos[0].view())) {
            Ok(found) => {
                assert!((0.0..=1.0).contains(&found.confidence) && found.mask.iter().any(|&m| m));
                masks += 1;
            }
            Err(_) => errors += 1,
        }
    }
    assert!(masks > 5 && errors > 5, "{masks} masks, {errors} errors");
}

#[cfg(feature = "serde")]
#[test]
fn a_model_is_read_back_to_the_last_bit_and_checked() {
    let set = scene(&Look { gradient: 1.7, ..Look::default() }, 5, 1);
    let model = fit(&set.photos).unwrap();
    let json = model.to_json().unwrap();
    let again = ForegroundModel::from_json(&json).unwrap();
    assert_eq!(again, model);
    for photo in &set.photos {
        assert_eq!(again.mask(photo.view()).unwrap(), model.mask(photo.view()).unwrap());
    }
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let changed = |key: &str, to: serde_json::Value| {
        let mut value = value.clone();
        value[key] = to;
        ForegroundModel::from_json(&value.to_string())
    };
    assert_eq!(changed("version", 2.into()), Err(Error::ModelVersion { found: 2, expected: 1 }));
    for (key, to) in [
        ("threshold", serde_json::json!(0.0)),
        ("confidence", serde_json::json!(1.5)),
        ("tones", serde_json::json!([])),
        ("places", serde_json::json!([0.5])),
        ("largest", serde_json::json!(-1.0)),
    ] {
        let Err(Error::Parameter(e)) = changed(key, to) else { panic!("{key}") };
        assert_eq!((e.what, e.name), ("ForegroundModel", key));
    }
    let mut spread = value["tones"].clone();
    spread[0]["spread"][1] = serde_json::json!(-0.1);
    assert!(matches!(changed("tones", spread), Err(Error::Parameter(e)) if e.name == "spread"));
    assert!(matches!(changed("kind", "no-such-kind".into()), Err(Error::ModelJson { .. })));
    assert!(matches!(changed("surplus", 1.into()), Err(Error::ModelJson { .. })));
    assert!(matches!(ForegroundModel::from_json(&json[..json.len() / 2]), Err(Error::ModelJson { .. })));
}

/// The first photos of a folder beside the project, or none with a line that says so.
fn on_disk(folder: &str, count: usize) -> Option<Vec<Array3<f32>>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(folder);
    let Ok(list) = imgkit::image_io::list_images(&root) else {
        let wanted = std::env::var_os("MAPHC2F_NEEDS_DATA").is_some();
        assert!(!wanted, "MAPHC2F_NEEDS_DATA is set, but {} is missing", root.display());
        println!("skipped: no {}", root.display());
        return None;
    };
    let step = (list.photos.len() / count).max(1);
    let paths = list.photos.iter().step_by(step).take(count);
    Some(paths.map(|path| imgkit::image_io::read_photo(path).unwrap().to_f32()).collect())
}

#[test]
fn real_sets() {
    // Bounds on the share of the frame, from outlines drawn by hand.
    for (folder, kind, low, high) in [
        ("data/mvtec/bottle/train/good", SetKind::Objects, 0.58, 0.68),
        ("data/mvtec/pill/train/good", SetKind::Objects, 0.37, 0.44),
        ("data/hazelnut_toy/hazelnut/train/good", SetKind::Objects, 0.18, 0.30),
        ("data/mvtec3d/tire/train/good", SetKind::Objects, 0.29, 0.36),
        ("data/kolektor_sdd/commutator/train/good", SetKind::FillsFrame, 1.0, 1.0),
        ("data/magnetic_tile/tile/train/good", SetKind::FillsFrame, 1.0, 1.0),
    ] {
        let Some(photos) = on_disk(folder, 8) else { continue };
        let model = fit(&photos).unwrap();
        assert_eq!(model.kind(), kind, "{folder}");
        for photo in &photos {
            let found = model.mask(photo.view()).unwrap();
            let area = found.mask.iter().filter(|&&m| m).count() as f64 / found.mask.len() as f64;
            assert!((low..=high).contains(&area), "{folder}: {area}");
            assert!(found.confidence >= 0.5, "{folder}: {}", found.confidence);
        }
    }
}

#[test]
fn two_real_objects_are_found_and_nothing_off_them() {
    let (Some(photos), Some(masks)) = (on_disk("cases/two_objects", 3), on_disk("cases/two_objects_masks", 3)) else {
        return;
    };
    let model = fit(&photos).unwrap();
    for (photo, mask) in photos.iter().zip(&masks) {
        let truth = mask.index_axis(ndarray::Axis(2), 0).mapv(|v| v > 0.5);
        let found = model.mask(photo.view()).unwrap();
        let (iou, off) = overlap(&found.mask, &truth);
        assert!(!found.fills_frame && iou > 0.9 && off == 0.0, "iou {iou}, off {off}");
    }
}

/// `cargo nextest run --release -p physdefect --run-ignored only -E 'test(speed_of_a_set)' --no-capture`
#[test]
#[ignore = "a timing, not a test"]
fn speed_of_a_set() {
    let look = Look { size: (288, 288), radius: 0.3, ..Look::default() };
    let photos = scene(&look, 40, 1).photos;
    let start = std::time::Instant::now();
    let mut all = ForegroundFit::new(&ForegroundParams::default()).unwrap();
    (0..200).for_each(|i| all.add(photos[i % 40].view()).unwrap());
    let model = all.finish().unwrap();
    println!("fit of 200 photos of 288 px: {:.2} s", start.elapsed().as_secs_f64());
    let start = std::time::Instant::now();
    for photo in &photos {
        assert!(!model.mask(photo.view()).unwrap().fills_frame);
    }
    println!("mask of one: {:.1} ms", 1e3 * start.elapsed().as_secs_f64() / 40.0);
}
