//! `maphc2f train`, `evaluate` and `inspect`: the main job, as a program.

use std::sync::Arc;

use indicatif::ProgressBar;
use maphc2f::adbench::dataset::Policy;
use maphc2f::adbench::loaders::{Layout, Mvtec};
use maphc2f::bisqad::{self, Detector, Observe, Persist, Progress, Threshold, TrainParams};
use maphc2f::factory::PhotoSet;
use maphc2f::frozen_backbone::EfficientNetLite0;
use maphc2f::{
    MATERIALS, Pipeline, PipelineSource, TestImage, TrainingParams, inspect_folder, list_photos, load_photo,
    prepare_folder, shrink_to_side,
};
use ndarray::Array3;
use serde_json::json;

use crate::Result;
use crate::args::{EvaluateArgs, InspectArgs, TrainArgs};
use crate::console::Console;

/// A bar over the steps of training.
struct Steps(ProgressBar);

impl Observe for Steps {
    fn progress(&mut self, progress: Progress) {
        if let Progress::Step { done, total, .. } = progress {
            self.0.set_length(total as u64);
            self.0.set_position(done as u64);
        }
    }
}

pub fn train(args: &TrainArgs, console: &Console) -> Result<u8> {
    let sources = PhotoSet::find(&args.normals, args.category.as_deref(), None)?;
    let paths = sources.paths();
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let photos = paths.iter().map(|path| load_photo(path));
    let photos: Vec<Array3<f32>> = photos.collect::<std::result::Result<_, _>>()?;
    let side = args.side;
    let normals: Vec<Array3<f32>> =
        photos.iter().map(|p| shrink_to_side(p.view(), side)).collect::<std::result::Result<_, _>>()?;
    drop(photos);
    let mut detector = TrainParams::default().with_seed(args.seed);
    if let Some(rounds) = args.epochs {
        detector = detector.with_rounds(rounds);
    }
    let training = TrainingParams::default().with_detector(detector);
    let pipeline = Pipeline::physical(&MATERIALS)?;
    let source = PipelineSource::new(&pipeline, &normals, &names, args.seed)?;
    prepare_folder(&args.out)?;
    console.say(&format!("{} good photos, shorter side at most {side} px", normals.len()));
    let mut steps = Steps(console.bar("training", 0));
    let model = maphc2f::train(&normals, &source, &training, None, &mut steps);
    steps.0.finish_and_clear();
    let model = model?;
    model.fitted.detector.save(&args.out.join("detector.safetensors"))?;
    model.quality.save(&args.out.join("quality.safetensors"))?;
    let ranked = model.warm_start.held_out_accuracy;
    let object = json!({ "images": normals.len(), "side": side, "quality_pair_accuracy": ranked, "out": args.out });
    let line = format!("detector.safetensors and quality.safetensors in {}", args.out.display());
    console.result(&line, &object);
    Ok(0)
}

fn load(model: &std::path::Path) -> Result<Arc<dyn Detector>> {
    Ok(bisqad::load(model, &[Arc::new(EfficientNetLite0::pretrained()?)])?)
}

pub fn evaluate(args: &EvaluateArgs, console: &Console) -> Result<u8> {
    let dataset = Mvtec.index(&args.data, None, Policy::Strict)?.validate()?;
    let detector = load(&args.model)?;
    let tests = dataset.test().samples().iter().map(TestImage::read);
    let tests: Vec<TestImage> = tests.collect::<std::result::Result<_, _>>()?;
    let bar = console.bar("test images", tests.len() as u64);
    let evaluation = maphc2f::evaluate(detector.as_ref(), dataset.category(), &tests, &|_| bar.inc(1));
    bar.finish_and_clear();
    let report = evaluation?.report;
    let overall = &report.overall;
    let object = json!({
        "images": tests.len(),
        "image_auroc": overall.image_auroc.value,
        "pixel_auroc": overall.pixels.as_ref().map(|p| p.auroc.value),
    });
    console.result(&report, &object);
    Ok(0)
}

pub fn inspect(args: &InspectArgs, console: &Console) -> Result<u8> {
    let detector = load(&args.model)?;
    let threshold = match args.threshold {
        Some(value) => value,
        None => Threshold::of(detector.as_ref(), args.false_positive_rate)?.value,
    };
    let photos = list_photos(&args.images)?;
    let bar = console.bar("photos", photos.len() as u64);
    let scores = inspect_folder(detector.as_ref(), &photos, threshold, &args.out, &|| bar.inc(1));
    bar.finish_and_clear();
    let scores = scores?;
    for reason in scores.iter().filter_map(|s| s.as_ref().err()) {
        console.say(&format!("skipped: {reason}"));
    }
    let unreadable = scores.iter().filter(|s| s.is_err()).count();
    let anomalous = scores.iter().flatten().filter(|s| **s > threshold).count();
    if unreadable == photos.len() {
        return Err("no photo could be read".into());
    }
    let object = json!({
        "images": photos.len(), "anomalous": anomalous, "unreadable": unreadable, "threshold": threshold, "out": args.out
    });
    let line = format!("{anomalous} of {} photos above {threshold:.4}; {unreadable} unreadable", photos.len());
    console.result(&line, &object);
    Ok(if anomalous > 0 { 1 } else { 3 * u8::from(unreadable > 0) })
}
