//! `maphc2f inspect`: scores a folder of photos.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use maphc2f::bisqad::{self, Detector, Threshold};
use maphc2f::frozen_backbone::EfficientNetLite0;
use maphc2f::{inspect_folder, list_photos};
use serde_json::json;

use crate::Result;
use crate::args::InspectArgs;
use crate::console::Console;
use crate::threshold;

/// Reads a detector that `train` wrote.
pub fn load(model: &Path) -> Result<Arc<dyn Detector>> {
    Ok(bisqad::load(model, &[Arc::new(EfficientNetLite0::pretrained()?)])?)
}

pub fn run(args: &InspectArgs, console: &Console) -> Result<u8> {
    let detector = load(&args.model)?;
    let chosen = match args.threshold {
        Some(_) => None,
        None => Some(chosen(detector.as_ref(), args.false_positive_rate, console)?),
    };
    let threshold = args.threshold.or(chosen.map(|chosen| chosen.value)).unwrap_or(f64::NAN);
    let photos = list_photos(&args.images)?;
    let bar = console.bar("photos", photos.len() as u64);
    let start = Instant::now();
    let scores = inspect_folder(detector.as_ref(), &photos, threshold, &args.out, &|| bar.inc(1));
    bar.finish_and_clear();
    let (scores, seconds) = (scores?, start.elapsed().as_secs_f64());
    for reason in scores.iter().filter_map(|s| s.as_ref().err()) {
        console.say(&format!("skipped: {}", reason.to_string().replace('\n', "; ")));
    }
    console.say_files(&args.out, &["scores.csv", "heat/"]);
    let unreadable = scores.iter().filter(|s| s.is_err()).count();
    let anomalous = scores.iter().flatten().filter(|s| **s > threshold).count();
    if unreadable == photos.len() {
        return Err("no photo could be read".into());
    }
    let object = json!({
        "images": photos.len(),
        "anomalous": anomalous,
        "unreadable": unreadable,
        "threshold": threshold,
        "chosen": chosen.as_ref().map(threshold::object).transpose()?,
        "images_per_second": (photos.len() - unreadable) as f64 / seconds.max(1e-9),
        "out": args.out,
    });
    let line = format!("{anomalous} of {} photos above {threshold:.4}; {unreadable} unreadable", photos.len());
    console.result(&line, &object);
    Ok(if anomalous > 0 { 1 } else { 3 * u8::from(unreadable > 0) })
}

/// The threshold for a rate of false positives, said with its interval.
fn chosen(detector: &dyn Detector, rate: f64, console: &Console) -> Result<Threshold> {
    let threshold = Threshold::of(detector, rate)?;
    console.say(&threshold::describe(&threshold)?);
    Ok(threshold)
}
