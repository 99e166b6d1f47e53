//! `maphc2f train --add-to` and `--remove-from`: changes the good photos of a detector without training again.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use maphc2f::bisqad::{Detector, Threshold, Windowed, save};
use maphc2f::factory::PhotoSet;
use maphc2f::imgkit::file::escaped;
use maphc2f::{
    Error, UnlikePhoto, load_evidence_detector, load_normals_with, prepare_folder, refuse_not_read, unlike_photos,
};
use serde_json::json;

use super::{FALSE_POSITIVE_RATE, refuse_inside};
use crate::Result;
use crate::args::TrainArgs;
use crate::console::Console;
use crate::evaluate::warn;
use crate::threshold;

pub(super) fn run(args: &TrainArgs, file: &Path, adds: bool, console: &Console) -> Result<u8> {
    let start = Instant::now();
    let (mut detector, window) = load_evidence_detector(file, &args.backbone.open()?)?;
    let photos = PhotoSet::find(&args.normals, args.category.as_deref(), None)?.with_window(args.window.or(window));
    if args.strict {
        refuse_not_read(photos.not_read())?;
    }
    let paths = photos.paths();
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    refuse_inside(&args.out, &names)?;
    let side = detector.provenance().training_side().unwrap_or_else(|| detector.side());
    let images = load_normals_with(photos.reader(), &paths, side)?;
    let mut warnings: Vec<String> =
        photos.notes().into_iter().chain(photos.not_read().iter().map(ToString::to_string)).collect();
    let unlike = if adds { unlike_photos(&detector, &images)? } else { Vec::new() };
    if let (true, Some(UnlikePhoto { photo, score, largest, .. })) = (args.strict, unlike.first()) {
        let (photo, count, score, largest) = (paths[*photo].clone(), unlike.len(), *score, *largest);
        return Err(Error::Unlike { photo, score, largest, count }.into());
    }
    warnings.extend(unlike.iter().map(|UnlikePhoto { photo, score, largest, .. }| {
        format!(
            "{}: scores {score:.2}, far beyond the known good photos, which score {largest:.2} at most: if it shows \
             another product or a defect, remove it again (--remove-from)",
            names[*photo]
        )
    }));
    warn(console, &warnings);
    let bar = console.bar("good photos", images.len() as u64);
    for (image, name) in images.iter().zip(&names) {
        let changed = if adds { detector.add_normal(image.view()) } else { detector.remove_normal(image.view()) };
        changed.map_err(|e| format!("{name}: {e}"))?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    prepare_folder(&args.out)?;
    let normals = detector.normals();
    let threshold = Threshold::of(&detector, FALSE_POSITIVE_RATE)?;
    console.say(&threshold::describe(&threshold)?);
    let out = args.out.join("detector.safetensors");
    match args.window.or(window) {
        None => save(&detector, &out)?,
        Some(window) => save(&Windowed::new(Arc::new(detector), window), &out)?,
    }
    let (verb, count) = (if adds { "added" } else { "removed" }, images.len());
    let object = json!({
        verb: count, "images": normals, "threshold": threshold::object(&threshold)?, "warnings": warnings,
        "unlike": unlike.iter().map(|found| &names[found.photo]).collect::<Vec<_>>(),
        "not_read": photos.not_read().len(), "out": escaped(&args.out), "seconds": start.elapsed().as_secs_f64(),
    });
    console.result(&format!("{verb} {count} good photos, {normals} in all; {}", out.display()), &object);
    Ok(if photos.not_read().is_empty() { 0 } else { 3 })
}
