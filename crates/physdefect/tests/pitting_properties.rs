//! Pitting loss under arbitrary domains and parameters: defects stay inside, sizes never fall with severity, bad
//! parameters are refused by name.
#![allow(clippy::unwrap_used)] // helpers outside #[test] functions; a panic is the failure wanted

mod common;

use common::{domain_of_bits, pits, rng};
use ndarray::Array2;
use physdefect::imgkit::ParameterError;
use physdefect::pitting::{
    Interaction, Nucleation, PaperPolygon, PitShape, PittingLoss, PittingParams, PolygonParams, Product, Susceptibility,
};
use physdefect::{Defect, Domain, Error, Mechanism};
use proptest::prelude::*;

fn stripes(h: usize, w: usize, width: usize) -> Domain {
    Domain::from_mask(Array2::from_shape_fn((h, w), |(y, x)| (x / width + y / (3 * width)).is_multiple_of(2))).unwrap()
}

fn assert_inside(defect: &Defect, domain: &Domain) {
    let (h, w) = (defect.bbox.height(), defect.bbox.width());
    assert_eq!(defect.height.dim(), (h, w));
    assert_eq!(defect.opacity.dim(), (h, w));
    for ((y, x), &o) in defect.opacity.indexed_iter() {
        assert!((0.0..=1.0).contains(&o) && defect.height[[y, x]].is_finite());
        if !domain.mask()[[y + defect.bbox.top, x + defect.bbox.left]] {
            assert_eq!((o, defect.height[[y, x]]), (0.0, 0.0));
            assert!(defect.tint.as_ref().is_none_or(|t| t.weight[[y, x]] == 0.0));
        }
    }
    if let Some(tint) = &defect.tint {
        assert_eq!(tint.weight.dim(), (h, w));
        assert!(tint.weight.iter().all(|w| (0.0..=1.0).contains(w)));
    }
    assert!(defect.opacity.iter().any(|&o| o > 0.0));
}

#[test]
fn nothing_leaves_the_domain() {
    let domain = stripes(96, 128, 7);
    for s in 0..20 {
        assert_inside(&PittingLoss::default().generate(&domain, 1.0, &mut rng(s)).unwrap(), &domain);
        assert_inside(&PaperPolygon::default().generate(&domain, 1.0, &mut rng(s)).unwrap(), &domain);
    }
}

#[test]
fn one_generator_state_gives_one_defect() {
    let domain = Domain::full(200, 150).unwrap();
    let models: [Box<dyn Mechanism>; 2] = [Box::new(PittingLoss::default()), Box::new(PaperPolygon::default())];
    for model in models {
        let make = |s| model.generate(&domain, 0.8, &mut rng(s)).unwrap();
        let (a, b, c) = (make(1), make(1), make(2));
        assert_eq!((a.bbox, &a.height, &a.opacity, &a.measures), (b.bbox, &b.height, &b.opacity, &b.measures));
        assert_ne!(a.measures, c.measures);
    }
}

#[test]
fn a_domain_too_small_is_a_typed_error() {
    for n in 1..8 {
        let domain = Domain::full(n, n).unwrap();
        let expected = Error::DomainTooSmall { model: "pitting-loss", found: n * n, needed: 64 };
        assert_eq!(PittingLoss::default().generate(&domain, 0.5, &mut rng(0)).unwrap_err(), expected);
        let found = PaperPolygon::default().generate(&domain, 0.5, &mut rng(0)).unwrap_err();
        assert!(matches!(found, Error::DomainTooSmall { .. }));
    }
    // A line is thin, but a pit can creep along it.
    let line = Domain::full(1, 400).unwrap();
    assert_inside(&PittingLoss::default().generate(&line, 1.0, &mut rng(0)).unwrap(), &line);
    assert_inside(&PaperPolygon::default().generate(&line, 1.0, &mut rng(0)).unwrap(), &line);
}

#[test]
fn parameters_outside_their_range_are_refused_by_name() {
    let name = |p: PittingParams| match PittingLoss::new(p).unwrap_err() {
        Error::Parameter(ParameterError { name, .. }) => name,
        other => panic!("{other}"),
    };
    let p = PittingParams::default;
    for bad in [f64::NAN, f64::INFINITY, -1.0] {
        assert_eq!(name(p().with_exponent(bad)), "exponent");
        assert_eq!(name(p().with_spread_rate(bad)), "spread_rate");
        assert_eq!(name(p().with_rate_spread(bad)), "rate_spread");
        assert_eq!(name(p().with_grain_size(bad).with_grain_contrast(0.1)), "grain_size");
        assert_eq!(name(p().with_grain_size(0.1).with_grain_contrast(bad)), "grain_contrast");
        assert_eq!(name(p().with_exposure_years((bad, 2.0))), "exposure_years.0");
        assert_eq!(name(p().with_exposure_years((1.0, bad))), "exposure_years.1");
        assert_eq!(name(p().with_product(Product::Copper).with_deposit(bad).with_stain(0.1)), "deposit");
        assert_eq!(name(p().with_product(Product::Copper).with_deposit(0.1).with_stain(bad)), "stain");
        assert_eq!(name(p().with_pixel_pitch_mm(Some(bad))), "pixel_pitch_mm");
        let domain = Domain::full(32, 32).unwrap();
        assert!(matches!(
            PittingLoss::default().generate(&domain, bad, &mut rng(0)).unwrap_err(),
            Error::Parameter(ParameterError { name: "severity", .. })
        ));
    }
    assert_eq!(name(p().with_exponent(0.6)), "exponent");
    // A file is checked as it is read.
    let refused = serde_json::from_str::<PittingLoss>(r#"{"exponent": 0.9}"#).unwrap_err().to_string();
    assert!(refused.contains("`exponent` is 0.9"), "{refused}");
    let text = serde_json::to_string(&PittingLoss::default()).unwrap();
    assert_eq!(serde_json::from_str::<PittingLoss>(&text).unwrap(), PittingLoss::default());
}

fn any_shape() -> impl Strategy<Value = PitShape> {
    prop::sample::select(vec![
        PitShape::Front,
        PitShape::Hemispherical,
        PitShape::NarrowDeep,
        PitShape::Elliptical,
        PitShape::WideShallow,
        PitShape::Undercut,
    ])
}

fn any_interaction() -> impl Strategy<Value = Interaction> {
    prop_oneof![
        Just(Interaction::Independent),
        (0.5f64..8.0, 0.01f64..0.2)
            .prop_map(|(pits_per_cluster, spread)| Interaction::Thomas { pits_per_cluster, spread }),
        (0.01f64..0.3).prop_map(|radius| Interaction::Inhibition { radius }),
    ]
}

fn never_falls(model: &dyn Mechanism, domain: &Domain, seed: u64, a: f64, b: f64) {
    let size = |s: f64| model.generate(domain, s, &mut rng(seed)).unwrap().measures[model.size_measure()];
    let (small, large) = (size(a.min(b)), size(a.max(b)));
    assert!(large >= small, "{} fell from {small} to {large}", model.name());
    assert!(small > 0.0);
}

/// All of f64, and half of the time a number that most parameters accept.
fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![prop::num::f64::ANY, 0.0..1.0f64]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn volume_never_falls_with_severity(
        seed: u64, a in 0.0f64..=1.0, b in 0.0f64..=1.0, shape in any_shape(), interaction in any_interaction(),
        side in 8usize..90, striped: bool,
    ) {
        let domain = if striped { stripes(side + 4, side + 8, 5) } else { Domain::full(side, side).unwrap() };
        let nucleation =
            Nucleation { rate: 11.0, decay: 2.5, susceptibility: Susceptibility::Patch { radius: 0.1 }, interaction };
        let model = pits(PittingParams::default().with_shape(shape).with_nucleation(nucleation));
        never_falls(&model, &domain, seed, a, b);
        never_falls(&PaperPolygon::default(), &domain, seed, a, b);
    }

    #[test]
    fn no_parameter_panics_or_hangs(
        v in prop::collection::vec(any_number(), 8), count in 0usize..2000, seed: u64,
    ) {
        let p = PittingParams::default;
        let interaction = Interaction::Thomas { pits_per_cluster: v[2], spread: v[3] };
        let nucleation =
            Nucleation { rate: v[0], decay: v[1], susceptibility: Susceptibility::Patch { radius: v[4] }, interaction };
        let domain = Domain::full(9, 13).unwrap();
        let made = [
            p().with_nucleation(nucleation),
            p().with_exposure_years((v[0], v[1])),
            p().with_spread_rate(v[2]),
            p().with_grain_size(v[3]).with_grain_contrast(v[4]),
            p().with_exponent(v[5]),
            p().with_rate_spread(v[6]),
            p().with_product(Product::Aluminum).with_deposit(v[7]).with_stain(v[0]),
            p().with_pixel_pitch_mm(Some(v[1])),
        ];
        let accepted: Vec<_> = made.into_iter().filter_map(|p| PittingLoss::new(p).ok()).collect();
        prop_assume!(!accepted.is_empty());
        for model in accepted {
            prop_assert!(model.generate(&domain, 1.0, &mut rng(seed)).is_ok());
        }
        let q = PolygonParams::default;
        let made = [
            q().with_polygons(count).with_radius(v[0]),
            q().with_growth(v[1]).with_probability(v[2]),
            q().with_noise_scale(v[3]).with_noise_contrast(v[4]),
            q().with_depth(v[5]),
        ];
        let accepted: Vec<_> = made.into_iter().filter_map(|p| PaperPolygon::new(p).ok()).collect();
        prop_assume!(!accepted.is_empty());
        for model in accepted {
            prop_assert!(model.generate(&domain, 1.0, &mut rng(seed)).is_ok());
        }
    }

    #[test]
    fn any_mask_gives_a_defect_inside_it_or_a_typed_error(
        bits in prop::collection::vec(any::<bool>(), 1..1500), width in 1usize..60, severity in 0.0f64..=1.0, seed: u64,
    ) {
        let domain = domain_of_bits(&bits, width);
        prop_assume!(domain.is_ok());
        let domain = domain.unwrap();
        let models: [Box<dyn Mechanism>; 2] = [Box::new(PittingLoss::default()), Box::new(PaperPolygon::default())];
        for model in models {
            match model.generate(&domain, severity, &mut rng(seed)) {
                Ok(defect) => assert_inside(&defect, &domain),
                Err(e) => {
                    let too_small = matches!(e, Error::DomainTooSmall { .. });
                    prop_assert!(too_small && domain.area() < 64, "{}", e);
                }
            }
        }
    }
}
