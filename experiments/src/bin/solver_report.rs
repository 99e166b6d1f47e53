//! Measures the Poisson solvers: order of convergence, convergence factors, agreement, time against size.
//!
//! ```text
//! cargo run --release -p experiments --bin solver_report [-- --python PYTHON] [--largest SIDE]
//! ```
//!
//! With the Python of an environment that has `experiments/peers/requirements.txt`, OpenCV, SciPy and pyamg are timed
//! by `experiments/peers/poisson.py` on the same images in the same run, size by size, each just before ours. Writes
//! `docs/poisson-report.md`; ends with `result oracles=<n> failed=<n> slope=<f> masked_1024_50_s=<f>
//! masked_256_10_s=<f>`.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use experiments::bars::bar;
use experiments::clone_times::{CloneTime, Peers, clone_time, slope};
use experiments::oracle_table::OracleTable;
use experiments::program::{Result, finish, say};
use maphc2f::imgkit::file::write_atomic;
use maphc2f::pde_refine::poisson::{Direct, Multigrid, MultigridParams, MultigridPcg, Solve, Stopping, System};
use ndarray::{Array2, Array3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn main() -> ExitCode {
    finish(run())
}

fn run() -> Result<String> {
    let (mut python, mut largest) = (None, 4096usize);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("python") => python = Some(PathBuf::from(args.value()?)),
            lexopt::Arg::Long("largest") => largest = args.value()?.to_string_lossy().parse()?,
            _ => return Err(arg.unexpected().into()),
        }
    }
    if !(512..=8192).contains(&largest) {
        return Err("--largest must be 512 to 8192: at least two sizes are compared".into());
    }
    let peers = python.map(Peers::new).transpose()?;
    let mut oracles = OracleTable::default();
    order(&mut oracles)?;
    factors(&mut oracles)?;
    agreement(&mut oracles)?;

    let sides: Vec<usize> = [256, 512, 1024, 2048, 4096].into_iter().filter(|&s| s <= largest).collect();
    let progress = bar("times", 2 * sides.len());
    let (mut times, mut theirs) = (Vec::new(), Vec::new());
    for &side in &sides {
        if let Some(peers) = peers.as_ref().filter(|_| experiments::poisson_cases::SIDES.contains(&side)) {
            theirs.push(peers.measure(side)?);
        }
        for share in experiments::poisson_cases::PERCENTAGES {
            times.push(clone_time(side, share)?);
            progress.inc(1);
        }
    }
    progress.finish_and_clear();
    let slope = slope(&times);
    oracles.add("slope of log time over log unknowns, 50 % masks", slope, 0.95, 1.05);
    let text = report(&oracles, &times, slope, &theirs);
    say(&text);
    write_atomic(experiments::workspace().join("docs/poisson-report.md"), &text)?;
    let seconds = |name: &str| times.iter().find(|t| t.name() == name).map_or(f64::NAN, |t| t.one);
    Ok(format!(
        "result oracles={} failed={} slope={slope:.3} masked_1024_50_s={:.4} masked_256_10_s={:.5}",
        oracles.rows,
        oracles.failed,
        seconds("1024_50"),
        seconds("256_10")
    ))
}

fn square(n: usize) -> Array2<bool> {
    Array2::from_shape_fn((n, n), |(y, x)| y > 0 && x > 0 && y < n - 1 && x < n - 1)
}

/// Order at which the error of `u = sin(pi s) sin(2 pi t)` falls.
fn order(oracles: &mut OracleTable) -> Result<()> {
    use std::f64::consts::PI;
    let error = |n: usize| -> Result<f64> {
        let h = 1.0 / (n - 1) as f64;
        let exact = |y: usize, x: usize| (PI * y as f64 * h).sin() * (2.0 * PI * x as f64 * h).sin();
        let one = Array2::ones((n, n));
        let system = System::new(square(n).view(), one.view(), Array2::zeros((n, n)).view())?;
        let rhs = Array3::from_shape_fn((1, n, n), |(_, y, x)| 5.0 * PI * PI * h * h * exact(y, x));
        let solver = multigrid(tight(60), true)?;
        let (u, _) = solver.solve(&system, rhs.view(), Array3::zeros((1, n, n)).view())?;
        Ok(u.indexed_iter().map(|((_, y, x), v)| (v - exact(y, x)).abs()).fold(0.0, f64::max))
    };
    for n in [33, 65, 129, 257] {
        oracles.add(
            &format!("order of convergence, {} to {}", n, 2 * n - 1),
            (error(n)? / error(2 * n - 1)?).log2(),
            1.9,
            2.1,
        );
    }
    Ok(())
}

fn tight(max_iterations: usize) -> Stopping {
    Stopping::default().with_tolerance(1e-10).with_max_iterations(max_iterations)
}

fn multigrid(stopping: Stopping, nested_start: bool) -> Result<Multigrid> {
    Ok(Multigrid::new(MultigridParams::default().with_stopping(stopping).with_nested_start(nested_start))?)
}

/// Worst factor of a V(1,1) cycle on squares.
fn factors(oracles: &mut OracleTable) -> Result<()> {
    for n in [64, 128, 256, 512, 1024, 2048, 4096] {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let rhs = Array3::from_shape_fn((1, n, n), |_| rng.random::<f64>() - 0.5);
        let system = System::new(square(n).view(), Array2::ones((n, n)).view(), Array2::zeros((n, n)).view())?;
        let solver = multigrid(tight(60), false)?;
        let (_, stats) = solver.solve(&system, rhs.view(), Array3::zeros((1, n, n)).view())?;
        let worst = stats.history.windows(2).map(|r| r[1] / r[0]).fold(0.0, f64::max);
        oracles.add(&format!("V(1,1) factor, square of {n}"), worst, 0.0, 0.15);
    }
    // a weak inclusion: the rate is the mean over the iterations
    let n = 257;
    let d = Array2::from_shape_fn((n, n), |(y, x)| if y.abs_diff(120) + x.abs_diff(140) < 60 { 1e-4f32 } else { 1.0 });
    let system = System::new(square(n).view(), d.view(), Array2::zeros((n, n)).view())?;
    let solver = MultigridPcg::new(tight(100))?;
    let (_, stats) = solver.solve(&system, Array3::ones((1, n, n)).view(), Array3::zeros((1, n, n)).view())?;
    let mean = (stats.residual / stats.history[0]).powf(1.0 / stats.iterations as f64);
    oracles.add("mean factor of preconditioned CG, jump of 10^4", mean, 0.0, 0.35);
    Ok(())
}

/// Multigrid, conjugate gradients and the direct solver on one square.
fn agreement(oracles: &mut OracleTable) -> Result<()> {
    let n = 129;
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let rhs = Array3::from_shape_fn((3, n, n), |_| rng.random::<f64>() - 0.5);
    let zero = Array3::zeros((3, n, n));
    for lambda in [0.0f32, 0.02] {
        let system =
            System::new(square(n).view(), Array2::ones((n, n)).view(), Array2::from_elem((n, n), lambda).view())?;
        let stopping = tight(60);
        let solve = |s: &dyn Solve| s.solve(&system, rhs.view(), zero.view()).map(|(u, _)| u);
        let direct = solve(&Direct::default())?;
        let size = direct.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        for (name, u) in
            [("multigrid", solve(&multigrid(stopping, true)?)?), ("MG-CG", solve(&MultigridPcg::new(stopping)?)?)]
        {
            let worst = (&u - &direct).iter().fold(0.0f64, |m, d| m.max(d.abs()));
            oracles.add(&format!("{name} against direct, lambda {lambda}, relative"), worst / size, 0.0, 1e-7);
        }
    }
    Ok(())
}

fn report(oracles: &OracleTable, times: &[CloneTime], slope: f64, peers: &[serde_json::Value]) -> String {
    let mut text = String::from(
        "# Poisson solvers, measured\n\nWritten by `cargo run --release -p experiments --bin solver_report`; every \
         figure is computed by that run.\n\n\
         ## Oracles\n\n| case | ours | bound | holds |\n|---|---|---|---|\n",
    );
    text += &oracles.text;
    text += "\n## `seamless_clone`, RGB, whole call\n\nLeast seconds of 5 to 61 runs, in brackets the median; \
             relative residual asked for: 1e-6. The bound is the time one thread needs to stream the 168 \
             bytes that a fused V(1,1) cycle moves a pixel, at the rate it streams three arrays of as many numbers as \
             there are \
             unknowns; two threads stream as many times faster as the last column says.\n\n\
             | side, mask | unknowns | cycles | residual | one thread | two threads | ratio | Mpx/s (one) | over the \
             bound | \
             stream, two over one |\n|---|---|---|---|---|---|---|---|---|---|\n";
    for t in times {
        let _ = writeln!(
            text,
            "| {}, {} % | {} | {} | {:.1e} | {:.5} ({:.5}) | {:.5} | {:.2} | {:.1} | {:.2} | {:.2} |",
            t.side,
            t.share,
            t.unknowns,
            t.iterations,
            t.residual,
            t.one,
            t.median,
            t.two,
            t.one / t.two,
            t.unknowns as f64 / t.one / 1e6,
            t.one / t.bound(),
            t.stream[1] / t.stream[0]
        );
    }
    let _ = writeln!(text, "\nSlope of log time over log unknowns, 50 % masks: {slope:.3}.");
    let Some(first) = peers.first() else { return text };
    let _ = writeln!(
        text,
        "\n## Beside other libraries\n\nLeast seconds on one thread, theirs of 5 runs (3 of pyamg at 2048), measured \
         in the same run on the same pixels by \
         `experiments/peers/poisson.py`, each size just before ours; in brackets how many times as long as ours. \
         Versions: {}.\n\n\
         | side, mask | ours | OpenCV seamlessClone | its error, mean / max gray levels | its largest change outside \
         | pyamg | SciPy spsolve |\n\
         |---|---|---|---|---|---|---|",
        first["versions"]
    );
    for t in times {
        let mut cases = peers.iter().filter_map(|p| p["cases"].as_array()).flatten();
        let Some(case) = cases.find(|c| c["name"] == t.name().as_str()) else {
            continue;
        };
        let seconds = |peer: &str| {
            let s = case[peer]["fastest"].as_f64();
            s.map_or_else(|| "-".to_owned(), |s| format!("{s:.4} ({:.1})", s / t.one))
        };
        let number = |key: &str| case["seamless_clone"][key].as_f64().unwrap_or(f64::NAN);
        let _ = writeln!(
            text,
            "| {}, {} % | {:.5} | {} | {:.1} / {:.0} | {} | {} | {} |",
            t.side,
            t.share,
            t.one,
            seconds("seamless_clone"),
            number("mean_error"),
            number("max_error"),
            number("max_change_outside"),
            seconds("pyamg"),
            seconds("spsolve")
        );
    }
    text
}
