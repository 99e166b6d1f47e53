//! Measures whether weighting samples by learned quality helps: variants of training on real sets, over seeds, paired.
//!
//! ```text
//! cargo run --release -p experiments --bin bilevel_evidence -- --data FOLDER --sets SET,SET
//!     [--variants uniform,shuffled,filter,warm,learned,equal,real] [--seeds N] [--first-seed N] [--rounds N]
//!     [--side PX] [--corrupt] [--out FILE]
//! ```
//!
//! A set is a category folder in MVTec AD layout, given below FOLDER. Every run trains on `train/good` alone and is
//! tested on `test` without five defects that the seed chooses: they are the validation set of the variant `real` and
//! left out for every variant. `equal` is `learned` after a warm start on versions of equal contrast. `--corrupt` makes
//! 30 % of all synthetic samples deliberately bad, those of the validation set too, and runs the variants on both.
//!
//! A finished run is a line of FILE (JSON; default target/bilevel-evidence.jsonl), and is not run again. Ends with
//! `result runs=<n> learned_minus_uniform=<f> learned_minus_shuffled=<f>`, image AUROC without corrupted samples. The
//! tables stand in `docs/results.md`.

mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use experiments::args::{list, names, number};
use experiments::bars::TrainingBars;
use experiments::cache::{CachedBackbone, CachedSource};
use experiments::corruption::Corrupted;
use experiments::paired::mean;
use experiments::program::{Result, finish, say};
use experiments::runs::RunLog;
use experiments::sets::ImageSet;
use maphc2f::bilevel::ForwardDifference;
use maphc2f::bisqad::{OuterProblem, TrainParams, ValidationAnomalies, Weighting, fit};
use maphc2f::frozen_backbone::EfficientNetLite0;
use maphc2f::{
    BilevelParams, MATERIALS, Pipeline, PipelineSource, RankingParams, RankingTarget, evaluate, prepare_folder,
    take_few_shot, warm_start,
};
use serde_json::{Value, json};

/// Real defects that are left out of every test.
const REAL: usize = 5;
/// Fraction of samples that `--corrupt` makes bad.
const CORRUPTED: f64 = 0.3;
/// Fraction of samples that the filter keeps.
const KEPT: f64 = 0.7;

const VARIANTS: [&str; 7] = ["uniform", "shuffled", "filter", "warm", "learned", "equal", "real"];

fn main() -> ExitCode {
    finish(run())
}

struct Options {
    data: PathBuf,
    sets: Vec<String>,
    variants: Vec<String>,
    seeds: std::ops::Range<u64>,
    rounds: usize,
    side: usize,
    corrupt: bool,
    out: PathBuf,
}

fn options() -> Result<Options> {
    let mut options = Options {
        data: PathBuf::new(),
        sets: Vec::new(),
        variants: VARIANTS.map(str::to_owned).to_vec(),
        seeds: 0..5,
        rounds: TrainParams::default().rounds(),
        side: 288,
        corrupt: false,
        out: PathBuf::from("target/bilevel-evidence.jsonl"),
    };
    let (mut first, mut seeds) = (0u64, 5u64);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("data") => options.data = args.value()?.into(),
            lexopt::Arg::Long("sets") => options.sets = list(&mut args)?,
            lexopt::Arg::Long("variants") => options.variants = names(&mut args, "variants", &VARIANTS)?,
            lexopt::Arg::Long("seeds") => seeds = number(&mut args, "seeds")?,
            lexopt::Arg::Long("first-seed") => first = number(&mut args, "first-seed")?,
            lexopt::Arg::Long("rounds") => options.rounds = number(&mut args, "rounds")?,
            lexopt::Arg::Long("side") => options.side = number(&mut args, "side")?,
            lexopt::Arg::Long("corrupt") => options.corrupt = true,
            lexopt::Arg::Long("out") => options.out = args.value()?.into(),
            _ => return Err(arg.unexpected().into()),
        }
    }
    options.seeds = first..first + seeds;
    if options.data.as_os_str().is_empty() || options.sets.is_empty() {
        return Err("--data and --sets are missing: name a folder and the category folders below it".into());
    }
    if let Some(set) = options.sets.iter().find(|s| !options.data.join(s).is_dir()) {
        return Err(format!("{}: is no folder", options.data.join(set).display()).into());
    }
    Ok(options)
}

fn run() -> Result<String> {
    let options = options()?;
    if let Some(folder) = options.out.parent() {
        prepare_folder(folder)?;
    }
    let mut log = RunLog::open(&options.out)?;
    for set in &options.sets {
        let mut loaded = None;
        for seed in options.seeds.clone() {
            for corrupted in if options.corrupt { vec![false, true] } else { vec![false] } {
                let key = |variant: &str| {
                    json!({ "set": set, "arm": logged(variant), "seed": seed, "spoilt": corrupted,
                        "rounds": options.rounds, "side": options.side })
                };
                let missing: Vec<&String> = options.variants.iter().filter(|v| log.find(&key(v)).is_none()).collect();
                if missing.is_empty() {
                    continue;
                }
                let set = match &mut loaded {
                    Some(set) => set,
                    none => none.insert(ImageSet::load(&options.data.join(set), options.side)?),
                };
                // the variants train on the same defects and read the same images
                let pipeline = Pipeline::physical(&MATERIALS)?;
                let source = PipelineSource::new(&pipeline, &set.normals, &set.names, seed)?;
                let corrupted = Corrupted::new(&source, if corrupted { CORRUPTED } else { 0.0 }, seed);
                let anomalies = CachedSource::new(&corrupted);
                let backbone = Arc::new(CachedBackbone::new(EfficientNetLite0::pretrained()?));
                let shared = Shared { backbone, source: &source, anomalies: &anomalies };
                for variant in missing {
                    let run = one(set, &shared, variant, seed, options.rounds, key(variant))?;
                    say(&run);
                    log.push(run)?;
                }
            }
        }
    }
    let wanted = |run: &&Value| {
        run["rounds"] == options.rounds
            && run["side"] == options.side
            && options.sets.iter().any(|s| run["set"] == s.as_str())
    };
    let runs: Vec<Value> = log.runs().iter().filter(wanted).cloned().collect();
    let variants: Vec<&str> = VARIANTS.into_iter().filter(|v| runs.iter().any(|run| run["arm"] == logged(v))).collect();
    say(&table::tables(&runs, &variants)?);
    let minus = |other: &str| mean(&table::differences(&runs, ("learned", false), (other, false), "image_auroc"));
    Ok(format!(
        "result runs={} learned_minus_uniform={:+.4} learned_minus_shuffled={:+.4}",
        runs.len(),
        minus("uniform"),
        minus("shuffled")
    ))
}

/// Name of a variant in the log, which keeps the spelling it was born with, as it keeps "arm" and "spoilt".
fn logged(variant: &str) -> &str {
    if variant == "learned" { "learnt" } else { variant }
}

/// What the variants of one seed have in common.
struct Shared<'a> {
    backbone: Arc<CachedBackbone>,
    source: &'a PipelineSource<'a>,
    anomalies: &'a CachedSource<'a>,
}

/// Trains and tests a variant; returns its line of the log, which starts with the fields of `line`.
fn one(set: &ImageSet, shared: &Shared<'_>, variant: &str, seed: u64, rounds: usize, mut line: Value) -> Result<Value> {
    let start = Instant::now();
    let mut tests = set.tests.clone();
    let few = take_few_shot(&mut tests, REAL, set.side, seed)?;
    let weighting = match variant {
        "uniform" => Weighting::Uniform,
        "shuffled" => Weighting::Shuffled,
        "filter" => Weighting::Filtered { keep: KEPT },
        "warm" => Weighting::WarmStart,
        _ => Weighting::Learned,
    };
    let ranking = if variant == "equal" { RankingTarget::ContrastMatched } else { RankingTarget::default() };
    let meta =
        if variant == "real" { ValidationAnomalies::RealDefects(few) } else { ValidationAnomalies::HeldOutMechanism };
    let params = TrainParams::default().with_seed(seed).with_rounds(rounds).with_weighting(weighting);
    let (backbone, ladders) = (Arc::clone(&shared.backbone), BilevelParams::default().ranked_defects());
    let ranking = RankingParams::default().with_ranking(ranking).with_defects(ladders);
    let (mut quality, _) = warm_start(backbone.as_ref(), &set.normals, shared.source, ranking, seed)?;
    let method = ForwardDifference::default();
    let upper = OuterProblem { quality: &mut quality, method: &method, validation: &meta };
    let fitted = fit(backbone, &set.normals, shared.anomalies, upper, &params, None, &mut TrainingBars::new())?;
    let figures = evaluate(&fitted.detector, "test", &tests, &|_| ())?.report.overall;
    let pixels = figures.pixels.ok_or("no pixel figures")?;
    let rounds = &fitted.report.rounds;
    let last = rounds.last().ok_or("--rounds must be at least 1")?;
    let weights: Vec<Value> = last
        .weights
        .iter()
        .map(|w| json!({ "mechanism": w.mechanism, "band": w.band, "mean": w.mean, "samples": w.samples }))
        .collect();
    let more = json!({
        "image_auroc": figures.image_auroc.map(|figure| figure.value),
        "pixel_auroc": pixels.auroc.value,
        "au_pro": pixels.au_pro.value,
        "effective_share": last.ess_fraction,
        "area_correlation": last.area_correlation,
        "guarded": rounds.iter().map(|r| r.ess_clipped_steps).sum::<usize>(),
        "weights": weights,
        "tests": tests.len(),
        "seconds": start.elapsed().as_secs_f64(),
    });
    if let (Some(line), Value::Object(more)) = (line.as_object_mut(), more) {
        line.extend(more);
    }
    Ok(line)
}
