//! FL against closed forms and published tables.
// A failed set-up is a failed test; a test may print its figures.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::f64::consts::{FRAC_PI_2, PI};

use physdefect::fracture::lefm::{self, RemoteStress};
use physdefect::fracture::{FractureLine, FractureParams, Toughness, frontier_half_width};
use physdefect::{DefectModel, Domain, SampleKey};

fn homogeneous(angle: f64, tilt: f64) -> FractureLine {
    FractureLine::new(FractureParams {
        toughness: Toughness::Gaussian { disorder: 0.0 },
        stress_angle: Some(angle),
        flaw_tilt: tilt,
        edge_start: 0.0,
        branching: 0.0,
        ..FractureParams::default()
    })
    .unwrap()
}

/// The first crack of a seed that no edge of the domain stops.
fn whole_crack(model: &FractureLine, domain: &Domain, severity: f64) -> (physdefect::fracture::Crack, SampleKey) {
    let (h, w) = domain.dim();
    (0..500)
        .find_map(|index| {
            let key = SampleKey { seed: 11, index };
            let crack = model.trace(domain, severity, &mut key.rng()).unwrap();
            let clear = crack.branches[..crack.arms].iter().all(|arm| {
                let end = arm.points.last().unwrap();
                end[0] > 3.0 && end[1] > 3.0 && end[0] < h as f64 - 4.0 && end[1] < w as f64 - 4.0
            });
            (crack.arms == 2 && clear).then_some((crack, key))
        })
        .expect("some crack lies inside")
}

#[test]
fn pure_modes() {
    assert_eq!(lefm::kink_angle(1.0, 0.0), 0.0);
    // 70.53 degrees = acos(1/3), Erdogan and Sih 1963.
    assert!((lefm::kink_angle(0.0, 1.0).to_degrees() + 70.528_779).abs() < 1e-5);
    assert!((lefm::kink_angle(0.0, -1.0).to_degrees() - 70.528_779).abs() < 1e-5);
}

#[test]
fn kink_angle_is_the_published_root() {
    for (k1, k2) in [(1.0, 0.3), (1.0, -0.3), (0.2, 2.0), (3.0, 0.01f64)] {
        let root = 2.0 * ((k1 - f64::sqrt(k1 * k1 + 8.0 * k2 * k2)) / (4.0 * k2)).atan();
        assert!((lefm::kink_angle(k1, k2) - root).abs() < 1e-12);
    }
}

#[test]
fn erdogan_sih_slanted_cracks() {
    // Measured on PMMA plates (Erdogan and Sih 1963): slant beta against the load axis, kink angle; degrees.
    let measured = [(30.0, 62.4), (40.0, 55.6), (50.0, 51.1), (60.0, 43.1), (70.0, 30.7), (80.0, 17.3f64)];
    let stress = RemoteStress { s1: 1.0, s2: 0.0, angle: 0.4 };
    for (beta, kink) in measured {
        let (k1, k2) = stress.intensity(stress.angle + f64::to_radians(beta), 5.0, 1.0);
        let (s, c) = f64::to_radians(beta).sin_cos();
        let unit = (5.0 * PI).sqrt();
        assert!((k1 - s * s * unit).abs() < 1e-12 && (k2.abs() - s * c * unit).abs() < 1e-12);
        let model = lefm::kink_angle(k1, k2).to_degrees();
        assert!((model.abs() - kink).abs() <= 2.6, "beta {beta}: model {model}, measured {kink}");
        // The tip turns away from the load axis, towards the plane normal to it.
        assert!(model > 0.0, "beta {beta}: {model}");
    }
}

#[test]
fn cotterell_rice_closed_forms() {
    for t in [-1.2, -0.5, 0.0, 0.3, 1.0f64] {
        let (s, c) = (t / 2.0).sin_cos();
        let (c11, c21) = lefm::kinked(1.0, 0.0, t);
        let (c12, c22) = lefm::kinked(0.0, 1.0, t);
        // Product forms of the same coefficients.
        assert!((c11 - c.powi(3)).abs() < 1e-12 && (c12 + 3.0 * s * c * c).abs() < 1e-12);
        assert!((c21 - s * c * c).abs() < 1e-12 && (c22 - c * (1.0 - 3.0 * s * s)).abs() < 1e-12);
    }
    // At the kink of maximum tangential stress no mode II is left to first order.
    let (k1, k2) = (1.0, 0.6);
    assert!(lefm::kinked(k1, k2, lefm::kink_angle(k1, k2)).1.abs() < 1e-12);
}

#[test]
fn homogeneous_solid_cracks_straight_across_the_load() {
    let domain = Domain::full(256, 256).unwrap();
    for angle in [0.0, 0.7, FRAC_PI_2, 2.5] {
        let model = homogeneous(angle, 0.0);
        let (crack, _) = whole_crack(&model, &domain, 0.5);
        let origin = crack.branches[0].points[0];
        for p in crack.branches.iter().flat_map(|b| &b.points) {
            // Offset along s1: x cos + y sin.
            let offset = (p[1] - origin[1]) * angle.cos() + (p[0] - origin[0]) * angle.sin();
            assert!(offset.abs() < 1e-9, "angle {angle}: {offset} px off the plane");
        }
        // It arrests where the load balances: tip to tip 0.05 * 12^0.5 * 256 px, up to a step of 1.5 px at each tip.
        let length = crack.measures["length_px"];
        let target = 256.0 * 0.05 * 12f64.sqrt();
        assert!((length - target).abs() <= 3.0 + 1e-9, "{length} {target}");
    }
}

#[test]
fn a_tilted_flaw_turns_into_the_plane_across_the_load() {
    let domain = Domain::full(256, 256).unwrap();
    let model = homogeneous(0.0, 1.0);
    let (crack, _) = whole_crack(&model, &domain, 0.8);
    for arm in &crack.branches {
        let n = arm.points.len();
        let run = |i: usize, j: usize| {
            let (a, b) = (arm.points[i], arm.points[j]);
            (b[1] - a[1]).abs().atan2((b[0] - a[0]).abs())
        };
        let (first, last) = (run(0, 1), run(n - 4, n - 1));
        assert!(last < 0.2 && last <= first + 1e-9, "first {first} last {last} rad off the plane");
    }
}

#[test]
fn opening_profile_closed_form() {
    // Near the tip (4 s/E') sqrt(a^2 - x^2) is (8 K/E') sqrt(r / 2 pi) with K = s sqrt(pi a).
    let (a, strain) = (40.0, 0.01);
    let r = 1e-3 * a;
    let near = lefm::tip_opening(r, strain * (PI * a).sqrt());
    assert!((lefm::opening(a - r, a, strain) / near - 1.0).abs() < 1e-3);

    // A crack along a row: the coverage of each column is the opening there.
    let domain = Domain::full(256, 256).unwrap();
    let model = homogeneous(FRAC_PI_2, 0.0);
    let (crack, key) = whole_crack(&model, &domain, 0.9);
    let defect = model.generate(&domain, 0.9, &mut key.rng()).unwrap();
    let width = crack.measures["max_opening_px"];
    let centre = crack.branches[0].points[0];
    let mut tested = 0;
    for arm in &crack.branches {
        let end = arm.points.last().unwrap();
        let a = (end[1] - centre[1]).abs();
        for (p, w) in arm.points.iter().zip(&arm.opening) {
            let exact = width * (1.0 - ((p[1] - centre[1]) / a).powi(2)).max(0.0).sqrt();
            assert!((w - exact).abs() <= 0.01 * width, "opening {w} {exact}");
        }
        for x in 0..defect.bbox.width() {
            let s = ((defect.bbox.x0 + x) as f64 - centre[1]) * (end[1] - centre[1]).signum();
            if s > 0.0 && s < 0.9 * a {
                let exact = width * (1.0 - (s / a).powi(2)).sqrt();
                let drawn: f64 = defect.opacity.column(x).iter().map(|&v| f64::from(v)).sum();
                assert!((drawn / exact - 1.0).abs() < 0.01, "column {x}: drawn {drawn} px, exact {exact} px");
                tested += 1;
            }
        }
    }
    assert!(tested > 60, "{tested} columns");
}

#[test]
fn zone_factor_limits() {
    // Uniform load inside the zone, a point load of 2 s c far outside: K = P / sqrt(pi a).
    assert!((lefm::zone_factor(2.0, 5.0) - (2.0 * PI).sqrt()).abs() < 1e-12);
    assert!((lefm::zone_factor(5000.0, 5.0) / (10.0 / (PI * 5000.0).sqrt()) - 1.0).abs() < 1e-5);
    assert!((lefm::zone_factor(5.0, 5.0) - lefm::zone_factor(5.0 + 1e-9, 5.0)).abs() < 1e-3);
}

#[test]
fn roughness_exponent_is_that_of_fracture_surfaces() {
    let domain = Domain::full(1024, 1024).unwrap();
    let model = FractureLine::new(FractureParams {
        stress_angle: Some(FRAC_PI_2),
        flaw_tilt: 0.0,
        edge_start: 0.0,
        branching: 0.0,
        grain: 0.003,
        ..FractureParams::default()
    })
    .unwrap();
    let lags = [4usize, 8, 16, 32, 64];
    let mut moments = [(0.0f64, 0.0f64); 5];
    for index in 0..60 {
        let crack = model.trace(&domain, 1.0, &mut SampleKey { seed: 5, index }.rng()).unwrap();
        for arm in &crack.branches[..crack.arms] {
            // Height over each integer abscissa.
            let x0 = arm.points[0][1];
            let sign = (arm.points.last().unwrap()[1] - x0).signum();
            let mut profile = Vec::new();
            for p in arm.points.windows(2) {
                let (a, b) = ((p[0][1] - x0) * sign, (p[1][1] - x0) * sign);
                while (profile.len() as f64) < b {
                    let t = ((profile.len() as f64 - a) / (b - a).max(1e-9)).clamp(0.0, 1.0);
                    profile.push(p[0][0] + t * (p[1][0] - p[0][0]));
                }
            }
            for (lag, m) in lags.iter().zip(&mut moments) {
                for i in 0..profile.len().saturating_sub(*lag) {
                    m.0 += (profile[i + lag] - profile[i]).powi(2);
                    m.1 += 1.0;
                }
            }
        }
    }
    // Slope of log rms height difference against log lag.
    let points: Vec<(f64, f64)> =
        lags.iter().zip(&moments).map(|(l, m)| ((*l as f64).ln(), 0.5 * (m.0 / m.1).ln())).collect();
    let n = points.len() as f64;
    let (mx, my) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let hurst = points.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum::<f64>()
        / points.iter().map(|p| (p.0 - mx).powi(2)).sum::<f64>();
    println!("Hurst exponent {hurst:.3}, rms differences {points:?}");
    assert!((0.5..=0.9).contains(&hurst), "{hurst}");
}

#[test]
fn a_stronger_load_branches_more() {
    let domain = Domain::full(256, 256).unwrap();
    let branches = |severity: f64| -> f64 {
        let model = FractureLine::default();
        (0..100)
            .map(|index| {
                model.trace(&domain, severity, &mut SampleKey { seed: 2, index }.rng()).unwrap().measures["branches"]
            })
            .sum()
    };
    let (weak, strong) = (branches(0.0), branches(1.0));
    assert!(strong > 100.0 && weak < 0.2 * strong, "weak load {weak}, strong load {strong} branches in 100 cracks");
}

#[test]
fn published_threshold_has_lambert_half_width() {
    // eps + W(alpha w0 exp(-alpha eps))/alpha; W by its defining equation.
    for (w0, alpha, eps, published) in [(4.0, 0.35, 0.8, Some(2.479)), (1.0, 1.0, 0.5, None), (10.0, 0.05, 2.0, None)] {
        let r = frontier_half_width(w0, alpha, eps);
        let w: f64 = alpha * (r - eps);
        let z = alpha * w0 * (-alpha * eps).exp();
        assert!((w * w.exp() - z).abs() < 1e-10);
        if let Some(published) = published {
            assert!((r - published).abs() < 1e-3, "{r}");
        }
    }
}
