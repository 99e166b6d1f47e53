//! Times of `seamless_clone` on the images of [`crate::poisson_cases`], and of other libraries on the same.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use maphc2f::pde_refine::{Guidance, seamless_clone};
use ndarray::Array3;

use crate::program::Result;

/// Other libraries, timed by `experiments/peers/poisson.py`.
#[derive(Debug)]
pub struct Peers {
    python: PathBuf,
    script: PathBuf,
    cases: PathBuf,
}

impl Peers {
    /// Writes the images that they are timed on; `python` has the packages of `experiments/peers/requirements.txt`.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub fn new(python: PathBuf) -> Result<Self> {
        let root = crate::workspace();
        let cases = root.join("target/peer-cases");
        crate::poisson_cases::write(&cases, |_| ())?;
        Ok(Self { python, script: root.join("experiments/peers/poisson.py"), cases })
    }

    /// What the script finds for one size.
    ///
    /// # Errors
    ///
    /// The script fails.
    pub fn measure(&self, side: usize) -> Result<serde_json::Value> {
        let out = self.cases.join(format!("{side}.json"));
        let status = Command::new(&self.python)
            .arg(&self.script)
            .args([&self.cases, &out])
            .args(["--runs", "5", "--only", "cases", "--sides", &side.to_string()])
            .status()
            .map_err(|e| format!("{}: {e}", self.python.display()))?;
        if !status.success() {
            return Err(format!("{} ended with {status}", self.script.display()).into());
        }
        Ok(serde_json::from_slice(&std::fs::read(&out)?)?)
    }
}

/// Time of one case of `seamless_clone`.
#[derive(Debug, Clone, Copy)]
pub struct CloneTime {
    /// Side of the image, px.
    pub side: usize,
    /// Percentage of it that the mask covers.
    pub share: usize,
    /// Pixels of the mask.
    pub unknowns: usize,
    /// Cycles of the multigrid solver.
    pub iterations: usize,
    /// Relative residual at the end.
    pub residual: f64,
    /// Least seconds on one thread.
    pub one: f64,
    /// Least seconds on two threads.
    pub two: f64,
    /// Median on one.
    pub median: f64,
    /// GB/s at which one thread and two stream three arrays of as many numbers as there are unknowns.
    pub stream: [f64; 2],
}

/// Bytes of a V(1,1) cycle a pixel of three channels, all grids, every sweep fused with its neighbors.
const CYCLE_BYTES: f64 = 168.0;

impl CloneTime {
    /// Name of the case, as in `cases.json`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}_{}", self.side, self.share)
    }

    /// Seconds that one thread needs to stream what the cycles must.
    #[must_use]
    pub fn bound(&self) -> f64 {
        CYCLE_BYTES * self.unknowns as f64 * self.iterations as f64 / (1e9 * self.stream[0])
    }
}

/// Times `seamless_clone` on the case of one side and percentage.
///
/// # Errors
///
/// No threads, or a solver's own.
pub fn clone_time(side: usize, share: usize) -> Result<CloneTime> {
    let case = crate::poisson_cases::case(side, share);
    let unit = |image: &Array3<u8>| image.mapv(|v| f32::from(v) / 255.0);
    let (target, source) = (unit(&case.target), unit(&case.source));
    let runs = (3 << 26 >> (2 * side.ilog2())).clamp(5, 61);
    let time = |threads: usize| -> Result<(Vec<f64>, _)> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        let mut seconds = Vec::new();
        let mut stats = None;
        for _ in 0..runs {
            let start = Instant::now();
            let cloned =
                pool.install(|| seamless_clone(target.view(), source.view(), case.mask.view(), Guidance::Import))?;
            seconds.push(start.elapsed().as_secs_f64());
            stats = Some(cloned.stats.solve);
        }
        seconds.sort_by(f64::total_cmp);
        Ok((seconds, stats))
    };
    let ((one, stats), (two, _)) = (time(1)?, time(2)?);
    let (median, one, two) = (one[runs / 2], one[0], two[0]);
    let stats = stats.ok_or("no run")?;
    let (unknowns, iterations, residual) = (stats.unknowns, stats.iterations, stats.residual);
    Ok(CloneTime {
        side,
        share,
        unknowns,
        iterations,
        residual,
        one,
        two,
        median,
        stream: [1, 2].map(|t| stream(unknowns, t)),
    })
}

/// GB/s of `a = b + c / 2` on arrays of `n` numbers in all, split among the threads: the best of some passes.
fn stream(n: usize, threads: usize) -> f64 {
    let part = n / threads;
    let passes = (200_000_000 / n).clamp(5, 200);
    let gate = std::sync::Barrier::new(threads);
    let one = || {
        let (mut a, b, c) = (vec![0.0f32; part], vec![1.0f32; part], vec![2.0f32; part]);
        let mut best = f64::MAX;
        for _ in 0..passes {
            gate.wait();
            let start = Instant::now();
            for ((a, b), c) in a.iter_mut().zip(&b).zip(&c) {
                *a = b + 0.5 * c;
            }
            std::hint::black_box(&mut a);
            gate.wait();
            best = best.min(start.elapsed().as_secs_f64());
        }
        best
    };
    let slowest = std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        all.into_iter().filter_map(|t| t.join().ok()).fold(0.0, f64::max)
    });
    12.0 * (part * threads) as f64 / slowest / 1e9
}

/// Least-squares slope of log time over log unknowns, 50 % masks.
#[must_use]
pub fn slope(times: &[CloneTime]) -> f64 {
    let points: Vec<(f64, f64)> =
        times.iter().filter(|t| t.share == 50).map(|t| ((t.unknowns as f64).ln(), t.one.ln())).collect();
    let n = points.len() as f64;
    let (mx, my) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let products: f64 = points.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum();
    products / points.iter().map(|p| (p.0 - mx).powi(2)).sum::<f64>()
}
