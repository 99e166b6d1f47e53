//! The main job on the photographs that ship with the repository, in well under three minutes.
//!
//! `cargo run --example quickstart [-- --out FOLDER] [--seed N]`
//!
//! Each photograph is a category of its own: good crops of its left train a detector, crops of its right test it. Trained on the three
//! mechanisms, tested on defects of other makes only (control arms and the paper's drawing recipes).

mod common;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use common::{Bars, bar, finish, say, tell_files, tell_training, write_report};
use maphc2f::adbench::report::Report;
use maphc2f::bisqad::{Detector, PatchDetector, TrainParams};
use maphc2f::physdefect::appearance::{Appearance, Material, Rendered};
use maphc2f::physdefect::baselines::{
    CutPaste, CutPasteParams, CutPasteScar, CutPasteScarParams, PatchClone, PatchCloneParams, PerlinBlend,
    PerlinBlendParams,
};
use maphc2f::physdefect::fracture::PaperFrontier;
use maphc2f::physdefect::pitting::PaperPolygon;
use maphc2f::physdefect::{SampleKey, Synthesizer, estimate_foreground};
use maphc2f::{
    Cell, Error, Pipeline, PipelineSource, Sheet, TestImage, TrainingParams, evaluate, load_photos, overlay_heatmap,
    prepare_folder, resize_square, train,
};
use ndarray::{Array2, Array3, Slice};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Side of a crop in the photograph, px, and of the image made of it.
const CROP: usize = 128;
const SIDE: usize = 256;
/// Good crops per photograph: to train on, to test on; and defects of each kind.
const TRAIN: usize = 32;
const GOOD: usize = 10;
const BAD: usize = 4;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    finish(run())
}

fn run() -> Result<String> {
    let mut out = PathBuf::from("target/quickstart");
    let mut photos = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/photos"));
    let mut seed = 0u64;
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("out") => out = args.value()?.into(),
            lexopt::Arg::Long("photos") => photos = args.value()?.into(),
            lexopt::Arg::Long("seed") => seed = args.value()?.to_string_lossy().parse()?,
            _ => return Err(arg.unexpected().into()),
        }
    }
    let start = Instant::now();
    let surfaces = load_photos(&photos.join("surfaces"))?;
    let objects = load_photos(&photos.join("objects"))?;
    for (path, photo) in &surfaces {
        let (height, width, _) = photo.dim();
        if height < CROP || width < 3 * CROP {
            return Err(Error::TooSmall { path: path.clone(), found: (height, width).into(), minimum: 3 * CROP }.into());
        }
    }
    say(&format!("{} surfaces and {} objects from {}", surfaces.len(), objects.len(), photos.display()));

    let pipeline = Pipeline::physical(&[Material::MATTE, Material::METAL])?;
    let mut sets = Vec::new();
    for (i, (path, photo)) in surfaces.iter().enumerate() {
        sets.push(Set::new(stem(path), photo, &mut ChaCha8Rng::seed_from_u64(seed * 1000 + i as u64), seed)?);
    }
    let mut sources = Vec::new();
    for set in &sets {
        sources.push(PipelineSource::new(&pipeline, &set.normals, &set.names, seed)?);
    }
    prepare_folder(&out)?;

    let train_params = TrainParams { seed, rounds: 6, steps: 6, ..Default::default() };
    let training = TrainingParams::default().with_detector(train_params).with_ranked_defects(24);
    let mut detectors = Vec::new();
    let mut reports = Vec::new();
    for (set, source) in sets.iter().zip(&sources) {
        let mark = Instant::now();
        let model = train(&set.normals, source, &training, None, &mut Bars::new(None))?;
        let trained = mark.elapsed().as_secs_f64();
        say(&format!("\n{}: trained in {trained:.1} s", set.name));
        tell_training(&model.warm_start, &model.fitted.report);
        let mark = Instant::now();
        let progress = bar("test images", set.tests.len());
        let evaluation = evaluate(&model.fitted.detector, &set.name, &set.tests, &|_| progress.inc(1))?;
        progress.finish_and_clear();
        let seconds = mark.elapsed().as_secs_f64();
        say(&format!("scored {} test crops in {seconds:.1} s\n\n{}", set.tests.len(), evaluation.report));
        model.fitted.detector.save(&out.join(format!("detector-{}.safetensors", set.name)))?;
        let mut report = evaluation.report;
        report.training_images = Some(set.normals.len());
        reports.push(report);
        detectors.push(model.fitted.detector);
    }
    contact_sheet(&surfaces, &objects, &pipeline, &detectors, seed)?.save(&out.join("sheet.png"))?;
    let dataset = format!("crops of {}, with defects of other makes", photos.join("surfaces").display());
    write_report(&out, "maphc2f on the shipped photographs", dataset, SIDE, &train_params, reports.clone())?;
    tell_files(&out, &["results.html", "results.{csv,json,md,tex}", "sheet.png", "detector-*.safetensors"]);
    let mean = |f: &dyn Fn(&Report) -> f64| reports.iter().map(f).sum::<f64>() / reports.len() as f64;
    Ok(format!(
        "result image_auroc={:.4} pixel_auroc={:.4} seed={seed} images={} seconds={:.1}",
        mean(&|r| r.overall.image_auroc.value),
        mean(&|r| r.overall.pixels.map_or(f64::NAN, |p| p.auroc.value)),
        sets.iter().map(|s| s.tests.len()).sum::<usize>(),
        start.elapsed().as_secs_f64()
    ))
}

/// One photograph as a category of its own: good crops of its left, test crops of its right.
struct Set {
    name: String,
    normals: Vec<Array3<f32>>,
    names: Vec<String>,
    tests: Vec<TestImage>,
}

impl Set {
    fn new(name: String, photo: &Array3<f32>, rng: &mut ChaCha8Rng, seed: u64) -> Result<Self> {
        let width = photo.dim().1;
        let border = width * 3 / 5;
        let mut set = Self { name, normals: Vec::new(), names: Vec::new(), tests: Vec::new() };
        for i in 0..TRAIN {
            set.normals.push(crop(photo, 0..border, rng)?);
            set.names.push(format!("{} crop {i}", set.name));
        }
        for i in 0..GOOD {
            let image = crop(photo, border..width, rng)?;
            let mask = Array2::from_elem((SIDE, SIDE), false);
            set.tests.push(TestImage { name: format!("{} {i}", set.name), kind: None, image, mask });
        }
        for maker in strangers()? {
            for i in 0..BAD {
                let good = crop(photo, border..width, rng)?;
                let domain = estimate_foreground(good.view())?.into_domain()?;
                let key = SampleKey { seed: seed ^ 0x5EED, index: set.tests.len() as u64 };
                let Ok(sample) = maker.synthesize(good.view(), &domain, key) else { continue };
                let name = format!("{} {} {i}", set.name, maker.name());
                let (image, mask) = (sample.paste(good.view())?, sample.full_mask(SIDE, SIDE)?);
                set.tests.push(TestImage { name, kind: Some(maker.name().to_owned()), image, mask });
            }
        }
        Ok(set)
    }
}

/// Makers of defects that training never sees, of middling to full severity.
fn strangers() -> Result<Vec<Box<dyn Synthesizer>>> {
    let (low, high) = (0.5, 1.0);
    let look = Appearance::new(Material::MATTE);
    Ok(vec![
        Box::new(CutPaste::new(CutPasteParams::default().with_severity((low, high)))?),
        Box::new(CutPasteScar::new(CutPasteScarParams::default().with_severity((low, high)))?),
        Box::new(PerlinBlend::new(PerlinBlendParams::default().with_severity((low, high)))?),
        Box::new(PatchClone::new(PatchCloneParams::default().with_severity((low, high)))?),
        Box::new(Rendered::new(PaperFrontier::default(), look)?.with_severity(low, high)?),
        Box::new(Rendered::new(PaperPolygon::default(), look)?.with_severity(low, high)?),
    ])
}

/// A random crop, RGB, whose columns lie in `columns`.
fn crop(photo: &Array3<f32>, columns: std::ops::Range<usize>, rng: &mut ChaCha8Rng) -> Result<Array3<f32>> {
    let y = rng.random_range(0..=photo.dim().0 - CROP);
    let x = rng.random_range(columns.start..=columns.end - CROP);
    let cut = photo.slice_each_axis(|a| match a.axis.index() {
        0 => Slice::from(y..y + CROP),
        1 => Slice::from(x..x + CROP),
        _ => Slice::from(..),
    });
    Ok(resize_square(cut, SIDE)?)
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Every mechanism on every photograph: photo, raw, npcF, npcF++, mask, heat map.
fn contact_sheet(
    surfaces: &[(PathBuf, Array3<f32>)],
    objects: &[(PathBuf, Array3<f32>)],
    pipeline: &Pipeline,
    detectors: &[PatchDetector],
    seed: u64,
) -> Result<Sheet> {
    const SHOWN: u32 = 256;
    let mut sheet = Sheet::new(["photo", "raw", "npcF", "npcF++", "mask", "heat map"]);
    let mut rng = ChaCha8Rng::seed_from_u64(seed + 1);
    for (row, (path, photo)) in surfaces.iter().chain(objects).enumerate() {
        let detector = detectors.get(row);
        for group in 0..pipeline.groups() {
            let photo = match detector {
                Some(_) => crop(photo, 0..photo.dim().1, &mut rng)?,
                None => resize_square(photo.view(), SIDE)?,
            };
            let domain = estimate_foreground(photo.view())?.into_domain()?;
            let key = SampleKey { seed: seed ^ 0x5EE7, index: (row * 8 + group) as u64 };
            let made = (0..8).find_map(|t| {
                let key = SampleKey { index: key.index + 1000 * t, ..key };
                pipeline.stages(photo.view(), &domain, group, key).ok()
            });
            let Some(stages) = made else {
                say(&format!("note: {} shows no {} here", stem(path), pipeline.name(group).unwrap_or("?")));
                continue;
            };
            let last = match detector {
                Some(detector) => {
                    let threshold = detector.threshold(0.1)?.value as f32;
                    let map = detector.predict(stages.fine.view())?.map;
                    Cell::photo(
                        overlay_heatmap(stages.fine.view(), &map, 0.6 * threshold, 2.0 * threshold).view(),
                        SHOWN,
                    )
                }
                // no detector was trained on objects
                None => Cell::photo(Array3::ones((8, 8, 1)).view(), SHOWN),
            };
            let show = |image: &Array3<f32>| Cell::photo(image.view(), SHOWN);
            let mask = Cell::mask(stages.mask.view(), SHOWN);
            sheet.push(vec![show(&photo), show(&stages.raw), show(&stages.coarse), show(&stages.fine), mask, last])?;
        }
    }
    Ok(sheet)
}
