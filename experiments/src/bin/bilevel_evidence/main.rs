//! Does weighting by learnt quality help? Arms of training on real sets, over seeds, with paired differences.
//!
//! `cargo run --release -p experiments --bin bilevel_evidence -- --data FOLDER --sets SET,SET [--arms uniform,shuffled,filter,warm,learnt,equal,real]
//! [--seeds N] [--first-seed N] [--rounds N] [--side PX] [--spoil] [--out FILE]`
//!
//! A set is a category folder in MVTec AD layout, given below FOLDER. Every run trains on `train/good` alone, as the example `mvtec` does, and
//! is tested on `test` without five defects that the seed draws: they steer the arm `real` and are left out for every arm. `equal` is `learnt`
//! after a warm start on ladders of equal contrast. `--spoil` makes 30 % of
//! all synthetic samples deliberately bad, the meta set's too, and runs the arms on both. A finished run is a line of FILE (JSON; default
//! target/bilevel-evidence.jsonl), and is not run again. Ends with `result runs=<n> learnt_minus_uniform=<f> learnt_minus_shuffled=<f>`, image
//! AUROC without spoilt samples.

mod table;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use experiments::console::{Bars, finish, number, say};
use experiments::memo::{CachedBackbone, CachedSource};
use experiments::pairs::mean;
use maphc2f::adbench::dataset::Policy;
use maphc2f::adbench::loaders::Mvtec;
use maphc2f::bilevel::ForwardDifference;
use maphc2f::bisqad::{OuterProblem, TrainParams, ValidationAnomalies, Weighting, fit};
use maphc2f::frozen_backbone::EfficientNetLite0;
use maphc2f::{
    MATERIALS, Pipeline, PipelineSource, RankingTarget, TestImage, Training, evaluate, load_photo, prepare_folder,
    shrink_to_side, take_few_shot, warm_start,
};
use ndarray::Array3;
use serde_json::{Value, json};

/// Real defects that are left out of every test.
const REAL: usize = 5;
/// Share of samples that `--spoil` makes bad, and that the filter keeps.
const SPOILT: f64 = 0.3;
const KEPT: f64 = 0.7;

const ARMS: [&str; 7] = ["uniform", "shuffled", "filter", "warm", "learnt", "equal", "real"];

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    finish(run())
}

struct Options {
    data: PathBuf,
    sets: Vec<String>,
    arms: Vec<String>,
    seeds: std::ops::Range<u64>,
    rounds: usize,
    side: usize,
    spoil: bool,
    out: PathBuf,
}

fn options() -> Result<Options> {
    let mut options = Options {
        data: PathBuf::new(),
        sets: Vec::new(),
        arms: ARMS.map(str::to_owned).to_vec(),
        seeds: 0..5,
        rounds: TrainParams::default().rounds,
        side: 288,
        spoil: false,
        out: PathBuf::from("target/bilevel-evidence.jsonl"),
    };
    let (mut first, mut seeds) = (0u64, 5u64);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        let list = |args: &mut lexopt::Parser| -> Result<Vec<String>> {
            Ok(args.value()?.to_string_lossy().split(',').map(str::to_owned).collect())
        };
        match arg {
            lexopt::Arg::Long("data") => options.data = args.value()?.into(),
            lexopt::Arg::Long("sets") => options.sets = list(&mut args)?,
            lexopt::Arg::Long("arms") => options.arms = list(&mut args)?,
            lexopt::Arg::Long("seeds") => seeds = number(&mut args, "seeds")?,
            lexopt::Arg::Long("first-seed") => first = number(&mut args, "first-seed")?,
            lexopt::Arg::Long("rounds") => options.rounds = number(&mut args, "rounds")?,
            lexopt::Arg::Long("side") => options.side = number(&mut args, "side")?,
            lexopt::Arg::Long("spoil") => options.spoil = true,
            lexopt::Arg::Long("out") => options.out = args.value()?.into(),
            _ => return Err(arg.unexpected().into()),
        }
    }
    options.seeds = first..first + seeds;
    if options.data.as_os_str().is_empty() || options.sets.is_empty() {
        return Err("--data and --sets are missing: name a folder and the category folders below it".into());
    }
    if let Some(arm) = options.arms.iter().find(|a| !ARMS.contains(&a.as_str())) {
        return Err(format!("--arms {arm}: choose among {}", ARMS.join(", ")).into());
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
    let mut lines = read(&options.out)?;
    for set in &options.sets {
        let mut loaded = None;
        for seed in options.seeds.clone() {
            for spoilt in if options.spoil { vec![false, true] } else { vec![false] } {
                let key = |arm: &String| {
                    json!({ "set": set, "arm": arm, "seed": seed, "spoilt": spoilt,
                        "rounds": options.rounds, "side": options.side })
                };
                let missing: Vec<&String> =
                    options.arms.iter().filter(|arm| !lines.iter().any(|l| same(l, &key(arm)))).collect();
                if missing.is_empty() {
                    continue;
                }
                let set = match &mut loaded {
                    Some(set) => set,
                    none => none.insert(Set::load(&options.data.join(set), options.side)?),
                };
                // the arms draw the same defects, and read the same images
                let pipeline = Pipeline::physical(&MATERIALS)?;
                let source = PipelineSource::new(&pipeline, &set.normals, &set.names, seed)?;
                let source = source.spoilt(if spoilt { SPOILT } else { 0.0 });
                let drawn = CachedSource::new(&source);
                let backbone = Arc::new(CachedBackbone::new(EfficientNetLite0::pretrained()?));
                let shared = Shared { backbone, source: &source, drawn: &drawn };
                for arm in missing {
                    let line = one(set, &shared, arm, seed, options.rounds, key(arm))?;
                    append(&options.out, &line)?;
                    say(&line);
                    lines.push(line);
                }
            }
        }
    }
    let wanted = |l: &&Value| {
        l["rounds"] == options.rounds
            && l["side"] == options.side
            && options.sets.iter().any(|s| l["set"] == s.as_str())
    };
    let lines: Vec<Value> = lines.iter().filter(wanted).cloned().collect();
    let arms: Vec<&str> = ARMS.into_iter().filter(|a| lines.iter().any(|l| l["arm"] == *a)).collect();
    say(&table::all(&lines, &arms)?);
    let minus = |other: &str| mean(&table::differences(&lines, ("learnt", false), (other, false), "image_auroc"));
    Ok(format!(
        "result runs={} learnt_minus_uniform={:+.4} learnt_minus_shuffled={:+.4}",
        lines.len(),
        minus("uniform"),
        minus("shuffled")
    ))
}

/// A category: good photos and test images.
struct Set {
    normals: Vec<Array3<f32>>,
    names: Vec<String>,
    tests: Vec<TestImage>,
    side: usize,
}

impl Set {
    fn load(root: &Path, side: usize) -> Result<Self> {
        let dataset = Mvtec::index_with(root, Policy::Skip)?.validate()?;
        let train = dataset.train().samples();
        let photos: Vec<_> = train.iter().map(|s| load_photo(s.image_path())).collect::<std::result::Result<_, _>>()?;
        let names = train.iter().map(|s| s.image_path().display().to_string()).collect();
        let normals = photos.iter().map(|p| shrink_to_side(p.view(), side)).collect::<std::result::Result<_, _>>()?;
        let tests = dataset.test().samples().iter().map(TestImage::read).collect::<std::result::Result<_, _>>()?;
        Ok(Self { normals, names, tests, side })
    }
}

/// What the arms of one seed have in common.
struct Shared<'a> {
    backbone: Arc<CachedBackbone>,
    source: &'a PipelineSource<'a>,
    drawn: &'a CachedSource<'a>,
}

/// One run: a line of the file.
fn one(set: &Set, shared: &Shared<'_>, arm: &str, seed: u64, rounds: usize, mut line: Value) -> Result<Value> {
    let start = Instant::now();
    let mut tests = set.tests.clone();
    let few = take_few_shot(&mut tests, REAL, set.side, seed)?;
    let weighting = match arm {
        "uniform" => Weighting::Uniform,
        "shuffled" => Weighting::Shuffled,
        "filter" => Weighting::Filtered { keep: KEPT },
        "warm" => Weighting::WarmStart,
        _ => Weighting::Learned,
    };
    let rungs = if arm == "equal" { RankingTarget::ContrastMatched } else { RankingTarget::default() };
    let meta =
        if arm == "real" { ValidationAnomalies::RealDefects(few) } else { ValidationAnomalies::HeldOutMechanism };
    let params = TrainParams { seed, rounds, weighting, ..Default::default() };
    let (backbone, ladders) = (Arc::clone(&shared.backbone), Training::default().ladders);
    let (mut quality, _) = warm_start(backbone.as_ref(), &set.normals, shared.source, rungs, ladders, seed)?;
    let method = ForwardDifference::default();
    let upper = OuterProblem { quality: &mut quality, method: &method, validation: &meta };
    let fitted = fit(backbone, &set.normals, shared.drawn, upper, &params, None, &mut Bars::new())?;
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
        "image_auroc": figures.image_auroc.value,
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

fn same(line: &Value, key: &Value) -> bool {
    key.as_object().is_some_and(|key| key.iter().all(|(name, value)| &line[name] == value))
}

/// The finished runs. A last line that was cut off by an interruption is no finished run.
fn read(path: &Path) -> Result<Vec<Value>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut lines = Vec::new();
    for (i, line) in text.lines().enumerate() {
        match serde_json::from_str(line) {
            Ok(value) => lines.push(value),
            Err(_) if i + 1 == text.lines().count() && !text.ends_with('\n') => {
                std::fs::write(path, &text[..text.len() - line.len()])?;
            }
            Err(e) => return Err(format!("{} line {}: {e}: remove it", path.display(), i + 1).into()),
        }
    }
    Ok(lines)
}

fn append(path: &Path, line: &Value) -> Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    Ok(file.write_all(format!("{line}\n").as_bytes())?)
}
