//! `maphc2f inspect`: scores a folder of photos.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use maphc2f::bisqad::{self, Detector, Threshold};
use maphc2f::frozen_backbone::EfficientNetLite0;
use maphc2f::imgkit::file::escaped;
use maphc2f::imgkit::image_io::read_photo;
use maphc2f::{PhotoReader, inspect_folder, list_photos, refuse_not_read};
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
    let list = list_photos(&args.images)?;
    if args.strict {
        refuse_not_read(&list.not_read)?;
        list.photos.iter().try_for_each(|photo| read_photo(photo).map(drop))?;
    }
    let bar = console.bar("photos", list.photos.len() as u64);
    let start = Instant::now();
    let reader = PhotoReader::new(args.window.or(detector.provenance().window()));
    let scores = inspect_folder(detector.as_ref(), &reader, &list, threshold, &args.out, &|| bar.inc(1));
    bar.finish_and_clear();
    for note in reader.notes() {
        console.say(&format!("note: {note}"));
    }
    for file in &list.not_read {
        console.say(file);
    }
    let (scores, seconds) = (scores?, start.elapsed().as_secs_f64());
    for reason in scores.iter().filter_map(|s| s.as_ref().err()) {
        console.say(&format!("skipped: {}", reason.to_string().replace('\n', "; ")));
    }
    console.say_files(&args.out, &["scores.csv", "heat/"]);
    let unreadable = scores.iter().filter(|s| s.is_err()).count();
    let anomalous = scores.iter().flatten().filter(|s| **s > threshold).count();
    if unreadable == list.photos.len() {
        return Err("no photo could be read".into());
    }
    let (images, not_read) = (list.photos.len(), list.not_read.len());
    let object = json!({
        "images": images,
        "anomalous": anomalous,
        "unreadable": unreadable,
        "not_read": not_read,
        "threshold": threshold,
        "chosen": chosen.as_ref().map(threshold::object).transpose()?,
        "images_per_second": (images - unreadable) as f64 / seconds.max(1e-9),
        "out": escaped(&args.out),
    });
    let line = format!(
        "{anomalous} of {images} photos above {threshold:.4}; {unreadable} unreadable, {not_read} files not looked at"
    );
    console.result(&line, &object);
    Ok(if anomalous > 0 { 1 } else { 3 * u8::from(unreadable + not_read > 0) })
}

/// The threshold for a rate of false positives, said with its interval.
fn chosen(detector: &dyn Detector, rate: f64, console: &Console) -> Result<Threshold> {
    let threshold = Threshold::of(detector, rate)?;
    console.say(&threshold::describe(&threshold)?);
    Ok(threshold)
}
