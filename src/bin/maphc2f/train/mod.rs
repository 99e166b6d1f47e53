//! `maphc2f train`: trains a detector, and measures it on request.

mod defects;
mod quality;
mod selection;
mod update;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::ValueEnum;
use maphc2f::adbench::loaders::Mvtec;
use maphc2f::adbench::metrics::Reducer;
use maphc2f::adbench::report::Report;
use maphc2f::bisqad::{
    Checkpoint, Detector, EvidenceOutcome, EvidenceParams, Fusion, Threshold, TrainParams, Windowed, save,
};
use maphc2f::factory::{PhotoSet, Plant};
use maphc2f::frozen_backbone::Backbone;
use maphc2f::frozen_backbone::model_file::hash_text;
use maphc2f::imgkit::file::{escaped, lies_in, write_atomic};
use maphc2f::{
    BilevelModel, BilevelParams, Category, MATERIALS, PhotoReader, Pipeline, PipelineSource, RealDefects,
    RunDescription, TestImage, evaluate, hardest_images, load_normals_with, prepare_folder, refuse_not_read,
    train_with, write_report,
};
use ndarray::Array3;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Result;
use crate::args::TrainArgs;
use crate::args::train::Preset;
use crate::console::{Console, TrainingBars};
use crate::evaluate::{policy, warn, with_flag};
use crate::threshold;

/// File of the state of a training by rounds.
const CHECKPOINT: &str = "run.checkpoint";
/// Rate of false positives that the threshold is said for, as of `inspect`.
const FALSE_POSITIVE_RATE: f64 = 0.05;

/// Images of a run.
struct Images {
    name: String,
    normals: Vec<Array3<f32>>,
    names: Vec<String>,
    /// With `--report`.
    tests: Vec<TestImage>,
    warnings: Vec<String>,
    /// Files beside the photos that look like images.
    not_read: usize,
}

pub fn run(args: &TrainArgs, console: &Console) -> Result<u8> {
    if let Some(detector) = args.add_to.as_ref().or(args.remove_from.as_ref()) {
        return update::run(args, detector, args.add_to.is_some(), console);
    }
    refuse_flags_of_other(args)?;
    let start = Instant::now();
    let backbone = args.backbone.open()?;
    let mut images = load(args)?;
    refuse_inside(&args.out, &images.names)?;
    let contents: Vec<String> = images.normals.iter().map(content).collect();
    images.warnings.extend(copies(&images.names, &contents));
    warn(console, &images.warnings);
    let plant = args.calibration.as_deref().map(Plant::read).transpose()?;
    let real = args.defects.as_deref().map(|folder| defects::read(folder, args, &images, console)).transpose()?;
    let mut pipeline = match (&plant, args.preset) {
        (Some(plant), _) => plant.pipeline(&MATERIALS)?,
        (None, Preset::Evidence) => Pipeline::standard(&MATERIALS)?,
        (None, Preset::Bilevel) => Pipeline::physical(&MATERIALS)?,
    };
    if let Some(real) = &real {
        real.extend(&mut pipeline, &MATERIALS)?;
    }
    let source = PipelineSource::new(&pipeline, &images.normals, &images.names, args.seed)?;
    prepare_folder(&args.out)?;
    console.say(&format!(
        "{}: {} good photos to train on, {} test images, shorter side at most {} px",
        images.name,
        images.normals.len(),
        images.tests.len(),
        side(args)
    ));
    if args.backbone.backbone.is_some() {
        console.say(&format!("image features of {}", backbone.id()));
    }
    let trained = match args.preset {
        Preset::Evidence => train_evidence(args, &mut images, &source, real.as_ref(), Arc::clone(&backbone), console)?,
        Preset::Bilevel => train_bilevel(args, &images, &contents, &source, plant.as_ref(), console)?,
    };
    let detector = trained.detector.as_ref();
    let threshold = Threshold::of(detector, FALSE_POSITIVE_RATE)?;
    console.say(&threshold::describe(&threshold)?);
    let file = args.out.join("detector.safetensors");
    match args.window {
        None => save(detector, &file)?,
        Some(window) => save(&Windowed::new(Arc::clone(&trained.detector), window), &file)?,
    }
    let quality = quality::learn(args, &images, &source, console)?;
    images.warnings.extend(quality.warning);
    let mut object = json!({
        "preset": args.preset.to_possible_value().map(|v| v.get_name().to_owned()),
        "images": images.normals.len(),
        "side": side(args),
        "seed": args.seed,
        "backbone": backbone.id(),
        "backbone_hash": hash_text(backbone.hash()),
        "quality_pair_accuracy": quality.pair_accuracy,
        "threshold": threshold::object(&threshold)?,
        "not_read": images.not_read,
        "out": escaped(&args.out),
    });
    if let Some(choice) = trained.choice {
        object["choice"] = choice;
    }
    let and_quality = if quality.pair_accuracy.is_some() { " and quality.safetensors" } else { "" };
    let mut line = format!("detector.safetensors{and_quality} in {}", args.out.display());
    if args.report {
        let (measured, notes) = report(args, &images, &trained.detector, &trained.halves, &trained.params, console)?;
        let figure = |name: &str| measured[name].as_f64().map_or("not defined".to_owned(), |v| format!("{v:.4}"));
        line = format!(
            "image AUROC {}, pixel AUROC {} on {} test images; {line}",
            figure("image_auroc"),
            figure("pixel_auroc"),
            images.tests.len()
        );
        object["report"] = measured;
        images.warnings.extend(notes);
    }
    object["warnings"] = json!(images.warnings);
    object["seconds"] = json!(start.elapsed().as_secs_f64());
    // the run is whole: nothing is left to resume
    std::fs::remove_file(args.out.join(CHECKPOINT)).ok();
    console.result(&line, &object);
    Ok(if images.not_read > 0 { 3 } else { 0 })
}

/// What both presets leave.
struct Trained {
    detector: Arc<dyn Detector>,
    /// What was chosen, for programs.
    choice: Option<Value>,
    /// Halves of the detector, for ablations.
    halves: Vec<(&'static str, Arc<dyn Detector>)>,
    /// As text.
    params: Box<dyn Debug>,
}

fn side(args: &TrainArgs) -> usize {
    args.side.unwrap_or(match args.preset {
        Preset::Evidence => EvidenceParams::default().max_side(),
        Preset::Bilevel => 288,
    })
}

/// Refuses flags that say nothing to the detector that is trained.
fn refuse_flags_of_other(args: &TrainArgs) -> Result<()> {
    if args.backbone.backbone.is_some() && args.preset == Preset::Bilevel {
        return Err("--backbone is of the evidence detector: leave --preset or --backbone out".into());
    }
    if args.lighting && args.preset == Preset::Bilevel {
        return Err("--lighting is of the preset evidence: leave --preset or --lighting out".into());
    }
    if args.align && args.preset == Preset::Bilevel {
        return Err("--align is of the preset evidence: leave --preset or --align out".into());
    }
    let given = [
        ("--epochs", args.epochs.is_some()),
        ("--weighting", args.weighting.is_some()),
        ("--resume", args.resume),
        ("--ablations", args.ablations),
    ];
    if args.preset == Preset::Bilevel && args.defects.is_some() {
        return Err("--defects is of the default training: leave out --preset bilevel-2026-11".into());
    }
    match given.into_iter().find(|(_, given)| *given && args.preset == Preset::Evidence) {
        None => Ok(()),
        Some((flag, _)) => {
            Err(format!("{flag} is of the training by rounds: add --preset bilevel-2026-11, or leave it out").into())
        }
    }
}

fn train_evidence(
    args: &TrainArgs,
    images: &mut Images,
    source: &PipelineSource<'_>,
    real: Option<&RealDefects>,
    backbone: Arc<dyn Backbone>,
    console: &Console,
) -> Result<Trained> {
    let side = side(args);
    let ours = EvidenceParams::default();
    let params = ours
        .with_seed(args.seed)
        .with_max_side(side)
        .with_min_side(ours.min_side().min(side))
        .with_alignment(args.align)
        .with_lighting(args.lighting)
        .with_predict_ms(args.max_ms)
        .with_memory_mib(args.max_memory);
    let mut bars = TrainingBars::new(console, args.out.join(CHECKPOINT), String::new());
    let real = real.map(|real| &real.set);
    let outcome = train_with(backbone, &images.normals, source, real, &params, &mut bars);
    drop(bars);
    let EvidenceOutcome { detector, report } = outcome?;
    console.say(&selection::summary(&report, &images.names));
    let warnings = selection::warnings(&report, &images.names);
    warn(console, &warnings);
    images.warnings.extend(warnings);
    write_atomic(args.out.join("selection.csv"), selection::table(&report))?;
    Ok(Trained {
        detector: Arc::new(detector),
        choice: Some(selection::object(&report)),
        halves: Vec::new(),
        params: Box::new(params),
    })
}

fn train_bilevel(
    args: &TrainArgs,
    images: &Images,
    contents: &[String],
    source: &PipelineSource<'_>,
    plant: Option<&Plant>,
    console: &Console,
) -> Result<Trained> {
    let params = params(args);
    let checkpoint = args.out.join(CHECKPOINT);
    let run = identity(images, contents, side(args), params, plant);
    let resume = if args.resume && checkpoint.exists() { Some(Checkpoint::load(&checkpoint, &run)?) } else { None };
    let training = BilevelParams::default().with_detector(params);
    let mut bars = TrainingBars::new(console, checkpoint, run);
    let model = maphc2f::train_bilevel(&images.normals, source, &training, resume, &mut bars);
    drop(bars);
    let model = model?;
    console.say(&summary(&model));
    let detector = model.fitted.detector;
    let half = |fusion| -> Arc<dyn Detector> { Arc::new(detector.with_fusion(fusion)) };
    let halves = [("discriminator", Fusion::Discriminator), ("distance", Fusion::Distance)];
    Ok(Trained {
        halves: halves.map(|(name, fusion)| (name, half(fusion))).into(),
        detector: Arc::new(detector),
        choice: None,
        params: Box::new(params),
    })
}

fn params(args: &TrainArgs) -> TrainParams {
    let mut params = TrainParams::default().with_seed(args.seed);
    if let Some(rounds) = args.epochs {
        params = params.with_rounds(rounds);
    }
    if let Some(weighting) = args.weighting {
        params = params.with_weighting(weighting.into());
    }
    params
}

fn load(args: &TrainArgs) -> Result<Images> {
    if args.report {
        let (category, policy) = (args.category.as_deref(), policy(args.skip_faulty));
        let reader = PhotoReader::new(args.window);
        let Category { name, normals, names, tests, findings, .. } =
            Category::load_with(&reader, &Mvtec, &args.normals, category, side(args), policy).map_err(with_flag)?;
        let warnings = findings.iter().map(ToString::to_string).collect();
        return Ok(Images { name, normals, names, tests, warnings, not_read: 0 });
    }
    let photos = PhotoSet::find(&args.normals, args.category.as_deref(), None)?.with_window(args.window);
    if args.strict {
        refuse_not_read(photos.not_read())?;
    }
    let paths = photos.paths();
    let name = args.category.clone().unwrap_or_else(|| name_of(&args.normals));
    let names = paths.iter().map(|path| path.display().to_string()).collect();
    let normals = load_normals_with(photos.reader(), &paths, side(args))?;
    let not_read = photos.not_read();
    let warnings = photos.notes().into_iter().chain(not_read.iter().map(ToString::to_string)).collect();
    Ok(Images { name, normals, names, tests: Vec::new(), warnings, not_read: not_read.len() })
}

/// Refuses an output folder among the photos: a later run would take its pictures for photos.
fn refuse_inside(out: &Path, photos: &[String]) -> Result<()> {
    let folders: BTreeSet<&Path> = photos.iter().filter_map(|photo| Path::new(photo).parent()).collect();
    match folders.into_iter().find(|folder| lies_in(out, folder)) {
        None => Ok(()),
        Some(folder) => {
            let (out, folder) = (out.display(), folder.display());
            Err(format!("{out}: lies among the photos of {folder}; choose another folder for --out").into())
        }
    }
}

/// SHA-256 of a photo's size and values.
fn content(photo: &Array3<f32>) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{:?}", photo.dim()));
    for row in photo.outer_iter() {
        hash.update(row.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A warning for each photo that is the same as an earlier one.
fn copies(names: &[String], contents: &[String]) -> Vec<String> {
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    let mut warnings = Vec::new();
    for (name, content) in names.iter().zip(contents) {
        let earlier = *first.entry(content).or_insert(name);
        if earlier != name {
            warnings.push(format!(
                "{name}: the same picture as {earlier}; remove one, or the threshold rests on a photo that was trained \
                 on"
            ));
        }
    }
    warnings
}

/// What a checkpoint belongs to, in lines: settings, then the content and the name of each photo.
fn identity(images: &Images, contents: &[String], side: usize, params: TrainParams, plant: Option<&Plant>) -> String {
    let mut lines = vec![format!("{}, side {side}", images.name), format!("{params:?}")];
    lines.extend(plant.map(|plant| format!("{plant:?}")));
    lines.extend(contents.iter().zip(&images.names).map(|(content, name)| {
        let name = Path::new(name).file_name().unwrap_or_default().to_string_lossy().escape_debug().to_string();
        format!("{name} {content}")
    }));
    lines.join("\n")
}

fn name_of(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// How training went, for people.
fn summary(model: &BilevelModel) -> String {
    let (warm, report) = (&model.warm_start, &model.fitted.report);
    let split = report.split;
    let mut text = format!(
        "quality: ranks {:.0} % of held-out coarse-to-fine pairs correctly ({:.0} % of its training pairs)\n\
         good photos: {} to train, {} to validate, {} to calibrate; {} positions compared; \
         {} defects sampled",
        100.0 * warm.held_out_accuracy,
        100.0 * warm.training_accuracy,
        split.training,
        split.validation,
        split.calibration,
        report.positions,
        report.synthetic
    );
    if let (Some(first), Some(last)) = (report.rounds.first(), report.rounds.last()) {
        text += &format!(
            "\ntraining: loss {:.3} -> {:.3}, held-out mechanism {:.3} -> {:.3}, effective samples {:.0} %",
            first.loss,
            last.loss,
            first.upper_loss,
            last.upper_loss,
            100.0 * last.ess_fraction
        );
    }
    text
}

/// Measures the detector on the test images and writes the report files; returns the metrics and notes on them.
fn report(
    args: &TrainArgs,
    images: &Images,
    detector: &Arc<dyn Detector>,
    halves: &[(&'static str, Arc<dyn Detector>)],
    params: &dyn Debug,
    console: &Console,
) -> Result<(Value, Vec<String>)> {
    let detector = detector.as_ref();
    let bar = console.bar("test images", images.tests.len() as u64);
    let evaluation = evaluate(detector, &images.name, &images.tests, &|_| bar.inc(1));
    bar.finish_and_clear();
    let mut evaluation = evaluation?;
    console.say(&format!("\n{}", evaluation.report));
    let notes = evaluation.report.notes();
    warn(console, &notes);
    let mut measured = metrics(&evaluation.report);
    measured["test_images"] = json!(images.tests.len());
    if args.ablations {
        for (name, half) in halves {
            let half = evaluate(half.as_ref(), &images.name, &images.tests, &|_| ())?;
            let half = metrics(&half.report);
            console.say(&format!("ablation {name}: {half}"));
            measured["ablations"][*name] = half;
        }
    }
    hardest_images(&images.tests, &evaluation, Threshold::of(detector, 0.1)?.value)?
        .save(&args.out.join("hardest.png"))?;
    evaluation.report.training_images = Some(images.normals.len());
    let run = RunDescription::new(format!("maphc2f on {}", images.name), args.normals.display().to_string())
        .with_reducer(Reducer::MeanTopFraction(detector.score_share()))
        .with_command(command())
        .with_side(Some(side(args)))
        .with_training(args.seed, params);
    write_report(&args.out, &run, vec![evaluation.report])?;
    console.say_files(&args.out, &["results.html", "results.{csv,json,md,tex}", "hardest.png"]);
    Ok((measured, notes))
}

/// Headline metrics of a report.
pub fn metrics(report: &Report) -> Value {
    let overall = &report.overall;
    json!({
        "image_auroc": overall.image_auroc.map(|figure| figure.value),
        "pixel_auroc": overall.pixels.as_ref().map(|p| p.auroc.value),
    })
}

/// Command line of this process.
pub fn command() -> String {
    std::env::args_os().map(|arg| PathBuf::from(arg).display().to_string()).collect::<Vec<_>>().join(" ")
}
