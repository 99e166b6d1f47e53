//! `maphc2f evaluate`: measures a detector on labeled test images.

use maphc2f::adbench::dataset::{DatasetError, Policy};
use maphc2f::adbench::loaders::{Layout, Mvtec};
use maphc2f::bisqad::Threshold;
use maphc2f::{Error, PhotoReader, RunDescription, TestImage, hardest_images, prepare_folder, write_report};
use serde_json::json;

use crate::Result;
use crate::args::EvaluateArgs;
use crate::console::Console;
use crate::inspect::load;
use crate::train::{command, metrics};

pub fn run(args: &EvaluateArgs, console: &Console) -> Result<u8> {
    let detector = load(&args.model)?;
    let dataset = Mvtec.index(&args.data, None, policy(args.skip_faulty)).and_then(|data| data.validate());
    let dataset = dataset.map_err(|e| with_flag(e.into()))?;
    let mut warnings: Vec<String> = dataset.findings().iter().map(ToString::to_string).collect();
    warn(console, &warnings);
    let reader = PhotoReader::new(args.window.or(detector.provenance().window()));
    let tests = dataset.test().samples().iter().map(|sample| TestImage::read_with(&reader, sample));
    let tests: Vec<TestImage> = tests.collect::<std::result::Result<_, _>>()?;
    if let Some(out) = &args.out {
        prepare_folder(out)?;
    }
    let bar = console.bar("test images", tests.len() as u64);
    let evaluation = maphc2f::evaluate(detector.as_ref(), dataset.category(), &tests, &|_| bar.inc(1));
    bar.finish_and_clear();
    let evaluation = evaluation?;
    let notes = evaluation.report.notes();
    warn(console, &notes);
    warnings.extend(notes);
    let mut object = metrics(&evaluation.report);
    object["images"] = json!(tests.len());
    object["warnings"] = json!(warnings);
    let text = evaluation.report.to_string();
    if let Some(out) = &args.out {
        let threshold = Threshold::of(detector.as_ref(), 0.1)?.value;
        hardest_images(&tests, &evaluation, threshold)?.save(&out.join("hardest.png"))?;
        let run = RunDescription::new(format!("maphc2f on {}", dataset.category()), args.data.display().to_string())
            .with_command(command())
            .with_side(detector.provenance().training_side());
        write_report(out, &run, vec![evaluation.report])?;
        console.say_files(out, &["results.html", "results.{csv,json,md,tex}", "hardest.png"]);
    }
    console.result(&text, &object);
    Ok(0)
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
