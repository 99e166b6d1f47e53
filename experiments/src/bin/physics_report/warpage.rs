//! PW against plate theory's tables, closed forms and fiber-by-fiber integration.

use crate::physdefect::warpage::{Load, PlasticWarpage, Plate, Tolerance, WarpageParams, section_moment};
use crate::physdefect::{Domain, Error, Mechanism, SampleKey};
use crate::table::Table;
use oracles::plates;

const EXACT: Tolerance = Tolerance { change: 1e-10, iterations: 5000 };
const TABLES: &str = "Timoshenko and Woinowsky-Krieger, table";

pub(crate) fn run(table: &mut Table) -> Result<(), Error> {
    uniform_load(table)?;
    point_load(table)?;
    other_elastic(table)?;
    below_yield(table)?;
    section(table);
    springback(table)?;
    monotone(table)?;
    scaling(table)
}

/// Unit square plate, D = 1.
fn square(n: usize) -> Result<Plate, Error> {
    Plate::new(n, n, 1.0, 1.0, 1.0, 0.3, 0.0)
}

fn center(w: &[f64], n: usize) -> f64 {
    w[(n / 2) * n + n / 2]
}

fn point(n: usize) -> Vec<f64> {
    let mut q = vec![0.0; n * n];
    q[(n / 2) * n + n / 2] = ((n + 1) * (n + 1)) as f64;
    q
}

fn peak(w: &[f64]) -> f64 {
    w.iter().fold(0.0f64, |a, w| a.max(w.abs()))
}

fn orders(table: &mut Table, what: &str, allowed: (f64, f64), errors: [f64; 4]) {
    for (pair, n) in errors.windows(2).zip([15, 31, 63]) {
        let case = format!("{what}, order of error, {n} to {} nodes", 2 * n + 1);
        table.between(case, (allowed, "second-order differences"), (pair[0] / pair[1]).abs().log2());
    }
}

fn uniform_load(table: &mut Table) -> Result<(), Error> {
    let exact = plates::navier_uniform_load();
    let mut errors = [0.0; 4];
    let mut ours = 0.0;
    for (n, error) in [15, 31, 63, 127].into_iter().zip(&mut errors) {
        ours = center(&square(n)?.deflection(&vec![1.0; n * n]), n);
        *error = ours - exact;
    }
    table.near("square plate, uniform load, center, q a^4/D", (0.00406, TABLES), ours, 5e-6);
    table.near("the same", (exact, "Navier's series"), ours, 1e-6);
    orders(table, "uniform load", (1.98, 2.02), errors);
    let plate = Plate::new(127, 63, 2.0, 1.0, 1.0, 0.3, 0.0)?;
    let w = plate.deflection(&vec![1.0; 127 * 63]);
    table.near("plate 2 : 1, uniform load, center, q a^4/D", (0.01013, TABLES), w[63 * 63 + 31], 1e-5);

    let (n, plate) = (127, square(127)?);
    let w = plate.deflection(&vec![1.0; n * n]);
    let c = (n / 2) * n + n / 2;
    let kx = -(w[c - 1] - 2.0 * w[c] + w[c + 1]) * ((n + 1) * (n + 1)) as f64;
    table.near("square plate, uniform load, moment, q a^2", (0.0479, TABLES), 1.3 * kx, 1e-4);
    let corner = plate.peak_equivalent_moment(&w, &[]);
    table.near("the same, largest equivalent moment (corner twist)", (3f64.sqrt() * 0.0325, TABLES), corner, 1e-3);
    Ok(())
}

fn point_load(table: &mut Table) -> Result<(), Error> {
    let exact = plates::navier_point_load();
    let mut errors = [0.0; 4];
    let mut ours = 0.0;
    for (n, error) in [15, 31, 63, 127].into_iter().zip(&mut errors) {
        ours = center(&square(n)?.deflection(&point(n)), n);
        *error = ours - exact;
    }
    table.near("square plate, central point load, center, P a^2/D", (0.01160, TABLES), ours, 2e-5);
    table.near("the same", (exact, "Navier's series"), ours, 2e-5);
    // The load's own singularity leaves h^2 log h: the order rises towards 2.
    orders(table, "point load", (1.6, 2.1), errors);
    Ok(())
}

fn other_elastic(table: &mut Table) -> Result<(), Error> {
    let (n, l) = (255, 1.0f64 / 16.0);
    let plate = Plate::new(n, n, 1.0, 1.0, 1.0, 0.3, l.powi(-4))?;
    let ours = center(&plate.deflection(&point(n)), n);
    table.within_share(
        "elastic foundation, point load, plate 16 l wide",
        (l * l / 8.0, "P l^2/(8 D), infinite plate"),
        ours,
        5e-3,
    );
    let (n, nu) = (127, 0.3);
    let cycle = square(n)?.load_and_unload(&[], &vec![1.0; n * n], 1e9, EXACT);
    let source = "Prandtl's membrane, center / (1 + nu) k a^2";
    table.near("uniform thermal curvature, center", (0.073671, source), center(&cycle.loaded, n) / (1.0 + nu), 2e-5);
    Ok(())
}

fn below_yield(table: &mut Table) -> Result<(), Error> {
    let (n, plate) = (31, square(31)?);
    let middle = |p: usize| p / n > 10 && p / n < 20 && p % n > 10 && p % n < 20;
    let patch: Vec<f64> = (0..n * n).map(|p| f64::from(u8::from(middle(p)))).collect();
    let (mut below, mut above) = (0.0f64, f64::INFINITY);
    for q in [patch, vec![1.0; n * n]] {
        let elastic = plate.deflection(&q);
        let first_yield = plate.peak_equivalent_moment(&elastic, &[]);
        let stays =
            |load: f64| peak(&plate.load_and_unload(&q, &[], first_yield / load, EXACT).residual) / peak(&elastic);
        below = [0.2, 0.8, 0.999].into_iter().map(stays).fold(below, f64::max);
        above = above.min(stays(1.1));
    }
    table.at_most(
        "residual / elastic deflection at 0.2, 0.8, 0.999 of yield, worst",
        ("0", "nothing yields"),
        below,
        1e-6,
    );
    table.between("the same at 1.1 of yield, least", ((1e-6, 0.1), "something stays"), above);
    Ok(())
}

fn section(table: &mut Table) {
    // Rectangular section of unit half-height, strain k z, stress clipped at yield: M / M_y.
    let mut worst = 0.0f64;
    for k in [0.3, 0.999, 1.0, 1.2, 2.0, 5.0, 50.0] {
        worst = worst.max((section_moment(k) - plates::fiber_moment(k)).abs());
    }
    table.at_most(
        "section moment, 7 curvatures, worst, M_y",
        ("sum over 200 000 fibers", "ideal plasticity"),
        worst,
        1e-8,
    );
}

fn springback(table: &mut Table) -> Result<(), Error> {
    // A strip 40 times as long as wide, without Poisson effect, in four-point bending: pure curvature between the
    // loads.
    let (ny, nx) = (95usize, 63usize);
    let plate = Plate::new(ny, nx, 40.0, 1.0, 1.0, 0.0, 0.0)?;
    let hx = plate.spacing().1;
    for moment in [1.1, 1.25, 1.375, 1.42] {
        let q = plates::four_point_bending(ny, nx, hx, moment);
        let cycle = plate.load_and_unload(&q, &[], 1.0, EXACT);
        let row = (ny / 2) * nx;
        let curvature = |w: &[f64]| -(w[row + 30] - 2.0 * w[row + 31] + w[row + 32]) / (hx * hx);
        let closed = plates::kept_curvature(plates::curvature_of_moment(moment));
        let ours = curvature(&cycle.residual) / curvature(&cycle.loaded);
        let source = "1 - 3/2 (k_y/k) + 1/2 (k_y/k)^3";
        table.within_share(format!("springback at M = {moment} M_y, kept curvature"), (closed, source), ours, 0.01);
    }
    Ok(())
}

fn monotone(table: &mut Table) -> Result<(), Error> {
    let domain = Domain::full(256, 256)?;
    let (mut falls, mut steps) = (0, 0);
    for load in [Load::Indenter, Load::Line, Load::PressedEdge, Load::HotSpot] {
        for seed in 0..3 {
            let mut last = 0.0;
            for step in 0..20 {
                let ratio = 1.2 + 0.3 * f64::from(step);
                let model = PlasticWarpage::new(
                    WarpageParams::default().with_loads(vec![load]).with_load_ratio((ratio, ratio)),
                )?;
                let defect = model.generate(&domain, 0.5, &mut SampleKey { seed, index: 0 }.rng())?;
                let now = defect.measures["peak_residual_px"];
                falls += usize::from(now <= last);
                steps += 1;
                last = now;
            }
        }
    }
    table.breaches("residual deflection not rising with the load (4 loads)", "more load, more left", falls, steps, 0);
    Ok(())
}

fn scaling(table: &mut Table) -> Result<(), Error> {
    let domain = Domain::full(256, 256)?;
    let kept = |params: WarpageParams| -> Result<f64, Error> {
        let defect = PlasticWarpage::new(params)?.generate(&domain, 0.5, &mut SampleKey { seed: 4, index: 0 }.rng())?;
        Ok(defect.measures["peak_residual_px"])
    };
    let base = || WarpageParams::default().with_size((0.2, 0.2));
    let reference = kept(base())?;
    let source = "w ~ (yield strain) B^2 / h";
    table.near(
        "twice the yield strain, residual deflection",
        (2.0, source),
        kept(base().with_yield_strain(0.006))? / reference,
        1e-9,
    );
    table.near("half the thickness", (2.0, source), kept(base().with_thickness(0.0035))? / reference, 1e-9);
    table.near("twice the size", (4.0, source), kept(base().with_size((0.4, 0.4)))? / reference, 1e-9);
    Ok(())
}
