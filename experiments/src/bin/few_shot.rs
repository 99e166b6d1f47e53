//! Measures what a few marked real defects add to the default detector.
//!
//! ```text
//! cargo run --release -p experiments --bin few_shot -- --data FOLDER [--sets A,B] [--counts 5,10] [--seeds N]
//!     [--side PX] [--out FOLDER]
//! ```
//!
//! For each kind of defects of a set with enough of them, `count` photos are drawn by the seed and moved out of the
//! test. One detector trains on `train/good` alone, one with the drawn defects besides; both are tested on the same
//! rest of the kind and the good test photos. Nothing is selected on the test images. Finished runs are appended to
//! `OUT/runs.jsonl` and not made again. Prints for each kind and count the paired differences with 95 % t intervals
//! over seeds, and ends with `result image_gain=<f> pixel_ap_gain=<f> pairs=<n>`, the means over all pairs of the
//! largest count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use experiments::args::{names, number};
use experiments::paired::{interval_text, mean};
use experiments::program::{Result, finish, say};
use experiments::runs::RunLog;
use experiments::sets::ImageSet;
use maphc2f::adbench::metrics::{PixelPool, auroc};
use maphc2f::adbench::protocol::Protocol;
use maphc2f::bisqad::{Detector, EvidenceDetector, EvidenceParams, NoObserver, Prediction};
use maphc2f::factory::{MarkedPhoto, MarkedSet};
use maphc2f::frozen_backbone::EfficientNetLite0;
use maphc2f::imgkit::rng::keyed_stream;
use maphc2f::{
    MATERIALS, Pipeline, PipelineSource, RealDefects, TestImage, prepare_folder, shrink_to_side, train_with,
};
use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde_json::json;

/// Sets of the experiment: those whose kinds have names and defects enough.
const SETS: [(&str, &str); 4] = [
    ("pill", "mvtec/pill"),
    ("magnetic_tile", "magnetic_tile/tile"),
    ("kolektor", "kolektor_sdd/commutator"),
    ("ball_screw", "bsdata/ball_screw"),
];
/// Fewest defects of a kind that must be left to test on.
const LEFT: usize = 8;

fn main() -> ExitCode {
    finish(run())
}

struct Options {
    data: PathBuf,
    sets: Vec<String>,
    counts: Vec<usize>,
    seeds: u64,
    side: usize,
    out: PathBuf,
}

fn options() -> Result<Options> {
    let mut options = Options {
        data: PathBuf::new(),
        sets: SETS.map(|(name, _)| name.to_owned()).to_vec(),
        counts: vec![5, 10],
        seeds: 3,
        side: 448,
        out: PathBuf::from("target/few-shot"),
    };
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("data") => options.data = args.value()?.into(),
            lexopt::Arg::Long("sets") => options.sets = names(&mut args, "sets", &SETS.map(|(name, _)| name))?,
            lexopt::Arg::Long("counts") => {
                let text = args.value()?.to_string_lossy().into_owned();
                options.counts = text.split(',').map(str::parse).collect::<std::result::Result<_, _>>()?;
            }
            lexopt::Arg::Long("seeds") => options.seeds = number(&mut args, "seeds")?,
            lexopt::Arg::Long("side") => options.side = number(&mut args, "side")?,
            lexopt::Arg::Long("out") => options.out = args.value()?.into(),
            _ => return Err(arg.unexpected().into()),
        }
    }
    if options.data.as_os_str().is_empty() {
        return Err("--data is missing: name the folder that holds the sets".into());
    }
    Ok(options)
}

/// Image AUROC, pixel AUROC and pixel average precision.
type Figures = [f64; 3];

fn run() -> Result<String> {
    let options = options()?;
    prepare_folder(&options.out)?;
    let mut log = RunLog::open(options.out.join("runs.jsonl"))?;
    for (set, folder) in SETS.iter().filter(|(name, _)| options.sets.iter().any(|n| n == name)) {
        let root = options.data.join(folder);
        if !root.is_dir() {
            say(&format!("skipped: {} is not there", root.display()));
            continue;
        }
        let images = ImageSet::load(&root, options.side)?;
        for seed in 0..options.seeds {
            let mut plain = None;
            for (kind, count) in kinds(&images).iter().flat_map(|k| options.counts.iter().map(move |c| (k, *c))) {
                let Some((real, tests)) = draw(&images, kind, count, seed) else { continue };
                let key = json!({ "set": set, "kind": kind, "count": count, "seed": seed, "side": options.side });
                if log.find(&key).is_some() {
                    continue;
                }
                if plain.is_none() {
                    plain = Some(detector(&images, None, seed)?);
                }
                let without = plain.as_ref().map(|d| figures(d, &images, &tests)).transpose()?.unwrap_or_default();
                let with = figures(&detector(&images, Some(real), seed)?, &images, &tests)?;
                let mut run = key;
                run["without"] = json!(without);
                run["with"] = json!(with);
                say(&format!("{set} {kind} {count} seed {seed}: {without:.4?} -> {with:.4?}"));
                log.push(run)?;
            }
        }
    }
    let mut pairs: BTreeMap<(String, String, u64), Vec<Figures>> = BTreeMap::new();
    for run in log.runs().iter().filter(|run| run["side"] == json!(options.side)) {
        let text = |name: &str| run[name].as_str().unwrap_or_default().to_owned();
        let figure = |of: &str, i: usize| run[of][i].as_f64().unwrap_or(f64::NAN);
        let gain = [0, 1, 2].map(|i| figure("with", i) - figure("without", i));
        pairs.entry((text("set"), text("kind"), run["count"].as_u64().unwrap_or(0))).or_default().push(gain);
    }
    say(&"\n| set, kind | real defects | image AUROC | pixel AUROC | pixel AP |\n|---|---|---|---|---|");
    for ((set, kind, count), gains) in &pairs {
        let of = |i: usize| interval_text(&gains.iter().map(|g| g[i]).collect::<Vec<f64>>());
        say(&format!("| {set}, {kind} | {count} | {} | {} | {} |", of(0), of(1), of(2)));
    }
    for count in &options.counts {
        let all: Vec<Figures> =
            pairs.iter().filter(|((_, _, c), _)| *c == *count as u64).flat_map(|(_, g)| g.iter().copied()).collect();
        let of = |i: usize| interval_text(&all.iter().map(|g| g[i]).collect::<Vec<f64>>());
        say(&format!("| all, {} pairs | {count} | {} | {} | {} |", all.len(), of(0), of(1), of(2)));
    }
    let largest = options.counts.iter().copied().max().unwrap_or(0) as u64;
    let all: Vec<Figures> =
        pairs.iter().filter(|((_, _, c), _)| *c == largest).flat_map(|(_, g)| g.iter().copied()).collect();
    let gain = |i: usize| mean(&all.iter().map(|g| g[i]).collect::<Vec<f64>>());
    Ok(format!("result image_gain={:.4} pixel_ap_gain={:.4} pairs={}", gain(0), gain(2), all.len()))
}

/// Kinds of defects of a set.
fn kinds(images: &ImageSet) -> BTreeSet<String> {
    images.tests.iter().filter_map(|t| t.kind.clone()).collect()
}

/// Draws `count` defects of a kind, and lists the tests that are left: the rest of the kind, and good photos. `None`
/// where too few would be left.
fn draw(images: &ImageSet, kind: &str, count: usize, seed: u64) -> Option<(MarkedSet, Vec<usize>)> {
    let marked = |t: &TestImage| t.mask.as_ref().is_some_and(|m| m.iter().any(|m| *m));
    let all = images.tests.iter().enumerate();
    let mut of_kind: Vec<usize> =
        all.filter(|(_, t)| t.kind.as_deref() == Some(kind) && marked(t)).map(|(i, _)| i).collect();
    if of_kind.len() < count + LEFT {
        return None;
    }
    of_kind.shuffle(&mut keyed_stream(seed, 0));
    let (taken, rest) = of_kind.split_at(count);
    let photo = |&i: &usize| {
        let test = &images.tests[i];
        Some(MarkedPhoto::new(test.name.clone().into(), test.image.clone(), test.mask.clone()?))
    };
    let set = MarkedSet::new(kind, taken.iter().filter_map(photo).collect());
    let good = (0..images.tests.len()).filter(|&i| images.tests[i].kind.is_none());
    Some((set, rest.iter().copied().chain(good).collect()))
}

fn detector(images: &ImageSet, real: Option<MarkedSet>, seed: u64) -> Result<EvidenceDetector> {
    let mut pipeline = Pipeline::standard(&MATERIALS)?;
    let real = real.map(|set| RealDefects::prepare(vec![set], &images.normals, images.side)).transpose()?;
    if let Some(real) = &real {
        real.extend(&mut pipeline, &MATERIALS)?;
    }
    let source = PipelineSource::new(&pipeline, &images.normals, &images.names, seed)?;
    let (net, set) = (Arc::new(EfficientNetLite0::pretrained_s32()?), real.as_ref().map(|real| &real.set));
    let params = EvidenceParams::default().with_seed(seed);
    let params = params.with_max_side(images.side).with_min_side(params.min_side().min(images.side));
    let trained = train_with(net, &images.normals, &source, set, &params, &mut NoObserver)?;
    let heads = trained.detector.head_weight();
    let drawn = real.iter().flat_map(|r| &r.kinds).filter_map(|k| k.mechanism()).collect::<Vec<_>>();
    say(&format!("  heads x {heads}, drawn by {drawn:?}, {:?}", trained.report.real_defects));
    Ok(trained.detector)
}

fn figures(detector: &EvidenceDetector, images: &ImageSet, tests: &[usize]) -> Result<Figures> {
    let predict = |&i: &usize| -> std::result::Result<Prediction, String> {
        let image = shrink_to_side(images.tests[i].image.view(), images.side).map_err(|e| e.to_string())?;
        detector.predict(image.view()).map_err(|e| e.to_string())
    };
    let predictions: Vec<Prediction> = tests.par_iter().map(predict).collect::<std::result::Result<_, String>>()?;
    let protocol = Protocol::named("native").ok_or("no such protocol")?;
    let mut pool = PixelPool::new();
    let (mut scores, mut labels) = (Vec::new(), Vec::new());
    for (&i, prediction) in tests.iter().zip(&predictions) {
        let test = &images.tests[i];
        let map = protocol.map(prediction.map.view(), (test.image.dim().0, test.image.dim().1))?;
        if let Some(mask) = &test.mask {
            pool.push(map.view(), protocol.truth(mask.view())?.view())?;
        }
        scores.push(prediction.score);
        labels.push(test.kind.is_some());
    }
    let ranked = pool.rank()?;
    Ok([auroc(&scores, &labels)?, ranked.auroc(), ranked.average_precision()])
}
