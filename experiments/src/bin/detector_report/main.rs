//! The detector beside its baselines and control arms, on real images: `docs/results.md`.
//!
//! `cargo run --release -p experiments --bin detector_report -- --data FOLDER [--sets A,B] [--arms A,B] [--seeds N] [--side PX] [--out FOLDER]
//! [--python PYTHON] [--table-only]`
//!
//! FOLDER holds the sets named in `sets.rs`; absent ones are skipped. Every finished run is appended to `OUT/runs.jsonl` and not made
//! again, so that an interrupted report goes on where it was. Trained on `train/good` only; nothing is selected on the test images.
//! `--table-only` makes no run and writes the tables of what is there. With `--python`, ONNX Runtime and PyTorch are timed in the same run (`experiments/peers/detector.py`).

mod arms;
mod runs;
mod sets;
mod speed;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use experiments::console::{bar, finish, number, say};
use maphc2f::prepare_folder;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    finish(run())
}

struct Options {
    data: PathBuf,
    sets: Vec<String>,
    arms: Vec<String>,
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
        arms: arms::ARMS.iter().map(|a| (*a).to_owned()).collect(),
        seeds: 3,
        side: 288,
        out: PathBuf::from("target/detector-report"),
        python: None,
        table_only: false,
    };
    let list = |args: &mut lexopt::Parser, known: &[String]| -> Result<Vec<String>> {
        let names: Vec<String> = args.value()?.to_string_lossy().split(',').map(str::to_owned).collect();
        match names.iter().find(|n| !known.contains(n)) {
            Some(n) => Err(format!("`{n}` is none of {}", known.join(", ")).into()),
            None => Ok(names),
        }
    };
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("data") => options.data = args.value()?.into(),
            lexopt::Arg::Long("sets") => options.sets = list(&mut args, &options.sets.clone())?,
            lexopt::Arg::Long("arms") => options.arms = list(&mut args, &options.arms.clone())?,
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
    let path = options.out.join("runs.jsonl");
    let mut done = runs::read(&path)?;
    let sets = sets::SETS.iter().filter(|s| !options.table_only && options.sets.iter().any(|n| n == s.name));
    for set in sets {
        let root = options.data.join(set.folder);
        if !root.is_dir() {
            say(&format!("skipped: {} is not there", root.display()));
            continue;
        }
        let wanted: Vec<(&str, u64)> = (0..options.seeds)
            .flat_map(|seed| options.arms.iter().map(move |arm| (arm.as_str(), seed)))
            .filter(|&(arm, seed)| !done.iter().any(|r| r.is(set.name, arm, seed, options.side)))
            .collect();
        if wanted.is_empty() {
            continue;
        }
        let set = sets::read(set, &root, options.side)?;
        let progress = bar(set.name, wanted.len());
        for (arm, seed) in wanted {
            progress.set_message(format!("{arm}, seed {seed}"));
            let run = runs::make(&set, arm, seed, options.side)?;
            runs::append(&path, &run)?;
            progress.suspend(|| say(&run));
            progress.inc(1);
            done.push(run);
        }
        progress.finish_and_clear();
    }
    let speed = speed::measure(options.python.as_deref())?;
    let table = table::write(&done, &speed, &options.sets, &options.arms, options.side);
    maphc2f::imgkit::file::write_atomic(options.out.join("results.md"), &table.text)?;
    say(&table.text);
    Ok(format!(
        "result mean_image_auroc={:.4} mean_pixel_auroc={:.4} predict_ms={:.2}",
        table.image, table.pixel, speed.predict
    ))
}
