//! Measures what learned weights of drawn defects gain where they can: defects of a generator that is steered by few
//! real ones, and defects of which a share is corrupted.
//!
//! ```text
//! cargo run --release -p experiments --bin defect_weights -- --data FOLDER [--setting generator|corrupted]
//!     [--sets A,B] [--counts 5,10,20] [--rates 0.1,0.3,0.5] [--seeds N] [--defects N] [--out FOLDER]
//! ```
//!
//! `generator`: for each kind of defects of a set, `count` real ones are drawn by the seed and moved out of the test.
//! Weights of bins (products of mechanism, severity, visibility, material and place) are learned so that a logistic
//! head on the drawn defects finds the real ones. `corrupted`: a share of the drawn defects has a wrong mask, a seam or
//! a wrong place; weights come from the estimator of faults, from twenty real defects that are moved out of the test,
//! or from both, and a network of two hidden layers is trained with them. Nothing is chosen on the test images.
//!
//! Finished runs are appended to `OUT/runs.jsonl` and not made again. Prints the arms with paired differences, 95 % t
//! intervals and p values after Holm, and ends with `result generator_gain=<f> corrupted_recovered=<f>`: mean pixel AP
//! of learned bins less that of uniform ones at the second count; share of the loss by the second rate that the weights
//! by both win back.

mod corrupted;
mod features;
mod generator;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use experiments::args::{list, names, number};
use experiments::program::{Result, finish, keep_result, say};
use experiments::runs::RunLog;
use experiments::sets::ImageSet;
use maphc2f::prepare_folder;

/// Sets with kinds of defects that have names, and the side at which they are seen, px.
const SETS: [(&str, &str, usize); 5] = [
    ("magnetic_tile", "magnetic_tile/tile", 224),
    ("kolektor", "kolektor_sdd/commutator", 224),
    ("ball_screw", "bsdata/ball_screw", 288),
    ("pill", "mvtec/pill", 288),
    ("bottle", "mvtec/bottle", 288),
];
/// Sets of each setting by default: the kinds that mechanisms draw, and those with most photos.
const GENERATOR: [&str; 3] = ["magnetic_tile", "kolektor", "ball_screw"];
const CORRUPTED: [&str; 4] = ["magnetic_tile", "kolektor", "pill", "bottle"];

fn main() -> ExitCode {
    finish(run())
}

pub(crate) struct Options {
    data: PathBuf,
    settings: Vec<String>,
    sets: Vec<String>,
    counts: Vec<usize>,
    rates: Vec<f64>,
    seeds: u64,
    defects: usize,
    out: PathBuf,
}

fn options() -> Result<Options> {
    let mut options = Options {
        data: PathBuf::new(),
        settings: vec!["generator".to_owned(), "corrupted".to_owned()],
        sets: Vec::new(),
        counts: vec![5, 10, 20],
        rates: vec![0.1, 0.3, 0.5],
        seeds: 5,
        defects: 360,
        out: PathBuf::from("target/defect-weights"),
    };
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("data") => options.data = args.value()?.into(),
            lexopt::Arg::Long("setting") => {
                options.settings = names(&mut args, "setting", &["generator", "corrupted"])?;
            }
            lexopt::Arg::Long("sets") => options.sets = names(&mut args, "sets", &SETS.map(|(name, ..)| name))?,
            lexopt::Arg::Long("counts") => {
                options.counts =
                    list(&mut args)?.iter().map(|text| text.parse()).collect::<std::result::Result<_, _>>()?;
            }
            lexopt::Arg::Long("rates") => {
                options.rates =
                    list(&mut args)?.iter().map(|text| text.parse()).collect::<std::result::Result<_, _>>()?;
            }
            lexopt::Arg::Long("seeds") => options.seeds = number(&mut args, "seeds")?,
            lexopt::Arg::Long("defects") => options.defects = number(&mut args, "defects")?,
            lexopt::Arg::Long("out") => options.out = args.value()?.into(),
            _ => return Err(arg.unexpected().into()),
        }
    }
    if options.data.as_os_str().is_empty() {
        return Err("--data is missing: name the folder that holds the sets".into());
    }
    if options.counts.iter().any(|count| *count < 2) {
        return Err("--counts: at least two real defects are needed: one is learned by heart".into());
    }
    if options.rates.iter().any(|rate| !(*rate > 0.0 && *rate < 1.0)) {
        return Err("--rates must lie between 0 and 1".into());
    }
    Ok(options)
}

fn run() -> Result<String> {
    let options = options()?;
    prepare_folder(&options.out)?;
    let mut log = RunLog::open(options.out.join("runs.jsonl"))?;
    for setting in &options.settings {
        let default: &[&str] = if setting == "generator" { &GENERATOR } else { &CORRUPTED };
        let wanted = |name: &str| {
            if options.sets.is_empty() { default.contains(&name) } else { options.sets.iter().any(|n| n == name) }
        };
        for (set, folder, side) in SETS.into_iter().filter(|(name, ..)| wanted(name)) {
            let root = options.data.join(folder);
            if !root.is_dir() {
                say(&format!("skipped: {} is not there", root.display()));
                continue;
            }
            let images = ImageSet::load(&root, side)?;
            match setting.as_str() {
                "generator" => generator::run(set, &images, &options, &mut log)?,
                _ => corrupted::run(set, &images, &options, &mut log)?,
            }
        }
    }
    let generator_gain = generator::tables(&log, &options)?;
    let recovered = corrupted::tables(&log, &options)?;
    keep_result(&options.out, format!("result generator_gain={generator_gain:.4} corrupted_recovered={recovered:.4}"))
}
