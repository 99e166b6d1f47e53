//! `maphc2f preview`: samples to look at, as a contact sheet and as a page.

use std::path::{Path, PathBuf};

use maphc2f::factory::{DatasetParams, PhotoSet, RenderedSample, SamplePlan, preview_with_plan};
use maphc2f::imgkit::file::{WriteError, check_replaceable, escaped};
use maphc2f::physdefect::registry::Registry;
use maphc2f::{Preview, PreviewSample, prepare_folder, refuse_not_read};
use rayon::prelude::*;
use serde_json::json;

use crate::Result;
use crate::args::PreviewArgs;
use crate::console::Console;
use crate::repeated;

/// Folder of a file.
fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The file of the page, if one is to be written.
fn page_of(args: &PreviewArgs) -> Result<Option<PathBuf>> {
    if args.no_html {
        return Ok(None);
    }
    let page = args.html.clone().unwrap_or_else(|| args.out.with_extension("html"));
    if page == args.out {
        let why = "is the sheet and the page at once: name the sheet .png, or give the page a name with --html";
        return Err(format!("{}: {why}", escaped(&page)).into());
    }
    Ok(Some(page))
}

/// Checks that a file can be written where it goes: that costs nothing, drawing does.
fn check_file(file: &Path, photos: &PhotoSet) -> Result<()> {
    let folder = folder_of(file);
    photos.check_output(folder)?;
    check_replaceable(file)?;
    if !folder.is_dir() {
        let missing = std::io::Error::new(std::io::ErrorKind::NotFound, "no such folder");
        return Err(WriteError::new(file, missing).into());
    }
    Ok(prepare_folder(folder)?)
}

/// A sample of the preview with its names.
fn shown(
    (sample, plan): &(RenderedSample, SamplePlan),
    params: &DatasetParams,
    photos: &PhotoSet,
    index: u64,
) -> Result<PreviewSample> {
    let material = params.materials().names().get(plan.material).map(String::as_str).unwrap_or_default();
    Ok(PreviewSample::new(sample)?
        .with_index(index)
        .with_photo(photos.name(plan.photo).unwrap_or_default())
        .with_material(material)
        .with_command(repeated::command(std::env::args_os(), index)))
}

pub fn run(args: &PreviewArgs, console: &Console) -> Result<u8> {
    let photos = args.photos.find()?;
    if args.strict {
        refuse_not_read(photos.not_read())?;
    }
    let params =
        args.samples.over(DatasetParams::default().with_count(args.count), &photos, &|text| console.say(&text))?;
    params.check()?;
    let indices = match args.index {
        Some(index) if index >= args.count => {
            return Err(
                format!("--index {index}: there are {} samples, counted from 0: raise --count", args.count).into()
            );
        }
        Some(index) => index..index + 1,
        None => 0..args.count,
    };
    let page = page_of(args)?;
    for file in page.iter().chain([&args.out]) {
        check_file(file, &photos)?;
    }
    let registry = Registry::standard();
    let bar = console.bar("samples", indices.end - indices.start);
    let draw = |index: u64| {
        let drawn = preview_with_plan(&params, &photos, &registry, index)
            .map_err(|e| e.to_string())
            .and_then(|sample| shown(&sample, &params, &photos, index).map_err(|e| e.to_string()));
        bar.inc(1);
        drawn.map_err(|e| format!("skipped: sample {index}: {e}"))
    };
    let drawn: Vec<std::result::Result<PreviewSample, String>> = indices.into_par_iter().map(draw).collect();
    bar.finish_and_clear();
    let normals = escaped(&args.photos.normals);
    let mut made = Preview::new(format!("Preview of defects on {normals}, seed {}", params.seed()));
    let mut failed = 0;
    for sample in drawn {
        match sample {
            Ok(sample) => made.push(sample),
            Err(reason) => {
                failed += 1;
                console.say(&reason);
                made = made.with_note(reason);
            }
        }
    }
    let count = made.samples().len();
    if count == 0 {
        return Err("no sample could be drawn".into());
    }
    made.sheet().save(&args.out)?;
    if let Some(page) = &page {
        made.write_page(page)?;
    }
    console.say_photos(&photos);
    let (file, not_read) = (escaped(&args.out), photos.not_read().len());
    let page = page.map(escaped);
    let beside = page.as_ref().map(|page| format!("; open {page} in a browser")).unwrap_or_default();
    let object = json!({ "images": count, "failed": failed, "not_read": not_read, "file": file, "page": page });
    console.result(&format!("{count} samples in {file}{beside}"), &object);
    Ok(if failed > 0 || not_read > 0 { 3 } else { 0 })
}
