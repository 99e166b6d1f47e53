//! Measures the detector, its baselines and its ablations on real image sets, and what a prediction costs.
//!
//! ```text
//! cargo run --release -p experiments --bin detector_report -- --data FOLDER [--sets A,B] [--variants A,B]
//!     [--seeds N] [--side PX] [--out FOLDER] [--python PYTHON] [--table-only]
//! ```
//!
//! FOLDER holds the sets named in `sets.rs`; absent ones are skipped. Every variant trains on `train/good` only, and
//! nothing is selected on the test images. A finished run is appended to `OUT/runs.jsonl` and not made again, so that
//! an interrupted report goes on where it was; `--table-only` makes no run. With `--python`, ONNX Runtime and PyTorch
//! are timed in the same run (`experiments/peers/detector.py`).
//!
//! Writes the tables to `OUT/results.md` (default target/detector-report) and ends with
//! `result mean_image_auroc=<f> mean_pixel_auroc=<f> worst_gap=<f> predict_ms=<f>`: the means of our detector over the
//! sets, its largest loss against the best baseline on a set, in images or pixels, and the time of a prediction at 288
//! px. The tables stand in `docs/results.md`.

mod runs;
mod sets;
mod speed;
mod table;
mod variants;

use std::path::PathBuf;
use std::process::ExitCode;

use experiments::args::{names, number};
use experiments::bars::bar;
use experiments::program::{Result, finish, say};
use experiments::runs::RunLog;
use experiments::sets::ImageSet;
use maphc2f::imgkit::file::write_atomic;
use maphc2f::prepare_folder;

use crate::runs::Run;

fn main() -> ExitCode {
    finish(run())
}

struct Options {
    data: PathBuf,
    sets: Vec<String>,
    variants: Vec<String>,
    seeds: u64,
    side: usize,
    out: PathBuf,
    python: Option<PathBuf>,
    table_only: bool,
}

fn options() -> Result<Options> {
    let mut options = Options {
        data: PathBuf::new(),
        sets: sets::SETS.iter().map(|s| s.name.to_owned()).collect(),
        variants: variants::VARIANTS.map(str::to_owned).to_vec(),
        seeds: 3,
        side: 448,
        out: PathBuf::from("target/detector-report"),
        python: None,
        table_only: false,
    };
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("data") => options.data = args.value()?.into(),
            lexopt::Arg::Long("sets") => options.sets = names(&mut args, "sets", &sets::SETS.map(|s| s.name))?,
            lexopt::Arg::Long("variants") => options.variants = names(&mut args, "variants", &variants::VARIANTS)?,
            lexopt::Arg::Long("seeds") => options.seeds = number(&mut args, "seeds")?,
            lexopt::Arg::Long("side") => options.side = number(&mut args, "side")?,
            lexopt::Arg::Long("out") => options.out = args.value()?.into(),
            lexopt::Arg::Long("python") => options.python = Some(args.value()?.into()),
            lexopt::Arg::Long("table-only") => options.table_only = true,
            _ => return Err(arg.unexpected().into()),
        }
    }
    if options.data.as_os_str().is_empty() && !options.table_only {
        return Err("--data is missing: name the folder that holds the sets".into());
    }
    Ok(options)
}

fn run() -> Result<String> {
    let options = options()?;
    prepare_folder(&options.out)?;
    let mut log = RunLog::open(options.out.join("runs.jsonl"))?;
    let sets = sets::SETS.iter().filter(|s| !options.table_only && options.sets.iter().any(|n| n == s.name));
    for set in sets {
        let root = options.data.join(set.folder);
        if !root.is_dir() {
            say(&format!("skipped: {} is not there", root.display()));
            continue;
        }
        let missing: Vec<(&str, u64)> = (0..options.seeds)
            .flat_map(|seed| options.variants.iter().map(move |variant| (variant.as_str(), seed)))
            .filter(|&(variant, seed)| log.find(&runs::key(set.name, variant, seed, options.side)).is_none())
            .collect();
        if missing.is_empty() {
            continue;
        }
        let images = ImageSet::load(&root, options.side)?;
        let progress = bar(set.name, missing.len());
        for (variant, seed) in missing {
            progress.set_message(format!("{variant}, seed {seed}"));
            if log.find(&runs::key(set.name, variant, seed, options.side)).is_none() {
                for run in runs::make(set.name, &images, variant, seed)? {
                    if log.find(&runs::key(set.name, &run.variant, seed, options.side)).is_none() {
                        log.push(run.to_json())?;
                        progress.suspend(|| say(&run));
                    }
                }
            }
            progress.inc(1);
        }
        progress.finish_and_clear();
    }
    let runs = log.runs().iter().map(Run::from_json).collect::<Result<Vec<Run>>>()?;
    let speed = speed::measure(options.python.as_deref())?;
    let table = table::write(&runs, &speed, &options.sets, &options.variants, options.side);
    write_atomic(options.out.join("results.md"), &table.text)?;
    say(&table.text);
    Ok(format!(
        "result mean_image_auroc={:.4} mean_pixel_auroc={:.4} worst_gap={:.4} predict_ms={:.2}",
        table.image, table.pixel, table.worst_gap, speed.predict
    ))
}
