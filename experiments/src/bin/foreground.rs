//! Measures the foreground model of a set against outlines drawn by a person.
//!
//! ```text
//! cargo run --release -p experiments --bin foreground [-- --data FOLDER] [--references FILE] [--out FOLDER]
//! ```
//!
//! Fits one model to all good photos of each set below `--data` (../shared/data beside the checkout), with the
//! defaults, and applies it to the photos with an outline in `experiments/references/foregrounds.json`. Prints for each
//! set the mean and the worst intersection over union, the share of foreground pixels that are off the product, how
//! many photos gave the whole frame, the seconds of the fit and the milliseconds of a mask. Sets without outlines are
//! listed with what the model says of them.
//!
//! Writes `sheet.png` (outlines found in red, drawn ones in green) to target/foreground. Ends with `result iou=<mean>
//! worst=<f> off_object=<f>` over all photos with an outline.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use experiments::placement::{Reference, fit, read_references, score, summary};
use experiments::program::{Result, finish, say, say_written};
use image::{Rgb, RgbImage, imageops};
use maphc2f::imgkit::image_io::read_photo;
use maphc2f::prepare_folder;
use ndarray::{Array2, Array3};

/// Sets that are looked at besides those with outlines.
const OTHERS: [&str; 2] = ["kolektor_sdd/commutator", "magnetic_tile/tile"];
/// Height of a photo on the sheet, px.
const SHOWN: u32 = 200;
/// Photos in a row of the sheet.
const COLUMNS: usize = 10;

fn main() -> ExitCode {
    finish(run())
}

fn run() -> Result<String> {
    let workspace = experiments::workspace();
    let (mut data, mut out) = (workspace.join("../shared/data"), PathBuf::from("target/foreground"));
    let mut references = workspace.join("experiments/references/foregrounds.json");
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("data") => data = args.value()?.into(),
            lexopt::Arg::Long("references") => references = args.value()?.into(),
            lexopt::Arg::Long("out") => out = args.value()?.into(),
            _ => return Err(arg.unexpected().into()),
        }
    }
    let references = read_references(&references)?;
    let mut sets: Vec<&str> = references.iter().map(|r| r.set.as_str()).collect();
    sets.dedup();
    let (mut scores, mut tiles) = (Vec::new(), Vec::new());
    for set in sets.into_iter().chain(OTHERS) {
        let folder = data.join(set).join("train/good");
        let (model, fitted, photos) = fit(&folder)?;
        let own: Vec<&Reference> = references.iter().filter(|r| r.set == set).collect();
        let (mut set_scores, mut spent) = (Vec::new(), Duration::ZERO);
        for reference in &own {
            let photo = read_photo(folder.join(&reference.file))?.to_f32();
            let start = Instant::now();
            let found = model.mask(photo.view())?;
            spent += start.elapsed();
            let truth = reference.mask(photo.dim().0, photo.dim().1);
            set_scores.push(score(&found.mask, &truth, found.fills_frame));
            tiles.push(tile(&photo, &found.mask, &truth));
        }
        let kind = format!("{:?} ({:.2})", model.kind(), model.confidence());
        let seconds = fitted.as_secs_f64();
        say(&format!("{set:24} {photos:3} photos  fit {seconds:.2} s  {kind}"));
        if !set_scores.is_empty() {
            let (mean, worst, off) = summary(&set_scores);
            let whole = set_scores.iter().filter(|s| s.whole).count();
            let each = 1e3 * spent.as_secs_f64() / set_scores.len() as f64;
            say(&format!(
                "{:24} iou {mean:.3} worst {worst:.3} off object {off:.4} whole frame {whole} of {}  mask {each:.1} ms",
                "",
                set_scores.len()
            ));
        }
        scores.append(&mut set_scores);
    }
    prepare_folder(&out)?;
    sheet(&tiles).save(out.join("sheet.png"))?;
    say_written(&out, &["sheet.png"]);
    let (mean, worst, off) = summary(&scores);
    Ok(format!("result iou={mean:.4} worst={worst:.4} off_object={off:.4}"))
}

/// A photo, brightened, with the outline found in red and the drawn one in green.
fn tile(photo: &Array3<f32>, found: &Array2<bool>, truth: &Array2<bool>) -> RgbImage {
    let (height, width, channels) = photo.dim();
    let thickness = (height / SHOWN as usize).max(1) as isize;
    let outline = |mask: &Array2<bool>, y: usize, x: usize| {
        mask[(y, x)]
            && (1..=thickness).any(|d| {
                [(-d, 0), (d, 0), (0, -d), (0, d)].iter().any(|&(dy, dx)| {
                    let at = (y.saturating_add_signed(dy), x.saturating_add_signed(dx));
                    !mask.get(at).copied().unwrap_or(true)
                })
            })
    };
    let picture = RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let (y, x) = (y as usize, x as usize);
        if outline(found, y, x) {
            return Rgb([255, 0, 0]);
        }
        if outline(truth, y, x) {
            return Rgb([0, 255, 0]);
        }
        Rgb([0, 1, 2].map(|k: usize| (photo[(y, x, k.min(channels - 1))].powf(0.6) * 255.0).round() as u8))
    });
    let shown = (width * SHOWN as usize / height.max(1)).max(1) as u32;
    imageops::resize(&picture, shown, SHOWN, imageops::FilterType::Triangle)
}

fn sheet(tiles: &[RgbImage]) -> RgbImage {
    let width = tiles.iter().map(RgbImage::width).max().unwrap_or(1);
    let rows = tiles.len().div_ceil(COLUMNS).max(1);
    let mut sheet = RgbImage::new(width * COLUMNS as u32, SHOWN * rows as u32);
    for (i, tile) in tiles.iter().enumerate() {
        let (x, y) = ((i % COLUMNS) as u32 * width, (i / COLUMNS) as u32 * SHOWN);
        imageops::replace(&mut sheet, tile, i64::from(x), i64::from(y));
    }
    sheet
}
