//! Writes the images and masks on which `experiments/peers/poisson.py` times other Poisson solvers.
//!
//! ```text
//! cargo run --release -p experiments --bin peer_cases -- target/peer-cases
//! ```
//!
//! Ends with `result cases=<n> folder=<path>`. The times stand in `docs/poisson-report.md`.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    experiments::program::finish(run())
}

fn run() -> experiments::program::Result<String> {
    let usage = "usage: peer_cases <folder to write to>";
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or(usage)?);
    let cases = experiments::poisson_cases::SIDES.len() * experiments::poisson_cases::PERCENTAGES.len();
    let bar = experiments::bars::bar("cases", cases);
    experiments::poisson_cases::write(&folder, |_| bar.inc(1)).map_err(|e| format!("{}: {e}", folder.display()))?;
    bar.finish_and_clear();
    Ok(format!("result cases={cases} folder={}", folder.display()))
}
