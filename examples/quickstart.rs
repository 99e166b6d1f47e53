//! Trains a detector on each photograph that ships with the repository and tests it, in well under three minutes.
//!
//! `cargo run --example quickstart [-- --out FOLDER] [--seed N]`
//!
//! Each photograph is a category of its own: crops of its left are the normal images to train on, crops of its right
//! are tested. Training uses synthetic defects of three physical mechanisms; the tests hold defects of other kinds only
//! (the baselines of the literature and the paper's drawing recipes). Writes the detectors, a report and a contact
//! sheet.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a program may print

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use maphc2f::adbench::report::Report;
use maphc2f::bisqad::{Detector, NoObserver, Persist, Threshold, TrainParams};
use maphc2f::physdefect::appearance::{Appearance, Material};
use maphc2f::physdefect::registry::Registry;
use maphc2f::physdefect::{SampleKey, estimate_foreground};
use maphc2f::{Cell, Pipeline, PipelineSource, RunDescription, Sheet, TestImage, TrainingParams};
use maphc2f::{evaluate, overlay_heatmap, train};
use ndarray::{Array2, Array3, s};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Side of a crop in the photograph, and of the image made of it, px.
const CROP: usize = 128;
const SIDE: usize = 256;

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
    let pipeline = Pipeline::physical(&[Material::MATTE, Material::METAL])?;
    let params = TrainParams::default().with_seed(seed).with_rounds(6).with_steps(6);
    let params = TrainingParams::default().with_detector(params).with_ranked_defects(24);
    let mut sheet = Sheet::new(["photo", "raw", "npcF", "npcF++", "mask", "heat map"]);
    let mut reports: Vec<Report> = Vec::new();
    let photos = maphc2f::load_photos(&Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/photos/surfaces"))?;
    for (i, (path, photo)) in photos.iter().enumerate() {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (width, border) = (photo.dim().1, photo.dim().1 * 3 / 5);
        let mut rng = ChaCha8Rng::seed_from_u64(seed * 1000 + i as u64);
        let normals = (0..32).map(|_| crop(photo, 0..border, &mut rng)).collect::<Result<Vec<_>>>()?;
        let tests = tests(photo, border..width, &name, &mut rng, seed)?;

        eprintln!("{name}: training on {} normal crops", normals.len());
        let source = PipelineSource::new(&pipeline, &normals, &[], seed)?;
        let detector = train(&normals, &source, &params, None, &mut NoObserver)?.fitted.detector;
        detector.save(&out.join(format!("detector-{name}.safetensors")))?;
        let mut report = evaluate(&detector, &name, &tests, &|_| ())?.report;
        report.training_images = Some(normals.len());
        eprintln!("{report}");
        reports.push(report);

        // what the detector trained on, and its heat map of it
        let threshold = Threshold::of(&detector, 0.1)?.value as f32;
        for mechanism in 0..pipeline.groups() {
            let photo = crop(photo, 0..width, &mut rng)?;
            let domain = estimate_foreground(photo.view())?.into_domain()?;
            let key = SampleKey { seed: seed + 1, index: mechanism as u64 };
            let Ok(stages) = pipeline.stages(photo.view(), &domain, mechanism, key) else { continue };
            let map = detector.predict(stages.fine.view())?.map;
            let heat = overlay_heatmap(stages.fine.view(), &map, 0.6 * threshold, 2.0 * threshold);
            let show = |image: &Array3<f32>| Cell::photo(image.view(), SIDE as u32);
            let mask = Cell::mask(stages.mask.view(), SIDE as u32);
            let [raw, coarse, fine] = [&stages.raw, &stages.coarse, &stages.fine].map(show);
            sheet.push(vec![show(&photo), raw, coarse, fine, mask, show(&heat)])?;
        }
    }
    sheet.save(&out.join("sheet.png"))?;
    let mean = |f: fn(&Report) -> f64| reports.iter().map(f).sum::<f64>() / reports.len() as f64;
    let image_auroc = mean(|r| r.overall.image_auroc.map_or(f64::NAN, |figure| figure.value));
    let pixel_auroc = mean(|r| r.overall.pixels.map_or(f64::NAN, |p| p.auroc.value));
    let images: usize = reports.iter().map(|r| r.overall.normal + r.overall.anomalous).sum();
    let run = RunDescription::new("maphc2f on the shipped photographs", "crops of assets/photos/surfaces")
        .with_command("quickstart")
        .with_side(Some(SIDE))
        .with_params(*params.detector());
    maphc2f::write_report(&out, &run, reports)?;
    eprintln!("wrote results.html, sheet.png and the detectors to {}", out.display());
    let seconds = start.elapsed().as_secs_f64();
    Ok(format!(
        "result image_auroc={image_auroc:.4} pixel_auroc={pixel_auroc:.4} seed={seed} images={images} \
         seconds={seconds:.1}"
    ))
}

/// Test crops: ten good ones, and four of each kind of defect that training never sees.
fn tests(
    photo: &Array3<f32>,
    columns: std::ops::Range<usize>,
    name: &str,
    rng: &mut ChaCha8Rng,
    seed: u64,
) -> Result<Vec<TestImage>> {
    let mut tests = Vec::new();
    for i in 0..10 {
        let (image, mask) = (crop(photo, columns.clone(), rng)?, Array2::from_elem((SIDE, SIDE), false));
        tests.push(TestImage { name: format!("{name} {i}"), kind: None, image, mask: Some(mask) });
    }
    for kind in ["cutpaste", "cutpaste-scar", "perlin-blend", "patch-clone", "paper-frontier", "paper-polygon"] {
        let entry = Registry::standard().by_name(kind)?;
        let synthesizer = entry.synthesizer(Appearance::new(Material::MATTE), (0.5, 1.0))?;
        for i in 0..4 {
            let good = crop(photo, columns.clone(), rng)?;
            let domain = estimate_foreground(good.view())?.into_domain()?;
            let key = SampleKey { seed: seed ^ 0x5EED, index: tests.len() as u64 };
            // a defect that would not be visible is refused
            let Ok(sample) = synthesizer.synthesize(good.view(), &domain, key) else { continue };
            let (image, mask) = (sample.paste(good.view())?, sample.full_mask(SIDE, SIDE)?);
            let (name, kind) = (format!("{name} {kind} {i}"), Some(kind.to_owned()));
            tests.push(TestImage { name, kind, image, mask: Some(mask) });
        }
    }
    Ok(tests)
}

/// A random square crop whose columns lie in `columns`, as an RGB image of side [`SIDE`].
fn crop(photo: &Array3<f32>, columns: std::ops::Range<usize>, rng: &mut ChaCha8Rng) -> Result<Array3<f32>> {
    let y = rng.random_range(0..=photo.dim().0 - CROP);
    let x = rng.random_range(columns.start..=columns.end - CROP);
    Ok(maphc2f::resize_square(photo.slice(s![y..y + CROP, x..x + CROP, ..]), SIDE)?)
}
