//! FL against closed forms, published measurements and the statistics of fracture surfaces.

use std::f64::consts::{FRAC_PI_2, PI};

use crate::physdefect::fracture::lefm::{self, RemoteStress};
use crate::physdefect::fracture::{Crack, FractureLine, FractureParams, Toughness, frontier_half_width};
use crate::physdefect::{Domain, Error, Mechanism, SampleKey};
use crate::table::Table;
use oracles::fracture::{hurst_exponent, profile};

pub(crate) fn run(table: &mut Table) -> Result<(), Error> {
    kinks(table);
    kinked_tips(table);
    straight_crack(table)?;
    opening(table)?;
    roughness(table)?;
    branching(table)?;
    half_width(table);
    Ok(())
}

fn kinks(table: &mut Table) {
    let source = "maximum tangential stress, closed form";
    table.near("kink angle, pure mode I, degrees", (0.0, source), lefm::kink_angle(1.0, 0.0).to_degrees(), 0.0);
    let mode_two = -(1.0f64 / 3.0).acos().to_degrees();
    let ours = lefm::kink_angle(0.0, 1.0).to_degrees();
    table.near("kink angle, pure mode II, degrees", (mode_two, "-acos(1/3)"), ours, 1e-9);
    let mut worst = 0.0f64;
    for i in 1..200 {
        let k2 = 0.02 * f64::from(i) - 2.0;
        if k2.abs() > 1e-9 {
            let root = oracles::fracture::kink_angle(1.0, k2);
            worst = worst.max((lefm::kink_angle(1.0, k2) - root).abs());
        }
    }
    table.at_most(
        "kink angle, 198 mode mixtures, worst, rad",
        ("2 atan[(K1 - sqrt(K1^2 + 8 K2^2)) / 4 K2]", source),
        worst,
        1e-10,
    );

    // Slant of the crack against the load axis and measured kink, degrees.
    let measured = [(30.0, 62.4), (40.0, 55.6), (50.0, 51.1), (60.0, 43.1), (70.0, 30.7), (80.0, 17.3f64)];
    let stress = RemoteStress { s1: 1.0, s2: 0.0, angle: 0.4 };
    let mut factors = 0.0f64;
    for (beta, kink) in measured {
        let (k1, k2) = stress.intensity(stress.angle + f64::to_radians(beta), 5.0, 1.0);
        let ((s, c), unit) = (f64::to_radians(beta).sin_cos(), (5.0 * PI).sqrt());
        factors = factors.max((k1 - s * s * unit).abs()).max((k2.abs() - s * c * unit).abs());
        let reference = (kink, "measured on PMMA, Erdogan and Sih 1963");
        table.near(
            format!("slanted crack, beta {beta}, kink, degrees"),
            reference,
            lefm::kink_angle(k1, k2).to_degrees(),
            2.6,
        );
    }
    table.at_most(
        "slanted crack, stress intensities, worst",
        ("K1 ~ sin^2, K2 ~ sin cos", "traction on the plane"),
        factors,
        1e-12,
    );
}

fn kinked_tips(table: &mut Table) {
    let mut worst = 0.0f64;
    for i in 0..=240 {
        let t = 0.01 * f64::from(i) - 1.2;
        let (s, c) = (0.5 * t).sin_cos();
        let ((c11, c21), (c12, c22)) = (lefm::kinked(1.0, 0.0, t), lefm::kinked(0.0, 1.0, t));
        let product = [c.powi(3), -3.0 * s * c * c, s * c * c, c * (1.0 - 3.0 * s * s)];
        for (ours, exact) in [c11, c12, c21, c22].into_iter().zip(product) {
            worst = worst.max((ours - exact).abs());
        }
    }
    table.at_most("kinked-tip factors, 241 angles, worst", ("product forms", "Cotterell and Rice 1980"), worst, 1e-12);
    let mut left = 0.0f64;
    for k2 in [-0.8, -0.3, 0.1, 0.6] {
        left = left.max(lefm::kinked(1.0, k2, lefm::kink_angle(1.0, k2)).1.abs());
    }
    table.near("mode II left at the kink of largest hoop stress", (0.0, "shear vanishes there"), left, 1e-12);
}

fn homogeneous(angle: f64) -> Result<FractureLine, Error> {
    FractureLine::new(
        FractureParams::default()
            .with_toughness(Toughness::Gaussian { disorder: 0.0 })
            .with_stress_angle(Some(angle))
            .with_flaw_tilt(0.0)
            .with_edge_start(0.0)
            .with_branching(0.0),
    )
}

/// The first crack of a seed that no edge of the domain stops.
fn whole_crack(model: &FractureLine, domain: &Domain, severity: f64) -> Result<Option<(Crack, SampleKey)>, Error> {
    let (h, w) = domain.dim();
    for index in 0..500 {
        let key = SampleKey { seed: 11, index };
        let crack = model.trace(domain, severity, &mut key.rng())?;
        let clear = crack.branches[..crack.arms]
            .iter()
            .filter_map(|arm| arm.points.last())
            .all(|end| end[0] > 3.0 && end[1] > 3.0 && end[0] < h as f64 - 4.0 && end[1] < w as f64 - 4.0);
        if crack.arms == 2 && clear {
            return Ok(Some((crack, key)));
        }
    }
    Ok(None)
}

fn straight_crack(table: &mut Table) -> Result<(), Error> {
    let domain = Domain::full(256, 256)?;
    let (mut worst, mut length) = (f64::NAN, f64::NAN);
    for angle in [0.0, 0.7, FRAC_PI_2, 2.5] {
        let Some((crack, _)) = whole_crack(&homogeneous(angle)?, &domain, 0.5)? else { continue };
        let origin = crack.branches[0].points[0];
        for p in crack.branches.iter().flat_map(|b| &b.points) {
            let offset = (p[1] - origin[1]) * angle.cos() + (p[0] - origin[0]) * angle.sin();
            worst = offset.abs().max(worst);
        }
        length = crack.measures["length_px"];
    }
    table.at_most(
        "homogeneous solid, 4 load directions, worst offset, px",
        ("plane normal to s1", "symmetry"),
        worst,
        1e-9,
    );
    let target = 256.0 * 0.1 * 8f64.sqrt();
    table.near("homogeneous solid, arrested length, px", (target, "balance of the load; one step a tip"), length, 3.0);
    Ok(())
}

fn opening(table: &mut Table) -> Result<(), Error> {
    let (a, strain) = (40.0, 0.01);
    let near = lefm::tip_opening(1e-3 * a, strain * (PI * a).sqrt());
    let ours = lefm::opening(a - 1e-3 * a, a, strain);
    table.within_share("opening 0.001 a behind the tip, px", (near, "(8 K1/E') sqrt(r / 2 pi)"), ours, 1e-3);

    // A crack along a row: the coverage of each column is the opening there.
    let (domain, model) = (Domain::full(256, 256)?, homogeneous(FRAC_PI_2)?);
    let (mut worst, mut columns) = (0.0f64, 0.0);
    if let Some((crack, key)) = whole_crack(&model, &domain, 0.9)? {
        let defect = model.generate(&domain, 0.9, &mut key.rng())?;
        let (width, center) = (crack.measures["max_opening_px"], crack.branches[0].points[0]);
        for end in crack.branches.iter().filter_map(|arm| arm.points.last()) {
            let a = (end[1] - center[1]).abs();
            for x in 0..defect.bbox.width() {
                let s = ((defect.bbox.left + x) as f64 - center[1]) * (end[1] - center[1]).signum();
                if s > 0.0 && s < 0.9 * a {
                    let exact = width * (1.0 - (s / a).powi(2)).sqrt();
                    let drawn: f64 = defect.opacity.column(x).iter().map(|&v| f64::from(v)).sum();
                    worst = worst.max((drawn / exact - 1.0).abs());
                    columns += 1.0;
                }
            }
        }
    }
    let source = "(4 s/E') sqrt(a^2 - x^2)";
    table.at_most("drawn opening, worst column, share", ("0", source), worst, 0.01);
    table.between("columns compared in that row", ((60.0, 256.0), "the crack is long enough"), columns);
    let inside = (lefm::zone_factor(2.0, 5.0), (2.0 * PI).sqrt());
    table.within_share("stress intensity inside the loaded zone", (inside.1, "sqrt(pi a)"), inside.0, 1e-12);
    let point = 10.0 / (PI * 5000.0f64).sqrt();
    table.within_share(
        "stress intensity far outside it",
        (point, "point load 2 s c: P / sqrt(pi a)"),
        lefm::zone_factor(5000.0, 5.0),
        1e-5,
    );
    Ok(())
}

fn roughness(table: &mut Table) -> Result<(), Error> {
    let domain = Domain::full(1024, 1024)?;
    let model = FractureLine::new(
        FractureParams::default()
            .with_stress_angle(Some(FRAC_PI_2))
            .with_flaw_tilt(0.0)
            .with_edge_start(0.0)
            .with_branching(0.0)
            .with_grain(0.003),
    )?;
    let mut profiles = Vec::new();
    for index in 0..60 {
        let crack = model.trace(&domain, 1.0, &mut SampleKey { seed: 5, index }.rng())?;
        profiles.extend(crack.branches[..crack.arms].iter().map(|arm| profile(&arm.points)));
    }
    let source = "fracture profiles, about 2/3 in plane problems";
    table.between(
        "roughness (Hurst) exponent, lags 4 to 64 px, 60 cracks",
        ((0.5, 0.9), source),
        hurst_exponent(&profiles),
    );
    Ok(())
}

fn branching(table: &mut Table) -> Result<(), Error> {
    let domain = Domain::full(256, 256)?;
    let mut branches = [0.0; 2];
    for (severity, sum) in [0.0, 1.0].into_iter().zip(&mut branches) {
        for index in 0..100 {
            let crack = FractureLine::default().trace(&domain, severity, &mut SampleKey { seed: 2, index }.rng())?;
            *sum += crack.measures["branches"];
        }
    }
    let share = branches[0] / branches[1];
    table.at_most(
        "branches at severity 0 over those at 1, 100 cracks",
        ("few: G rarely reaches 2 G_c", "energy balance of two tips"),
        share,
        0.2,
    );
    Ok(())
}

fn half_width(table: &mut Table) {
    let ours = frontier_half_width(4.0, 0.35, 0.8);
    table.near("published threshold, half-width, px", (2.479, "eps + W(alpha w0 exp(-alpha eps))/alpha"), ours, 1e-3);
    let mut worst = 0.0f64;
    for (w0, alpha, eps) in [(4.0, 0.35, 0.8), (1.0, 1.0, 0.5), (10.0, 0.05, 2.0), (20.0, 5.0, 0.05)] {
        let w: f64 = alpha * (frontier_half_width(w0, alpha, eps) - eps);
        worst = worst.max((w * w.exp() - alpha * w0 * (-alpha * eps).exp()).abs());
    }
    table.at_most("the same, four settings, worst residual", ("W exp W = z", "Lambert's equation"), worst, 1e-9);
}
