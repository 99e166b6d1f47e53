//! `maphc2f train`: trains a detector, and measures it on request.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use maphc2f::adbench::loaders::Mvtec;
use maphc2f::adbench::report::Report;
use maphc2f::bisqad::{Checkpoint, Fusion, Persist, Threshold, TrainParams, Windowed};
use maphc2f::factory::PhotoSet;
use maphc2f::imgkit::file::escaped;
use maphc2f::{
    Category, MATERIALS, PhotoReader, Pipeline, PipelineSource, RunDescription, TestImage, TrainedModel,
    TrainingParams, evaluate, hardest_images, load_normals_with, prepare_folder, refuse_not_read, write_report,
};
use ndarray::Array3;
use serde_json::{Value, json};

use crate::Result;
use crate::args::TrainArgs;
use crate::console::{Console, TrainingBars};

/// Images of a run.
struct Images {
    name: String,
    normals: Vec<Array3<f32>>,
    names: Vec<String>,
    /// With `--report`.
    tests: Vec<TestImage>,
    /// Files beside the photos that look like images.
    not_read: usize,
}

pub fn run(args: &TrainArgs, console: &Console) -> Result<u8> {
    let start = Instant::now();
    let images = load(args, console)?;
    let params = params(args);
    let pipeline = Pipeline::physical(&MATERIALS)?;
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
    let window = args.window.map(|window| window.to_string()).unwrap_or_default();
    let run = format!("{} {} {} {params:?} {window}", images.name, args.side, images.normals.len());
    let resume = if args.resume && checkpoint.exists() { Some(Checkpoint::load(&checkpoint, &run)?) } else { None };
    let training = TrainingParams::default().with_detector(params);
    let mut bars = TrainingBars::new(console, checkpoint.clone(), run);
    let model = maphc2f::train(&images.normals, &source, &training, resume, &mut bars);
    drop(bars);
    let model = model?;
    console.say(&summary(&model));
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
        "not_read": images.not_read,
        "out": escaped(&args.out),
    });
    let mut line = format!("detector.safetensors and quality.safetensors in {}", args.out.display());
    if args.report {
        let measured = report(args, &images, params, &model, console)?;
        line = format!(
            "image AUROC {:.4}, pixel AUROC {:.4} on {} test images; {line}",
            measured["image_auroc"].as_f64().unwrap_or(f64::NAN),
            measured["pixel_auroc"].as_f64().unwrap_or(f64::NAN),
            images.tests.len()
        );
        object["report"] = measured;
    }
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

fn load(args: &TrainArgs, console: &Console) -> Result<Images> {
    if args.report {
        let reader = PhotoReader::new(args.window);
        let Category { name, normals, names, tests, findings, .. } =
            Category::load_with(&reader, &Mvtec, &args.normals, args.category.as_deref(), args.side)?;
        for finding in findings {
            console.say(&format!("note: {finding}"));
        }
        return Ok(Images { name, normals, names, tests, not_read: 0 });
    }
    let photos = PhotoSet::find(&args.normals, args.category.as_deref(), None)?.with_window(args.window);
    if args.strict {
        refuse_not_read(photos.not_read())?;
    }
    let paths = photos.paths();
    let name = args.category.clone().unwrap_or_else(|| name_of(&args.normals));
    let names = paths.iter().map(|path| path.display().to_string()).collect();
    let normals = load_normals_with(photos.reader(), &paths, args.side)?;
    console.say_photos(&photos);
    Ok(Images { name, normals, names, tests: Vec::new(), not_read: photos.not_read().len() })
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

/// Measures the detector on the test images and writes the report files; returns the metrics.
fn report(
    args: &TrainArgs,
    images: &Images,
    params: TrainParams,
    model: &TrainedModel,
    console: &Console,
) -> Result<Value> {
    let detector = &model.fitted.detector;
    let bar = console.bar("test images", images.tests.len() as u64);
    let evaluation = evaluate(detector, &images.name, &images.tests, &|_| bar.inc(1));
    bar.finish_and_clear();
    let mut evaluation = evaluation?;
    console.say(&format!("\n{}", evaluation.report));
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
    Ok(measured)
}

/// Headline metrics of a report.
pub fn metrics(report: &Report) -> Value {
    let overall = &report.overall;
    json!({
        "image_auroc": overall.image_auroc.value,
        "pixel_auroc": overall.pixels.as_ref().map(|p| p.auroc.value),
    })
}

/// Command line of this process.
pub fn command() -> String {
    std::env::args_os().map(|arg| PathBuf::from(arg).display().to_string()).collect::<Vec<_>>().join(" ")
}
