//! Public constructors and generators under arbitrary input: an error or a result, never a panic or a hang.
// A failed set-up is a failed test.
#![allow(clippy::unwrap_used)]

mod common;

use ndarray::{Array2, Array3};
use physdefect::appearance::{Appearance, Light, Material, Rendered};
use physdefect::baselines::{CutPasteParams, PerlinBlendParams};
use physdefect::fracture::{
    FractureLine, FractureParams, FrontierParams, PaperFrontier, Toughness, frontier_half_width,
};
use physdefect::imgkit::ParameterError;
use physdefect::{Domain, Error, SampleKey, Synthesizer, estimate_foreground};
use proptest::prelude::*;

/// Mostly sensible numbers, with all of f64 now and then: rare enough for most sets of twenty to be accepted. Refused
/// sets count as rejected cases, of which proptest allows 1024.
fn number(low: f64, high: f64) -> impl Strategy<Value = f64> {
    prop_oneof![60 => low..=high, 1 => any::<f64>()]
}

fn pair(low: f64, high: f64) -> impl Strategy<Value = (f64, f64)> {
    (number(low, high), number(low, high)).prop_map(|(a, b)| if a <= b { (a, b) } else { (b, a) })
}

prop_compose! {
    fn fracture()(
        length in pair(0.01, 1.0),
        opening in pair(0.001, 0.1),
        stress_angle in prop::option::of(number(-3.0, 3.0)),
        stress_ratio in number(-1.0, 0.95),
        zone in number(0.01, 1.0),
        flaw_tilt in number(0.0, 1.2),
        edge_start in number(0.0, 1.0),
        grain in number(0.002, 0.2),
        (kind, disorder, modulus) in (any::<bool>(), number(0.0, 0.6), number(2.0, 50.0)),
        (cone, process_zone) in (number(0.05, 1.4), number(0.0, 20.0)),
        (branching, shielding) in (number(0.0, 1.0), number(0.0, 1.0)),
        (branch_angle, aspect, driven) in (pair(0.1, 2.0), number(0.1, 20.0), any::<bool>()),
    ) -> FractureParams {
        let toughness = if kind { Toughness::Gaussian { disorder } } else { Toughness::Voronoi { modulus } };
        FractureParams::default()
            .with_length(length)
            .with_opening(opening)
            .with_stress_angle(stress_angle)
            .with_stress_ratio(stress_ratio)
            .with_zone(zone)
            .with_flaw_tilt(flaw_tilt)
            .with_edge_start(edge_start)
            .with_grain(grain)
            .with_toughness(toughness)
            .with_cone(cone)
            .with_process_zone(process_zone)
            .with_branching(branching)
            .with_branch_angle(branch_angle)
            .with_shielding(shielding)
            .with_aspect(aspect)
            .with_driven(driven)
    }
}

/// A domain of random pixels in a small frame.
fn mask() -> impl Strategy<Value = Array2<bool>> {
    (1usize..70, 1usize..70, 0.0..1.0f64, any::<u64>()).prop_map(|(h, w, share, seed)| {
        Array2::from_shape_fn((h, w), |(y, x)| {
            let z = (seed ^ ((y / 9) as u64 * 7919 + (x / 9) as u64)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            ((z >> 40) as f64 / (1u64 << 24) as f64) < share
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fracture_line_never_panics(
        params in fracture(), mask in mask(), severity in number(0.0, 1.0), index in 0u64..1000,
    ) {
        let (model, domain) = (FractureLine::new(params), Domain::from_mask(mask));
        prop_assume!(model.is_ok() && domain.is_ok());
        let (model, domain) = (model.unwrap(), domain.unwrap());
        let (h, w) = domain.dim();
        let synth = Rendered::new(model.clone(), Appearance::default()).unwrap();
        let photo = Array3::from_elem((h, w, 1), 0.7);
        match synth.synthesize(photo.view(), &domain, SampleKey { seed: 1, index }) {
            Ok(sample) => for ((y, x), &m) in sample.full_mask(h, w).unwrap().indexed_iter() {
                prop_assert!(!m || domain.mask()[[y, x]]);
            },
            Err(error) => {
                prop_assert!(matches!(error, Error::DomainTooSmall { .. } | Error::Invisible { .. } | Error::VisibilityOutOfReach { .. }), "{error}");
            }
        }
        let drawn = model.trace(&domain, severity, &mut SampleKey { seed: 2, index }.rng());
        if !(0.0..=1.0).contains(&severity) {
            let refused = matches!(drawn, Err(Error::Parameter(ParameterError { name: "severity", .. })));
            prop_assert!(refused);
        }
    }

    #[test]
    fn parameters_survive_json(params in fracture()) {
        let model = FractureLine::new(params);
        prop_assume!(model.is_ok());
        let text = serde_json::to_string(&model.unwrap()).unwrap();
        let back: FractureLine = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(back.params(), &params);
    }

    #[test]
    fn frontier_never_panics(
        (length, branch, angle) in (pair(0.01, 1.0), number(0.0, 0.5), pair(0.0, 2.0)),
        (wander, w0, alpha, eps) in (number(0.0, 1.0), number(0.1, 20.0), number(0.01, 5.0), number(0.05, 5.0)),
        mask in mask(), index in 0u64..1000,
    ) {
        let params =
            FrontierParams::default()
                .with_length(length)
                .with_branch(branch)
                .with_branch_angle(angle)
                .with_wander(wander)
                .with_w0(w0)
                .with_alpha(alpha)
                .with_eps(eps);
        let (model, domain) = (PaperFrontier::new(params), Domain::from_mask(mask));
        prop_assume!(model.is_ok() && domain.is_ok());
        let (model, domain) = (model.unwrap(), domain.unwrap());
        let r = frontier_half_width(w0, alpha, eps);
        prop_assert!((r - w0 * (-alpha * r).exp() - eps).abs() < 1e-9 * (1.0 + w0));
        let (h, w) = domain.dim();
        let photo = Array3::from_elem((h, w, 3), 0.4);
        let synth = Rendered::new(model, Appearance::default()).unwrap();
        match synth.synthesize(photo.view(), &domain, SampleKey { seed: 3, index }) {
            Ok(sample) => {
                let mask = sample.full_mask(h, w).unwrap();
                prop_assert!(mask.indexed_iter().all(|(at, &m)| !m || domain.mask()[at]));
            }
            Err(error) => {
                prop_assert!(matches!(error, Error::DomainTooSmall { .. } | Error::Invisible { .. } | Error::VisibilityOutOfReach { .. }), "{error}");
            }
        }
    }

    #[test]
    fn looks_are_checked(azimuth in number(-9.0, 9.0), elevation in number(0.1, 1.57), ambient in number(0.0, 1.0),
                         diffuse in number(0.0, 1.0), specular in number(0.0, 2.0), gloss in any::<u8>()) {
        let material = Material::MATTE.with_diffuse(diffuse).with_specular(specular).with_gloss(gloss);
        let light = Light::default().with_azimuth(azimuth).with_elevation(elevation).with_ambient(ambient);
        let look = Appearance::new(material).lit(light);
        let fine = azimuth.is_finite() && (0.1..=1.571).contains(&elevation) && (0.0..=1.0).contains(&ambient)
            && (0.0..=1.0).contains(&diffuse) && (0.0..=2.0).contains(&specular) && gloss <= 8;
        prop_assert_eq!(Rendered::new(FractureLine::default(), look).is_ok(), fine);
    }

    #[test]
    fn any_light_and_material_keep_the_range(
        azimuth in -9.0..9.0f64, elevation in 0.1..1.57f64, ambient in 0.0..=1.0f64,
        specular in 0.0..=2.0f64, gloss in 0u8..=8, index in 0u64..500,
    ) {
        let material = Material::METAL.with_specular(specular).with_gloss(gloss);
        let light = Light::default().with_azimuth(azimuth).with_elevation(elevation).with_ambient(ambient);
        let look = Appearance::new(material).lit(light);
        let synth = Rendered::new(FractureLine::default(), look).unwrap();
        let photo = Array3::from_elem((48, 48, 5), 0.6);
        let sample = synth.synthesize(photo.view(), &Domain::full(48, 48).unwrap(), SampleKey { seed: 1, index });
        prop_assume!(sample.is_ok());
        prop_assert!(sample.unwrap().patch.iter().all(|v| (0.0..=1.0).contains(v)));
    }

    #[test]
    fn foreground_never_panics(
        h in 0usize..60, w in 0usize..60, c in 0usize..5, kind in 0u32..6, seed in any::<u64>(),
    ) {
        use rand::SeedableRng;
        let photo = common::photo(kind, h, w, c, &mut rand_chacha::ChaCha8Rng::seed_from_u64(seed));
        if let Ok(found) = estimate_foreground(common::to_float(&photo).view()) {
            prop_assert!((0.0..=1.0).contains(&found.confidence));
            prop_assert_eq!(found.mask.dim(), (h, w));
            prop_assert!(!found.fills_frame || found.mask.iter().all(|&m| m));
            prop_assert!(found.into_domain().is_ok());
        }
    }

    #[test]
    fn severity_bounds_are_checked(low in number(-0.2, 1.2), high in number(-0.2, 1.2)) {
        let fine = (0.0..=1.0).contains(&low) && (low..=1.0).contains(&high);
        let crack = Rendered::new(FractureLine::default(), Appearance::default()).unwrap();
        prop_assert_eq!(crack.with_severity(low, high).is_ok(), fine);
        prop_assert_eq!(CutPasteParams::default().with_severity((low, high)).check().is_ok(), fine);
        prop_assert_eq!(PerlinBlendParams::default().with_severity((low, high)).check().is_ok(), fine);
    }
}

#[test]
fn a_larger_severity_is_never_a_smaller_defect() {
    for model in common::models() {
        for index in 0..40 {
            let domain = common::outlined(model.name(), &common::domain(120, 140, index % 2 == 1));
            let mut last = 0.0;
            for step in 0..=10 {
                let severity = f64::from(step) / 10.0;
                let defect = model.generate(&domain, severity, &mut SampleKey { seed: 6, index }.rng()).unwrap();
                let size = defect.measures[model.size_measure()];
                assert!(size >= last - 1e-9, "{} #{index}: {size} after {last} at {severity}", model.name());
                last = size;
            }
            assert!(last > 0.0);
        }
    }
}

#[test]
fn cracks_have_the_length_that_the_severity_asks_for() {
    // Median over seeds, in units of the length at that severity in the homogeneous solid; grains stop cracks, and the
    // domain's edges the long ones. Short cracks that may follow every weak grain, and the defaults: longer,
    // straighter.
    let domain = Domain::full(256, 256).unwrap();
    let short = FractureParams::default().with_length((0.05, 0.6)).with_wander((1.0, 1.0));
    let sets = [
        (short, [(0.0, 0.8, 1.6), (0.5, 0.7, 1.3), (1.0, 0.5, 1.0)]),
        (FractureParams::default(), [(0.0, 0.8, 1.1), (0.5, 0.5, 0.9), (1.0, 0.4, 0.8)]),
    ];
    for (params, bounds) in sets {
        let model = FractureLine::new(params).unwrap();
        let mut last = 0.0;
        for (severity, low, high) in bounds {
            let mut lengths: Vec<f64> = (0..200)
                .map(|index| {
                    let mut rng = SampleKey { seed: 1, index }.rng();
                    model.trace(&domain, severity, &mut rng).unwrap().measures["length_px"]
                })
                .collect();
            lengths.sort_by(f64::total_cmp);
            let (from, to) = params.length();
            let ratio = lengths[100] / (256.0 * from * (to / from).powf(severity));
            assert!((low..=high).contains(&ratio), "severity {severity}: median {ratio} of the target");
            assert!(lengths[100] > last, "severity {severity}: no longer than before");
            last = lengths[100];
        }
    }
}
