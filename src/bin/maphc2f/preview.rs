//! `maphc2f preview`: a contact sheet of samples.

use std::path::Path;

use maphc2f::factory::{DatasetParams, preview};
use maphc2f::imgkit::file::escaped;
use maphc2f::physdefect::registry::Registry;
use maphc2f::{Cell, Sheet, refuse_not_read};
use rayon::prelude::*;
use serde_json::json;

use crate::Result;
use crate::args::PreviewArgs;
use crate::console::Console;

/// Samples in a row of the sheet.
const ACROSS: usize = 4;
/// Side of a picture, px.
const SHOWN: u32 = 128;

/// Folder of a file.
fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

pub fn run(args: &PreviewArgs, console: &Console) -> Result<u8> {
    let photos = args.photos.find()?;
    if args.strict {
        refuse_not_read(photos.not_read())?;
    }
    let params = args.samples.over(DatasetParams::default().with_count(args.count))?;
    params.check()?;
    photos.check_output(folder_of(&args.out))?;
    let registry = Registry::standard();
    let bar = console.bar("samples", args.count);
    let draw = |index: u64| {
        let made = preview(&params, &photos, &registry, index).map(|made| {
            let shown =
                |pixels: &ndarray::Array3<u8>| Cell::photo(pixels.mapv(maphc2f::imgkit::level::from_u8).view(), SHOWN);
            [shown(&made.photo), shown(&made.image), Cell::mask(made.mask.view(), SHOWN)]
        });
        bar.inc(1);
        made.map_err(|e| format!("skipped: sample {index}: {e}"))
    };
    let made: Vec<std::result::Result<[Cell; 3], String>> = (0..args.count).into_par_iter().map(draw).collect();
    bar.finish_and_clear();
    let (mut cells, mut failed) = (Vec::new(), 0);
    for sample in made {
        match sample {
            Ok(sample) => cells.push(sample),
            Err(reason) => {
                failed += 1;
                console.say(&reason);
            }
        }
    }
    let mut sheet = Sheet::new(["photo", "defect", "mask"].repeat(ACROSS));
    for row in cells.chunks(ACROSS) {
        let blank = std::iter::repeat_with(|| Cell::photo(ndarray::Array3::ones((1, 1, 1)).view(), SHOWN));
        let row: Vec<Cell> = row.iter().flatten().cloned().chain(blank).take(3 * ACROSS).collect();
        sheet.push(row)?;
    }
    if cells.is_empty() {
        return Err("no sample could be drawn".into());
    }
    sheet.save(&args.out)?;
    console.say_photos(&photos);
    let (file, not_read) = (escaped(&args.out), photos.not_read().len());
    let object = json!({ "images": cells.len(), "failed": failed, "not_read": not_read, "file": file });
    console.result(&format!("{} samples in {file}", cells.len()), &object);
    Ok(if failed > 0 || not_read > 0 { 3 } else { 0 })
}
