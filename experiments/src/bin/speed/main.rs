//! Measures speed beside other libraries on the same work: synthesis, compositing, backbone, prediction, metrics and
//! index.
//!
//! ```text
//! cargo run --release -p experiments --bin speed -- --python PYTHON [--photos FOLDER] [--files N] [--parts NAMES]
//! ```
//!
//! PYTHON is that of an environment with the packages of `experiments/peers/{synthesis,backbones,requirements}.txt`;
//! without it our own times are printed alone. `--photos` is a folder of photos to draw on, by default those that ship
//! with the repository; `--files` the number of empty files that are indexed (default 1000000); `--parts` some of
//! `synthesis,compositing,backbone,detector,metrics,index`, for one part at a time.
//!
//! The programs `maphc2f` and `backbone_ms` are built first. Writes `docs/speed-report.md` where all parts were
//! measured beside the peers, and in any case prints it. Ends with `result synth_vs_nsa=<f> poisson_vs_seamless=<f>
//! backbone_vs_ort=<f> predict_ms=<f> auroc_1e7_s=<f>`: our samples over those of NSA's recipe in the same time, the
//! time of `seamlessClone` over ours (50 % of 1024 x 1024), ours over that of ONNX Runtime (the worse of one and two
//! threads), a prediction at 288 px on two threads, and the exact AUROC of 10^7 scores, 2 % anomalous, on one.

mod detector;
mod metrics;
mod synthesis;
mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use experiments::args::{names, number};
use experiments::clone_times::{Peers, clone_time, slope};
use experiments::program::{Result, finish, say};
use maphc2f::imgkit::file::write_atomic;
use serde_json::Value;

use crate::table::Table;

const PARTS: [&str; 6] = ["synthesis", "compositing", "backbone", "detector", "metrics", "index"];

fn main() -> ExitCode {
    finish(run())
}

/// What the parts need to know.
struct Setup {
    python: Option<PathBuf>,
    photos: Option<PathBuf>,
    files: usize,
    /// Folder of our programs.
    programs: PathBuf,
}

impl Setup {
    /// What a script of `experiments/peers` prints; `None` without Python.
    fn ask(&self, script: &str, args: &[&str]) -> Result<Option<Value>> {
        let Some(python) = &self.python else { return Ok(None) };
        let script = experiments::workspace().join("experiments/peers").join(script);
        let output =
            Command::new(python).arg(&script).args(args).output().map_err(|e| format!("{}: {e}", python.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{} failed: {}", script.display(), said.trim()).into());
        }
        Ok(Some(serde_json::from_slice(&output.stdout)?))
    }
}

fn run() -> Result<String> {
    let mut setup = Setup { python: None, photos: None, files: 1_000_000, programs: PathBuf::new() };
    let mut parts = PARTS.map(str::to_owned).to_vec();
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("python") => setup.python = Some(args.value()?.into()),
            lexopt::Arg::Long("photos") => setup.photos = Some(args.value()?.into()),
            lexopt::Arg::Long("files") => setup.files = number(&mut args, "files")?,
            lexopt::Arg::Long("parts") => parts = names(&mut args, "parts", &PARTS)?,
            _ => return Err(arg.unexpected().into()),
        }
    }
    rayon::ThreadPoolBuilder::new().num_threads(2).build_global()?;
    setup.programs = build()?;
    let wanted = |part: &str| parts.iter().any(|p| p == part);
    let mut table = Table::default();
    // what was measured is printed whatever becomes of the rest
    let mut failed: Vec<String> = Vec::new();
    let mut part = |name: &str, measure: &mut dyn FnMut(&mut Table) -> Result<f64>| {
        if !wanted(name) {
            return f64::NAN;
        }
        measure(&mut table).unwrap_or_else(|e| {
            failed.push(format!("{name}: {e}"));
            f64::NAN
        })
    };
    let synth = part("synthesis", &mut |table| synthesis::measure(&setup, table));
    let poisson = part("compositing", &mut |table| compositing(&setup, table));
    let backbone = part("backbone", &mut |table| detector::backbone(&setup, table));
    let predict = part("detector", &mut detector::predict);
    let auroc = part("metrics", &mut metrics::measure);
    part("index", &mut |table| metrics::index(setup.files, table).map(|()| 0.0));
    let text = table.text();
    say(&text);
    if !failed.is_empty() {
        return Err(failed.join("; ").into());
    }
    if parts.len() == PARTS.len() && setup.python.is_some() {
        write_atomic(experiments::workspace().join("docs/speed-report.md"), &text)?;
    }
    Ok(format!(
        "result synth_vs_nsa={synth:.3} poisson_vs_seamless={poisson:.2} backbone_vs_ort={backbone:.3} \
         predict_ms={predict:.2} auroc_1e7_s={auroc:.4}"
    ))
}

/// Builds the programs that are timed as whole processes, beside this one; returns their folder.
fn build() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().unwrap_or(Path::new(".")).to_owned();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(experiments::workspace()).args(["build", "--release", "--quiet"]);
    command.args(["-p", "maphc2f", "-p", "experiments", "--bin", "maphc2f", "--bin", "backbone_ms"]);
    // the profile's folder lies in the target folder
    if let Some(target) = folder.parent() {
        command.arg("--target-dir").arg(target);
    }
    if !command.status()?.success() {
        return Err("maphc2f and backbone_ms could not be built".into());
    }
    Ok(folder)
}

/// Times `seamless_clone` and OpenCV's in turn; returns OpenCV's time over ours at 50 % of 1024 x 1024.
fn compositing(setup: &Setup, table: &mut Table) -> Result<f64> {
    let peers = setup.python.clone().map(Peers::new).transpose()?;
    let mut times = Vec::new();
    let mut result = f64::NAN;
    table.section("Masked Poisson compositing, RGB, whole call, one thread");
    for side in [256, 512, 1024, 2048, 4096] {
        let theirs = peers.as_ref().filter(|_| side <= 2048).map(|p| p.measure(side)).transpose()?;
        for share in [10, 50] {
            let time = clone_time(side, share)?;
            let case = |c: &&Value| c["name"] == time.name().as_str();
            let case = theirs.as_ref().and_then(|t| t["cases"].as_array()).and_then(|c| c.iter().find(case));
            let opencv = case.and_then(|c| c["seamless_clone"]["fastest"].as_f64()).unwrap_or(f64::NAN);
            let (ratio, least) = (opencv / time.one, [(1024, 50, 5.0), (256, 10, 4.0)]);
            let bar = least.iter().find(|(s, p, _)| (*s, *p) == (side, share)).map(|(.., least)| *least);
            let what = format!("{side} x {side}, {share} %: OpenCV's time over ours");
            let note =
                format!("{:.2} and {:.2} ms; {:.2} on two threads", 1e3 * opencv, 1e3 * time.one, 1e3 * time.two);
            table.ratio(&what, ratio, bar, &note);
            if (side, share) == (1024, 50) {
                result = ratio;
            }
            if share == 50 && side >= 1024 {
                let what = format!("{side} x {side}, {share} %: time over the bound of bandwidth");
                table.at_most(&what, time.one / time.bound(), Some(4.0), "");
            }
            times.push(time);
        }
    }
    table.at_most("slope of log time over log unknowns, 256 to 4096, 50 %", slope(&times), Some(1.05), "");
    Ok(result)
}
