//! `maphc2f verify`, which checks data sets, and `maphc2f replay`, which makes a sample again.

use maphc2f::adbench::loaders::{Counts, Folder, LAYOUTS, by_name};
use maphc2f::imgkit::file::write_atomic;
use maphc2f::physdefect::registry::Registry;
use maphc2f::{Arrangement, CategoryCheck, check_dataset, factory, prepare_folder};
use serde_json::{Value, json};

use crate::Result;
use crate::args::{ReplayArgs, VerifyArgs};
use crate::config::nearest;
use crate::console::Console;

pub fn verify(args: &VerifyArgs, console: &Console) -> Result<u8> {
    match &args.layout {
        Some(layout) => against_layout(args, layout, console),
        None => against_manifest(args, console),
    }
}

fn against_manifest(args: &VerifyArgs, console: &Console) -> Result<u8> {
    let bar = console.bar("blocks", 0);
    let found = factory::verify(&args.data, &|n| bar.inc(n));
    bar.finish_and_clear();
    let found = found?;
    let kinds = [
        ("unfinished: block ", &found.unfinished),
        ("missing: ", &found.missing),
        ("differs: ", &found.differing),
        ("unknown: ", &found.unknown),
    ];
    for (what, findings) in kinds {
        for name in &findings.names {
            console.say(&format!("{what}{name}"));
        }
        let more = findings.count - findings.names.len() as u64;
        if more > 0 {
            console.say(&format!("{what}... and {more} more"));
        }
    }
    let line = format!(
        "{} samples, {} files compared: {} missing, {} differ, {} unknown, {} blocks unfinished",
        found.images,
        found.files,
        found.missing.count,
        found.differing.count,
        found.unknown.count,
        found.unfinished.count
    );
    let object = json!({
        "whole": found.is_whole(),
        "images": found.images,
        "failed": found.failed,
        "files": found.files,
        "unfinished": found.unfinished.names.iter().filter_map(|block| block.parse::<u64>().ok()).collect::<Vec<_>>(),
        "missing": found.missing.names,
        "differing": found.differing.names,
        "unknown": found.unknown.names,
        "counts": {
            "unfinished": found.unfinished.count,
            "missing": found.missing.count,
            "differing": found.differing.count,
            "unknown": found.unknown.count,
        },
    });
    console.result(&line, &object);
    Ok(u8::from(!found.is_whole()))
}

pub fn replay(args: &ReplayArgs, console: &Console) -> Result<u8> {
    let photos = args.photos.find()?;
    if let Some(out) = &args.out {
        photos.check_output(out)?;
    }
    let made = factory::replay(&args.data, &photos, &Registry::standard(), args.index)?;
    if let Some(out) = &args.out {
        prepare_folder(out)?;
        for (name, bytes) in [("image.png", &made.image), ("mask.png", &made.mask)] {
            write_atomic(out.join(name), bytes)?;
        }
    }
    let line = if made.differing.is_empty() {
        format!("sample {} ({}) is the same to the last bit", args.index, made.entry.mechanism)
    } else {
        format!("sample {} differs in {}", args.index, made.differing.join(", "))
    };
    let object = json!({ "index": args.index, "equal": made.differing.is_empty(), "differing": made.differing });
    console.result(&line, &object);
    Ok(u8::from(!made.differing.is_empty()))
}

fn against_layout(args: &VerifyArgs, layout: &str, console: &Console) -> Result<u8> {
    let arrangement = match by_name(layout) {
        Some(layout) => Arrangement::Layout(layout),
        None if layout == "folder" => Arrangement::Folder(folder(args)?),
        None => {
            let known: Vec<&str> = LAYOUTS.iter().map(|layout| layout.name()).chain(["folder"]).collect();
            return Err(format!("no layout `{layout}`{}", nearest(layout, &known)).into());
        }
    };
    let bar = console.bar("files", 0);
    let found = check_dataset(&arrangement, &args.data, !args.index_only, &|| bar.inc(1));
    bar.finish_and_clear();
    let found = found?;
    console.say(&format!("{:<16} {:>20} {:>20} {:>20}  published", "category", "train", "good test", "anomalous test"));
    for category in &found.categories {
        console.say(&counts(category));
    }
    for category in &found.categories {
        for fault in &category.faults {
            console.say(&format!("fault: {fault}"));
        }
        for warning in &category.warnings {
            console.say(&format!("warning: {warning}"));
        }
    }
    for warning in &found.warnings {
        console.say(&format!("warning: {warning}"));
    }
    let (faults, warnings) = (found.faults(), found.warnings());
    let numbers = |c: Counts| json!({ "train": c.train, "test_good": c.test_good, "test_anomalous": c.test_anomalous });
    let categories: Vec<Value> = found
        .categories
        .iter()
        .map(|c| {
            json!({
                "name": c.name,
                "counts": c.counts.map(numbers),
                "published": c.published.map(numbers),
                "faults": c.faults,
                "warnings": c.warnings,
            })
        })
        .collect();
    let object =
        json!({ "faults": faults, "warnings": warnings, "categories": categories, "dataset_warnings": found.warnings });
    console.result(&format!("{} categories: {faults} faults, {warnings} warnings", categories.len()), &object);
    Ok(u8::from(faults > 0))
}

/// Numbers of images that can be used; the published number in brackets where it differs.
fn counts(category: &CategoryCheck) -> String {
    let (name, published) = (&category.name, category.published);
    let Some(found) = category.counts else { return format!("{name:<16} cannot be indexed") };
    let cell = |found: usize, published: Option<usize>| match published {
        Some(n) if n != found => format!("{found} (not {n})"),
        _ => found.to_string(),
    };
    let verdict = match published {
        None => "-",
        Some(published) if published == found => "equal",
        Some(_) => "NOT equal",
    };
    format!(
        "{name:<16} {:>20} {:>20} {:>20}  {verdict}",
        cell(found.train, published.map(|c| c.train)),
        cell(found.test_good, published.map(|c| c.test_good)),
        cell(found.test_anomalous, published.map(|c| c.test_anomalous))
    )
}

/// The dataset whose folders are named one by one.
fn folder(args: &VerifyArgs) -> Result<Folder> {
    let name = args.data.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut folder = Folder::new(name, &args.data);
    for name in &args.train {
        folder = folder.with_train(name);
    }
    for name in &args.good {
        folder = folder.with_good(name);
    }
    for defect in &args.defect {
        let (kind, images) = defect.split_once('=').ok_or(format!("--defect {defect}: give KIND=IMAGES[:MASKS]"))?;
        let (images, masks) = images.split_once(':').map_or((images, None), |(images, masks)| (images, Some(masks)));
        folder = folder.with_defect(kind, images, masks.map(AsRef::as_ref));
    }
    Ok(folder)
}
