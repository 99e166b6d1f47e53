//! `maphc2f inspect`: scores a folder of photos, or one that fills.

mod lines;
mod watch;

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use maphc2f::bisqad::{Detector, Threshold};
use maphc2f::imgkit::file::escaped;
use maphc2f::imgkit::image_io::read_photo;
use maphc2f::{
    FolderWatch, InspectionLine, InspectionParams, InspectionRegions, Inspector, PhotoReader, inspect_folder,
    list_photos, refuse_not_read, sha256_of_file,
};
use serde_json::{Value, json};

use crate::Result;
use crate::args::InspectArgs;
use crate::console::Console;
use crate::threshold;
use lines::Lines;
use watch::{Counts, Stop};

pub fn run(args: &InspectArgs, console: &Console) -> Result<u8> {
    let stop = args.watch.as_ref().map(|_| Stop::listen()).transpose()?;
    let detector = args.backbone.load(&args.model)?;
    let chosen = match args.threshold {
        Some(_) => None,
        None => Some(chosen(detector.as_ref(), args.false_positive_rate, console)?),
    };
    let threshold = args.threshold.or(chosen.map(|chosen| chosen.value)).unwrap_or(f64::NAN);
    let reader = PhotoReader::new(args.window.or(detector.provenance().window()));
    let params = InspectionParams::new(threshold).with_least_area(args.least_area);
    let inspector = Inspector::new(detector.as_ref(), &reader, params)?
        .with_regions(regions(args)?)
        .with_model_sha256(sha256_of_file(&args.model)?);
    let chosen = chosen.as_ref().map(threshold::object).transpose()?;
    match (&args.watch, &stop, &args.images, &args.out) {
        (Some(folder), Some(stop), ..) => {
            // first, so that a wrong folder leaves no file of lines
            let photos = FolderWatch::new(folder)?;
            let mut lines = Lines::start(args.json_lines.as_deref(), true)?;
            console.say(&format!("watching {}; Ctrl-C ends", escaped(folder)));
            let counts = watch::watch(photos, folder, &inspector, &mut lines, stop, args, console)?;
            notes(&reader, console);
            let mut object = object(&counts, threshold, chosen, args.out.as_deref());
            object["known"] = counts.known.into();
            finish(&counts, threshold, &object, &lines, console)
        }
        (_, _, Some(images), Some(out)) => {
            let (counts, seconds, lines) = folder(images, out, &inspector, args, console, &reader)?;
            let mut object = object(&counts, threshold, chosen, Some(out));
            object["images_per_second"] = ((counts.images - counts.unreadable) as f64 / seconds.max(1e-9)).into();
            finish(&counts, threshold, &object, &lines, console)
        }
        _ => Err("name a folder of photos (--images) and one for the results (--out)".into()),
    }
}

/// Scores the photos of a folder; returns how many, and the seconds that it took.
fn folder(
    images: &Path,
    out: &Path,
    inspector: &Inspector<'_>,
    args: &InspectArgs,
    console: &Console,
    reader: &PhotoReader,
) -> Result<(Counts, f64, Lines)> {
    let list = list_photos(images)?;
    if args.strict {
        refuse_not_read(&list.not_read)?;
        list.photos.iter().try_for_each(|photo| read_photo(photo).map(drop))?;
    }
    inspector.check_regions(&list.photos)?;
    let lines = Mutex::new(Lines::start(args.json_lines.as_deref(), false)?);
    let bar = console.bar("photos", (list.photos.len() + list.not_read.len()) as u64);
    let start = Instant::now();
    let scores = inspect_folder(inspector, &list, out, &|line: &InspectionLine| {
        bar.inc(1);
        lines.lock().unwrap_or_else(PoisonError::into_inner).push(line)
    });
    bar.finish_and_clear();
    notes(reader, console);
    for file in &list.not_read {
        console.say(file);
    }
    let (scores, seconds) = (scores?, start.elapsed().as_secs_f64());
    for reason in scores.iter().filter_map(|s| s.as_ref().err()) {
        console.say(&format!("skipped: {}", reason.to_string().replace('\n', "; ")));
    }
    console.say_files(out, &["scores.csv", "heat/"]);
    let threshold = inspector.params().threshold();
    let counts = Counts {
        images: list.photos.len(),
        anomalous: scores.iter().flatten().filter(|s| **s > threshold).count(),
        unreadable: scores.iter().filter(|s| s.is_err()).count(),
        not_read: list.not_read.len(),
        known: 0,
    };
    if counts.unreadable == counts.images {
        return Err("no photo could be read".into());
    }
    Ok((counts, seconds, lines.into_inner().unwrap_or_else(PoisonError::into_inner)))
}

/// Where photos are inspected.
fn regions(args: &InspectArgs) -> Result<InspectionRegions> {
    let mut regions = InspectionRegions::default();
    if let Some(path) = &args.region {
        regions = regions.with_inspected(path)?;
    }
    if let Some(path) = &args.ignore {
        regions = regions.with_ignored(path)?;
    }
    Ok(regions)
}

fn notes(reader: &PhotoReader, console: &Console) {
    for note in reader.notes() {
        console.say(&format!("note: {note}"));
    }
}

/// The result for programs.
fn object(counts: &Counts, threshold: f64, chosen: Option<Value>, out: Option<&Path>) -> Value {
    json!({
        "images": counts.images,
        "anomalous": counts.anomalous,
        "unreadable": counts.unreadable,
        "not_read": counts.not_read,
        "threshold": threshold,
        "chosen": chosen,
        "out": out.map(escaped),
    })
}

/// Says the result and returns the exit code. What is for people does not stand among lines for programs.
fn finish(counts: &Counts, threshold: f64, object: &Value, lines: &Lines, console: &Console) -> Result<u8> {
    let Counts { images, anomalous, unreadable, not_read, known } = counts;
    let mut line = format!(
        "{anomalous} of {images} photos above {threshold:.4}; {unreadable} unreadable, {not_read} files not looked at"
    );
    if *known > 0 {
        line += &format!("; {known} had a line already");
    }
    if lines.are_printed() && !console.is_json() {
        console.say(&line);
    } else {
        console.result(&line, object);
    }
    Ok(if *anomalous > 0 { 1 } else { 3 * u8::from(unreadable + not_read > 0) })
}

/// The threshold for a rate of false positives, said with its interval.
fn chosen(detector: &dyn Detector, rate: f64, console: &Console) -> Result<Threshold> {
    let threshold = Threshold::of(detector, rate)?;
    console.say(&threshold::describe(&threshold)?);
    Ok(threshold)
}
