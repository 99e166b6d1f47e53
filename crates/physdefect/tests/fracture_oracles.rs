//! FL against closed forms and published tables.
// A failed set-up is a failed test; a test may print its figures.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::f64::consts::{FRAC_PI_2, PI};

use oracles::fracture::{hurst_exponent, profile};
use physdefect::fracture::lefm::{self, RemoteStress};
use physdefect::fracture::{
    FractureLine, FractureParams, FrontierParams, PaperFrontier, Toughness, ToughnessField, frontier_half_width,
};
use physdefect::{Domain, Mechanism, SampleKey};
use rand_chacha::rand_core::RngCore;

fn homogeneous(angle: f64, tilt: f64) -> FractureLine {
    FractureLine::new(
        FractureParams::default()
            .with_toughness(Toughness::Gaussian { disorder: 0.0 })
            .with_stress_angle(Some(angle))
            .with_flaw_tilt(tilt)
            .with_edge_start(0.0)
            .with_branching(0.0),
    )
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
        let root = oracles::fracture::kink_angle(k1, k2);
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
        // It arrests where the load balances: tip to tip 0.1 * 8^0.5 * 256 px, up to a step of 1.5 px at each tip.
        let length = crack.measures["length_px"];
        let target = 256.0 * 0.1 * 8f64.sqrt();
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
    let center = crack.branches[0].points[0];
    let mut tested = 0;
    for arm in &crack.branches {
        let end = arm.points.last().unwrap();
        let a = (end[1] - center[1]).abs();
        for (p, w) in arm.points.iter().zip(&arm.opening) {
            let exact = width * (1.0 - ((p[1] - center[1]) / a).powi(2)).max(0.0).sqrt();
            assert!((w - exact).abs() <= 0.01 * width, "opening {w} {exact}");
        }
        for x in 0..defect.bbox.width() {
            let s = ((defect.bbox.left + x) as f64 - center[1]) * (end[1] - center[1]).signum();
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

/// Groups of 60 cracks.
const GROUPS: u64 = 8;

#[test]
fn profiles_of_cracks_are_rougher_than_a_random_walk_and_as_rough_as_fracture_profiles() {
    // Groups of cracks give the exponent with its scatter; random walks of the same lengths go through the same
    // estimator.
    let domain = Domain::full(1024, 1024).unwrap();
    let model = FractureLine::new(
        FractureParams::default()
            .with_stress_angle(Some(FRAC_PI_2))
            .with_flaw_tilt(0.0)
            .with_edge_start(0.0)
            .with_branching(0.0)
            .with_grain(0.003),
    )
    .unwrap();
    let (mut cracks, mut walks) = (Vec::new(), Vec::new());
    for group in 0..GROUPS {
        let mut profiles = Vec::new();
        for index in 0..60 {
            let crack = model.trace(&domain, 1.0, &mut SampleKey { seed: 5 + group, index }.rng()).unwrap();
            profiles.extend(crack.branches[..crack.arms].iter().map(|arm| profile(&arm.points)));
        }
        cracks.push(hurst_exponent(&profiles));
        let mut rng = SampleKey { seed: 5 + group, index: 60 }.rng();
        let walk = |p: &Vec<f64>| {
            let mut height = 0.0;
            let mut step = |_| {
                height += if rng.next_u32().is_multiple_of(2) { 1.0 } else { -1.0 };
                height
            };
            (0..p.len()).map(&mut step).collect::<Vec<f64>>()
        };
        let random: Vec<Vec<f64>> = profiles.iter().map(walk).collect();
        walks.push(hurst_exponent(&random));
    }
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let error = |v: &[f64]| {
        let m = mean(v);
        (v.iter().map(|x| (x - m).powi(2)).sum::<f64>() / (v.len() * (v.len() - 1)) as f64).sqrt()
    };
    let (h, se) = (mean(&cracks), error(&cracks));
    println!("cracks {h:.3} +- {se:.3} {cracks:.3?}, random walks {:.3} +- {:.3}", mean(&walks), error(&walks));
    // A random walk has 0.5, fracture profiles in plane problems 0.6 to 0.8 (Bouchaud, J. Phys. Condens. Matter 9,
    // 1997).
    assert!((mean(&walks) - 0.5).abs() < 0.05, "{walks:?}");
    assert!(h - 4.0 * se > 0.58 && h + 4.0 * se < 0.8, "{h} +- {se}");
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

#[test]
fn the_relief_is_a_v_groove_of_the_opening() {
    // A crack along a row of pixel centers: aspect times the opening deep there, and straight flanks that end half a
    // pixel beyond the opening.
    let (domain, aspect) = (Domain::full(256, 256).unwrap(), 3.0);
    let model = homogeneous(FRAC_PI_2, 0.0);
    let (crack, key) = whole_crack(&model, &domain, 1.0);
    let defect = model.generate(&domain, 1.0, &mut key.rng()).unwrap();
    assert_eq!(crack.measures["depth_px"], aspect * crack.measures["max_opening_px"]);
    let mut tested = 0;
    for arm in &crack.branches {
        let (row, start) = (arm.points[0][0], arm.points[0][1]);
        let a = (arm.points.last().unwrap()[1] - start).abs();
        for ((y, x), &z) in defect.height.indexed_iter() {
            let s = ((defect.bbox.left + x) as f64 - start) * (arm.points.last().unwrap()[1] - start).signum();
            if s > 0.0 && s < 0.9 * a {
                let width = crack.measures["max_opening_px"] * (1.0 - (s / a).powi(2)).sqrt();
                let off = ((defect.bbox.top + y) as f64 - row).abs();
                let exact = -aspect * width * (1.0 - off / (0.5 * width + 0.5)).max(0.0);
                assert!((f64::from(z) - exact).abs() <= 0.01 * aspect * width, "{z} for {exact}, {off} px off");
                tested += usize::from(off < 0.5 * width);
            }
        }
    }
    assert!(tested > 300, "{tested} pixels");
}

/// Angle in (-pi, pi].
fn wrapped(angle: f64) -> f64 {
    angle - 2.0 * PI * (angle / (2.0 * PI)).round()
}

/// E' G / K_c^2 under unit load of a step from `at` towards `toward`, of a crack whose center is `from`.
fn drive(field: &ToughnessField, stress: RemoteStress, zone: f64, [from, at, next]: [[f64; 2]; 3]) -> f64 {
    let (dy, dx) = (at[0] - from[0], at[1] - from[1]);
    let (normal, shear) = stress.traction(dy.atan2(dx));
    let factor = lefm::zone_factor(dy.hypot(dx), zone);
    let turn = wrapped((next[0] - at[0]).atan2(next[1] - at[1]) - dy.atan2(dx));
    let (k1, k2) = lefm::kinked(normal * factor, shear * factor, turn);
    (k1.max(0.0).powi(2) + k2 * k2) / field.at(next[0], next[1]).powi(2)
}

#[test]
fn each_step_goes_where_g_over_its_toughness_is_largest_and_griffith_holds() {
    // Without memory of the tip's heading the cone lies around the kink angle: try its directions one by one.
    let (domain, kind, cone) = (Domain::full(256, 256).unwrap(), Toughness::Gaussian { disorder: 0.4 }, 0.5);
    let model = FractureLine::new(
        FractureParams::default()
            .with_toughness(kind)
            .with_edge_start(0.0)
            .with_branching(0.0)
            .with_process_zone(0.0)
            .with_wander((1.0, 1.0))
            .with_cone(cone),
    )
    .unwrap();
    let (mut steps, mut rests) = (0, 0);
    for index in 0..20 {
        let key = SampleKey { seed: 3, index };
        let crack = model.trace(&domain, 0.7, &mut key.rng()).unwrap();
        let m = &crack.measures;
        let field = ToughnessField::new(kind, m["grain_px"], key.rng().next_u64());
        let stress = RemoteStress { s1: 1.0, s2: 0.0, angle: m["stress_angle_rad"] };
        let shortest = 0.5 * 0.1 * 256.0;
        let (zone, step, load) = (0.5 * shortest, 0.5 * m["grain_px"], m["load_over_toughness"]);
        let flaw = (0.3 * shortest / step).ceil() as usize;
        for arm in &crack.branches[..crack.arms] {
            let from = arm.points[0];
            let heading = |p: &[[f64; 2]]| (p[1][0] - p[0][0]).atan2(p[1][1] - p[0][1]);
            // The largest drive in the cone at a tip, among turns of a radian at most.
            let best = |last: &[[f64; 2]]| {
                let at = last[1];
                let (k1, k2) = stress.traction(heading(&[from, at]));
                let axis = heading(&[from, at]) + lefm::kink_angle(k1.max(0.0), k2);
                (-7..=7)
                    .map(|k| axis + cone * f64::from(k) / 7.0)
                    .filter(|toward| wrapped(toward - heading(last)).abs() <= 1.0)
                    .map(|toward| [at[0] + step * toward.sin(), at[1] + step * toward.cos()])
                    .map(|next| drive(&field, stress, zone, [from, at, next]))
                    .fold(0.0, f64::max)
            };
            for p in arm.points.windows(3).skip(flaw - 1) {
                let (taken, best) = (drive(&field, stress, zone, [from, p[1], p[2]]), best(p));
                assert!(taken >= best * (1.0 - 1e-9), "#{index}: {taken} taken, best {best}");
                assert!(taken * load * load >= 1.0 - 1e-9, "#{index}: grew at G/G_c = {}", taken * load * load);
                steps += 1;
            }
            let end = *arm.points.last().unwrap();
            let inside = end.iter().all(|v| (step + 1.0..254.0 - step).contains(v));
            if inside && arm.points.len() > flaw + 1 && arm.length() < 100.0 {
                let left = best(&arm.points[arm.points.len() - 2..]) * load * load;
                assert!(left < 1.0 + 1e-9, "#{index}: came to rest at G/G_c = {left}");
                rests += 1;
            }
        }
    }
    assert!(steps > 500 && rests > 20, "{steps} steps, {rests} arms at rest");
}

#[test]
fn the_flaw_sits_at_the_weakest_link() {
    // The least of n Weibull numbers of modulus m is Weibull too, n^(-1/m) times as large.
    let (domain, modulus, sites) = (Domain::full(400, 400).unwrap(), 5.0, 8f64);
    let toughness = Toughness::Voronoi { modulus };
    let params = FractureParams::default().with_toughness(toughness).with_edge_start(0.0).with_length((0.05, 0.05));
    let model = FractureLine::new(params).unwrap();
    let seeds = 600;
    let mean = (0..seeds)
        .map(|index| {
            let key = SampleKey { seed: 8, index };
            let crack = model.trace(&domain, 0.0, &mut key.rng()).unwrap();
            let field = ToughnessField::new(toughness, crack.measures["grain_px"], key.rng().next_u64());
            let [y, x] = crack.branches[0].points[0];
            field.at(y, x)
        })
        .sum::<f64>()
        / seeds as f64;
    let exact = sites.powf(-1.0 / modulus);
    // Standard deviation 0.229 of the mean: four standard errors.
    assert!((mean / exact - 1.0).abs() < 4.0 * 0.229 / (seeds as f64).sqrt(), "{mean} for {exact}");
}

#[test]
fn a_tip_branches_at_twice_the_toughness_by_the_branch_angle() {
    // Homogeneous solid, every chance to branch taken. Up to its first branch an arm runs straight, so G/G_c there is
    // (F(run)/F(a))^2; the band of noise around 2 is 1.6 to 2.4.
    let (domain, full, shortest) = (Domain::full(256, 256).unwrap(), 0.9, 0.5 * 0.05 * 256.0);
    let (mut at_threshold, mut angles) = (0, 0);
    for (index, longest) in (0..60).flat_map(|i| [(i, 0.07), (i, 0.08), (i, 0.5)]) {
        let model = FractureLine::new(
            homogeneous(0.0, 0.0)
                .params()
                .with_branching(1.0)
                .with_branch_angle((full, full))
                .with_length((0.05, longest))
                .with_zone(1.0),
        )
        .unwrap();
        let crack = model.trace(&domain, 1.0, &mut SampleKey { seed: 4, index }.rng()).unwrap();
        let step = 0.5 * crack.measures["grain_px"];
        let ratio = |run: f64| (lefm::zone_factor(run, shortest) * crack.measures["load_over_toughness"]).powi(2);
        let heading = |p: &[[f64; 2]], i: usize| (p[i + 1][0] - p[i][0]).atan2(p[i + 1][1] - p[i][1]);
        for arm in &crack.branches[..crack.arms] {
            let turned = |p: &[[f64; 2]], i: usize| wrapped(heading(p, i) - heading(&arm.points, 0));
            let Some(at) = (1..arm.points.len() - 1).find(|&i| turned(&arm.points, i).abs() > 1e-9) else { continue };
            let here = ratio(at as f64 * step);
            assert!(here >= 1.6 - 1e-9, "branched at G/G_c = {here}");
            // No tip branches in its first two steps.
            assert!((2..at).all(|i| ratio(i as f64 * step) <= 2.4 + 1e-9), "passed 2.4 before it branched");
            at_threshold += usize::from(here < 2.4);
            // Half the full angle to either side.
            let main = turned(&arm.points, at);
            assert!((main.abs() - 0.5 * full).abs() < 1e-9, "main tip turned by {main}");
            for branch in crack.branches[crack.arms..].iter().filter(|b| b.points[0] == arm.points[at]) {
                let side = turned(&branch.points, 0);
                assert!((side + main).abs() < 1e-9, "branch turned by {side}, main tip by {main}");
                angles += 1;
            }
        }
    }
    assert!(angles > 60 && at_threshold > 5, "{angles} branches, {at_threshold} of them at the threshold");
}

#[test]
fn a_branch_grows_under_the_shielded_load() {
    let domain = Domain::full(256, 256).unwrap();
    let grown = |shielding: f64| {
        let model = FractureLine::new(FractureParams::default().with_shielding(shielding)).unwrap();
        (0..60).fold((0.0, 0.0), |sum, index| {
            let m = model.trace(&domain, 1.0, &mut SampleKey { seed: 2, index }.rng()).unwrap().measures;
            (sum.0 + m["branches"], sum.1 + m["total_length_px"] - m["length_px"])
        })
    };
    let (none, half, whole) = (grown(0.0), grown(0.5), grown(1.0));
    assert_eq!(none, (0.0, 0.0));
    assert!(half.1 > 0.0 && whole.1 > 1.2 * half.1, "branches of {} and {} px", half.1, whole.1);
}

#[test]
fn both_tips_of_a_branching_are_shielded() {
    // A tip that keeps no K stops one step after it branched; one that keeps half has a quarter of G left, and so stops
    // earlier than one that keeps all of it.
    let domain = Domain::full(256, 256).unwrap();
    let length = |shielding: f64| {
        let params = homogeneous(0.0, 0.0).params().with_shielding(shielding).with_branching(1.0);
        let model = FractureLine::new(params).unwrap();
        let (mut sum, mut turned) = (0.0, 0);
        for index in 0..60 {
            let crack = model.trace(&domain, 1.0, &mut SampleKey { seed: 8, index }.rng()).unwrap();
            for arm in &crack.branches[..crack.arms] {
                let p = &arm.points;
                let heading = |i: usize| (p[i + 1][0] - p[i][0]).atan2(p[i + 1][1] - p[i][1]);
                let turn = (1..p.len() - 1).find(|&i| wrapped(heading(i) - heading(0)).abs() > 1e-9);
                if let Some(at) = turn {
                    turned += 1;
                    assert!(
                        shielding > 0.0 || at + 2 == p.len(),
                        "#{index}: {} steps after the branching",
                        p.len() - at
                    );
                }
                sum += arm.length();
            }
        }
        assert!(turned > 40, "{turned} arms branched");
        sum
    };
    let (none, half, whole) = (length(0.0), length(0.5), length(1.0));
    assert!(1.2 * none < half && 1.05 * half < whole, "main arms of {none:.0}, {half:.0} and {whole:.0} px");
}

#[test]
fn a_flaw_that_no_load_made_has_no_branches() {
    // A flaw of many steps: its vertices were there before the load.
    let domain = Domain::full(512, 512).unwrap();
    let params = homogeneous(0.0, 0.0).params().with_length((0.4, 0.6)).with_branching(1.0);
    let model = FractureLine::new(params).unwrap();
    for index in 0..40 {
        let crack = model.trace(&domain, 0.5, &mut SampleKey { seed: 6, index }.rng()).unwrap();
        let flaw = 0.3 * 0.5 * 0.4 * 512.0;
        let from = crack.branches[0].points[0];
        for branch in &crack.branches[crack.arms..] {
            let run = (branch.points[0][0] - from[0]).hypot(branch.points[0][1] - from[1]);
            assert!(run >= flaw - 1e-9, "#{index}: a branch {run} px from the center of a flaw of {flaw} px");
        }
    }
}

#[test]
fn the_published_recipe_is_drawn_as_thick_as_its_threshold_says() {
    // A straight frontier without noise: half-width r* tapering as an ellipse, area 2 r* L pi/4.
    let domain = Domain::full(256, 256).unwrap();
    let params = FrontierParams::default().with_wander(0.0).with_branch(0.0).with_noise_scale(0.0);
    let model = PaperFrontier::new(params).unwrap();
    for index in 0..10 {
        let defect = model.generate(&domain, 1.0, &mut SampleKey { seed: 1, index }.rng()).unwrap();
        let m = &defect.measures;
        assert!((m["max_opening_px"] / (2.0 * 2.47947) - 1.0).abs() < 1e-5, "{}", m["max_opening_px"]);
        let exact = m["max_opening_px"] * m["length_px"] * PI / 4.0;
        assert!((m["area_px2"] / exact - 1.0).abs() < 0.02, "{} for {exact}", m["area_px2"]);
        let drawn: f64 = defect.opacity.iter().map(|&v| f64::from(v)).sum();
        // The rounded start adds half a disc at most.
        assert!(drawn > 0.97 * exact && drawn < 1.03 * exact + 0.5 * PI * 2.48 * 2.48, "{drawn} px drawn for {exact}");
    }
}
