//! `maphc2f foreground`: where defects may lie on the photos of a set.

use std::path::Path;

use image::{Rgb, RgbImage};
use maphc2f::imgkit::convert::to_rgb_image;
use maphc2f::imgkit::file::{escaped, write_atomic};
use maphc2f::imgkit::image_io::write_png;
use maphc2f::imgkit::level::from_u8;
use maphc2f::physdefect::FrameReason;
use maphc2f::{Cell, Region, Sheet, prepare_folder};
use ndarray::{Array3, ArrayView2};
use rayon::prelude::*;
use serde_json::json;

use crate::Result;
use crate::args::ForegroundArgs;
use crate::console::Console;

/// Photos in a row of the sheet.
const ACROSS: usize = 4;
/// Side of a picture, px.
const SHOWN: u32 = 240;

/// One photo with its foreground.
struct Shown {
    cell: Cell,
    region: Region,
    reason: Option<FrameReason>,
    area: f64,
}

pub fn run(args: &ForegroundArgs, console: &Console) -> Result<u8> {
    let photos = args.photos.find()?;
    let folder = args.out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    photos.check_output(folder)?;
    if let Some(folder) = &args.masks_out {
        photos.check_output(folder)?;
        prepare_folder(folder)?;
    }
    // fitted before the photos are looked at in parallel
    let set = photos.foreground(None)?;
    let note = set.as_ref().and_then(|set| set.note().map(str::to_owned));
    let chosen: Vec<usize> = match &args.masks_out {
        Some(_) => (0..photos.len()).collect(),
        None => (0..args.count.min(photos.len())).map(|i| i * photos.len() / args.count.min(photos.len())).collect(),
    };
    let bar = console.bar("photos", chosen.len() as u64);
    let look = |&i: &usize| -> std::result::Result<Shown, String> {
        let photo = photos.load(i, None).map_err(|e| format!("skipped: {e}"))?;
        let mask = photo.domain.mask();
        if let Some(folder) = &args.masks_out {
            let stem = photos.path(i).and_then(|path| path.file_stem().map(escaped)).unwrap_or_default();
            write_png(folder.join(format!("{stem}_mask.png")), &white(mask)).map_err(|e| e.to_string())?;
        }
        bar.inc(1);
        let image = to_rgb_image(photo.pixels.mapv(from_u8).view());
        // Of painted regions the part that counts.
        let shown = photo.domain.sites().unwrap_or(mask);
        let cell = Cell::photo(outlined(&image, shown).view(), SHOWN);
        let area = photo.domain.area() as f64 / mask.len() as f64;
        Ok(Shown { cell, region: photo.region, reason: photo.region_reason, area })
    };
    let found: Vec<_> = chosen.par_iter().map(look).collect();
    bar.finish_and_clear();
    let (mut shown, mut failed) = (Vec::new(), 0);
    for photo in found {
        match photo {
            Ok(photo) => shown.push(photo),
            Err(reason) => {
                failed += 1;
                console.say(&reason);
            }
        }
    }
    if shown.is_empty() {
        return Err("no photo could be used".into());
    }
    let mut sheet = Sheet::new(std::iter::repeat_n("foreground", ACROSS));
    let blank = || Cell::photo(Array3::ones((1, 1, 1)).view(), SHOWN);
    for row in shown.chunks(ACROSS).take(args.count.div_ceil(ACROSS)) {
        let cells = row.iter().map(|photo| photo.cell.clone()).chain(std::iter::repeat_with(blank));
        sheet.push(cells.take(ACROSS).collect())?;
    }
    sheet.save(&args.out)?;
    if let (Some(file), Some(set)) = (&args.save, &set) {
        write_atomic(file, set.to_json()?)?;
    }
    let whole = shown.iter().filter(|photo| photo.region == Region::WholeFrame).count();
    let texture = shown.iter().filter(|photo| photo.reason == Some(FrameReason::Texture)).count();
    let reasons = shown.iter().filter_map(|photo| photo.reason.filter(|reason| *reason != FrameReason::Texture));
    for reason in reasons.take(3) {
        console.say(&format!("note: a whole frame, for {}", reason.words()));
    }
    if let Some(note) = &note {
        console.say(&format!("note: {note}"));
    }
    console.say_photos(&photos);
    let area = shown.iter().map(|photo| photo.area).sum::<f64>() / shown.len() as f64;
    let kind = match &set {
        None => "given masks",
        Some(set) if set.fills_frame() => "a product that fills the frame",
        Some(set) if set.model().is_some() => "objects on a background",
        Some(_) => "each photo alone",
    };
    let line = format!(
        "{kind}: {:.0} % of the frame on average, whole frames {whole} of {}; {}",
        100.0 * area,
        shown.len(),
        escaped(&args.out)
    );
    let object = json!({
        "kind": kind, "photos": shown.len(), "whole_frames": whole, "textures": texture, "mean_area": area,
        "note": note, "failed": failed, "file": escaped(&args.out),
    });
    console.result(&line, &object);
    Ok(if failed > 0 || !photos.not_read().is_empty() { 3 } else { 0 })
}

/// The photo, darkened outside the mask, with the mask's outline.
fn outlined(image: &RgbImage, mask: ArrayView2<'_, bool>) -> Array3<f32> {
    let (h, w) = mask.dim();
    let thick = (h.max(w) / 240).max(1);
    let at = |y: usize, x: usize| mask.get((y, x)).copied().unwrap_or(false);
    Array3::from_shape_fn((h, w, 3), |(y, x, k)| {
        let value = f32::from(image.get_pixel(x as u32, y as u32).0[k]) / 255.0;
        let near = [(y + thick, x), (y.wrapping_sub(thick), x), (y, x + thick), (y, x.wrapping_sub(thick))];
        let edge = at(y, x) && near.iter().any(|&(v, u)| v < h && u < w && !at(v, u));
        match (edge, at(y, x)) {
            (true, _) => [1.0, 0.15, 0.15][k],
            (false, true) => value,
            (false, false) => 0.45 * value,
        }
    })
}

fn white(mask: ArrayView2<'_, bool>) -> RgbImage {
    let (h, w) = mask.dim();
    RgbImage::from_fn(w as u32, h as u32, |x, y| Rgb([u8::from(mask[(y as usize, x as usize)]) * 255; 3]))
}
