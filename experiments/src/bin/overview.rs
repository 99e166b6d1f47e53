//! Draws the picture of the README: a defect on photographs of some products, its mask, and what a detector sees.
//!
//! ```text
//! cargo run --release -p experiments --bin overview [-- --out FILE]
//! ```
//!
//! For each product a detector is trained with its defaults on quarters of the first two thirds of the photographs in
//! `assets/photos`. The first quarter of the next photograph is shown, with the defect of seed 1 and index 0 of one
//! mechanism: none is picked by hand. Writes `docs/images/overview.jpg`; ends with
//! `result found=<n> of=<n> good_passed=<n> of_good=<n> file=<path>`: defects that scored above their detector's
//! threshold, and good quarters that did not.

use std::path::PathBuf;
use std::process::ExitCode;

use experiments::bars::TrainingBars;
use experiments::program::{Result, finish, say};
use experiments::sheet_file::save_jpeg;
use image::imageops::{FilterType, resize};
use maphc2f::bisqad::{Detector, EvidenceParams, Threshold};
use maphc2f::imgkit::convert::to_rgb_image;
use maphc2f::physdefect::appearance::{Appearance, Material};
use maphc2f::physdefect::registry::Registry;
use maphc2f::physdefect::visibility::{OutOfReach, Visibility};
use maphc2f::physdefect::{SampleKey, estimate_foreground};
use maphc2f::{Cell, MATERIALS, Pipeline, PipelineSource, SEVERITY, Sheet, load_photos, overlay_heatmap, train};
use ndarray::{Array3, s};

/// Side of each picture, px.
const SHOWN: u32 = 256;
/// Visibility of the defects, in just noticeable contrasts: from twice what is found without being told to what is seen
/// at once.
const VISIBILITY: (f64, f64) = (4.0, 8.0);
/// Rate of false positives that the threshold is for, as of `maphc2f inspect`.
const FALSE_POSITIVE_RATE: f64 = 0.05;

/// A row: folder of photographs, material, mechanism and what people call it.
const ROWS: [(&str, Material, &str, &str); 4] = [
    ("cardboard", Material::MATTE, "plastic-warpage", "dent"),
    ("paper", Material::MATTE, "fracture-line", "crack"),
    ("leather", Material::LEATHER, "pitting-loss", "pits"),
    ("felt", Material::FABRIC, "surface-unevenness", "stain"),
];

fn main() -> ExitCode {
    finish(run())
}

fn run() -> Result<String> {
    let mut out = experiments::workspace().join("docs/images/overview.jpg");
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("out") => out = PathBuf::from(args.value()?),
            _ => return Err(arg.unexpected().into()),
        }
    }
    let mut sheet = Sheet::new(["good photo", "with a drawn defect", "its mask, outlined", "what the detector sees"]);
    let visibility = Visibility::between(VISIBILITY.0, VISIBILITY.1).with_out_of_reach(OutOfReach::Nearest);
    let (mut found, mut passed, mut goods) = (0, 0, 0);
    for (product, material, mechanism, word) in ROWS {
        let photos = load_photos(&experiments::workspace().join("assets/photos").join(product))?;
        let photos: Vec<Array3<f32>> = photos.into_iter().map(|(_, photo)| photo).collect();
        let (known, unknown) = photos.split_at((65 * photos.len()).div_ceil(100));
        let known: Vec<_> = known.iter().flat_map(quarters).collect();
        let unknown: Vec<_> = unknown.iter().flat_map(quarters).collect();
        let photo = unknown.first().ok_or_else(|| format!("{product}: too few photographs to split"))?;

        let training = Pipeline::standard(&MATERIALS)?;
        let source = PipelineSource::new(&training, &known, &[], 0)?;
        let detector = train(&known, &source, &EvidenceParams::default(), &mut TrainingBars::new())?.detector;
        let threshold = Threshold::of(&detector, FALSE_POSITIVE_RATE)?.value;

        let domain = estimate_foreground(photo.view())?.into_domain()?;
        let appearance = Appearance::new(material).with_visibility(Some(visibility));
        let pipeline = Pipeline::from_appearances(&Registry::standard(), &[mechanism], &[appearance], SEVERITY)?;
        let defect = pipeline.synthesize(photo.view(), &domain, 0, SampleKey { seed: 1, index: 0 })?;
        let (good, bad) = (detector.predict(photo.view())?, detector.predict(defect.image.view())?);
        found += usize::from(bad.score > threshold);
        goods += unknown.len();
        for image in &unknown {
            passed += usize::from(detector.predict(image.view())?.score <= threshold);
        }
        // colors as on the heat maps of `maphc2f inspect`
        let spread = 0.5 * threshold.abs().max(1e-3) as f32;
        let low = threshold as f32 - spread;
        let heat = overlay_heatmap(defect.image.view(), &bad.map, low, low + 5.0 * spread);
        say(&format!(
            "{product}: trained on {} images; threshold {threshold:.3}, good {:.3}, {word} {:.3} (severity {:.2}, \
             visibility {:.1}, {} px)",
            known.len(),
            good.score,
            bad.score,
            defect.record.severity,
            defect.record.visibility,
            defect.mask.iter().filter(|inside| **inside).count()
        ));
        let times = |score: f64| format!("score {:.1} × threshold", score / threshold);
        sheet.push(vec![
            picture(photo).with_caption([product.to_owned(), times(good.score)]),
            picture(&defect.image).with_caption([word.to_owned(), times(bad.score)]),
            picture(&defect.image).with_outline(defect.mask.view()),
            picture(&heat),
        ])?;
    }
    save_jpeg(&sheet, &out)?;
    Ok(format!("result found={found} of={} good_passed={passed} of_good={goods} file={}", ROWS.len(), out.display()))
}

fn picture(photo: &Array3<f32>) -> Cell {
    Cell::image(resize(&to_rgb_image(photo.view()), SHOWN, SHOWN, FilterType::CatmullRom))
}

/// The four quarters of a photo `(H, W, C)`.
fn quarters(photo: &Array3<f32>) -> [Array3<f32>; 4] {
    let (h, w) = (photo.dim().0 / 2, photo.dim().1 / 2);
    [(0, 0), (0, w), (h, 0), (h, w)].map(|(y, x)| photo.slice(s![y..y + h, x..x + w, ..]).to_owned())
}
