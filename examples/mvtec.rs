//! The main job on a category in MVTec AD layout: trains on `train/good` only, measures on `test`.
//!
//! `cargo run --release --example mvtec -- --root CATEGORY [--seed N] [--epochs N] [--side PX] [--out FOLDER] [--arms] [--resume]
//! [--weighting learnt|shuffled|uniform]`

mod common;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use common::{Bars, bar, finish, number, say, tell_files, tell_training, write_report};
use maphc2f::adbench::dataset::Policy;
use maphc2f::adbench::loaders::{Layout, Mvtec};
use maphc2f::bisqad::{Checkpoint, Detector, Fusion, Persist, Threshold, TrainParams, Weighting};
use maphc2f::{
    Cell, Evaluation, MATERIALS, Pipeline, PipelineSource, Sheet, TestImage, TrainingParams, evaluate, load_photo,
    overlay_heatmap, prepare_folder, shrink_to_side, train,
};
use ndarray::Array3;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    finish(run())
}

struct Options {
    root: PathBuf,
    out: Option<PathBuf>,
    side: usize,
    train: TrainParams,
    arms: bool,
    resume: bool,
}

fn options() -> Result<Options> {
    let mut options = Options {
        root: PathBuf::new(),
        out: None,
        side: 288,
        train: TrainParams::default(),
        arms: false,
        resume: false,
    };
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("root") => options.root = args.value()?.into(),
            lexopt::Arg::Long("out") => options.out = Some(args.value()?.into()),
            lexopt::Arg::Long("seed") => options.train = options.train.with_seed(number(&mut args, "seed")?),
            lexopt::Arg::Long("epochs") => options.train = options.train.with_rounds(number(&mut args, "epochs")?),
            lexopt::Arg::Long("side") => options.side = number(&mut args, "side")?,
            lexopt::Arg::Long("arms") => options.arms = true,
            lexopt::Arg::Long("resume") => options.resume = true,
            lexopt::Arg::Long("weighting") => {
                let weighting = match args.value()?.to_string_lossy().as_ref() {
                    "learnt" => Weighting::Learned,
                    "shuffled" => Weighting::Shuffled,
                    "uniform" => Weighting::Uniform,
                    other => return Err(format!("--weighting {other}: choose learnt, shuffled or uniform").into()),
                };
                options.train = options.train.with_weighting(weighting);
            }
            _ => return Err(arg.unexpected().into()),
        }
    }
    if options.root.as_os_str().is_empty() {
        return Err("--root is missing: name a category folder with train/good and test".into());
    }
    Ok(options)
}

fn run() -> Result<String> {
    let options = options()?;
    let start = Instant::now();
    let dataset = Mvtec.index(&options.root, None, Policy::Strict)?.validate()?;
    for finding in dataset.findings() {
        say(&format!("note: {finding}"));
    }
    let name = dataset.category().to_owned();
    let photos: Vec<Array3<f32>> =
        dataset.train().samples().iter().map(|s| load_photo(s.image_path())).collect::<std::result::Result<_, _>>()?;
    let names: Vec<String> = dataset.train().samples().iter().map(|s| s.image_path().display().to_string()).collect();
    let tests: Vec<TestImage> =
        dataset.test().samples().iter().map(TestImage::read).collect::<std::result::Result<_, _>>()?;
    let out = options.out.clone().unwrap_or_else(|| PathBuf::from("target/mvtec").join(&name));
    let side = options.side;
    let normals: Vec<Array3<f32>> =
        photos.iter().map(|p| shrink_to_side(p.view(), side)).collect::<std::result::Result<_, _>>()?;
    let pipeline = Pipeline::physical(&MATERIALS)?;
    let source = PipelineSource::new(&pipeline, &normals, &names, options.train.seed())?;
    prepare_folder(&out)?;
    say(&format!(
        "{name}: {} good photos to train on, {} test images, shorter side at most {side} px",
        normals.len(),
        tests.len()
    ));

    let params = &options.train;
    let run = format!("{name} {side} {} {params:?}", normals.len());
    let checkpoint = out.join("run.checkpoint");
    let resume = if options.resume && checkpoint.exists() { Some(Checkpoint::load(&checkpoint, &run)?) } else { None };
    let training = TrainingParams::default().with_detector(*params);
    let mut bars = Bars::new(Some((checkpoint.clone(), run)));
    let model = train(&normals, &source, &training, resume, &mut bars)?;
    drop(bars);
    tell_training(&model.warm_start, &model.fitted.report);

    let detector = &model.fitted.detector;
    let progress = bar("test images", tests.len());
    let evaluation = evaluate(detector, &name, &tests, &|_| progress.inc(1))?;
    progress.finish_and_clear();
    say(&format!("\n{}", evaluation.report));
    if options.arms {
        for fusion in [Fusion::Discriminator, Fusion::Distance] {
            let arm = evaluate(&detector.with_fusion(fusion), &name, &tests, &|_| ())?.report.overall;
            let pixel = arm.pixels.map_or(f64::NAN, |p| p.auroc.value);
            say(&format!("arm {fusion:?}: image_auroc={:.4} pixel_auroc={pixel:.4}", arm.image_auroc.value));
        }
    }
    detector.save(&out.join("detector.safetensors"))?;
    model.quality.save(&out.join("quality.safetensors"))?;
    hardest(&tests, &evaluation, Threshold::of(detector, 0.1)?.value as f32)?.save(&out.join("hardest.png"))?;
    std::fs::remove_file(&checkpoint).ok();
    let overall = evaluation.report.overall.clone();
    let mut report = evaluation.report;
    report.training_images = Some(normals.len());
    write_report(&out, &format!("maphc2f on {name}"), options.root.display().to_string(), side, params, vec![report])?;
    let files =
        ["results.html", "results.{csv,json,md,tex}", "hardest.png", "detector.safetensors", "quality.safetensors"];
    tell_files(&out, &files);
    Ok(format!(
        "result image_auroc={:.4} pixel_auroc={:.4} seed={} images={} seconds={:.1}",
        overall.image_auroc.value,
        overall.pixels.map_or(f64::NAN, |p| p.auroc.value),
        params.seed(),
        tests.len(),
        start.elapsed().as_secs_f64()
    ))
}

/// The good images that scored highest and the defects that scored lowest: photo, truth, heat map.
fn hardest(tests: &[TestImage], evaluation: &Evaluation, threshold: f32) -> Result<Sheet> {
    const SHOWN: u32 = 192;
    let ranked = |anomalous: bool| {
        let mut order: Vec<usize> = (0..tests.len()).filter(|&i| tests[i].kind.is_some() == anomalous).collect();
        order.sort_by(|&a, &b| evaluation.images[a].score.total_cmp(&evaluation.images[b].score));
        if !anomalous {
            order.reverse();
        }
        order.truncate(6);
        order
    };
    let mut sheet = Sheet::new(["good, high score", "truth", "heat map", "defect, low score", "truth", "heat map"]);
    for (good, bad) in ranked(false).into_iter().zip(ranked(true)) {
        let cells = [good, bad].into_iter().flat_map(|i| {
            let (test, done) = (&tests[i], &evaluation.images[i]);
            [
                Cell::photo(test.image.view(), SHOWN),
                Cell::mask(test.mask.view(), SHOWN),
                Cell::photo(
                    overlay_heatmap(test.image.view(), &done.map, 0.6 * threshold, 2.0 * threshold).view(),
                    SHOWN,
                ),
            ]
        });
        sheet.push(cells.collect())?;
    }
    Ok(sheet)
}
