//! Plastic warpage against plate theory's tables, closed forms and fiber-by-fiber integration.
#![allow(clippy::unwrap_used)] // helpers outside #[test] functions; a panic is the failure wanted

mod common;

use std::f64::consts::PI;

use common::{domain_of_bits, rng};
use ndarray::Array2;
use oracles::plates;
use physdefect::imgkit::ParameterError;
use physdefect::warpage::{Load, PlasticWarpage, Plate, Tolerance, WarpageParams, section_moment};
use physdefect::{Defect, Domain, Error, Mechanism};
use proptest::prelude::*;

const LOADS: [Load; 4] = [Load::Indenter, Load::Line, Load::PressedEdge, Load::HotSpot];
const EXACT: Tolerance = Tolerance { change: 1e-10, iterations: 5000 };

/// Unit square plate, D = 1.
fn square(n: usize, poisson: f64) -> Plate {
    Plate::new(n, n, 1.0, 1.0, 1.0, poisson, 0.0).unwrap()
}

fn bend(params: WarpageParams) -> PlasticWarpage {
    PlasticWarpage::new(params).unwrap()
}

fn center(w: &[f64], n: usize) -> f64 {
    w[(n / 2) * n + n / 2]
}

#[test]
fn uniform_load_bends_the_square_plate_as_tabled_to_second_order() {
    let exact = plates::navier_uniform_load();
    assert!((exact - 0.00406).abs() < 5e-6); // Timoshenko and Woinowsky-Krieger, table 8
    let errors = [15, 31, 63, 127].map(|n| center(&square(n, 0.3).deflection(&vec![1.0; n * n]), n) - exact);
    for pair in errors.windows(2) {
        let order = (pair[0] / pair[1]).log2();
        assert!((order - 2.0).abs() < 0.02, "order {order}: {errors:?}");
    }
    assert!(errors[3].abs() < 1e-6, "{errors:?}");
    // Twice as long as wide: 0.01013 q a^4 / D.
    let plate = Plate::new(127, 63, 2.0, 1.0, 1.0, 0.3, 0.0).unwrap();
    let w = plate.deflection(&vec![1.0; 127 * 63]);
    assert!((w[63 * 63 + 31] - 0.01013).abs() < 1e-5);
}

#[test]
fn point_load_bends_the_square_plate_as_tabled_to_second_order() {
    let exact = plates::navier_point_load();
    assert!((exact - 0.01160).abs() < 5e-6); // Timoshenko and Woinowsky-Krieger, table 23
    let errors = [15usize, 31, 63, 127].map(|n| {
        let plate = square(n, 0.3);
        let mut q = vec![0.0; n * n];
        q[(n / 2) * n + n / 2] = ((n + 1) * (n + 1)) as f64;
        center(&plate.deflection(&q), n) - exact
    });
    for pair in errors.windows(2) {
        // The load's own singularity leaves h^2 log h: the order rises towards 2.
        let order = (pair[0] / pair[1]).log2();
        assert!((1.6..2.1).contains(&order), "order {order}: {errors:?}");
    }
    assert!(errors[3].abs() < 2e-5, "{errors:?}");
}

#[test]
fn uniform_load_gives_the_tabled_moments() {
    // M_x = M_y = 0.0479 q a^2 at the center (Poisson's ratio 0.3), where the equivalent moment is that too; at the
    // corners the twist 0.0325 q a^2 counts with the root of three and is the largest.
    let n = 127;
    let plate = square(n, 0.3);
    let w = plate.deflection(&vec![1.0; n * n]);
    let h = 1.0 / (n + 1) as f64;
    let at = |y: usize, x: usize| w[y * n + x];
    let c = n / 2;
    let kx = -(at(c, c - 1) - 2.0 * at(c, c) + at(c, c + 1)) / (h * h);
    assert!((1.3 * kx - 0.0479).abs() < 1e-4, "{}", 1.3 * kx);
    let peak = plate.peak_equivalent_moment(&w, &[]);
    assert!((peak - 3f64.sqrt() * 0.0325).abs() < 1e-3, "{peak}");
}

#[test]
fn elastic_foundation_gives_the_point_load_deflection_of_the_infinite_plate() {
    // P l^2 / (8 D), l = (D / K)^(1/4); Timoshenko and Woinowsky-Krieger, section 57. The plate is 16 l wide.
    let n = 255;
    let l = 1.0f64 / 16.0;
    let plate = Plate::new(n, n, 1.0, 1.0, 1.0, 0.3, l.powi(-4)).unwrap();
    let mut q = vec![0.0; n * n];
    q[(n / 2) * n + n / 2] = ((n + 1) * (n + 1)) as f64;
    let w = center(&plate.deflection(&q), n);
    assert!((w / (l * l / 8.0) - 1.0).abs() < 5e-3, "{}", w / (l * l / 8.0));
}

#[test]
fn uniform_heating_bows_the_plate_as_prandtls_membrane() {
    // With w and the moment zero on the edge, laplacian w = -(1 + nu) k: center 0.073671 (1 + nu) k a^2.
    let (n, nu) = (127, 0.3);
    let plate = square(n, nu);
    let cycle = plate.load_and_unload(&[], &vec![1.0; n * n], 1e9, EXACT);
    let found = center(&cycle.loaded, n) / (1.0 + nu);
    assert!((found - 0.073671).abs() < 2e-5, "{found}");
}

#[test]
fn a_heated_plate_has_the_moments_of_the_curvature_its_rest_holds_back() {
    // Heat k = sin(pi x) sin(pi y) bends by w = (1 + nu)/(2 pi^2) k, half of what it would freely: M_x = M_y = -(1 -
    // nu^2)/2 D k and the twist (1 - nu^2)/2 D cos cos, whose root of three at the corners is the largest equivalent
    // moment.
    let (n, nu) = (127, 0.3);
    let plate = square(n, nu);
    let sine = |i: usize| (PI * (i + 1) as f64 / (n + 1) as f64).sin();
    let heat: Vec<f64> = (0..n * n).map(|p| sine(p / n) * sine(p % n)).collect();
    let cycle = plate.load_and_unload(&[], &heat, 1e9, EXACT);
    assert!((center(&cycle.loaded, n) / ((1.0 + nu) / (2.0 * PI * PI)) - 1.0).abs() < 1e-4);
    let peak = plate.peak_equivalent_moment(&cycle.loaded, &heat);
    let exact = 3f64.sqrt() * 0.5 * (1.0 - nu * nu);
    assert!((peak / exact - 1.0).abs() < 2e-3, "{peak} for {exact}");
}

#[test]
fn below_yield_nothing_stays_and_above_it_something_does() {
    let n = 31;
    let plate = square(n, 0.3);
    let patch: Vec<f64> =
        (0..n * n).map(|p| if (p / n).abs_diff(15) < 5 && (p % n).abs_diff(15) < 5 { 1.0 } else { 0.0 }).collect();
    let uniform = vec![1.0; n * n];
    for q in [patch, uniform] {
        let elastic = plate.deflection(&q);
        let first_yield = plate.peak_equivalent_moment(&elastic, &[]);
        let peak = elastic.iter().fold(0.0f64, |a, w| a.max(w.abs()));
        let stays = |load: f64| {
            let cycle = plate.load_and_unload(&q, &[], first_yield / load, EXACT);
            cycle.residual.iter().fold(0.0f64, |a, w| a.max(w.abs())) / peak
        };
        for load in [0.2, 0.8, 0.999] {
            assert!(stays(load) < 1e-6, "{} at {load}", stays(load));
        }
        assert!(stays(1.1) > 1e-6, "{}", stays(1.1));
    }
}

#[test]
fn section_moment_is_the_integral_over_its_fibers() {
    // Rectangular section of unit half-height, strain k z, stress clipped at yield (strain 1 at k = 1): M / M_y.
    for k in [0.3, 0.999, 1.0, 1.2, 2.0, 5.0, 50.0] {
        let moment = plates::fiber_moment(k);
        assert!((section_moment(k) - moment).abs() < 1e-8, "{k}: {} for {moment}", section_moment(k));
        assert_eq!(section_moment(-k), -section_moment(k));
    }
}

#[test]
fn pure_bending_springs_back_as_the_closed_form_says() {
    // A strip 40 times as long as wide (its ends carry nothing of the middle), without Poisson effect, in
    // four-point bending: between the loads the moment is F a and the curvature pure.
    let (ny, nx) = (95usize, 63usize);
    let plate = Plate::new(ny, nx, 40.0, 1.0, 1.0, 0.0, 0.0).unwrap();
    let hx = plate.spacing().1;
    for moment in [1.1, 1.25, 1.375, 1.42] {
        let q = plates::four_point_bending(ny, nx, hx, moment);
        let cycle = plate.load_and_unload(&q, &[], 1.0, EXACT);
        let row = (ny / 2) * nx;
        let curvature = |w: &[f64]| -(w[row + 30] - 2.0 * w[row + 31] + w[row + 32]) / (hx * hx);
        let (k, kept) = (curvature(&cycle.loaded), curvature(&cycle.residual));
        let expected_k = plates::curvature_of_moment(moment);
        assert!((k / expected_k - 1.0).abs() < 0.01, "curvature {k} for {expected_k} at {moment}");
        let closed = plates::kept_curvature(k);
        assert!((kept / k / closed - 1.0).abs() < 0.01, "{} for {closed} at {moment}", kept / k);
    }
}

#[test]
fn iteration_reaches_equilibrium() {
    // The loose default stops within its tolerance of the tight answer.
    let n = 32;
    let plate = Plate::new(n, n, 1.0, 1.0, 1.0, 0.3, (0.13f64).powi(-4)).unwrap();
    let q: Vec<f64> = (0..n * n)
        .map(|p| {
            let (y, x) = ((p / n) as f64 / 31.0 - 0.5, (p % n) as f64 / 31.0 - 0.5);
            (1.0 - (y * y + x * x) / 0.03).max(0.0).sqrt()
        })
        .collect();
    let first_yield = plate.peak_equivalent_moment(&plate.deflection(&q), &[]);
    let tight = plate.load_and_unload(&q, &[], first_yield / 6.0, EXACT);
    let loose = plate.load_and_unload(&q, &[], first_yield / 6.0, Tolerance::default());
    assert!(tight.change <= 1e-10, "{} after {}", tight.change, tight.iterations);
    assert!(loose.iterations < 60, "{}", loose.iterations);
    let peak = |w: &[f64]| w.iter().fold(0.0f64, |a, v| a.max(v.abs()));
    let gap = peak(&tight.residual.iter().zip(&loose.residual).map(|(a, b)| a - b).collect::<Vec<_>>());
    assert!(gap / peak(&tight.residual) < 5e-3, "{}", gap / peak(&tight.residual));
}

#[test]
fn residual_deflection_rises_with_the_load() {
    let domain = Domain::full(256, 256).unwrap();
    for load in LOADS {
        for seed in 0..3 {
            let mut last = 0.0;
            for step in 0..20 {
                let ratio = 1.2 + 0.3 * f64::from(step);
                let model = bend(WarpageParams::default().with_loads(vec![load]).with_load_ratio((ratio, ratio)));
                let peak = model.generate(&domain, 0.5, &mut rng(seed)).unwrap().measures["peak_residual_px"];
                assert!(peak > last, "{load:?} seed {seed}: {peak} after {last} at {ratio}");
                last = peak;
            }
        }
    }
}

#[test]
fn residual_deflection_has_the_scaling_of_the_theory() {
    // Deflection goes with (yield strain) B^2 / h.
    let domain = Domain::full(256, 256).unwrap();
    let peak = |m: PlasticWarpage| m.generate(&domain, 0.5, &mut rng(4)).unwrap().measures["peak_residual_px"];
    let base = || WarpageParams::default().with_size((0.2, 0.2));
    let reference = peak(bend(base()));
    let ratio = |p: WarpageParams| peak(bend(p)) / reference;
    assert!((ratio(base().with_yield_strain(0.006).with_poisson(0.3)) - 2.0).abs() < 1e-9);
    assert!((ratio(base().with_thickness(0.0035)) - 2.0).abs() < 1e-9);
    assert!((ratio(base().with_size((0.4, 0.4))) - 4.0).abs() < 1e-9);
}

#[test]
fn shift_is_the_deflection_seen_from_the_view() {
    let domain = Domain::full(128, 128).unwrap();
    let model = bend(WarpageParams::default().with_view(Some([0.3, -0.1, 2.0])));
    let defect = model.generate(&domain, 0.8, &mut rng(3)).unwrap();
    let shift = defect.displacement.as_ref().unwrap();
    for ((y, x), &w) in defect.height.indexed_iter() {
        assert!((shift[[y, x, 0]] - w * -0.05).abs() < 1e-5);
        assert!((shift[[y, x, 1]] - w * 0.15).abs() < 1e-5);
    }
    let lowest = defect.height.iter().copied().fold(0.0, f32::min);
    let m = &defect.measures;
    // The smoothed field at the pixels against the same field at the nodes.
    assert!((f64::from(-lowest) / m["peak_residual_px"] - 1.0).abs() < 0.03, "{lowest}");
    assert!((m["max_shift_px"] / (m["peak_residual_px"] * 0.05f64.hypot(0.15)) - 1.0).abs() < 0.03);
    let raised = bend(model.params().clone().with_outward(true)).generate(&domain, 0.8, &mut rng(3)).unwrap();
    assert_eq!(raised.height, -&defect.height);
}

#[test]
fn default_severities_bend_a_sixth_to_a_half_of_the_scale() {
    let domain = Domain::full(256, 256).unwrap();
    for load in [Load::Indenter, Load::Line] {
        let model = bend(WarpageParams::default().with_loads(vec![load]));
        for (severity, low, high) in [(0.0, 0.10, 0.18), (1.0, 0.30, 0.55)] {
            for seed in 0..10 {
                let m = model.generate(&domain, severity, &mut rng(seed)).unwrap().measures;
                let across = (4.0 * m["area_px2"] / PI).sqrt() / 256.0;
                assert!((low..high).contains(&across), "{load:?} {severity}: {across}");
                assert!(m["peak_residual_px"] > if severity > 0.5 { 3.0 } else { 0.3 });
                assert!(m["iterations"] < 60.0, "{}", m["iterations"]);
            }
        }
    }
}

fn assert_inside(defect: &Defect, domain: &Domain) {
    let (h, w) = (defect.bbox.height(), defect.bbox.width());
    assert_eq!(defect.height.dim(), (h, w));
    assert_eq!(defect.opacity.dim(), (h, w));
    assert_eq!(defect.displacement.as_ref().unwrap().dim(), (h, w, 2));
    for ((y, x), &o) in defect.opacity.indexed_iter() {
        assert!((0.0..=1.0).contains(&o) && defect.height[[y, x]].is_finite());
        assert!(o == 0.0 || domain.mask()[[y + defect.bbox.top, x + defect.bbox.left]]);
    }
    assert!(defect.opacity.iter().any(|&o| o > 0.5));
}

#[test]
fn a_domain_too_small_is_a_typed_error() {
    for n in 1..8 {
        let found = PlasticWarpage::default().generate(&Domain::full(n, n).unwrap(), 0.5, &mut rng(0)).unwrap_err();
        assert_eq!(found, Error::DomainTooSmall { model: "plastic-warpage", found: n * n, needed: 64 });
    }
    // A small bend on a speckle of single pixels shows on too few of them.
    let speckle = Array2::from_shape_fn((640, 640), |(y, x)| y % 40 == 0 && x % 40 == 0);
    let domain = Domain::from_mask(speckle).unwrap();
    let found = PlasticWarpage::default().generate(&domain, 0.0, &mut rng(0)).unwrap_err();
    assert!(matches!(found, Error::DomainTooSmall { needed: 16, .. }), "{found}");
}

#[test]
fn one_generator_state_gives_one_defect() {
    let domain = Domain::full(200, 150).unwrap();
    let make = |s| PlasticWarpage::default().generate(&domain, 0.8, &mut rng(s)).unwrap();
    let (a, b, c) = (make(1), make(1), make(2));
    assert_eq!((a.bbox, &a.height, &a.opacity, &a.measures), (b.bbox, &b.height, &b.opacity, &b.measures));
    assert_ne!(a.measures, c.measures);
}

#[test]
fn parameters_outside_their_range_are_refused_by_name() {
    let name = |p: WarpageParams| match PlasticWarpage::new(p).unwrap_err() {
        Error::Parameter(ParameterError { name, .. }) => name,
        other => panic!("{other}"),
    };
    let p = WarpageParams::default;
    for bad in [f64::NAN, f64::INFINITY, -1.0] {
        assert_eq!(name(p().with_size((bad, 0.5))), "size.0");
        assert_eq!(name(p().with_size((0.1, bad))), "size.1");
        assert_eq!(name(p().with_load_ratio((bad, 4.0))), "load_ratio.0");
        assert_eq!(name(p().with_load_ratio((2.0, bad))), "load_ratio.1");
        assert_eq!(name(p().with_thickness(bad)), "thickness");
        assert_eq!(name(p().with_yield_strain(bad).with_poisson(0.3)), "yield_strain");
        assert_eq!(name(p().with_yield_strain(0.01).with_poisson(bad)), "poisson");
        assert_eq!(name(p().with_foundation_length(bad)), "foundation_length");
        assert_eq!(name(p().with_irregularity(bad)), "irregularity");
        assert_eq!(name(p().with_view(Some([0.0, 0.0, bad]))), "view[2]");
        let domain = Domain::full(32, 32).unwrap();
        let severity = PlasticWarpage::default().generate(&domain, bad, &mut rng(0)).unwrap_err();
        assert!(matches!(severity, Error::Parameter(ParameterError { name: "severity", .. })));
        assert!(matches!(
            Plate::new(8, 8, bad, 1.0, 1.0, 0.3, 0.0),
            Err(Error::Parameter(ParameterError { name: "length_y", .. }))
        ));
        assert!(matches!(
            Plate::new(8, 8, 1.0, 1.0, bad, 0.3, 0.0),
            Err(Error::Parameter(ParameterError { name: "rigidity", .. }))
        ));
        assert!(matches!(
            Plate::new(8, 8, 1.0, 1.0, 1.0, 0.3, bad),
            Err(Error::Parameter(ParameterError { name: "foundation", .. }))
        ));
    }
    assert_eq!(name(p().with_loads(vec![])), "loads");
    assert_eq!(name(p().with_view(Some([f64::NAN, 0.0, 1.0]))), "view[0]");
    assert!(matches!(
        Plate::new(0, 8, 1.0, 1.0, 1.0, 0.3, 0.0),
        Err(Error::Parameter(ParameterError { name: "ny", .. }))
    ));
    // A file is checked as it is read.
    let refused = serde_json::from_str::<PlasticWarpage>(r#"{"loads": []}"#).unwrap_err().to_string();
    assert!(refused.contains("`loads`"), "{refused}");
    let text = serde_json::to_string(&PlasticWarpage::default()).unwrap();
    assert_eq!(serde_json::from_str::<PlasticWarpage>(&text).unwrap(), PlasticWarpage::default());
}

fn any_load() -> impl Strategy<Value = Load> {
    prop::sample::select(LOADS.to_vec())
}

/// All of f64, and half of the time a number that most parameters accept.
fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![prop::num::f64::ANY, 0.0..1.0f64]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn peak_residual_never_falls_with_severity(
        seed: u64, a in 0.0f64..=1.0, b in 0.0f64..=1.0, load in any_load(), side in 12usize..200,
    ) {
        let domain = Domain::full(side, side).unwrap();
        let model = bend(WarpageParams::default().with_loads(vec![load]));
        let size = |s: f64| model.generate(&domain, s, &mut rng(seed)).map(|d| d.measures[model.size_measure()]);
        let (small, large) = (size(a.min(b)), size(a.max(b)));
        prop_assume!(small.is_ok() && large.is_ok());
        let (small, large) = (small.unwrap(), large.unwrap());
        prop_assert!(large >= small && small > 0.0, "{} {}", small, large);
    }

    #[test]
    fn no_parameter_panics_or_hangs(v in prop::collection::vec(any_number(), 7), seed: u64, load in any_load()) {
        let p = || WarpageParams::default().with_loads(vec![load]);
        let domain = Domain::full(40, 30).unwrap();
        let made = [
            p().with_size((v[0], v[1])),
            p().with_load_ratio((v[2], v[3])),
            p().with_thickness(v[4]),
            p().with_yield_strain(v[5]).with_poisson(v[6]),
            p().with_foundation_length(v[0]),
            p().with_irregularity(v[1]),
            p().with_view(Some([v[2], v[3], v[4]])),
        ];
        let accepted: Vec<_> = made.into_iter().filter_map(|p| PlasticWarpage::new(p).ok()).collect();
        prop_assume!(!accepted.is_empty());
        for model in accepted {
            match model.generate(&domain, 1.0, &mut rng(seed)) {
                Ok(defect) => assert_inside(&defect, &domain),
                Err(error) => prop_assert!(matches!(error, Error::DomainTooSmall { .. }), "{error}"),
            }
        }
        if let Ok(plate) = Plate::new(4, 5, v[0], v[1], v[2], v[3], v[4]) {
            let cycle = plate.load_and_unload(&v, &v, v[5], Tolerance { change: v[6], iterations: 30 });
            prop_assert!(cycle.iterations <= 30, "{}", cycle.iterations);
        }
    }

    #[test]
    fn any_mask_gives_a_defect_inside_it_or_a_typed_error(
        bits in prop::collection::vec(any::<bool>(), 1..1500), width in 1usize..60, severity in 0.0f64..=1.0, seed: u64,
    ) {
        let domain = domain_of_bits(&bits, width);
        prop_assume!(domain.is_ok());
        let domain = domain.unwrap();
        match PlasticWarpage::default().generate(&domain, severity, &mut rng(seed)) {
            Ok(defect) => assert_inside(&defect, &domain),
            Err(e) => {
                let too_small = matches!(e, Error::DomainTooSmall { .. });
                prop_assert!(too_small, "{}", e);
            }
        }
    }
}
