//! Scores a folder of photos with a saved detector.
//!
//! `cargo run --release --example inspect -- --model detector.safetensors --images FOLDER [--out FOLDER]
//! [--false-positive-rate R | --threshold T]`
//!
//! Writes `scores.csv` (one line a photo, unreadable ones with the reason) and a heat map beside each photo's copy under
//! `heat/`. Exit code 0: no photo above the threshold; 1: at least one; 2: nothing could be inspected; 3: none above it, but
//! some could not be read.

mod common;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use common::{bar, finish_with, number, say, tell_files};
use maphc2f::bisqad;
use maphc2f::frozen_backbone::EfficientNetLite0;
use maphc2f::{inspect_folder, list_photos};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Share of good photos that may be called anomalous, unless told otherwise.
const FALSE_POSITIVE_RATE: f64 = 0.05;
/// Of the interval that is told with the threshold.
const CONFIDENCE: f64 = 0.95;

fn main() -> ExitCode {
    finish_with(run())
}

struct Options {
    model: PathBuf,
    images: PathBuf,
    out: PathBuf,
    false_positive_rate: f64,
    threshold: Option<f64>,
}

fn options() -> Result<Options> {
    let (mut model, mut images, mut out) = (None, None, PathBuf::from("target/inspect"));
    let (mut rate, mut threshold) = (None, None);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("model") => model = Some(PathBuf::from(args.value()?)),
            lexopt::Arg::Long("images") => images = Some(PathBuf::from(args.value()?)),
            lexopt::Arg::Long("out") => out = args.value()?.into(),
            lexopt::Arg::Long("false-positive-rate") => rate = Some(finite(&mut args, "false-positive-rate")?),
            lexopt::Arg::Long("threshold") => threshold = Some(finite(&mut args, "threshold")?),
            _ => return Err(arg.unexpected().into()),
        }
    }
    if rate.is_some() && threshold.is_some() {
        return Err("give --threshold or --false-positive-rate, not both".into());
    }
    Ok(Options {
        model: model.ok_or("--model is missing: name a detector file, such as `mvtec` writes")?,
        images: images.ok_or("--images is missing: name a folder of photos")?,
        out,
        false_positive_rate: rate.unwrap_or(FALSE_POSITIVE_RATE),
        threshold,
    })
}

fn finite(args: &mut lexopt::Parser, name: &str) -> Result<f64> {
    let value: f64 = number(args, name)?;
    if value.is_finite() { Ok(value) } else { Err(format!("--{name} {value}: not a number").into()) }
}

/// The last line, and the exit code.
fn run() -> Result<(String, u8)> {
    let options = options()?;
    let detector = bisqad::load(&options.model, &[Arc::new(EfficientNetLite0::pretrained()?)])?;
    let threshold = match options.threshold {
        Some(value) => value,
        None => {
            let t = bisqad::Threshold::of(detector.as_ref(), options.false_positive_rate)?;
            let (low, high) = t.interval(CONFIDENCE)?;
            say(&format!(
                "threshold {:.4}: calls at most {:.1} % of {} held-out good photos anomalous, and of all good photos {:.1} to {:.1} % \
                 (with {:.0} % confidence)",
                t.value,
                100.0 * t.false_positive_rate,
                t.normals,
                100.0 * low,
                100.0 * high,
                100.0 * CONFIDENCE
            ));
            t.value
        }
    };
    let photos = list_photos(&options.images)?;
    let progress = bar("photos", photos.len());
    let start = Instant::now();
    let scores = inspect_folder(detector.as_ref(), &photos, threshold, &options.out, &|| progress.inc(1))?;
    let seconds = start.elapsed().as_secs_f64();
    progress.finish_and_clear();

    let (mut anomalous, mut unreadable) = (0, 0);
    for score in &scores {
        match score {
            Ok(score) => anomalous += usize::from(*score > threshold),
            Err(reason) => {
                unreadable += 1;
                say(&format!("skipped: {reason}"));
            }
        }
    }
    tell_files(&options.out, &["scores.csv", "heat/"]);
    if unreadable == photos.len() {
        return Err("no photo could be read".into());
    }
    let code = if anomalous > 0 {
        1
    } else if unreadable > 0 {
        3
    } else {
        0
    };
    let line = format!(
        "result images={} anomalous={anomalous} unreadable={unreadable} images_per_second={:.1}",
        photos.len(),
        (photos.len() - unreadable) as f64 / seconds
    );
    Ok((line, code))
}
