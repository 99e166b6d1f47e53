//! `maphc2f evaluate`: measures a detector on labeled test images.

use maphc2f::adbench::dataset::Policy;
use maphc2f::adbench::loaders::{Layout, Mvtec};
use maphc2f::bisqad::Threshold;
use maphc2f::{PhotoReader, RunDescription, TestImage, hardest_images, prepare_folder, write_report};
use serde_json::json;

use crate::Result;
use crate::args::EvaluateArgs;
use crate::console::Console;
use crate::inspect::load;
use crate::train::{command, metrics};

pub fn run(args: &EvaluateArgs, console: &Console) -> Result<u8> {
    let dataset = Mvtec.index(&args.data, None, Policy::Strict)?.validate()?;
    let detector = load(&args.model)?;
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
    let mut object = metrics(&evaluation.report);
    object["images"] = json!(tests.len());
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
