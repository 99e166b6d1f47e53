//! Measures the bi-level optimizer: hypergradients beside closed forms and brute force, digits with wrong labels, cost.
//!
//! ```text
//! cargo run --release -p experiments --bin bilevel_report [-- --steps N]
//! ```
//!
//! N is the number of timed steps (default 60). Writes `docs/bilevel-report.md` and ends with `result sqe_pair=<f>
//! contaminated_gain=<f> generator_gain=<f> corrupted_recovered=<f> step_ratio=<f>`. The first four were measured by
//! `faults`, `contaminated` and `defect_weights`, whose last lines are read from their folders in target/; they are NaN
//! where these were not run.

mod cost;
mod linear;

use std::fmt::Write;
use std::process::ExitCode;

use cost::Cost;
use experiments::args::number;
use experiments::cleaning::{Cleaning, Faulty, Setting, brute_force};
use experiments::oracle_table::OracleTable;
use experiments::program::{Result, finish, kept_figure, say};
use maphc2f::bilevel::{
    ConjugateGradient, DenseSolve, Error, ForwardDifference, Hypergradient, IdentityHessian, InverseHessian, Neumann,
    Nystrom, implicit_gradient,
};
use maphc2f::bisqad::TrainParams;
use maphc2f::imgkit::file::write_atomic;
use maphc2f::sqe;

fn main() -> ExitCode {
    finish(run())
}

fn run() -> Result<String> {
    let mut steps = 60usize;
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("steps") => steps = number(&mut args, "steps")?,
            _ => return Err(arg.unexpected().into()),
        }
    }
    if steps < 5 {
        return Err("--steps must be at least 5: medians are taken over them".into());
    }
    let mut oracles = OracleTable::default();
    optimum(&mut oracles)?;
    one_step(&mut oracles)?;
    series(&mut oracles)?;
    collapse(&mut oracles)?;
    let cleaned = digits(&mut oracles)?;
    let default = TrainParams::default();
    let sizes = [(default.batch(), default.outer_batch(), steps), (cost::LARGE.0, cost::LARGE.1, steps.div_ceil(6))];
    let mut costs = Vec::new();
    for (batch, outer, steps) in sizes {
        let cost = cost::measure(steps, (batch, outer))?;
        let what = format!("batches of {batch}: time of an update of both levels over a plain one");
        oracles.add(&what, cost.ratio(1), 1.0, 1.7);
        oracles.add("the same, amortized over 4 updates", cost.ratio(4), 1.0, 1.2);
        costs.push((batch, cost));
    }
    let text = report(&oracles, &cleaned, &costs);
    say(&text);
    write_atomic(experiments::workspace().join("docs/bilevel-report.md"), &text)?;
    say(&format!("{} oracles, {} failed", oracles.rows, oracles.failed));
    let target = experiments::workspace().join("target");
    let figure = |folder: &str, name: &str| kept_figure(&target.join(folder), name);
    Ok(format!(
        "result sqe_pair={:.4} contaminated_gain={:.4} generator_gain={:.4} corrupted_recovered={:.4} step_ratio={:.3}",
        figure("faults", "sqe_pair"),
        figure("contaminated", "contaminated_gain"),
        figure("defect-weights", "generator_gain"),
        figure("defect-weights", "corrupted_recovered"),
        costs.last().map_or(f64::NAN, |(_, cost)| cost.ratio(1))
    ))
}

/// Largest difference over the largest expected value.
fn gap(found: &[f64], expected: &[f64]) -> f64 {
    let size = expected.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    found.iter().zip(expected).map(|(f, e)| (f - e).abs()).fold(0.0, f64::max) / size
}

/// Implicit hypergradients at the lower optimum.
fn optimum(oracles: &mut OracleTable) -> Result<()> {
    for p in linear::problems() {
        let (theta, w) = (p.optimum(&p.weights), &p.weights);
        let by = |method: &dyn InverseHessian| implicit_gradient(&p, &theta, w, method, 1e-4);
        let exact = by(&DenseSolve)?.gradient;
        let mut against = |what: &str, found: &[f64], expected: &[f64], high: f64| {
            oracles.add(&format!("{}: {what}", p.name), gap(found, expected), 0.0, high);
        };
        against("DenseSolve against solving anew with every weight moved", &exact, &p.brute_force(), 1e-6);
        let cg = ConjugateGradient::new(20, 1e-8)?;
        against("ConjugateGradient against DenseSolve", &by(&cg)?.gradient, &exact, 1e-6);
        let neumann = Neumann::new(3000, 1.0 / p.curvature())?;
        against("Neumann, 3000 terms, against DenseSolve", &by(&neumann)?.gradient, &exact, 1e-6);
        let nystrom = Nystrom::new(5, 1e-7, 1)?;
        against("Nystrom, full rank, against DenseSolve", &by(&nystrom)?.gradient, &exact, 1e-4);
        let step = 0.3;
        let one = brute_force(&p, &theta, w, step, &(0..w.len()).collect::<Vec<_>>())?;
        against(
            "IdentityHessian against one step with every weight moved",
            &by(&IdentityHessian::new(step)?)?.gradient,
            &one,
            1e-3,
        );
    }
    Ok(())
}

/// Hypergradients through one step from where the lower level is not at rest.
fn one_step(oracles: &mut OracleTable) -> Result<()> {
    for p in linear::problems() {
        // long enough for the look-ahead to matter
        let (theta, w, eta) = (p.start(), &p.weights, 1.0);
        let expected = p.closed_form(&theta, eta);
        let method = ForwardDifference::default();
        let found = method.weight_gradient(&p, &theta, w, eta)?.gradient;
        let mut add = |what: &str, value, low, high| oracles.add(&format!("{}: {what}", p.name), value, low, high);
        add("ForwardDifference against its closed form", gap(&found, &expected), 0.0, 1e-4);
        let one = brute_force(&p, &theta, w, eta, &(0..w.len()).collect::<Vec<_>>())?;
        add("ForwardDifference against one step with every weight moved", gap(&found, &one), 0.0, 1e-3);
        for faulty in [Faulty::BeforeLookAhead, Faulty::Sign] {
            let wrong = faulty.weight_gradient(&p, &theta, w, eta)?.gradient;
            add(&format!("{faulty:?} differs from the closed form"), gap(&wrong, &expected), 0.1, f64::INFINITY);
        }
    }
    Ok(())
}

/// The Neumann series and conjugate gradients on matrices that are known.
fn series(oracles: &mut OracleTable) -> Result<()> {
    // H = diag(1, 5, 50) and H^-1 g = (0.341, 0.627, 0.701): at alpha = 1/50, (1 - l/50)^terms of each part is left
    let (h, q) = ([1.0, 5.0, 50.0], [0.3407, 0.6269, 0.7006]);
    let g: Vec<f64> = h.iter().zip(q).map(|(h, q)| h * q).collect();
    let length = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
    let mut product = |v: &[f64]| Ok(v.iter().zip(h).map(|(v, h)| h * v).collect());
    for (terms, stated, within) in [(3, 0.56, 0.005), (20, 0.24, 0.005), (200, 0.006, 0.0005)] {
        let found = Neumann::new(terms, 1.0 / 50.0)?.solve(&mut product, &g)?.q;
        let off: Vec<f64> = found.iter().zip(q).map(|(f, q)| f - q).collect();
        let what = format!("Neumann at alpha = 1/50 on eigenvalues 1, 5, 50: error after {terms} terms");
        oracles.add(&what, length(&off) / length(&q), stated - within, stated + within);
    }
    let diverged = Neumann::new(200, 1.0)?.solve(&mut product, &g);
    oracles.must("Neumann at alpha = 1 diverges: typed error", matches!(diverged, Err(Error::Unsolved { .. })));
    let method = ConjugateGradient::new(30, 1e-12)?;
    let one = method.solve(&mut product, &g)?.q;
    for scale in [1e-3, 7.0, 1e4] {
        let mut scaled = |v: &[f64]| Ok(v.iter().zip(h).map(|(v, h)| scale * h * v).collect());
        let found: Vec<f64> = method.solve(&mut scaled, &g)?.q.iter().map(|q| scale * q).collect();
        oracles.add(&format!("CG on {scale} H is CG on H over {scale}"), gap(&found, &one), 0.0, 1e-9);
    }
    Ok(())
}

/// Guards that keep the weights from collapsing.
fn collapse(oracles: &mut OracleTable) -> Result<()> {
    oracles.must("all qualities 0: no weights", sqe::mean_one_weights(&[0.0; 8]).is_none());
    let one = sqe::effective_sample_size(&[8.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    oracles.add("one of 8 samples takes all: effective samples", one, 1.0, 1.0);
    let [free, guarded] = [0.0, 0.7].map(cost::greedy);
    oracles.add("an upper level that wants one sample, no guard: least effective share", free?, 0.0, 0.5);
    oracles.add("the same with the guard at 0.7", guarded?, 0.6, 1.0);
    // weight that is the defect's area, and weight that is not
    let area: Vec<f64> = (0..40).map(|i| f64::from(i * 17 % 41)).collect();
    let other: Vec<f64> = (0..40).map(|i| f64::from(i * 29 % 43)).collect();
    let correlation = |w: &[f64]| maphc2f::sqe::spearman(w, &area).unwrap_or(f64::NAN).abs();
    oracles.add("weights that are areas: correlation", correlation(&area), 1.0, 1.0);
    oracles.add("weights that are not", correlation(&other), 0.0, 0.3);
    Ok(())
}

/// Hyper-cleaning: `(AUROC, accuracy with equal weights, with learned ones)` of each seed.
fn digits(oracles: &mut OracleTable) -> Result<Vec<(f64, [f64; 2])>> {
    let mut found = Vec::new();
    for seed in 0..5 {
        let setting = Setting { seed, ..Setting::default() };
        let problem = Cleaning::new(&setting)?;
        let cleaned = problem.learn(&ForwardDifference::default(), &setting)?;
        oracles.add(&format!("wrong labels get low weight, seed {seed}: AUROC"), cleaned.auroc, 0.95, 1.0);
        found.push((cleaned.auroc, cleaned.accuracy));
    }
    // long steps, where the look-ahead matters
    let setting = Setting { train: 400, eta: 3.0, ..Setting::default() };
    let problem = Cleaning::new(&setting)?;
    for faulty in [Faulty::BeforeLookAhead, Faulty::Sign] {
        let auroc = problem.learn(&faulty, &setting)?.auroc;
        oracles.add(&format!("{faulty:?}, long steps: AUROC"), auroc, 0.0, 0.9);
    }
    Ok(found)
}

fn report(oracles: &OracleTable, cleaned: &[(f64, [f64; 2])], costs: &[(usize, Cost)]) -> String {
    let mut text = String::from(
        "# The bi-level optimizer, measured\n\nWritten by `cargo run --release -p experiments --bin bilevel_report`; \
         every figure \
         is computed by that run.\n\n\
         ## Oracles\n\nDifferences are the largest over the largest expected value.\n\n\
         | case | ours | bound | holds |\n|---|---|---|---|\n",
    );
    text += &oracles.text;
    text += "\n## Digits with wrong labels\n\n1000 digits to train on, three labels in ten wrong; 200 trusted ones in \
             the upper \
             level; accuracy on the other 597.\n\n\
             | seed | AUROC of low weight: wrong label | accuracy, equal weights | accuracy, learned weights |\n\
             |---|---|---|---|\n";
    for (seed, (auroc, [equal, learned])) in cleaned.iter().enumerate() {
        let _ = writeln!(text, "| {seed} | {auroc:.4} | {equal:.4} | {learned:.4} |");
    }
    let _ = writeln!(
        text,
        "\n## Cost\n\nThe detector's own updates with 256 patches an image and 64 hidden units, plain ones and those of \
         both levels in turn in one run on {} threads, medians. Before each step the thread that prefetches batches is \
         given time to fill its queue, so that nothing else runs.\n\n\
         | images a batch | plain, ms | both levels, ms | times | amortized over 4 updates | over 24 | timed |\n\
         |---|---|---|---|---|---|---|",
        rayon_threads(),
    );
    for (batch, cost) in costs {
        let _ = writeln!(
            text,
            "| {batch} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {} and {} |",
            1e3 * cost::median(&cost.plain),
            1e3 * cost::median(&cost.both),
            cost.ratio(1),
            cost.ratio(4),
            cost.ratio(24),
            cost.plain.len(),
            cost.both.len(),
        );
    }
    text
}

fn rayon_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
