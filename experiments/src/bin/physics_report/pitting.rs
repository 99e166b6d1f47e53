//! PL against geometrical optics, Faraday's law and the statistics of point patterns and extremes.

use crate::physdefect::pitting::{
    Interaction, Metal, Nucleation, PitShape, PittingLoss, PittingParams, Product, Seed, Susceptibility, fast_march,
};
use crate::physdefect::{Domain, Error, Mechanism, SampleKey};
use crate::table::Table;
use oracles::optics::least_time;
use oracles::statistics::{gumbel_departure, kolmogorov, randomness_departure, slope};
use rand_chacha::ChaCha8Rng;

pub(crate) fn run(table: &mut Table) -> Result<(), Error> {
    distance(table)?;
    snell(table)?;
    fermat(table)?;
    growth(table)?;
    shapes(table)?;
    patterns(table)?;
    births(table)?;
    extremes(table)?;
    faraday(table)?;
    Ok(())
}

fn rng(seed: u64) -> ChaCha8Rng {
    SampleKey { seed, index: 0 }.rng()
}

fn seed(y: f64, x: f64, time: f64) -> Seed {
    Seed { y, x, time, speed_factor: 1.0 }
}

/// Largest error, as a share of the unit square's side, of the distance from a disc of radius 0.1 in its middle.
fn distance_error(n: usize) -> Result<f64, Error> {
    let (middle, h) = ((n - 1) as f64 / 2.0, 1.0 / (n - 1) as f64);
    let radius = |y: usize, x: usize| (y as f64 - middle).hypot(x as f64 - middle);
    let disc = (0..n * n).map(|p| (p / n, p % n)).filter(|&(y, x)| radius(y, x) * h <= 0.1);
    let seeds: Vec<Seed> = disc.map(|(y, x)| seed(y as f64, x as f64, radius(y, x))).collect();
    let front = fast_march((n, n), &seeds, f64::INFINITY, |_, _| 1.0)?;
    let error = |((y, x), &t): ((usize, usize), &f32)| (f64::from(t) - radius(y, x)).abs() * h;
    Ok(front.time.indexed_iter().map(error).fold(0.0, f64::max))
}

fn distance(table: &mut Table) -> Result<(), Error> {
    let errors: Vec<f64> = [41, 81, 161, 321].into_iter().map(distance_error).collect::<Result<_, _>>()?;
    for (pair, n) in errors.windows(2).zip([41, 81, 161]) {
        let order = ((0.75, 1.5), "first-order upwind scheme");
        table.between(
            format!("eikonal, F = 1, order of error, {n} to {} nodes", 2 * n - 1),
            order,
            (pair[0] / pair[1]).log2(),
        );
    }
    table.at_most(
        "eikonal, F = 1, worst error at 321 nodes, sides",
        ("Euclidean distance", "closed form"),
        errors[3],
        3e-3,
    );
    Ok(())
}

fn snell(table: &mut Table) -> Result<(), Error> {
    // A plane front at 35 degrees meets a straight jump of speed.
    let (f1, f2, jump) = (1.0f64, 1.6f64, 50usize);
    let angle = 35f64.to_radians();
    let seeds: Vec<Seed> = (0..420).map(|y| seed(f64::from(y), 0.0, f64::from(y) * angle.sin() / f1)).collect();
    let speed = |_, x: usize| if x < jump { f1 as f32 } else { f2 as f32 };
    let front = fast_march((420, 120), &seeds, f64::INFINITY, speed)?;
    let t = |y: usize, x: usize| f64::from(front.time[[y, x]]);
    let (along, into) = ((t(400, 100) - t(360, 100)) / 40.0, (t(400, 100) - t(400, 60)) / 40.0);
    let exact = (f2 / f1 * angle.sin()).asin().to_degrees();
    table.near(
        "eikonal, refraction at a speed jump 1 : 1.6, degrees",
        (exact, "Snell's law"),
        along.atan2(into).to_degrees(),
        0.15,
    );
    table.within_share("eikonal, slowness beyond the jump", (1.0 / f2, "grad T = 1/F"), along.hypot(into), 1e-3);
    Ok(())
}

fn fermat(table: &mut Table) -> Result<(), Error> {
    // Least time from a point through the interface, by brute force over the crossing.
    let (f1, f2, n, jump) = (1.0f64, 2.0f64, 201usize, 60usize);
    let source = (100.0, 20.0);
    let speed = |_, x: usize| if x < jump { f1 as f32 } else { f2 as f32 };
    let front = fast_march((n, n), &[seed(source.0, source.1, 0.0)], f64::INFINITY, speed)?;
    let interface = jump as f64 - 0.5;
    let mut worst = 0.0f64;
    for target in [(100usize, 180usize), (60, 150), (20, 120), (150, 190), (180, 80)] {
        let (ty, tx) = (target.0 as f64, target.1 as f64);
        let least = least_time(source, (ty, tx), interface, (f1, f2));
        worst = worst.max((f64::from(front.time[[target.0, target.1]]) / least - 1.0).abs());
    }
    table.at_most(
        "eikonal, point source across a jump 1 : 2, worst of 5, share",
        ("least time", "Fermat, brute force"),
        worst,
        0.02,
    );
    Ok(())
}

/// One pit and no other, on grains of equal speed.
fn lone_pit() -> PittingParams {
    let nucleation = Nucleation {
        rate: 0.0,
        decay: 1.0,
        susceptibility: Susceptibility::Uniform,
        interaction: Interaction::Independent,
    };
    PittingParams::default()
        .with_roughness(0.0)
        .with_spread_rate(0.012)
        .with_nucleation(nucleation)
        .with_grain_size(0.02)
        .with_grain_contrast(0.0)
        .with_rate_spread(0.0)
        .with_product(Product::None)
        .with_deposit(0.0)
        .with_stain(0.0)
}

fn growth(table: &mut Table) -> Result<(), Error> {
    let domain = Domain::full(200, 200)?;
    for n in [1.0 / 3.0, 0.4, 0.5] {
        let model = PittingLoss::new(lone_pit().with_exponent(n))?;
        let mut points = Vec::new();
        for k in 0..=10 {
            let m = model.generate(&domain, f64::from(k) / 10.0, &mut rng(5))?.measures;
            points.push((m["exposure_years"].ln(), m["max_depth_px"].ln()));
        }
        let source = "d = k t^n, diffusion control";
        table.near(format!("slope of log depth on log time, n = {n:.4}"), (n, source), slope(&points), 1e-4);
    }
    Ok(())
}

fn shapes(table: &mut Table) -> Result<(), Error> {
    let domain = Domain::full(256, 256)?;
    // Depth over width of the chart's presets, and the share of its cylinder that the solid fills.
    let shapes = [
        (PitShape::Hemispherical, 0.5, 2.0 / 3.0),
        (PitShape::NarrowDeep, 1.5, 1.0 / 3.0),
        (PitShape::Elliptical, 1.0, 2.0 / 3.0),
        (PitShape::WideShallow, 0.15, 2.0 / 3.0),
        (PitShape::Undercut, 0.6, 0.6 + 0.4 * 2.0 / 3.0),
    ];
    for (shape, aspect, fill) in shapes {
        let model = PittingLoss::new(lone_pit().with_shape(shape).with_spread_rate(0.02))?;
        let defect = model.generate(&domain, 1.0, &mut rng(1))?;
        let mut deepest = (0, 0.0f32);
        for ((y, _), &z) in defect.height.indexed_iter() {
            if z < deepest.1 {
                deepest = (y, z);
            }
        }
        let width = defect.height.row(deepest.0).iter().filter(|&&z| z < 0.0).count() as f64;
        let ours = f64::from(-deepest.1) / width;
        table.within_share(format!("pit {shape:?}, depth over width"), (aspect, "preset after ASTM G46"), ours, 0.04);
        let m = &defect.measures;
        let ours = m["volume_px3"] / (m["area_px2"] * m["max_depth_px"]);
        table.near(format!("pit {shape:?}, volume over its cylinder"), (fill, "solid geometry"), ours, 0.025);
    }
    Ok(())
}

fn patterns(table: &mut Table) -> Result<(), Error> {
    let domain = Domain::full(256, 256)?;
    let departures = |interaction: Interaction, n: u64| -> Vec<(f64, f64)> {
        let process = Nucleation { rate: 90.0, decay: 2.0, susceptibility: Susceptibility::Uniform, interaction };
        (0..n)
            .map(|s| {
                let nuclei = process.sample(&domain, 10.0, &mut rng(s));
                let points: Vec<(f64, f64)> = nuclei.iter().map(|n| (n.y as f64, n.x as f64)).collect();
                randomness_departure(&points, 256)
            })
            .collect()
    };
    let source = "Ripley's K, 199 simulated patterns, 1 %";
    let rejected = departures(Interaction::Independent, 8).iter().filter(|d| d.0 > 1.0 || d.1 > 1.0).count();
    table.breaches("independent pits rejected as not random", source, rejected, 8, 1);
    let clusters = departures(Interaction::Thomas { pits_per_cluster: 6.0, spread: 0.03 }, 4);
    let missed = clusters.iter().filter(|d| d.0 <= 1.5 || d.1 >= 1.0).count();
    table.breaches("clustered pits not rejected upward", source, missed, 4, 0);
    let apart = departures(Interaction::Inhibition { radius: 0.05 }, 4);
    let missed = apart.iter().filter(|d| d.1 <= 1.5 || d.0 >= 1.0).count();
    table.breaches("inhibited pits not rejected downward", source, missed, 4, 0);
    Ok(())
}

fn births(table: &mut Table) -> Result<(), Error> {
    let process = Nucleation {
        rate: 11.0,
        decay: 2.5,
        susceptibility: Susceptibility::Uniform,
        interaction: Interaction::Independent,
    };
    let (domain, runs) = (Domain::full(64, 64)?, 2000);
    let (mut counts, mut times) = (Vec::new(), Vec::new());
    for s in 0..runs {
        let nuclei = process.sample(&domain, 4.0, &mut rng(s));
        counts.push((nuclei.len() - 1) as f64);
        times.extend(nuclei[1..].iter().map(|n| n.time));
    }
    let used = 1.0 - (-4.0f64 / 2.5).exp();
    let (expected, n) = (11.0 * 2.5 * used, runs as f64);
    let mean = counts.iter().sum::<f64>() / n;
    let variance = counts.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let source = "r0 tau (1 - exp(-t/tau)); four standard errors";
    table.near("births in 4 years, mean of 2000 runs", (expected, source), mean, 4.0 * (expected / n).sqrt());
    table.near(
        "births, variance over mean",
        (1.0, "Poisson law; four standard errors"),
        variance / mean,
        4.0 * (2.0 / n).sqrt(),
    );
    times.sort_by(f64::total_cmp);
    let d = kolmogorov(&times, |t| (1.0 - (-t / 2.5).exp()) / used);
    table.at_most("times of birth, sqrt(n) D", ("exponential law", "Kolmogorov-Smirnov, 1 % point"), d, 1.628);
    Ok(())
}

fn extremes(table: &mut Table) -> Result<(), Error> {
    let nucleation = Nucleation {
        rate: 30.0,
        decay: 2.5,
        susceptibility: Susceptibility::Uniform,
        interaction: Interaction::Independent,
    };
    let model = PittingLoss::new(
        PittingParams::default()
            .with_nucleation(nucleation)
            .with_spread_rate(0.004)
            .with_product(Product::None)
            .with_deposit(0.0)
            .with_stain(0.0),
    )?;
    let domain = Domain::full(128, 128)?;
    let mut maxima = Vec::new();
    for s in 0..300 {
        maxima.push(model.generate(&domain, 1.0, &mut rng(s))?.measures["max_depth_px"]);
    }
    // 1 % point of sqrt(n) D with both parameters fitted.
    let source = "Kolmogorov-Smirnov, fitted: Chandra et al. 1981, 1 %";
    let mirrored = gumbel_departure(maxima.iter().map(|m| -m).collect());
    table.at_most("deepest pits of 300 areas, sqrt(n) D", ("Gumbel law", source), gumbel_departure(maxima), 1.007);
    table.between("the same, mirrored: the test has power", ((1.51, 30.0), "wrong skew is rejected"), mirrored);
    Ok(())
}

fn faraday(table: &mut Table) -> Result<(), Error> {
    let handbook = "handbook (Fontana, Corrosion Engineering)";
    let metals = [
        ("iron", Metal::IRON, 11.6, 0.02),
        ("aluminum", Metal::ALUMINUM, 10.9, 0.05),
        ("copper", Metal::COPPER, 11.6, 0.05),
    ];
    for (name, metal, rate, tolerance) in metals {
        let case = format!("{name} at 1 mA/cm^2, mm a year");
        table.near(case, (rate, handbook), metal.penetration_mm_per_year(1.0), tolerance);
    }
    table.near(
        "iron dissolved by one ampere hour, g",
        (1.042, "electrochemical equivalent"),
        Metal::IRON.mass_g(3600.0),
        1e-3,
    );
    let model =
        PittingLoss::new(PittingParams::default().with_shape(PitShape::Undercut).with_pixel_pitch_mm(Some(0.05)))?;
    let defect = model.generate(&Domain::full(128, 128)?, 0.6, &mut rng(2))?;
    let m = &defect.measures;
    let charge = (m["volume_px3"] + m["hidden_volume_px3"]) * 0.05f64.powi(3) * 7.874e-3 * 2.0 * 96_485.332 / 55.845;
    table.within_share("charge of a drawn colony, C", (charge, "I t = m n F / M"), m["charge_c"], 1e-8);
    let relief: f64 = defect.height.iter().map(|&z| -f64::from(z)).sum();
    table.within_share("lost volume of it, px^3", (relief, "sum of the relief"), m["volume_px3"], 1e-5);
    Ok(())
}
