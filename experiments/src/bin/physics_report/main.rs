//! Measures the defect mechanisms against closed forms, tables, measurements and promises that are counted.
//!
//! ```text
//! cargo run --release -p experiments --bin physics_report
//! ```
//!
//! Writes the tables to `docs/physics-report.md` and ends with `result oracles=<n> failed=<n>`; the exit code is 1 if
//! any failed.

mod abrasion;
mod conventions;
mod edge_loss;
mod fracture;
mod pitting;
mod table;
mod unevenness;
mod warpage;

use std::process::ExitCode;
use std::time::Instant;

use experiments::program::{Result, finish_with, say};
use maphc2f::imgkit::file::write_atomic;
use maphc2f::physdefect;
use table::Table;

const HEAD: &str = "# Oracles of the defect physics

Written by `cargo run --release -p experiments --bin physics_report`; every figure is computed by that run. A row
compares what the crate computes with something that is not the crate: a closed form, a published table or measurement,
a brute-force or Monte Carlo computation of the program's own, or a promise that is counted over many samples. The error
is in the unit of the quantity unless it is marked %.
";

fn main() -> ExitCode {
    finish_with(report())
}

/// Title of a section, and what adds its rows.
type Section = (&'static str, fn(&mut Table) -> std::result::Result<(), physdefect::Error>);

fn report() -> Result<(String, ExitCode)> {
    let sections: [Section; 7] = [
        ("FL: fracture line", fracture::run),
        ("PL: pitting loss", pitting::run),
        ("PW: plastic warpage", warpage::run),
        ("AB: abrasion (not the paper's)", abrasion::run),
        ("EL: edge loss (not the paper's)", edge_loss::run),
        ("SU: surface unevenness (not the paper's)", unevenness::run),
        ("Conventions: mask contract, severity, replay", conventions::run),
    ];
    let (mut text, mut rows, mut failed) = (String::from(HEAD), 0, 0);
    for (title, run) in sections {
        let (mut table, start) = (Table::default(), Instant::now());
        run(&mut table)?;
        let part = format!("\n## {title}\n\n{table}");
        say(&format!("{part}\n({:.1} s)", start.elapsed().as_secs_f64()));
        text += &part;
        rows += table.rows();
        failed += table.failed();
    }
    let result = format!("result oracles={rows} failed={failed}");
    text += &format!("\n{result}\n");
    write_atomic(experiments::workspace().join("docs/physics-report.md"), &text)?;
    Ok((result, if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
}
