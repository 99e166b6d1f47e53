//! `maphc2f train`: trains a detector, and measures it on request.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use maphc2f::adbench::loaders::Mvtec;
use maphc2f::adbench::report::Report;
use maphc2f::bisqad::{Checkpoint, Fusion, Persist, Threshold, TrainParams, Windowed};
use maphc2f::factory::{PhotoSet, Plant};
use maphc2f::imgkit::file::{escaped, lies_in};
use maphc2f::{
    Category, MATERIALS, PhotoReader, Pipeline, PipelineSource, RunDescription, TestImage, TrainedModel,
    TrainingParams, evaluate, hardest_images, load_normals_with, prepare_folder, refuse_not_read, write_report,
};
use ndarray::Array3;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Result;
use crate::args::TrainArgs;
use crate::console::{Console, TrainingBars};
use crate::evaluate::{policy, warn, with_flag};
use crate::threshold;

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
    let start = Instant::now();
    let mut images = load(args)?;
    refuse_inside(&args.out, &images.names)?;
    let contents: Vec<String> = images.normals.iter().map(content).collect();
    images.warnings.extend(copies(&images.names, &contents));
    warn(console, &images.warnings);
    let params = params(args);
    let plant = args.calibration.as_deref().map(Plant::read).transpose()?;
    let pipeline = match &plant {
        Some(plant) => plant.pipeline(&MATERIALS)?,
        None => Pipeline::physical(&MATERIALS)?,
    };
    let source = PipelineSource::new(&pipeline, &images.normals, &images.names, args.seed)?;
    prepare_folder(&args.out)?;
    console.say(&format!(
        "{}: {} good photos to train on, {} test images, shorter side at most {} px",
        images.name,
        images.normals.len(),
        images.tests.len(),
        args.side
    ));
    let checkpoint = args.out.join("run.checkpoint");
    let run = identity(&images, &contents, args.side, params, plant.as_ref());
    let resume = if args.resume && checkpoint.exists() { Some(Checkpoint::load(&checkpoint, &run)?) } else { None };
    let training = TrainingParams::default().with_detector(params);
    let mut bars = TrainingBars::new(console, checkpoint.clone(), run);
    let model = maphc2f::train(&images.normals, &source, &training, resume, &mut bars);
    drop(bars);
    let model = model?;
    console.say(&summary(&model));
    let threshold = Threshold::of(&model.fitted.detector, FALSE_POSITIVE_RATE)?;
    console.say(&threshold::describe(&threshold)?);
    let file = args.out.join("detector.safetensors");
    match args.window {
        None => model.fitted.detector.save(&file)?,
        Some(window) => Windowed::new(Arc::new(model.fitted.detector.clone()), window).save(&file)?,
    }
    model.quality.save(&args.out.join("quality.safetensors"))?;
    let mut object = json!({
        "images": images.normals.len(),
        "side": args.side,
        "seed": args.seed,
        "quality_pair_accuracy": model.warm_start.held_out_accuracy,
        "threshold": threshold::object(&threshold)?,
        "not_read": images.not_read,
        "out": escaped(&args.out),
    });
    let mut line = format!("detector.safetensors and quality.safetensors in {}", args.out.display());
    if args.report {
        let (measured, notes) = report(args, &images, params, &model, console)?;
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
    std::fs::remove_file(&checkpoint).ok(); // the run is whole: nothing is left to resume
    console.result(&line, &object);
    Ok(if images.not_read > 0 { 3 } else { 0 })
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
            Category::load_with(&reader, &Mvtec, &args.normals, category, args.side, policy).map_err(with_flag)?;
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
    let normals = load_normals_with(photos.reader(), &paths, args.side)?;
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
fn summary(model: &TrainedModel) -> String {
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
    params: TrainParams,
    model: &TrainedModel,
    console: &Console,
) -> Result<(Value, Vec<String>)> {
    let detector = &model.fitted.detector;
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
        for (name, fusion) in [("discriminator", Fusion::Discriminator), ("distance", Fusion::Distance)] {
            let half = evaluate(&detector.with_fusion(fusion), &images.name, &images.tests, &|_| ())?;
            let half = metrics(&half.report);
            console.say(&format!("ablation {name}: {half}"));
            measured["ablations"][name] = half;
        }
    }
    hardest_images(&images.tests, &evaluation, Threshold::of(detector, 0.1)?.value)?
        .save(&args.out.join("hardest.png"))?;
    evaluation.report.training_images = Some(images.normals.len());
    let run = RunDescription::new(format!("maphc2f on {}", images.name), args.normals.display().to_string())
        .with_command(command())
        .with_side(Some(args.side))
        .with_params(params);
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
