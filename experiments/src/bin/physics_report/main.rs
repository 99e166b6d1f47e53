//! Every oracle of the defect physics, computed now and set against its reference.
//!
//! `cargo run --release -p experiments --bin physics_report` prints the table, writes it to `docs/physics-report.md` and ends with
//! `result oracles=<n> failed=<n>`; the exit code is 1 if any failed.
// An example talks to its reader.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod conventions;
mod fracture;
mod pitting;
mod table;
mod warpage;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use std::{fs, io};

use maphc2f::physdefect;
use table::Table;

const HEAD: &str = "# Oracles of the defect physics

Written by `cargo run --release -p experiments --bin physics_report`; every figure is computed by that run. A row compares what the
crate computes with something that is not the crate: a closed form, a published table or measurement, a brute-force or
Monte Carlo computation of the example's own, or a promise that is counted over many samples. The error is in the unit of
the quantity unless it is marked %.
";

fn main() -> ExitCode {
    match report() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

type Section = (&'static str, fn(&mut Table) -> Result<(), physdefect::Error>);

fn report() -> Result<usize, Box<dyn Error>> {
    let sections: [Section; 4] = [
        ("FL: fracture line", fracture::run),
        ("PL: pitting loss", pitting::run),
        ("PW: plastic warpage", warpage::run),
        ("Conventions: mask contract, severity, replay", conventions::run),
    ];
    let (mut text, mut rows, mut failed) = (String::from(HEAD), 0, 0);
    for (title, run) in sections {
        let (mut table, start) = (Table::default(), Instant::now());
        run(&mut table)?;
        let part = format!("\n## {title}\n\n{table}");
        println!("{part}\n({:.1} s)", start.elapsed().as_secs_f64());
        text += &part;
        rows += table.rows();
        failed += table.failed();
    }
    let result = format!("result oracles={rows} failed={failed}");
    text += &format!("\n{result}\n");
    write(&experiments::workspace().join("docs"), &text)?;
    println!("{result}");
    Ok(failed)
}

/// Never leaves half a report under its name.
fn write(folder: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let unfinished = folder.join(".physics-report.md.partial");
    fs::write(&unfinished, text)?;
    fs::rename(unfinished, folder.join("physics-report.md"))
}
