//! Odd values in every public constructor and function: a result or a typed error that names what is wrong, never a
//! panic.
// A failed set-up is a failed test.
#![allow(clippy::unwrap_used)]

use std::cell::Cell;

use ndarray::{Array2, Array3};
use physdefect::abrasion::{Abrasion, AbrasionParams, worm_like_chain};
use physdefect::appearance::{Appearance, Light, Material, Rendered};
use physdefect::baselines::{
    CutPaste, CutPasteParams, CutPasteScar, CutPasteScarParams, PatchClone, PatchCloneParams, PerlinBlend,
    PerlinBlendParams,
};
use physdefect::calibration::{Calibration, Course, Marked, apparent_depth, fit};
use physdefect::edge_loss::{EdgeLoss, EdgeLossParams};
use physdefect::fracture::{
    FractureLine, FractureParams, FrontierParams, PaperFrontier, Toughness, ToughnessField, frontier_half_width, lefm,
};
use physdefect::imgkit::ParameterError;
use physdefect::noise::{GaussianField, Perlin};
use physdefect::pitting::{
    Interaction, Metal, Nucleation, PaperPolygon, PitShape, PittingLoss, PittingParams, PolygonParams, PowerLaw,
    Product, Seed, Susceptibility, fast_march,
};
use physdefect::registry::Registry;
use physdefect::unevenness::{Spectrum, SurfaceUnevenness, UnevennessParams, WaveField};
use physdefect::warpage::{PlasticWarpage, Plate, Tolerance, WarpageParams, section_moment};
use physdefect::{Domain, Error, Mechanism, MechanismKind, SampleKey, Synthesizer};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Counts results and errors, so that a test that saw one of them only fails.
#[derive(Default)]
struct Tally {
    made: Cell<u32>,
    refused: Cell<u32>,
}

impl Tally {
    /// An error of a constructor says which value of what is wrong and what it must be.
    fn count<T>(&self, made: Result<T, Error>) -> Option<T> {
        match made {
            Ok(value) => {
                self.made.set(self.made.get() + 1);
                Some(value)
            }
            Err(error) => {
                let text = error.to_string();
                let Error::Parameter(ParameterError { what, name, expected, .. }) = error else { panic!("{text}") };
                assert!(!name.is_empty() && text.contains(name) && text.contains(what), "{text}");
                let range = expected.chars().any(|c| c.is_ascii_digit()) || expected.starts_with("a finite");
                assert!(range, "no range in: {text}");
                self.refused.set(self.refused.get() + 1);
                None
            }
        }
    }
}

/// Draws defects on a small disc: finite, or a typed refusal.
fn draws(model: &dyn Mechanism, n: usize) {
    let disc = |(y, x): (usize, usize)| (y as f64 - 20.0).hypot(x as f64 - 23.0) < 18.0;
    let domain = Domain::from_mask(Array2::from_shape_fn((41, 47), disc)).unwrap();
    for severity in [0.0, 1.0] {
        match model.generate(&domain, severity, &mut SampleKey { seed: 5, index: n as u64 }.rng()) {
            Ok(defect) => {
                assert!(defect.height.iter().chain(&defect.opacity).all(|v| v.is_finite()), "{model:?}");
                assert!(defect.reflectance.iter().flatten().all(|v| v.is_finite() && *v >= 0.0), "{model:?}");
                assert!(defect.measures.values().all(|v| v.is_finite()), "{model:?}: {:?}", defect.measures);
            }
            Err(error) => assert!(matches!(error, Error::DomainTooSmall { .. }), "{model:?}: {error}"),
        }
    }
}

fn odd() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -1.0..2.0f64,
        1 => any::<f64>(),
        1 => prop::sample::select(vec![
            f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1e300, f64::MIN_POSITIVE,
        ]),
    ]
}

fn run<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value)) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(strategy, |value| {
            test(value);
            Ok(())
        })
        .unwrap();
}

type Numbers = (Vec<f64>, usize, u64);

fn numbers() -> impl Strategy<Value = Numbers> {
    (prop::collection::vec(odd(), 10), prop_oneof![0usize..2000, any::<usize>()], any::<u64>())
}

/// Each case feeds its own tally: every constructor must have been seen to accept and to refuse.
#[test]
fn every_constructor_accepts_or_names_what_is_wrong() {
    type Case = (&'static str, Box<dyn Fn(&Tally, &Numbers)>);
    let cases: Vec<Case> = vec![
        (
            "FractureLine",
            Box::new(|t, (v, _, _)| {
                let p = FractureParams::default();
                t.count(FractureLine::new(p.with_length((v[0], v[1]))));
                t.count(FractureLine::new(p.with_opening((v[0], v[1])).with_grain(v[2])));
                t.count(FractureLine::new(p.with_stress_angle(Some(v[0])).with_stress_ratio(v[1]).with_zone(v[2])));
                t.count(FractureLine::new(p.with_flaw_tilt(v[3]).with_edge_start(v[4]).with_cone(v[5])));
                t.count(FractureLine::new(p.with_process_zone(v[0]).with_branching(v[1]).with_shielding(v[2])));
                t.count(FractureLine::new(p.with_branch_angle((v[0], v[1])).with_aspect(v[2])));
                t.count(FractureLine::new(p.with_toughness(Toughness::Gaussian { disorder: v[0] })));
                t.count(FractureLine::new(p.with_toughness(Toughness::Voronoi { modulus: v[1] })));
            }),
        ),
        (
            "PaperFrontier",
            Box::new(|t, (v, _, _)| {
                let p = FrontierParams::default();
                t.count(PaperFrontier::new(p.with_length((v[0], v[1])).with_branch(v[2])));
                t.count(PaperFrontier::new(p.with_branch_angle((v[0], v[1])).with_wander(v[2])));
                t.count(PaperFrontier::new(p.with_w0(v[0]).with_alpha(v[1]).with_eps(v[2])));
                t.count(PaperFrontier::new(p.with_noise_scale(v[0]).with_noise_cells(v[1]).with_aspect(v[2])));
            }),
        ),
        (
            "PittingLoss",
            Box::new(|t, (v, _, _)| {
                let p = PittingParams::default;
                t.count(PittingLoss::new(p().with_exponent(v[0])));
                t.count(PittingLoss::new(p().with_exposure_years((v[0], v[1]))));
                t.count(PittingLoss::new(p().with_spread_rate(v[1])));
                t.count(PittingLoss::new(p().with_grain_size(v[2]).with_grain_contrast(v[3])));
                t.count(PittingLoss::new(p().with_rate_spread(v[4])));
                t.count(PittingLoss::new(p().with_product(Product::Copper).with_deposit(v[0]).with_stain(v[5])));
                t.count(PittingLoss::new(p().with_nucleation(nucleation(v))));
                t.count(PittingLoss::new(p().with_pixel_pitch_mm(Some(v[2]))));
            }),
        ),
        (
            "PaperPolygon",
            Box::new(|t, (v, n, _)| {
                let p = PolygonParams::default;
                t.count(PaperPolygon::new(p().with_polygons(*n).with_radius(v[3])));
                t.count(PaperPolygon::new(p().with_growth(v[4]).with_probability(v[5])));
                t.count(PaperPolygon::new(p().with_noise_scale(v[0]).with_noise_contrast(v[1])));
                t.count(PaperPolygon::new(p().with_depth(v[2])));
            }),
        ),
        (
            "PlasticWarpage",
            Box::new(|t, (v, _, _)| {
                let p = WarpageParams::default;
                t.count(PlasticWarpage::new(p().with_size((v[0], v[1]))));
                t.count(PlasticWarpage::new(p().with_load_ratio((v[2], v[3]))));
                t.count(PlasticWarpage::new(p().with_thickness(v[4])));
                t.count(PlasticWarpage::new(p().with_yield_strain(v[5]).with_poisson(v[0])));
                t.count(PlasticWarpage::new(p().with_foundation_length(v[1]).with_irregularity(v[2])));
                t.count(PlasticWarpage::new(p().with_view(Some([v[3], v[4], v[5]]))));
            }),
        ),
        (
            "SurfaceUnevenness",
            Box::new(|t, (v, n, _)| {
                let p = UnevennessParams::default;
                t.count(SurfaceUnevenness::new(p().with_size((v[0], v[1])).with_contrast((v[2], v[3]))));
                t.count(SurfaceUnevenness::new(p().with_waviness((v[0], v[1])).with_waves((v[2], v[3]))));
                t.count(SurfaceUnevenness::new(p().with_streaks((v[0], v[1])).with_slope(v[2]).with_aspect(v[3])));
                t.count(SurfaceUnevenness::new(p().with_grain(Some(v[0])).with_irregularity(v[1])));
                t.count(SurfaceUnevenness::new(p().with_softness(v[0]).with_brighter(v[1])));
                t.count(SurfaceUnevenness::new(p().with_color([v[0], v[1], v[2]]).with_color_weight(v[3])));
                if let Some(model) = t.count(SurfaceUnevenness::new(p().with_transport(v[4]).with_ring_width(v[5]))) {
                    draws(&model, *n);
                }
                let spectrum = Spectrum { wavelength: (v[0], v[1]), slope: v[2], aspect: v[3], angle: v[4] };
                if let Some(field) = t.count(WaveField::new(spectrum, &mut SampleKey { seed: 1, index: 1 }.rng())) {
                    let _ = field.at(v[5], v[6]);
                }
            }),
        ),
        (
            "Abrasion",
            Box::new(|t, (v, n, _)| {
                let p = AbrasionParams::default;
                t.count(Abrasion::new(p().with_length((v[0], v[1])).with_fade(v[2])));
                t.count(Abrasion::new(p().with_hardness(v[0]).with_attack_angle(v[1]).with_pile_up(v[2])));
                t.count(Abrasion::new(p().with_chatter(v[0]).with_chatter_spacing(v[1]).with_unsteadiness(v[2])));
                t.count(Abrasion::new(p().with_parallel(v[0]).with_spread(v[1]).with_bare((v[2], v[3]))));
                if let Some(model) = t.count(Abrasion::new(p().with_pixel_pitch_mm(Some(v[0])).with_load((v[1], v[2]))))
                {
                    draws(&model, *n);
                }
                if let Some(model) = t.count(Abrasion::new(p().with_extent_mm(v[0]).with_persistence(v[1]))) {
                    draws(&model, *n);
                }
                let mut rng = SampleKey { seed: 1, index: 1 }.rng();
                t.count(worm_like_chain([v[0], v[1]], v[2], (n % 2000, v[3]), v[4], &mut rng));
            }),
        ),
        (
            "EdgeLoss",
            Box::new(|t, (v, n, _)| {
                let p = EdgeLossParams::default;
                t.count(EdgeLoss::new(p().with_thickness(v[0]).with_irregularity(v[1])));
                t.count(EdgeLoss::new(p().with_band((v[0], v[1])).with_through(v[2])));
                t.count(EdgeLoss::new(p().with_fresh((v[0], v[1])).with_brighter(v[2]).with_clearance(v[3])));
                if let Some(model) = t.count(EdgeLoss::new(p().with_size((v[0], v[1])).with_depth((v[2], v[3])))) {
                    draws(&model, *n);
                }
                if let Some(model) = t.count(EdgeLoss::new(p().with_steepness(v[0]).with_roughness(v[1]))) {
                    draws(&model, *n);
                }
            }),
        ),
        (
            "Plate",
            Box::new(|t, (v, n, _)| {
                t.count(Plate::new(*n, 3, v[0], v[1], v[2], v[3], v[4]));
                t.count(Plate::new(4, 5, v[0], v[1], v[2], v[3], v[4]));
            }),
        ),
        (
            "CutPaste",
            Box::new(|t, (v, _, _)| {
                t.count(CutPaste::new(CutPasteParams::default().with_severity((v[0], v[1]))));
            }),
        ),
        (
            "CutPasteScar",
            Box::new(|t, (v, _, _)| {
                t.count(CutPasteScar::new(CutPasteScarParams::default().with_severity((v[0], v[1]))));
            }),
        ),
        (
            "PerlinBlend",
            Box::new(|t, (v, _, _)| {
                t.count(PerlinBlend::new(PerlinBlendParams::default().with_severity((v[0], v[1]))));
            }),
        ),
        (
            "PatchClone",
            Box::new(|t, (v, _, _)| {
                t.count(PatchClone::new(PatchCloneParams::default().with_severity((v[0], v[1]))));
            }),
        ),
        (
            "Rendered",
            Box::new(|t, (v, n, _)| {
                let material = Material::METAL.with_albedo(v[3]).with_cavity(v[4]).with_rim(v[5]).with_diffuse(v[6]);
                let material = material.with_specular(v[7]).with_gloss((*n % 12) as u8);
                let light = Light::default().with_azimuth(v[0]).with_elevation(v[1]).with_ambient(v[2]);
                t.count(Rendered::new(FractureLine::default(), Appearance::new(material)));
                t.count(Rendered::new(FractureLine::default(), Appearance::default().lit(light)));
                let crack = Rendered::new(FractureLine::default(), Appearance::default()).unwrap();
                t.count(crack.with_severity(v[0], v[1]));
            }),
        ),
        (
            "Registry",
            Box::new(|t, (v, n, _)| {
                let registry = Registry::standard();
                let entries = registry.entries();
                let entry = entries[n % entries.len()];
                t.count(entry.synthesizer(Appearance::default(), (v[0], v[1])));
                t.count(entry.config().unwrap().with_severity(v[0], v[1]).build());
            }),
        ),
        (
            "Domain",
            Box::new(|t, (_, n, _)| {
                t.count(Domain::full(1 + n % 50, 1 + n % 31));
                t.count(Domain::full(usize::MAX - n % 100, 2));
            }),
        ),
        (
            "fast_march",
            Box::new(|t, (v, n, _)| {
                let seeds = [
                    Seed { y: v[0], x: v[1], time: v[2], speed_factor: v[3] },
                    Seed { y: 1.0, x: 2.0, time: v[4], speed_factor: v[5] },
                ];
                let (height, speed) = (n % 40, v[7] as f32);
                if let Some(front) = t.count(fast_march((height, 17), &seeds, v[6], |y, _| speed * y as f32)) {
                    assert_eq!(front.time.dim(), (height, 17));
                }
                t.count(fast_march((usize::MAX, 1 + n % 40), &seeds, v[6], |_, _| 1.0));
            }),
        ),
    ];
    for (name, case) in cases {
        let tally = Tally::default();
        run(300, &numbers(), |n| case(&tally, &n));
        let (made, refused) = (tally.made.get(), tally.refused.get());
        assert!(made > 0 && refused > 0, "{name}: {made} made, {refused} refused");
    }
}

fn nucleation(v: &[f64]) -> Nucleation {
    Nucleation {
        rate: v[0],
        decay: v[1],
        susceptibility: Susceptibility::Patch { radius: v[2] },
        interaction: Interaction::Thomas { pits_per_cluster: v[3], spread: v[4] },
    }
}

#[test]
fn functions_of_numbers_keep_their_bounds() {
    run(400, &numbers(), |(v, n, seed)| {
        // Pure shear, 70.53 degrees, is the largest kink of a crack that opens; where the squares of both intensities
        // underflow, or one overflows, any angle may come out.
        let kink = lefm::kink_angle(v[0].abs(), v[1]);
        let squares_hold = v[..2].iter().any(|x| x.abs() > 1e-150) && v[..2].iter().all(|x| x.abs() < 1e150);
        let limit = if squares_hold { (1.0f64 / 3.0).acos() } else { std::f64::consts::PI };
        assert!(kink.is_nan() || kink.abs() <= limit + 1e-9, "{kink}");
        let (k1, k2) = lefm::kinked(v[0], v[1], v[2]);
        assert!(v[..3].iter().any(|x| x.is_nan() || x.abs() > 1e100) || (k1.is_finite() && k2.is_finite()));
        let release = lefm::release(v[0], v[1]);
        assert!(release.is_nan() || release >= 0.0);
        assert!(lefm::opening(v[0], v[1], v[2].abs()).is_nan() || lefm::opening(v[0], v[1], v[2].abs()) >= 0.0);
        let _ = (lefm::zone_factor(v[0], v[1]), lefm::tip_opening(v[0], v[1]));
        let _ = lefm::RemoteStress { s1: v[0], s2: v[1], angle: v[2] }.intensity(v[3], v[4], v[5]);
        // The fully plastic section carries 3/2 of the moment of first yield.
        let moment = section_moment(v[3]);
        assert!(moment.is_nan() == v[3].is_nan() && (moment.is_nan() || moment.abs() <= 1.5), "{moment}");
        let half = frontier_half_width(v[0].abs().min(20.0), v[1].abs().clamp(0.01, 5.0), v[2].abs().clamp(0.05, 5.0));
        assert!(v[..3].iter().any(|x| x.is_nan()) || half >= 0.05, "{half}");
        let noise = Perlin::new(seed).fractal(v[0], v[1], n as u32);
        assert!(noise.is_nan() || noise.abs() < 2.0, "{noise}");
        let _ = GaussianField::new(seed).at(v[2], v[3]);
        let tough = ToughnessField::new(Toughness::Gaussian { disorder: 0.3 }, 3.0, seed).at(v[2], v[3]);
        assert!(tough.is_nan() || tough >= 0.1);
        let _ = ToughnessField::new(Toughness::Voronoi { modulus: v[0] }, v[1], seed).at(v[2], v[3]);
        let depth = PowerLaw { rate: v[0].abs(), exponent: v[1] }.depth(v[2]);
        assert!(depth.is_nan() || depth >= 0.0);
        let _ = Metal::IRON.penetration_mm_per_year(v[3]);
        let profile = PitShape::WideShallow.profile(v[4].abs().min(1.0), v[5].clamp(0.3, 0.5));
        assert!(v[4].is_nan() || v[5].is_nan() || (0.0..=1.0).contains(&profile), "{profile}");
        if let Some(depth) = apparent_depth(MechanismKind::PittingLoss, v[6], v[7]) {
            assert!(depth >= 0.0, "{depth}");
        }
        let side = n % 40;
        if side > 0 {
            let domain = Domain::full(side, 9).unwrap();
            let nuclei = nucleation(&v).sample(&domain, v[5], &mut SampleKey { seed, index: 0 }.rng());
            assert!(nuclei.iter().all(|n| n.y < side && n.x < 9));
            assert!(!nuclei.is_empty() && nuclei.len() < 40_000, "{} births", nuclei.len());
        }
        if let Ok(plate) = Plate::new(4, 5, v[0], v[1], v[2], v[3], v[4]) {
            let cycle = plate.load_and_unload(&v, &v, v[5], Tolerance { change: v[6], iterations: 30 });
            assert_eq!((cycle.loaded.len(), cycle.residual.len()), (20, 20));
        }
    });
}

fn calibration(kind: MechanismKind) -> Calibration {
    let mask = Array2::from_shape_fn((48, 48), |(y, x)| (20..24).contains(&y) && (10..30).contains(&x));
    let image = Array3::from_shape_fn((48, 48, 1), |(y, x, _)| if mask[[y, x]] { 0.3 } else { 0.6 });
    fit(kind, &[Marked::new(image.view(), mask.view()); 3]).unwrap()
}

/// The fields of a calibration are public, for priors that are known otherwise.
#[test]
fn any_calibration_makes_a_sample_or_is_refused() {
    let kinds = [
        MechanismKind::FractureLine,
        MechanismKind::PittingLoss,
        MechanismKind::PlasticWarpage,
        MechanismKind::Abrasion,
        MechanismKind::SurfaceUnevenness,
    ];
    let fitted = kinds.map(calibration);
    let photo = Array3::from_elem((48, 48, 1), 0.6f32);
    let domain = Domain::full(48, 48).unwrap();
    let (made, refused) = (Cell::new(0), Cell::new(0));
    run(60, &(numbers(), 0usize..5), |((v, _, seed), kind)| {
        let mut c = fitted[kind].clone();
        match seed % 6 {
            0 => c.size.mean = 3.0 * v[0],
            1 => c.size.deviation = v[1],
            2 => c.visibility.mean = v[2],
            3 => c.at_edge.value = v[3],
            4 => c.count.mean = v[4],
            _ => c.courses = vec![Course { direction: v[5], waviness: v[6] }],
        }
        let key = SampleKey { seed, index: 0 };
        let made_one = c.synthesizer(Appearance::default()).and_then(|s| s.synthesize(photo.view(), &domain, key));
        match made_one {
            Ok(sample) => {
                assert!(sample.patch.iter().all(|v| (0.0..=1.0).contains(v)));
                made.set(made.get() + 1);
            }
            Err(
                Error::Parameter(_)
                | Error::Invisible { .. }
                | Error::DomainTooSmall { .. }
                | Error::VisibilityOutOfReach { .. },
            ) => {
                refused.set(refused.get() + 1);
            }
            Err(other) => panic!("{other}"),
        }
    });
    assert!(made.get() > 0 && refused.get() > 0, "{} made, {} refused", made.get(), refused.get());
}

#[test]
fn odd_sizes_and_keys_are_refused_or_served() {
    let photo = Array3::from_elem((40, 40, 1), 0.6f32);
    let domain = Domain::full(40, 40).unwrap();
    let crack = Rendered::new(FractureLine::default(), Appearance::default()).unwrap();
    let (mut made, mut refused) = (0, 0);
    for key in [0, 1, u64::MAX].into_iter().flat_map(|seed| [0, u64::MAX].map(|index| SampleKey { seed, index })) {
        let sample = match crack.synthesize(photo.view(), &domain, key) {
            Ok(sample) => sample,
            Err(Error::Invisible { .. } | Error::DomainTooSmall { .. } | Error::VisibilityOutOfReach { .. }) => {
                continue;
            }
            Err(other) => panic!("{other}"),
        };
        made += 1;
        for (h, w) in [(0, 0), (usize::MAX, usize::MAX), (usize::MAX, 40), (1, 40)] {
            let error = sample.full_mask(h, w).unwrap_err();
            assert!(matches!(error, Error::Shape { .. } | Error::Parameter(_)), "{error}");
            refused += 1;
        }
    }
    assert!(made > 0 && refused > 0);
    assert!(matches!(Domain::full(0, 5), Err(Error::EmptyDomain { .. })));
    assert!(matches!(Domain::from_mask(Array2::from_elem((0, 0), true)), Err(Error::EmptyDomain { .. })));
}
