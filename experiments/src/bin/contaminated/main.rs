//! Measures what defective photos among the normal ones cost the distance from the nearest normal patch of the place,
//! and which rule or learned weight of the photos makes up for it.
//!
//! ```text
//! cargo run --release -p experiments --bin contaminated -- --data FOLDER [--sets A,B] [--rates 0,0.05,0.1,0.2]
//!     [--draws N] [--side PX] [--defects N] [--penalty F] [--tau F] [--out FOLDER] [--table-only]
//! ```
//!
//! A rate replaces that share of `train/good` by defective test photos, which leave the test of all arms; which ones,
//! the draw says. Rates that leave fewer than half of the defective photos, or more planted photos than good ones, are
//! refused with a note. A rate of 0 has one draw. Photos of a set are brought to its median size, at 224 px (tiles and
//! commutators) or 288 px. Nothing is selected on the test images.
//!
//! Arms: all photos (`uniform`); spacings of at most their 0.9 quantile of the place (`cap`); without the widest tenth
//! of each place (`trim`); without patches 1.4 times as wide as their neighbors (`lof`); the median over the five
//! nearest (`third`); without photos whose held-out score against the trimmed memory is an outlier (`outliers`) or
//! among the highest tenth (`tenth`; then `trim` of the others, `both`); without photos whose learned weight is below
//! one half (`bilevel`) or among the lowest tenth (`lightest`); as many as `bilevel` at random (`shuffled`); without
//! the planted photos (`oracle`). Arms that drop photos measure and whiten the others anew; `kept` is `oracle` in the
//! coordinates of all photos. `clean` has `train/good` as it was.
//!
//! Finished draws are lines of `OUT/runs.jsonl` (default target/contaminated) and not made again; tables go to
//! `OUT/tables.md`. Ends with `result contaminated_gain=<f> found=<f>`: mean image AUROC of `bilevel` minus `uniform`
//! at a rate of 0.1 over the sets where `uniform` loses 0.03 or more, and the mean AUROC with which learned weights
//! tell planted photos.

mod draw;
mod learn;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use experiments::args::{list, names, number};
use experiments::contamination::plant;
use experiments::program::{Result, finish, keep_result, say, say_written};
use experiments::runs::RunLog;
use maphc2f::imgkit::file::write_atomic;
use maphc2f::prepare_folder;
use serde_json::{Value, json};

use crate::draw::Photos;

/// Name, folder and default side of each set.
const SETS: [(&str, &str, usize); 6] = [
    ("bottle", "mvtec/bottle", 288),
    ("pill", "mvtec/pill", 288),
    ("magnetic_tile", "magnetic_tile/tile", 224),
    ("kolektor", "kolektor_sdd/commutator", 224),
    ("ball_screw", "bsdata/ball_screw", 288),
    ("tire", "mvtec3d/tire", 288),
];

fn main() -> ExitCode {
    finish(run())
}

struct Options {
    data: PathBuf,
    sets: Vec<String>,
    rates: Vec<f64>,
    draws: u64,
    side: Option<usize>,
    learning: learn::Settings,
    out: PathBuf,
    table_only: bool,
}

fn options() -> Result<Options> {
    let mut options = Options {
        data: PathBuf::new(),
        sets: SETS.map(|(name, ..)| name.to_owned()).to_vec(),
        rates: vec![0.0, 0.05, 0.1, 0.2],
        draws: 5,
        side: None,
        learning: learn::Settings { defects: 240, penalty: 0.005, tau: 10.0 },
        out: PathBuf::from("target/contaminated"),
        table_only: false,
    };
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("data") => options.data = args.value()?.into(),
            lexopt::Arg::Long("sets") => options.sets = names(&mut args, "sets", &SETS.map(|(name, ..)| name))?,
            lexopt::Arg::Long("rates") => options.rates = rates(&list(&mut args)?)?,
            lexopt::Arg::Long("draws") => options.draws = number(&mut args, "draws")?,
            lexopt::Arg::Long("side") => options.side = Some(number(&mut args, "side")?),
            lexopt::Arg::Long("defects") => options.learning.defects = number(&mut args, "defects")?,
            lexopt::Arg::Long("penalty") => options.learning.penalty = number(&mut args, "penalty")?,
            lexopt::Arg::Long("tau") => options.learning.tau = number(&mut args, "tau")?,
            lexopt::Arg::Long("out") => options.out = args.value()?.into(),
            lexopt::Arg::Long("table-only") => options.table_only = true,
            _ => return Err(arg.unexpected().into()),
        }
    }
    if options.data.as_os_str().is_empty() && !options.table_only {
        return Err("--data is missing: name the folder that holds the sets".into());
    }
    Ok(options)
}

fn rates(words: &[String]) -> Result<Vec<f64>> {
    let rate = |word: &String| match word.parse::<f64>() {
        Ok(rate) if (0.0..1.0).contains(&rate) => Ok(rate),
        _ => Err(format!("--rates {word}: not a share from 0 to below 1").into()),
    };
    words.iter().map(rate).collect()
}

fn run() -> Result<String> {
    let options = options()?;
    prepare_folder(&options.out)?;
    let mut log = RunLog::open(options.out.join("runs.jsonl"))?;
    if !options.table_only {
        measure(&options, &mut log)?;
    }
    let learning = options.learning.key();
    let is_same = |run: &&Value| learning.as_object().into_iter().flatten().all(|(name, value)| run[name] == *value);
    let tables = table::Tables::of(log.runs().iter().filter(is_same));
    let text = tables.text();
    say(&text);
    write_atomic(options.out.join("tables.md"), text.as_bytes())?;
    say_written(&options.out, &["tables.md"]);
    keep_result(&options.out, tables.result())
}

/// Makes the draws that the log lacks, all sets in turn before the next draw.
fn measure(options: &Options, log: &mut RunLog) -> Result<()> {
    for (set, folder, side) in SETS.iter().filter(|(name, ..)| options.sets.iter().any(|n| n == name)) {
        let root = options.data.join(folder);
        if !root.is_dir() {
            say(&format!("skipped: {} is not there", root.display()));
            continue;
        }
        let side = options.side.unwrap_or(*side);
        let mut photos: Option<Photos> = None;
        for draw in 0..options.draws {
            for &rate in options.rates.iter().filter(|rate| draw == 0 || **rate > 0.0) {
                let settings = &options.learning;
                let mut key = settings.key();
                for (name, value) in [("set", json!(set)), ("rate", json!(rate)), ("draw", json!(draw))] {
                    key[name] = value;
                }
                key["side"] = json!(side);
                if log.find(&key).is_some() {
                    continue;
                }
                if photos.is_none() {
                    photos = Some(Photos::load(&root, side)?);
                }
                let Some(photos) = &photos else { continue };
                let planting = match plant(photos.normals.len(), photos.defects.len(), rate, draw) {
                    Ok(planting) => planting,
                    Err(refused) => {
                        if draw == 0 {
                            say(&format!("{set} at {rate}: {refused}"));
                        }
                        continue;
                    }
                };
                let start = Instant::now();
                let mut run = draw::measure(photos, &planting, settings, draw)?;
                for (name, value) in key.as_object().into_iter().flatten() {
                    run[name] = value.clone();
                }
                let seconds = start.elapsed().as_secs_f64();
                let arms = ["clean", "uniform", "bilevel", "oracle"]
                    .map(|arm| format!("{arm} {:.4}", run["arms"][arm][0].as_f64().unwrap_or(f64::NAN)));
                say(&format!("{set} {rate} draw {draw}: {}, found {}, {seconds:.1} s", arms.join(", "), run["found"]));
                run["seconds"] = json!(seconds);
                log.push(run)?;
            }
        }
    }
    Ok(())
}
