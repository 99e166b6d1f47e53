//! Trains a detector on photographs of each of three products and tests it, in well under three minutes.
//!
//! `cargo run --example quickstart [-- --out FOLDER] [--seed N]`
//!
//! Each product is a category of its own: two thirds of its photographs are the normal images to train on, the others
//! are tested. Training uses synthetic defects of three physical mechanisms; the tests hold defects of other kinds only
//! (scratches, stains, a baseline of the literature and the paper's drawing recipes). Writes the
//! detectors, a report and a contact sheet.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a program may print

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use maphc2f::adbench::report::Report;
use maphc2f::bisqad::{Detector, EvidenceParams, NoObserver, Persist, Threshold};
use maphc2f::physdefect::appearance::{Appearance, Material};
use maphc2f::physdefect::registry::Registry;
use maphc2f::physdefect::{SampleKey, estimate_foreground};
use maphc2f::{Cell, MATERIALS, Pipeline, PipelineSource, RunDescription, Sheet, TestImage};
use maphc2f::{evaluate, load_photos, overlay_heatmap, resize_square, train};
use ndarray::{Array2, Array3, s};

/// Folders of photographs, each of one product, and what it is made of.
const PRODUCTS: [(&str, Material); 3] =
    [("cardboard", Material::MATTE), ("leather", Material::LEATHER), ("wood", Material::WOOD)];
/// Side of a picture on the contact sheet, px.
const SHOWN: usize = 256;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(result) => {
            println!("{result}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<String> {
    let (start, mut out, mut seed) = (Instant::now(), PathBuf::from("target/quickstart"), 0u64);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("out") => out = args.value()?.into(),
            lexopt::Arg::Long("seed") => seed = args.value()?.to_string_lossy().parse()?,
            _ => return Err(arg.unexpected().into()),
        }
    }
    maphc2f::prepare_folder(&out)?;
    let params = EvidenceParams::default().with_seed(seed);
    let mut sheet = Sheet::new(["photo", "raw", "npcF", "npcF++", "mask", "heat map"]);
    let mut reports: Vec<Report> = Vec::new();
    for (name, material) in PRODUCTS {
        let photos = load_photos(&Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/photos").join(name))?;
        // split by files: no test image shares a pixel, nor a neighborhood, with one that was trained on
        let (known, unknown) = photos.split_at((65 * photos.len()).div_ceil(100));
        let normals: Vec<_> = known.iter().flat_map(|(_, photo)| quarters(photo)).collect();
        let goods: Vec<_> = unknown.iter().flat_map(|(_, photo)| quarters(photo)).collect();
        let tests = tests(&goods, material, seed)?;

        eprintln!("{name}: training on {} normal images of {} photos", normals.len(), known.len());
        let pipeline = Pipeline::physical(&MATERIALS)?;
        let source = PipelineSource::new(&pipeline, &normals, &[], seed)?;
        let detector = train(&normals, &source, &params, &mut NoObserver)?.detector;
        detector.save(&out.join(format!("detector-{name}.safetensors")))?;
        let mut report = evaluate(&detector, name, &tests, &|_| ())?.report;
        report.training_images = Some(normals.len());
        eprintln!("{report}");
        reports.push(report);

        // a defect of each mechanism on images that were not trained on, and the detector's heat map of it
        let threshold = Threshold::of(&detector, 0.1)?.value as f32;
        for (mechanism, photo) in (0..pipeline.groups()).zip(&goods) {
            let domain = estimate_foreground(photo.view())?.into_domain()?;
            let key = SampleKey { seed: seed + 1, index: mechanism as u64 };
            let Ok(stages) = pipeline.stages(photo.view(), &domain, mechanism, key) else { continue };
            let map = detector.predict(stages.fine.view())?.map;
            let heat = overlay_heatmap(stages.fine.view(), &map, 0.6 * threshold, 2.0 * threshold);
            let mut row = Vec::new();
            for image in [photo, &stages.raw, &stages.coarse, &stages.fine] {
                row.push(Cell::photo(resize_square(image.view(), SHOWN)?.view(), SHOWN as u32));
            }
            row.push(Cell::mask(stages.mask.view(), SHOWN as u32));
            row.push(Cell::photo(resize_square(heat.view(), SHOWN)?.view(), SHOWN as u32));
            sheet.push(row)?;
        }
    }
    sheet.save(&out.join("sheet.png"))?;
    let mean = |f: fn(&Report) -> f64| reports.iter().map(f).sum::<f64>() / reports.len() as f64;
    let image_auroc = mean(|r| r.overall.image_auroc.map_or(f64::NAN, |figure| figure.value));
    let pixel_auroc = mean(|r| r.overall.pixels.map_or(f64::NAN, |p| p.auroc.value));
    let images: usize = reports.iter().map(|r| r.overall.normal + r.overall.anomalous).sum();
    let run = RunDescription::new("maphc2f on the shipped photographs", "quarters of the files in assets/photos")
        .with_command("quickstart")
        .with_training(seed, &params);
    maphc2f::write_report(&out, &run, reports)?;
    eprintln!("wrote results.html, sheet.png and the detectors to {}", out.display());
    let seconds = start.elapsed().as_secs_f64();
    Ok(format!(
        "result image_auroc={image_auroc:.4} pixel_auroc={pixel_auroc:.4} seed={seed} images={images} \
         seconds={seconds:.1}"
    ))
}

/// Test images: the good ones, and defects on them of each kind that training never sees.
fn tests(goods: &[Array3<f32>], material: Material, seed: u64) -> Result<Vec<TestImage>> {
    let mut tests = Vec::new();
    for (i, image) in goods.iter().enumerate() {
        let mask = Array2::from_elem((image.dim().0, image.dim().1), false);
        tests.push(TestImage { name: format!("good {i}"), kind: None, image: image.clone(), mask: Some(mask) });
    }
    for kind in ["abrasion", "surface-unevenness", "perlin-blend", "paper-frontier", "paper-polygon"] {
        let synthesizer = Registry::standard().by_name(kind)?.synthesizer(Appearance::new(material), (0.5, 1.0))?;
        for (i, good) in goods.iter().enumerate().take(4) {
            let domain = estimate_foreground(good.view())?.into_domain()?;
            let key = SampleKey { seed: seed ^ 0x5EED, index: tests.len() as u64 };
            // a defect that would not be visible is refused
            let Ok(sample) = synthesizer.synthesize(good.view(), &domain, key) else { continue };
            let (image, mask) = (sample.paste(good.view())?, sample.full_mask(good.dim().0, good.dim().1)?);
            let (name, kind) = (format!("{kind} {i}"), Some(kind.to_owned()));
            tests.push(TestImage { name, kind, image, mask: Some(mask) });
        }
    }
    Ok(tests)
}

/// The four quarters of a photo `(H, W, C)`.
fn quarters(photo: &Array3<f32>) -> [Array3<f32>; 4] {
    let (h, w) = (photo.dim().0 / 2, photo.dim().1 / 2);
    [(0, 0), (0, w), (h, 0), (h, w)].map(|(y, x)| photo.slice(s![y..y + h, x..x + w, ..]).to_owned())
}
