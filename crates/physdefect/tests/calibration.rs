//! Priors from a few masks: what is drawn, rendered and measured again lies in the stated intervals.
// A failed set-up is a failed test; a test prints its figures.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::{Path, PathBuf};

use ndarray::{Array2, Array3};
use physdefect::appearance::{Appearance, Light, Material};
use physdefect::calibration::{Calibration, Caution, Course, Marked, fit};
use physdefect::{Domain, Error, MechanismKind, SampleKey};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

const SIDE: usize = 224;
const TRIALS: u64 = 60;
const KINDS: [MechanismKind; 6] = [
    MechanismKind::FractureLine,
    MechanismKind::PittingLoss,
    MechanismKind::PlasticWarpage,
    MechanismKind::Abrasion,
    MechanismKind::SurfaceUnevenness,
    MechanismKind::EdgeLoss,
];

/// A bright scratch's worth of masks, only to have a `Calibration` whose priors can be overwritten.
fn any_calibration(mechanism: MechanismKind) -> Calibration {
    let mask = Array2::from_shape_fn((64, 64), |(y, x)| (30..34).contains(&y) && (10..40).contains(&x));
    let image = Array3::from_shape_fn((64, 64, 1), |(y, x, _)| if mask[[y, x]] { 0.3 } else { 0.6 });
    fit(mechanism, &[Marked::new(image.view(), mask.view()); 3]).unwrap()
}

/// Truth of one trial: medians and deviations of the logs, visibility, darkness, mean count.
fn draw_truth(mechanism: MechanismKind, rng: &mut ChaCha8Rng) -> Calibration {
    let mut c = any_calibration(mechanism);
    let long = matches!(mechanism, MechanismKind::FractureLine | MechanismKind::Abrasion);
    let (low, high): (f64, f64) = match mechanism {
        MechanismKind::FractureLine | MechanismKind::Abrasion => (30.0, 80.0),
        // Larger ones take long, and say no more.
        MechanismKind::SurfaceUnevenness => (26.0, 44.0),
        MechanismKind::PlasticWarpage => (40.0, 80.0),
        _ => (10.0, 24.0),
    };
    let relative = |px: f64| (px / SIDE as f64).ln();
    c.object_scale = SIDE as f64;
    c.size.mean = rng.random_range(relative(low)..relative(high));
    c.size.deviation = rng.random_range(0.1..0.3);
    c.width.mean = rng.random_range(relative(6.0)..relative(9.0));
    c.width.deviation = rng.random_range(0.08..0.15);
    c.visibility.mean = rng.random_range(2.5f64.ln()..6f64.ln());
    c.visibility.deviation = rng.random_range(0.1..0.25);
    // A crack lets no light out; anything else may be brighter than its surround, too.
    let bright = mechanism != MechanismKind::FractureLine && rng.random::<f64>() < 0.2;
    c.darker.value = if bright { 0.0 } else { 1.0 };
    c.polarity.mean = 1.0;
    c.count.mean = if mechanism == MechanismKind::PittingLoss { 1.0 + rng.random_range(0.0..2.0) } else { 1.0 };
    if !long {
        c.width = c.size; // a pit's width is its diameter
    }
    c.depth = None;
    // The photos' own: visibility alone decides.
    (c.contrast.mean, c.contrast.deviation) = (0.2f64.ln(), 9.0);
    c.mottle.mean = 0.5f64.ln();
    c.level.mean = 0.0;
    (c.at_edge.value, c.inset) = (0.0, None);
    c.courses = Vec::new();
    if long {
        let course = |_| Course { direction: rng.random_range(-1.5..1.5), waviness: rng.random_range(0.0..0.1) };
        c.courses = (0..6).map(course).collect();
    }
    c
}

/// Even gray with a slope of light and noise.
fn plain(rng: &mut ChaCha8Rng) -> Array3<f32> {
    let noise = Normal::new(0.0, 0.01).unwrap();
    Array3::from_shape_fn((SIDE, SIDE, 1), |(_, x, _)| (0.5 + 0.1 * x as f64 / SIDE as f64 + noise.sample(rng)) as f32)
}

/// Photos with defects that follow a calibration, and their masks.
fn follow(truth: &Calibration, seed: u64, count: u64, rng: &mut ChaCha8Rng) -> Vec<(Array3<f32>, Array2<bool>)> {
    let synth = truth.synthesizer(Appearance::new(Material::MATTE).lit(Light::default())).unwrap();
    let domain = Domain::full(SIDE, SIDE).unwrap();
    let one = |index| {
        let photo = plain(rng);
        let made = synth.synthesize(photo.view(), &domain, SampleKey { seed, index });
        let sample = made.inspect_err(|e| println!("{:?}: {e}", truth.mechanism)).ok()?;
        Some((sample.paste(photo.view()).unwrap(), sample.full_mask(SIDE, SIDE).unwrap()))
    };
    let made: Vec<_> = (0..4 * count).filter_map(one).take(count as usize).collect();
    assert_eq!(made.len() as u64, count, "{:?} makes too few: {truth:?}", truth.mechanism);
    made
}

fn marked(made: &[(Array3<f32>, Array2<bool>)]) -> Vec<Marked<'_>> {
    made.iter().map(|(photo, mask)| Marked::new(photo.view(), mask.view())).collect()
}

/// Share of trials whose truth lies in the refitted interval: size, width, visibility, count. Prints the mean errors of
/// the first three, on the scale of logarithms.
fn coverage(mechanism: MechanismKind) -> [f64; 4] {
    let (mut inside, mut errors) = ([0u32; 4], [0.0; 3]);
    // ln of the intervals' upper over lower bound of size, and how often a truth 1.6 times too large would be inside.
    let (mut spread, mut fooled) = (0.0, 0u32);
    for trial in 0..TRIALS {
        let mut rng = ChaCha8Rng::seed_from_u64(trial);
        let truth = draw_truth(mechanism, &mut rng);
        let most = if mechanism == MechanismKind::SurfaceUnevenness { 6 } else { 10 };
        let n = [3, 5, most][trial as usize % 3];
        let made = follow(&truth, 1000 + trial, n, &mut rng);
        let found = fit(mechanism, &marked(&made)).unwrap();
        let pairs = [
            (truth.size.median(), found.size.interval),
            (truth.width.median(), found.width.interval),
            (truth.visibility.median(), found.visibility.interval),
            (truth.count.mean, found.count.interval),
        ];
        let centers =
            [(&truth.size, &found.size), (&truth.width, &found.width), (&truth.visibility, &found.visibility)];
        for (error, (t, f)) in errors.iter_mut().zip(centers) {
            *error += (f.mean - t.mean) / TRIALS as f64;
        }
        assert!((found.darker.value - truth.darker.value).abs() < 0.5, "trial {trial}: {:?}", found.darker);
        let (low, high) = found.size.interval;
        spread += (high / low).ln() / TRIALS as f64;
        fooled += u32::from((low..=high).contains(&(1.6 * truth.size.median())));
        for (hit, (value, (low, high))) in inside.iter_mut().zip(pairs) {
            *hit += u32::from((low..=high).contains(&value));
        }
    }
    println!("{mechanism:?}: mean error of ln size, ln width, ln visibility {errors:.3?}");
    println!("{mechanism:?}: size intervals {:.2} times wide, {fooled} hold 1.6 times the truth", spread.exp());
    // An interval that holds everything says nothing.
    assert!(f64::from(fooled) < 0.3 * TRIALS as f64, "{fooled}");
    let shares = inside.map(|n| f64::from(n) / TRIALS as f64);
    println!("{mechanism:?}: share of {TRIALS} trials inside: size, width, visibility, count {shares:.2?}");
    shares
}

/// 95 % intervals hold the truth of 60 trials 53 times or more, but for one in two thousand.
const NOMINAL: f64 = 53.0 / 60.0;

#[test]
fn cracks_come_back_inside_their_intervals() {
    let shares = coverage(MechanismKind::FractureLine);
    assert!(shares.iter().all(|&s| s >= NOMINAL), "{shares:?}");
}

#[test]
fn pits_come_back_inside_their_intervals() {
    let shares = coverage(MechanismKind::PittingLoss);
    assert!(shares.iter().all(|&s| s >= NOMINAL), "{shares:?}");
}

#[test]
fn scratches_come_back_inside_their_intervals() {
    let shares = coverage(MechanismKind::Abrasion);
    assert!(shares.iter().all(|&s| s >= NOMINAL), "{shares:?}");
}

#[test]
fn stains_come_back_inside_their_intervals() {
    let shares = coverage(MechanismKind::SurfaceUnevenness);
    assert!(shares.iter().all(|&s| s >= NOMINAL), "{shares:?}");
}

#[test]
fn a_calibration_survives_json() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for mechanism in KINDS {
        let calibration = draw_truth(mechanism, &mut rng);
        let text = serde_json::to_string(&calibration).unwrap();
        assert_eq!(serde_json::from_str::<Calibration>(&text).unwrap(), calibration, "{text}");
    }
}

#[test]
fn bad_input_is_refused_and_named() {
    let mask = Array2::from_shape_fn((32, 32), |(y, x)| y == 9 && (5..20).contains(&x));
    let photo = Array3::from_elem((32, 32, 3), 0.5f32);
    let empty = Array2::from_elem((32, 32), false);
    let full = Array2::from_elem((32, 32), true);
    let small = Array2::from_elem((31, 32), true);
    let mut broken = photo.clone();
    broken[[3, 4, 1]] = f32::NAN;
    let good = Marked::new(photo.view(), mask.view());
    let crack = MechanismKind::FractureLine;
    assert_eq!(fit(crack, &[good, good]).unwrap_err(), Error::TooFewSamples { found: 2, needed: 3 });
    let inner = |third| match fit(crack, &[good, good, third]).unwrap_err() {
        Error::CalibrationImage { index: 2, source } => *source,
        other => panic!("{other}"),
    };
    assert_eq!(inner(Marked::new(photo.view(), empty.view())), Error::EmptyMask { height: 32, width: 32 });
    assert_eq!(inner(Marked::new(photo.view(), full.view())), Error::NoSurround { height: 32, width: 32 });
    assert_eq!(inner(Marked::new(broken.view(), mask.view())), Error::NotFinite { row: 3, column: 4, channel: 1 });
    assert!(matches!(inner(Marked::new(photo.view(), small.view())), Error::Shape { what: "mask", .. }));
    assert_eq!(fit(crack, &vec![good; 65]).unwrap_err(), Error::TooManySamples { found: 65, most: 64 });
    let domain = Domain::full(16, 32).unwrap();
    assert!(matches!(inner(good.on(&domain)), Error::Shape { what: "domain", .. }));
    let fitted = fit(crack, &[good, good, good]).unwrap();
    assert!(fitted.cautions().contains(&Caution::AllAlike) && fitted.cautions().contains(&Caution::Few { images: 3 }));
    assert!(matches!(fitted.pitting_loss(Appearance::default()), Err(Error::WrongMechanism { .. })));
    assert!(matches!(fit(MechanismKind::Baseline, &[good, good, good]), Err(Error::WrongMechanism { .. })));
}

/// A dark square of `side` px in each of some photos, where nothing else is.
fn squares(sides: &[usize]) -> Vec<(Array3<f32>, Array2<bool>)> {
    let one = |&side: &usize| {
        let mask =
            Array2::from_shape_fn((80, 80), |(y, x)| (30..30 + side).contains(&y) && (40..40 + side).contains(&x));
        (Array3::from_shape_fn((80, 80, 1), |(y, x, _)| if mask[[y, x]] { 0.3 } else { 0.6 }), mask)
    };
    sides.iter().map(one).collect()
}

#[test]
fn specks_are_refused_and_tiny_or_equal_defects_give_a_warning() {
    let pit = MechanismKind::PittingLoss;
    // One pixel is a slip of the hand.
    let made = squares(&[9, 12, 1]);
    let source = Box::new(Error::EmptyMask { height: 80, width: 80 });
    let error = fit(pit, &marked(&made)).unwrap_err();
    assert_eq!(error, Error::CalibrationImage { index: 2, source });
    assert!(error.to_string().contains("image 2") && error.to_string().contains("leave this image out"), "{error}");
    let cautions = |sides: &[usize]| fit(pit, &marked(&squares(sides))).unwrap().cautions();
    // A square of 4 px has the area of a disc of 4.5 px.
    let tiny = cautions(&[3, 4, 5, 4, 4]);
    assert!(matches!(tiny[..], [Caution::Tiny { pixels }] if (4.0..5.0).contains(&pixels)), "{tiny:?}");
    assert!(tiny[0].to_string().contains("higher resolution"));
    assert_eq!(cautions(&[9, 9, 9, 9, 9]), [Caution::AllAlike]);
    assert_eq!(cautions(&[9, 12, 10, 14, 11]), []);
    assert!(Caution::AllAlike.to_string().contains("mark others"));
}

/// Says that a test is skipped without its data; fails where `MAPHC2F_NEEDS_DATA` says that the data must be there.
fn skip(what: &str) {
    assert!(std::env::var_os("MAPHC2F_NEEDS_DATA").is_none(), "MAPHC2F_NEEDS_DATA is set, but {what} is missing");
    println!("skipped: {what} is missing");
}

/// Images and masks of one kind of the magnetic-tile set; empty where the set is absent.
fn tiles(kind: &str, most: usize) -> Vec<(Array3<f32>, Array2<bool>)> {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/magnetic_tile/tile");
    let Ok(entries) = std::fs::read_dir(root.join("test").join(kind)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    paths.sort();
    paths
        .iter()
        .step_by((paths.len() / most).max(1))
        .take(most)
        .map(|path| {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let image = image::open(path).unwrap().to_luma8();
            // Good tiles have no mask.
            let mask = image::open(root.join("ground_truth").join(kind).join(format!("{stem}_mask.png")));
            let mask = mask.map_or_else(|_| image::GrayImage::new(image.width(), image.height()), |m| m.to_luma8());
            let (h, w) = (image.height() as usize, image.width() as usize);
            let photo =
                Array3::from_shape_fn((h, w, 1), |(y, x, _)| f32::from(image.get_pixel(x as u32, y as u32)[0]) / 255.0);
            (photo, Array2::from_shape_fn((h, w), |(y, x)| mask.get_pixel(x as u32, y as u32)[0] > 127))
        })
        .collect()
}

#[test]
fn real_masks_give_priors_and_samples_that_measure_alike() {
    // They are dark on gray, but for two of the frayed ones, whose mean gray is that of the 10 px around them.
    for (kind, mechanism, darker) in [
        ("crack", MechanismKind::FractureLine, 1.0),
        ("blowhole", MechanismKind::PittingLoss, 1.0),
        ("fray", MechanismKind::PittingLoss, 10.0 / 12.0),
    ] {
        let real = tiles(kind, 10);
        if real.is_empty() {
            skip(&format!("magnetic_tile/tile/test/{kind}"));
            continue;
        }
        let c = fit(mechanism, &marked(&real)).unwrap();
        println!("{kind}: {} images, {} defects, {:.0} % at the edge", c.images, c.defects, 100.0 * c.at_edge.value);
        let line = |name: &str, p: &physdefect::calibration::Prior| {
            println!("  {name}: {:.3} [{:.3}, {:.3}], sd {:.2}", p.median(), p.interval.0, p.interval.1, p.deviation);
        };
        line("size", &c.size);
        line("width", &c.width);
        line("visibility", &c.visibility);
        c.depth.iter().for_each(|d| line("apparent depth", d));
        println!("  count: {:.2} {:?}, dispersion {:.2}", c.count.mean, c.count.interval, c.count.dispersion);
        let pixels = c.size.median() * c.object_scale;
        assert!(pixels > 3.0 && c.size.interval.0 < c.size.median() && c.size.median() < c.size.interval.1);
        let (low, high) = c.darker.interval;
        assert!(c.darker.value > 0.7 && low <= darker && darker <= high + 1e-9, "{kind}: {:?}", c.darker);
        assert!(c.seen > 0.6, "{kind}: {}", c.seen);
        // Samples on defect-free images of the same set measure like the real ones.
        let synth = c.synthesizer(Appearance::new(Material::METAL)).unwrap();
        let made: Vec<_> = tiles("good", 40)
            .into_iter()
            .enumerate()
            .filter_map(|(index, (photo, _))| {
                let (h, w, _) = photo.dim();
                let domain = Domain::full(h, w).unwrap();
                let sample =
                    synth.synthesize(photo.view(), &domain, SampleKey { seed: 3, index: index as u64 }).ok()?;
                Some((sample.paste(photo.view()).unwrap(), sample.full_mask(h, w).unwrap()))
            })
            .collect();
        assert!(made.len() >= 30, "{kind}: {} samples on 40 good tiles", made.len());
        let again = fit(mechanism, &marked(&made)).unwrap();
        let within = |value: f64, (low, high): (f64, f64)| (low..=high).contains(&value);
        println!(
            "  {} samples on good tiles: size {:.3}, width {:.3}, visibility {:.2}, darker {:.2}, count {:.2}",
            again.images,
            again.size.median(),
            again.width.median(),
            again.visibility.median(),
            again.darker.value,
            again.count.mean
        );
        assert!(within(again.size.median(), c.size.interval), "{kind}: size {:?}", again.size);
        // The contrast is the defect's own unless it varied much more over the real ones than the visibility; good
        // tiles have another grain than those with defects.
        let (value, median) = if c.contrast.deviation < 3.0 * c.visibility.deviation {
            (again.contrast.median(), c.contrast.median())
        } else {
            (again.visibility.median(), c.visibility.median())
        };
        assert!((value / median).ln().abs() < 1.3f64.ln(), "{kind}: {value} for {median}");
    }
}

/// Straight cracks come back straight and wavy ones wavy, along the axis that was asked for.
#[test]
fn cracks_follow_the_measured_course() {
    let mut truth = any_calibration(MechanismKind::FractureLine);
    truth.inset = None;
    truth.size.mean = (80f64 / SIDE as f64).ln();
    truth.width.mean = (4.5f64 / SIDE as f64).ln();
    truth.at_edge.value = 0.0;
    truth.visibility.mean = 4f64.ln();
    (truth.contrast.deviation, truth.mottle.mean, truth.level.mean) = (9.0, 0.0, 0.0);
    let photo = Array3::from_elem((SIDE, SIDE, 1), 0.6f32);
    let domain = Domain::full(SIDE, SIDE).unwrap();
    let mut medians = Vec::new();
    for (direction, waviness) in [(0.4, 0.0), (-1.2, 0.04), (1.5, 0.08)] {
        truth.courses = vec![Course { direction, waviness }];
        let synth = truth.synthesizer(Appearance::default()).unwrap();
        let made: Vec<_> = (0..24)
            .map(|index| {
                let sample = synth.synthesize(photo.view(), &domain, SampleKey { seed: 5, index }).unwrap();
                (sample.paste(photo.view()).unwrap(), sample.full_mask(SIDE, SIDE).unwrap())
            })
            .collect();
        let courses = fit(MechanismKind::FractureLine, &marked(&made)).unwrap().courses;
        // axes are equal up to half a turn
        let off = |c: &Course| {
            let d = (c.direction - direction).rem_euclid(std::f64::consts::PI);
            d.min(std::f64::consts::PI - d)
        };
        let mean_off = courses.iter().map(off).sum::<f64>() / courses.len() as f64;
        assert!(mean_off < 0.25, "asked {direction}, off by {mean_off} on average");
        let mut found: Vec<f64> = courses.iter().map(|c| c.waviness).collect();
        found.sort_by(f64::total_cmp);
        medians.push(found[found.len() / 2]);
        println!(
            "waviness asked {waviness}, median found {:.3}, direction off by {mean_off:.3} rad",
            medians[medians.len() - 1]
        );
    }
    assert!(medians[0] < medians[1] && medians[1] < medians[2], "{medians:?}");
    assert!(medians[0] < 0.03 && (0.04..0.16).contains(&medians[2]), "{medians:?}");
}
