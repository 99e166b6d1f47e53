//! `maphc2f evaluate`: measures a detector on labeled test images.

use maphc2f::adbench::dataset::{Dataset, DatasetError, Policy};
use maphc2f::adbench::loaders::{Detected, LAYOUTS, Layout, by_name, detect_with_reason};
use maphc2f::adbench::metrics::Reducer;
use maphc2f::adbench::report::Row;
use maphc2f::bisqad::{Detector, Threshold};
use maphc2f::imgkit::file::escaped;
use maphc2f::{
    DatasetFigures, Error, PhotoReader, RunDescription, TestImage, hardest_images, prepare_folder, write_maps,
    write_report,
};
use serde_json::{Value, json};

use crate::Result;
use crate::args::EvaluateArgs;
use crate::config::nearest;
use crate::console::Console;
use crate::train::{command, metrics};

pub fn run(args: &EvaluateArgs, console: &Console) -> Result<u8> {
    let detector = args.backbone.load(&args.model)?;
    let layout = layout(args, console)?;
    let policy = policy(args.skip_faulty);
    let dataset = layout.index(&args.data, args.category.as_deref(), policy).and_then(|data| data.validate());
    let dataset = dataset.map_err(|e| with_flag(e.into()))?;
    let mut warnings: Vec<String> = dataset.findings().iter().map(ToString::to_string).collect();
    warn(console, &warnings);
    let reader = PhotoReader::new(args.window.or(detector.provenance().window()));
    if dataset.test().samples().iter().any(|sample| !sample.is_labeled()) {
        return maps(detector.as_ref(), layout, &dataset, &reader, &warnings, args, console);
    }
    let tests = dataset.test().samples().iter().map(|sample| TestImage::read_with(&reader, sample));
    let tests: Vec<TestImage> = tests.collect::<std::result::Result<_, _>>()?;
    if let Some(out) = &args.out {
        prepare_folder(out)?;
    }
    let bar = console.bar("test images", tests.len() as u64);
    let evaluation = maphc2f::evaluate(detector.as_ref(), dataset.category(), &tests, &|_| bar.inc(1));
    bar.finish_and_clear();
    let evaluation = evaluation?;
    let threshold = args.pixel_threshold;
    let figures = DatasetFigures::of(detector.as_ref(), &reader, &dataset, &tests, &evaluation, threshold)?;
    let notes = evaluation.report.notes();
    warn(console, &notes);
    warnings.extend(notes);
    let mut object = metrics(&evaluation.report);
    object["layout"] = json!(layout.name());
    object["images"] = json!(tests.len());
    object["au_pro_0.05"] = json!(evaluation.report.overall.pixels.map(|p| p.au_pro_05.value));
    object["kinds"] = evaluation.report.kinds.iter().map(|row| (row.name.clone(), kind(row))).collect();
    object["objects"] = json!(
        figures
            .objects
            .map(|found| { json!({ "objects": found.objects, "anomalous": found.anomalous, "auroc": found.auroc }) })
    );
    object["au_spro_0.05"] = figures.au_spro.iter().map(|(name, figure)| (name.clone(), json!(figure))).collect();
    object["seg_f1"] = json!(figures.seg_f1.map(|found| {
        let images = found.validation_images;
        json!({ "f1": found.f1, "pixel_threshold": found.threshold, "validation_images": images })
    }));
    object["warnings"] = json!(warnings);
    let text = [vec![evaluation.report.to_string()], figures.lines()].concat().join("\n");
    if let Some(out) = &args.out {
        let threshold = Threshold::of(detector.as_ref(), 0.1)?.value;
        hardest_images(&tests, &evaluation, threshold)?.save(&out.join("hardest.png"))?;
        let run = RunDescription::new(format!("maphc2f on {}", dataset.category()), args.data.display().to_string())
            .with_reducer(Reducer::MeanTopFraction(detector.score_share()))
            .with_command(command())
            .with_side(detector.provenance().training_side());
        write_report(out, &run, vec![evaluation.report])?;
        console.say_files(out, &["results.html", "results.{csv,json,md,tex}", "hardest.png"]);
    }
    console.result(&text, &object);
    Ok(0)
}

/// The layout asked for, or the one that is found, with what shows it.
fn layout(args: &EvaluateArgs, console: &Console) -> Result<&'static dyn Layout> {
    if args.layout == "auto" {
        let Detected { layout, reason, .. } = detect_with_reason(&args.data)?;
        console.say(&format!("layout {}: {reason}", layout.name()));
        return Ok(layout);
    }
    let known: Vec<&str> = ["auto"].into_iter().chain(LAYOUTS.iter().map(|layout| layout.name())).collect();
    by_name(&args.layout).ok_or_else(|| format!("no layout `{}`{}", args.layout, nearest(&args.layout, &known)).into())
}

/// Scores images without labels.
fn maps(
    detector: &dyn Detector,
    layout: &dyn Layout,
    dataset: &Dataset,
    reader: &PhotoReader,
    warnings: &[String],
    args: &EvaluateArgs,
    console: &Console,
) -> Result<u8> {
    let count = dataset.test().len();
    let Some(out) = &args.out else {
        return Err(format!("the {count} test images have no labels: name a folder for their maps (--out)").into());
    };
    prepare_folder(out)?;
    let bar = console.bar("test images", count as u64);
    let written = write_maps(detector, reader, dataset, out, &|| bar.inc(1));
    bar.finish_and_clear();
    let images = written?;
    console.say_files(out, &["scores.csv", "maps/"]);
    let line = format!("{}: {images} images without labels, maps and no figures", dataset.category());
    let object = json!({ "layout": layout.name(), "images": images, "warnings": warnings, "out": escaped(out) });
    console.result(&line, &object);
    Ok(0)
}

/// The figures of a kind.
fn kind(row: &Row) -> Value {
    json!({
        "images": row.anomalous,
        "image_auroc": row.image_auroc.map(|figure| figure.value),
        "pixel_auroc": row.pixels.map(|p| p.auroc.value),
        "au_pro_0.05": row.pixels.map(|p| p.au_pro_05.value),
    })
}

/// What is done about faulty samples.
pub fn policy(skip_faulty: bool) -> Policy {
    if skip_faulty { Policy::Skip } else { Policy::Strict }
}

/// Prints warnings, one line each.
pub fn warn(console: &Console, warnings: &[String]) {
    warnings.iter().for_each(|warning| console.say(&format!("warning: {warning}")));
}

/// The error, with the flag that leaves faulty samples out where that helps.
pub fn with_flag(error: Error) -> Box<dyn std::error::Error> {
    match error {
        Error::Dataset(DatasetError::Findings(list)) => format!("{list}; --skip-faulty leaves them out").into(),
        other => other.into(),
    }
}
