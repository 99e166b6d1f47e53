//! Pitting loss against closed forms, published tables and independent simulation.
#![allow(clippy::unwrap_used)] // helpers outside #[test] functions; a panic is the failure wanted

mod common;

use common::pits;
use common::rng;
use oracles::optics::least_time;
use oracles::statistics::{gumbel_departure, kolmogorov, randomness_departure, slope};
use physdefect::pitting::{
    Front, Interaction, Metal, Nucleation, PaperPolygon, PitShape, PittingLoss, PittingParams, PowerLaw, Product, Seed,
    Susceptibility, fast_march,
};
use physdefect::{Defect, Domain, Mechanism};

/// [`common::lone_pit`] at the mean growth rate, bare.
fn lone_pit() -> PittingParams {
    common::lone_pit().with_rate_spread(0.0).with_product(Product::None).with_deposit(0.0).with_stain(0.0)
}

fn seed(y: f64, x: f64, time: f64) -> Seed {
    Seed { y, x, time, speed_factor: 1.0 }
}

/// Largest error, as a fraction of the unit square's side, of the distance from a disc of radius 0.1 in its middle.
fn distance_error(n: usize) -> f64 {
    let middle = (n - 1) as f64 / 2.0;
    let h = 1.0 / (n - 1) as f64;
    let radius = |y: usize, x: usize| (y as f64 - middle).hypot(x as f64 - middle);
    let mut seeds = Vec::new();
    for y in 0..n {
        for x in 0..n {
            if radius(y, x) * h <= 0.1 {
                seeds.push(seed(y as f64, x as f64, radius(y, x)));
            }
        }
    }
    let front = fast_march((n, n), &seeds, f64::INFINITY, |_, _| 1.0).unwrap();
    front.time.indexed_iter().map(|((y, x), &t)| (f64::from(t) - radius(y, x)).abs() * h).fold(0.0, f64::max)
}

#[test]
fn eikonal_with_unit_speed_is_the_euclidean_distance_to_first_order() {
    let errors = [41, 81, 161, 321].map(distance_error);
    for pair in errors.windows(2) {
        let order = (pair[0] / pair[1]).log2();
        assert!((0.75..1.5).contains(&order), "order {order}, errors {errors:?}");
    }
    assert!(errors[3] < 3e-3, "{errors:?}");
    // A lone point loses a logarithm but stays a distance.
    let front = fast_march((201, 201), &[seed(100.0, 100.0, 0.0)], f64::INFINITY, |_, _| 1.0).unwrap();
    for ((y, x), &t) in front.time.indexed_iter() {
        let d = (y as f64 - 100.0).hypot(x as f64 - 100.0);
        assert!((f64::from(t) - d).abs() < 1.6, "{t} for {d} at {y}, {x}");
    }
}

#[test]
fn eikonal_merges_fronts_by_the_earlier_arrival_and_stops_in_time() {
    let (a, b) = (seed(30.0, 20.0, 0.0), seed(30.0, 60.0, 8.0));
    let solve = |seeds: &[Seed], stop| fast_march((61, 81), seeds, stop, |_, _| 1.0).unwrap();
    let (one, two, both) = (solve(&[a], 1e9), solve(&[b], 1e9), solve(&[a, b], 1e9));
    for ((y, x), &t) in both.time.indexed_iter() {
        let earlier = one.time[[y, x]].min(two.time[[y, x]]);
        // Upwind from both sides can only bring a meeting pixel forward, by less than half a pixel.
        assert!(t <= earlier && t > earlier - 0.5, "{t} against {earlier}");
        let lead = two.time[[y, x]] - one.time[[y, x]];
        if lead.abs() > 3.0 {
            assert_eq!(both.owner[[y, x]], u32::from(lead < 0.0));
        }
    }
    let cut = solve(&[a, b], 12.0);
    for ((y, x), &t) in cut.time.indexed_iter() {
        assert_eq!(t.is_finite(), both.time[[y, x]] <= 12.0);
        assert!(!t.is_finite() || t == both.time[[y, x]]);
        assert_eq!(cut.owner[[y, x]] == Front::UNREACHED, !t.is_finite());
    }
}

#[test]
fn eikonal_obeys_snells_law_for_a_plane_front() {
    // A plane front at 35 degrees meets a straight jump of speed: the trace along the interface is kept,
    // sin(a1) / F1 = sin(a2) / F2.
    let (f1, f2) = (1.0f64, 1.6f64);
    let (h, w, jump) = (420usize, 120usize, 50usize);
    let angle = 35f64.to_radians();
    let mut seeds = Vec::new();
    for y in 0..h {
        seeds.push(seed(y as f64, 0.0, y as f64 * angle.sin() / f1));
    }
    let speed = |_, x: usize| if x < jump { f1 as f32 } else { f2 as f32 };
    let front = fast_march((h, w), &seeds, f64::INFINITY, speed).unwrap();
    let t = |y: usize, x: usize| f64::from(front.time[[y, x]]);
    // That far down the grid's upper edge, where the front enters wrongly, is not felt.
    let (y, x) = (400, 100);
    let along = (t(y, x) - t(y - 40, x)) / 40.0;
    let into = (t(y, x) - t(y, x - 40)) / 40.0;
    let refracted = along.atan2(into);
    assert!((refracted.sin() / f2 - angle.sin() / f1).abs() < 1e-3, "{} degrees", refracted.to_degrees());
    assert!((along.hypot(into) * f2 - 1.0).abs() < 1e-3, "{}", along.hypot(into) * f2);
}

#[test]
fn eikonal_obeys_fermats_principle_across_a_speed_jump() {
    // Least time from a point through the interface, by brute force over the crossing.
    let (f1, f2) = (1.0f64, 2.0f64);
    let (n, jump) = (201usize, 60usize);
    let source = (100.0, 20.0);
    let front =
        fast_march((n, n), &[seed(source.0, source.1, 0.0)], f64::INFINITY, |_, x| if x < jump { 1.0 } else { 2.0 })
            .unwrap();
    let interface = jump as f64 - 0.5;
    for target in [(100usize, 180usize), (60, 150), (20, 120), (150, 190), (180, 80)] {
        let (ty, tx) = (target.0 as f64, target.1 as f64);
        let least = least_time(source, (ty, tx), interface, (f1, f2));
        let found = f64::from(front.time[[target.0, target.1]]);
        assert!((found / least - 1.0).abs() < 0.02, "{found} for {least} at {target:?}");
    }
}

#[test]
fn logarithm_of_depth_rises_by_the_growth_exponent() {
    let domain = Domain::full(200, 200).unwrap();
    for n in [1.0 / 3.0, 0.4, 0.5] {
        let model = pits(lone_pit().with_exponent(n));
        let points: Vec<(f64, f64)> = (0..=10)
            .map(|k| {
                let m = model.generate(&domain, f64::from(k) / 10.0, &mut rng(5)).unwrap().measures;
                (m["exposure_years"].ln(), m["max_depth_px"].ln())
            })
            .collect();
        let slope = slope(&points);
        assert!((slope - n).abs() < 1e-4, "slope {slope} for n = {n}");
    }
}

#[test]
fn depth_field_is_the_growth_law_at_the_local_arrival_time() {
    let domain = Domain::full(300, 300).unwrap();
    let model = pits(lone_pit().with_spread_rate(0.03).with_exponent(0.4));
    let defect = model.generate(&domain, 1.0, &mut rng(1)).unwrap();
    let (k, years, speed) = (model.median_law(300.0).rate, 4.0, 0.03 * 300.0);
    let ((cy, cx), _) = deepest(&defect);
    let mut seen = 0;
    for ((y, x), &z) in defect.height.indexed_iter() {
        let r = (y as f64 - cy).hypot(x as f64 - cx);
        let age = years - r / speed;
        if age > 0.3 {
            // Arrival is first-order accurate: allow a shift of the front by 1.2 px.
            let (late, early) = (k * (age - 1.2 / speed).powf(0.4), k * (age + 1.2 / speed).powf(0.4));
            assert!((late..=early).contains(&f64::from(-z)), "{z} at {r} px");
            seen += 1;
        }
    }
    assert!(seen > 2000);
}

fn deepest(defect: &Defect) -> ((f64, f64), f32) {
    let mut best = ((0.0, 0.0), 0.0);
    for ((y, x), &z) in defect.height.indexed_iter() {
        if z < best.1 {
            best = ((y as f64, x as f64), z);
        }
    }
    best
}

#[test]
fn pit_shapes_have_their_stated_aspect() {
    let domain = Domain::full(256, 256).unwrap();
    let shapes = [
        (PitShape::Hemispherical, 0.5),
        (PitShape::NarrowDeep, 1.5),
        (PitShape::Elliptical, 1.0),
        (PitShape::WideShallow, 0.15),
        (PitShape::Undercut, 0.6),
    ];
    for (shape, aspect) in shapes {
        let model = pits(lone_pit().with_shape(shape).with_spread_rate(0.02));
        let defect = model.generate(&domain, 1.0, &mut rng(1)).unwrap();
        let ((cy, _), z) = deepest(&defect);
        let width = defect.height.row(cy as usize).iter().filter(|&&z| z < 0.0).count() as f64;
        let found = f64::from(-z) / width;
        assert!((found / aspect - 1.0).abs() < 0.04, "{shape:?}: {found}");
        // Half a sphere holds 2/3 of its cylinder, a cone 1/3: the profile, not only its end points.
        let m = &defect.measures;
        let fill = m["volume_px3"] / (m["area_px2"] * m["max_depth_px"]);
        let expected = match shape {
            PitShape::Hemispherical | PitShape::Elliptical => 2.0 / 3.0,
            PitShape::NarrowDeep => 1.0 / 3.0,
            PitShape::WideShallow => 2.0 / 3.0, // 1 - r^4 over the disc
            _ => 0.6 + 0.4 * 2.0 / 3.0,
        };
        assert!((fill - expected).abs() < 0.025, "{shape:?}: {fill} for {expected}");
    }
}

fn pattern(interaction: Interaction, seed: u64) -> (f64, f64) {
    let process = Nucleation { rate: 90.0, decay: 2.0, susceptibility: Susceptibility::Uniform, interaction };
    let domain = Domain::full(256, 256).unwrap();
    let nuclei = process.sample(&domain, 10.0, &mut rng(seed));
    assert!(nuclei.len() > 60, "{}", nuclei.len());
    let points: Vec<(f64, f64)> = nuclei.iter().map(|n| (n.y as f64, n.x as f64)).collect();
    randomness_departure(&points, 256)
}

#[test]
fn ripley_accepts_independent_pits_as_completely_random() {
    let rejected = (0..8)
        .filter(|&s| {
            let (up, down) = pattern(Interaction::Independent, s);
            up > 1.0 || down > 1.0
        })
        .count();
    // Two one-sided tests at 1 % on eight patterns: more than one rejection has a chance of 1 %.
    assert!(rejected <= 1, "{rejected} of 8 rejected");
}

#[test]
fn ripley_rejects_clusters_upward() {
    for s in 0..4 {
        let (up, down) = pattern(Interaction::Thomas { pits_per_cluster: 6.0, spread: 0.03 }, s);
        assert!(up > 1.5 && down < 1.0, "{up} {down}");
    }
}

#[test]
fn ripley_rejects_inhibition_downward() {
    for s in 0..4 {
        let (up, down) = pattern(Interaction::Inhibition { radius: 0.05 }, s);
        assert!(down > 1.5 && up < 1.0, "{up} {down}");
    }
}

#[test]
fn births_are_poisson_in_number_and_exponential_in_time() {
    let process = Nucleation {
        rate: 11.0,
        decay: 2.5,
        susceptibility: Susceptibility::Uniform,
        interaction: Interaction::Independent,
    };
    let domain = Domain::full(64, 64).unwrap();
    let (years, runs) = (4.0, 2000);
    let mut counts = Vec::new();
    let mut times = Vec::new();
    for s in 0..runs {
        let nuclei = process.sample(&domain, years, &mut rng(s));
        assert_eq!(nuclei[0].time, 0.0);
        assert!(nuclei.windows(2).all(|p| p[0].time <= p[1].time));
        counts.push((nuclei.len() - 1) as f64);
        times.extend(nuclei[1..].iter().map(|n| n.time));
    }
    // r0 tau (1 - exp(-t / tau)) = 21.948.
    let expected = 11.0 * 2.5 * (1.0 - (-4.0f64 / 2.5).exp());
    let mean = counts.iter().sum::<f64>() / runs as f64;
    let variance = counts.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / (runs - 1) as f64;
    assert!((mean - expected).abs() < 4.0 * (expected / runs as f64).sqrt(), "{mean} for {expected}");
    assert!((variance / mean - 1.0).abs() < 4.0 * (2.0 / runs as f64).sqrt(), "dispersion {}", variance / mean);
    times.sort_by(f64::total_cmp);
    let law = |t: f64| (1.0 - (-t / 2.5).exp()) / (1.0 - (-4.0f64 / 2.5).exp());
    assert!(kolmogorov(&times, law) < 1.628, "{}", kolmogorov(&times, law)); // 1 %, no parameter fitted
}

/// 1 % point of sqrt(n) D for a Gumbel law with both parameters fitted (Chandra, Singpurwalla and Stephens, JASA 76
/// (1981) 729).
const GUMBEL_ONE_PERCENT: f64 = 1.007;

#[test]
fn deepest_pits_of_many_areas_follow_a_gumbel_law() {
    let nucleation = Nucleation {
        rate: 30.0,
        decay: 2.5,
        susceptibility: Susceptibility::Uniform,
        interaction: Interaction::Independent,
    };
    let params = PittingParams::default().with_nucleation(nucleation).with_spread_rate(0.004);
    let model = pits(params.with_product(Product::None).with_deposit(0.0).with_stain(0.0));
    let domain = Domain::full(128, 128).unwrap();
    let maxima: Vec<f64> =
        (0..300).map(|s| model.generate(&domain, 1.0, &mut rng(s)).unwrap().measures["max_depth_px"]).collect();
    let found = gumbel_departure(maxima.clone());
    assert!(found < GUMBEL_ONE_PERCENT, "{found}");
    // The same test has the power to see a law of the wrong skew.
    let mirrored = gumbel_departure(maxima.iter().map(|m| -m).collect());
    assert!(mirrored > 1.5 * GUMBEL_ONE_PERCENT, "{mirrored}");
}

#[test]
fn faradays_law_gives_the_handbook_penetration_rates() {
    // mm a year at 1 mA/cm^2: iron 11.6, aluminum 10.9, copper (divalent) 11.6; Fontana, "Corrosion Engineering", 3rd
    // ed.
    assert!((Metal::IRON.penetration_mm_per_year(1.0) - 11.6).abs() < 0.02);
    assert!((Metal::ALUMINUM.penetration_mm_per_year(1.0) - 10.9).abs() < 0.05);
    assert!((Metal::COPPER.penetration_mm_per_year(1.0) - 11.6).abs() < 0.05);
    assert!((Metal::IRON.charge_c(Metal::IRON.mass_g(123.0)) - 123.0).abs() < 1e-9);
    // One ampere hour dissolves 1.042 g of iron.
    assert!((Metal::IRON.mass_g(3600.0) - 1.042).abs() < 1e-3);
}

#[test]
fn mass_follows_from_the_lost_volume_and_the_pixel_pitch() {
    let domain = Domain::full(128, 128).unwrap();
    for shape in [PitShape::Hemispherical, PitShape::Undercut] {
        let model = pits(PittingParams::default().with_shape(shape).with_pixel_pitch_mm(Some(0.05)));
        let m = model.generate(&domain, 0.6, &mut rng(2)).unwrap().measures;
        let mm3 = (m["volume_px3"] + m["hidden_volume_px3"]) * 0.05f64.powi(3);
        assert!((m["mass_loss_mg"] / (mm3 * 7.874) - 1.0).abs() < 1e-12);
        assert!((m["charge_c"] / (mm3 * 7.874e-3 * 2.0 * 96485.332 / 55.845) - 1.0).abs() < 1e-8);
        assert_eq!(m["hidden_volume_px3"] > 0.0, shape == PitShape::Undercut);
    }
}

#[test]
fn volume_is_the_sum_of_the_relief() {
    let domain = Domain::full(256, 256).unwrap();
    for s in 0..6 {
        let defect = PittingLoss::default().generate(&domain, 1.0, &mut rng(s)).unwrap();
        let sum: f64 = defect.height.iter().map(|&z| -f64::from(z)).sum();
        assert!((sum / defect.measures["volume_px3"] - 1.0).abs() < 1e-5);
        assert!(defect.measures["pit_count"] >= 1.0);
    }
}

#[test]
fn a_rough_floor_varies_by_its_share_of_the_depth() {
    // Against the same pits with smooth floors: a factor of mean 1 and of the stated deviation, cut off near 0 and 2.
    let domain = Domain::full(256, 256).unwrap();
    let relief = |roughness: f64, s: u64| {
        let model = pits(lone_pit().with_spread_rate(0.03).with_roughness(roughness));
        model.generate(&domain, 1.0, &mut rng(s)).unwrap().height
    };
    for roughness in [0.1, 0.3] {
        let mut factors = Vec::new();
        for s in 0..24 {
            let (rough, smooth) = (relief(roughness, s), relief(0.0, s));
            assert_eq!(rough.dim(), smooth.dim());
            factors.extend(rough.iter().zip(&smooth).filter(|(_, s)| **s < 0.0).map(|(r, s)| f64::from(r / s)));
        }
        let n = factors.len() as f64;
        let mean = factors.iter().sum::<f64>() / n;
        let deviation = (factors.iter().map(|f| (f - mean).powi(2)).sum::<f64>() / n).sqrt();
        assert!((mean - 1.0).abs() < 0.1 * roughness, "{mean} at {roughness}");
        assert!((deviation / roughness - 1.0).abs() < 0.15, "{deviation} for {roughness}");
    }
}

#[test]
fn default_severities_cover_what_their_documentation_says() {
    let domain = Domain::full(256, 256).unwrap();
    // Shares of the domain at severity 0 and 1: a few deep pits, and the published polygons.
    let models: [(Box<dyn Mechanism>, [f64; 2]); 2] =
        [(Box::new(PittingLoss::default()), [0.00025, 0.006]), (Box::new(PaperPolygon::default()), [0.002, 0.06])];
    for (model, stated) in models {
        for (severity, stated) in [0.0, 1.0].into_iter().zip(stated) {
            let mut areas: Vec<f64> = (0..41)
                .map(|s| model.generate(&domain, severity, &mut rng(s)).unwrap().measures["area_px2"] / 65536.0)
                .collect();
            areas.sort_by(f64::total_cmp);
            let found = areas[20] / stated;
            assert!((0.6..1.6).contains(&found), "{} at {severity}: {} for {stated}", model.name(), areas[20]);
        }
    }
}

#[test]
fn growth_law_starts_at_birth() {
    let law = PowerLaw { rate: 2.0, exponent: 1.0 / 3.0 };
    assert_eq!(law.depth(0.0), 0.0);
    assert_eq!(law.depth(-1.0), 0.0);
    assert!((law.depth(27.0) - 6.0).abs() < 1e-12);
}
