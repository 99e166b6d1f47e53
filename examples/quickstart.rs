//! The main job on the photographs that ship with the repository, in well under three minutes.
//!
//! `cargo run --release --example quickstart [-- --out FOLDER] [--seed N]`
//!
//! Good crops come from the left of each photograph, test crops from the right. Trained on the three mechanisms; tested on defects of
//! other makes only (control arms and the paper's drawing recipes).

mod common;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use common::{Bars, bar, finish, say, tell_files, tell_training};
use maphc2f::bisqad::{Detector, PatchDetector, TrainParams};
use maphc2f::physdefect::appearance::{Appearance, Material, Rendered};
use maphc2f::physdefect::control::{CutPaste, CutPasteScar, PatchClone, PerlinBlend};
use maphc2f::physdefect::fracture::PaperFrontier;
use maphc2f::physdefect::pitting::PaperPolygon;
use maphc2f::physdefect::{SampleKey, Synthesize, estimate_foreground};
use maphc2f::{
    Cell, Error, Pipeline, Sheet, Source, TestImage, Training, evaluate, heat, load_photos, prepare_folder, square,
    train,
};
use ndarray::{Array2, Array3, Slice};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Side of a crop, px.
const SIDE: usize = 128;
/// Good crops per photograph: to train on, to test on; and defects of each kind.
const TRAIN: usize = 24;
const GOOD: usize = 8;
const BAD: usize = 3;

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
        if height < SIDE || width < 2 * SIDE {
            return Err(Error::TooSmall { path: path.clone(), height, width, minimum: 2 * SIDE }.into());
        }
    }
    say(&format!("{} surfaces and {} objects from {}", surfaces.len(), objects.len(), photos.display()));

    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut normals = Vec::new();
    let mut names = Vec::new();
    let mut tests = Vec::new();
    for (path, photo) in &surfaces {
        let name = stem(path);
        let border = photo.dim().1 * 3 / 5;
        for i in 0..TRAIN {
            normals.push(crop(photo, 0..border, &mut rng)?);
            names.push(format!("{name} crop {i}"));
        }
        for i in 0..GOOD {
            let image = crop(photo, border..photo.dim().1, &mut rng)?;
            let mask = Array2::from_elem((SIDE, SIDE), false);
            tests.push(TestImage { name: format!("{name} {i}"), kind: None, image, mask });
        }
    }
    let strangers = strangers()?;
    for (path, photo) in &surfaces {
        let border = photo.dim().1 * 3 / 5;
        for maker in &strangers {
            for i in 0..BAD {
                let good = crop(photo, border..photo.dim().1, &mut rng)?;
                let domain = estimate_foreground(good.view())?.into_domain()?;
                let key = SampleKey { seed: seed ^ 0x5EED, index: tests.len() as u64 };
                let Ok(sample) = maker.synthesize(good.view(), &domain, key) else { continue };
                let name = format!("{} {} {i}", stem(path), maker.name());
                let (image, mask) = (sample.paste(good.view())?, sample.full_mask(SIDE, SIDE)?);
                tests.push(TestImage { name, kind: Some(maker.name().to_owned()), image, mask });
            }
        }
    }

    let pipeline = Pipeline::physical(&[Material::MATTE, Material::METAL])?;
    let source = Source::new(&pipeline, &normals, &names, seed)?;
    prepare_folder(&out)?;
    let mark = Instant::now();
    let training = Training { train: TrainParams { seed, ..Default::default() }, ..Default::default() };
    let model = train(&normals, &source, &training, None, &mut Bars::new(None))?;
    tell_training(&model.warm_start, &model.fitted.report);
    say(&format!("trained on {} crops in {:.1} s", normals.len(), mark.elapsed().as_secs_f64()));

    let mark = Instant::now();
    let detector = &model.fitted.detector;
    let progress = bar("test images", tests.len());
    let evaluation = evaluate(detector, "quickstart", &tests, SIDE, &|_| progress.inc(1))?;
    progress.finish_and_clear();
    say(&format!(
        "scored {} test crops in {:.1} s\n\n{}",
        tests.len(),
        mark.elapsed().as_secs_f64(),
        evaluation.report
    ));

    detector.save(&out.join("detector.safetensors"))?;
    model.quality.save(&out.join("quality.safetensors"))?;
    evaluation.report.write_csv(out.join("results.csv"))?;
    contact_sheet(&surfaces, &objects, &pipeline, detector, seed)?.save(&out.join("sheet.png"))?;
    tell_files(&out, &["sheet.png", "results.csv", "detector.safetensors", "quality.safetensors"]);
    let overall = &evaluation.report.overall;
    Ok(format!(
        "result image_auroc={:.4} pixel_auroc={:.4} seed={seed} images={} seconds={:.1}",
        overall.image_auroc,
        overall.pixels.map_or(f64::NAN, |p| p.auroc),
        tests.len(),
        start.elapsed().as_secs_f64()
    ))
}

/// Makers of defects that training never sees.
fn strangers() -> Result<Vec<Box<dyn Synthesize>>> {
    let look = Appearance::new(Material::MATTE);
    Ok(vec![
        Box::new(CutPaste::default()),
        Box::new(CutPasteScar::default()),
        Box::new(PerlinBlend::default()),
        Box::new(PatchClone::default()),
        Box::new(Rendered::new(PaperFrontier::default(), look)?),
        Box::new(Rendered::new(PaperPolygon::default(), look)?),
    ])
}

/// A random crop, RGB, whose columns lie in `columns`.
fn crop(photo: &Array3<f32>, columns: std::ops::Range<usize>, rng: &mut ChaCha8Rng) -> Result<Array3<f32>> {
    let y = rng.random_range(0..=photo.dim().0 - SIDE);
    let x = rng.random_range(columns.start..=columns.end - SIDE);
    let cut = photo.slice_each_axis(|a| match a.axis.index() {
        0 => Slice::from(y..y + SIDE),
        1 => Slice::from(x..x + SIDE),
        _ => Slice::from(..),
    });
    Ok(square(cut, SIDE)?)
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Every mechanism on every photograph: photo, raw, npcF, npcF++, mask, heat map.
fn contact_sheet(
    surfaces: &[(PathBuf, Array3<f32>)],
    objects: &[(PathBuf, Array3<f32>)],
    pipeline: &Pipeline,
    detector: &PatchDetector,
    seed: u64,
) -> Result<Sheet> {
    const SHOWN: u32 = 192;
    let mut sheet = Sheet::new(["photo", "raw", "npcF", "npcF++", "mask", "heat map"]);
    let mut rng = ChaCha8Rng::seed_from_u64(seed + 1);
    let threshold = detector.threshold(0.1)?.value as f32;
    for (row, (path, photo)) in surfaces.iter().chain(objects).enumerate() {
        let object = row >= surfaces.len();
        for group in 0..pipeline.groups() {
            let (photo, light) = if object {
                (square(photo.view(), 256)?, 0.0)
            } else {
                (crop(photo, 0..photo.dim().1, &mut rng)?, threshold)
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
            // the detector knows the surfaces only
            let last = if object {
                Cell::photo(Array3::zeros((8, 8, 1)).view(), SHOWN)
            } else {
                let map = detector.predict(stages.fine.view())?.map;
                Cell::photo(heat(stages.fine.view(), &map, 0.6 * light, 2.0 * light).view(), SHOWN)
            };
            let show = |image: &Array3<f32>| Cell::photo(image.view(), SHOWN);
            let mask = Cell::mask(stages.mask.view(), SHOWN);
            sheet.push(vec![show(&photo), show(&stages.raw), show(&stages.coarse), show(&stages.fine), mask, last])?;
        }
    }
    Ok(sheet)
}
