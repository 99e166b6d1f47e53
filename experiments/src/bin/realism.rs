//! Measures how well a classifier separates synthetic defects from real ones: a two-sample test on frozen features.
//!
//! ```text
//! cargo run --release -p experiments --bin realism [-- --root TILE_CATEGORY] [--seeds N]
//! ```
//!
//! For cracks and blowholes of magnetic tiles: ten real images calibrate the priors and are then left out. Every other
//! real defect, and as many of each synthesizer on good tiles, give one 64x64 crop around the defect; a logistic
//! classifier on globally pooled features separates real from synthetic in five folds. AUROC 0.5: indistinguishable; 1:
//! always separated.
//!
//! Writes `docs/realism.md` and, for people, crops to target/realism; ends with
//! `result calibrated_physics_lowest=<bool> seeds=<n>`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use experiments::bars::bar;
use experiments::paired::{mean, standard_deviation};
use experiments::program::{Result, finish, say};
use maphc2f::adbench::metrics::auroc;
use maphc2f::frozen_backbone::{Backbone, EfficientNetLite0};
use maphc2f::imgkit::file::write_atomic;
use maphc2f::imgkit::image_io::{MaskRule, read_mask};
use maphc2f::imgkit::rng::Retry;
use maphc2f::pde_refine::CoarseToFine;
use maphc2f::physdefect::appearance::{Appearance, Material, Rendered};
use maphc2f::physdefect::baselines::{CutPaste, CutPasteScar, PatchClone, PerlinBlend};
use maphc2f::physdefect::fracture::FractureLine;
use maphc2f::physdefect::pitting::PittingLoss;
use maphc2f::physdefect::{Domain, MechanismKind, SampleKey, Synthesizer, calibration};
use maphc2f::{Cell, Sheet, load_photos};
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Slice};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

const CROP: usize = 64;
const CALIBRATING: usize = 10;
const FOLDS: usize = 5;

fn main() -> ExitCode {
    finish(run())
}

fn run() -> Result<String> {
    let mut root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/magnetic_tile/tile"));
    let mut seeds = 5u64;
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("root") => root = args.value()?.into(),
            lexopt::Arg::Long("seeds") => seeds = args.value()?.to_string_lossy().parse()?,
            _ => return Err(arg.unexpected().into()),
        }
    }
    if !root.exists() {
        return Ok(format!("result skipped: {} is absent", root.display()));
    }
    let net = EfficientNetLite0::pretrained()?;
    let good: Vec<Array3<f32>> = load_photos(&root.join("train/good"))?.into_iter().map(|(_, p)| p).collect();
    let mut text = String::from(
        "# Realism, measured\n\nMade by `cargo run --release -p experiments --bin realism`: AUROC of a five-fold \
         logistic two-sample classifier on \
         frozen features of 64x64 crops\naround the defect, real magnetic-tile defects against each synthesizer; mean \
         and spread (standard deviation) \
         over seeds, which draw the\ncalibrating images, the samples and the folds. 0.5: indistinguishable from real, \
         1: always separated. \
         `real halves` splits the real defects in two: the floor.\n",
    );
    let mut lowest = true;
    for (kind, mechanism) in [("crack", MechanismKind::FractureLine), ("blowhole", MechanismKind::PittingLoss)] {
        let real = real(&root, kind)?;
        let mut figures: Vec<(String, Vec<f64>)> = Vec::new();
        let mut drawn = 0;
        for seed in 0..seeds {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut order: Vec<usize> = (0..real.len()).collect();
            order.shuffle(&mut rng);
            let (calibrating, rest) = order.split_at(CALIBRATING);
            let samples: Vec<_> = calibrating.iter().map(|&i| (real[i].0.view(), real[i].1.view())).collect();
            let fitted = calibration::fit(mechanism, &samples)?;
            let look = Appearance::new(Material::MATTE);
            let ours = fitted.synthesizer(look)?;
            let plain: Box<dyn Synthesizer> = match mechanism {
                MechanismKind::FractureLine => Box::new(Rendered::new(FractureLine::default(), look)?),
                _ => Box::new(Rendered::new(PittingLoss::default(), look)?),
            };
            let synthesizers: Vec<(&str, Box<dyn Synthesizer>, bool)> = vec![
                ("calibrated physics", fitted.synthesizer(look)?, false),
                ("calibrated physics, npcF and npcF++", ours, true),
                ("physics, not calibrated", plain, false),
                ("CutPaste", Box::new(CutPaste::default()), false),
                ("CutPaste scar", Box::new(CutPasteScar::default()), false),
                ("Perlin (DRAEM)", Box::new(PerlinBlend::default()), false),
                ("patch clone (NSA-like)", Box::new(PatchClone::default()), false),
            ];
            let crops = |images: Vec<(Array3<f32>, Array2<bool>)>, seed: u64| -> Vec<Array3<f32>> {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                images.iter().map(|(i, m)| crop(i.view(), m.view(), &mut rng)).collect()
            };
            let real_crops = crops(rest.iter().map(|&i| real[i].clone()).collect(), seed + 100);
            let real_features = features(&net, &real_crops)?;
            drawn = rest.len();
            let half = real_features.len() / 2;
            push(&mut figures, "real halves", classify(&real_features[..half], &real_features[half..], seed)?);
            let progress = bar("synthesizers", synthesizers.len());
            let mut shown = vec![real_crops];
            for (name, synthesizer, refine) in synthesizers {
                let made: Vec<_> = (0..rest.len())
                    .into_par_iter()
                    .filter_map(|i| make(synthesizer.as_ref(), refine, &good, SampleKey { seed, index: i as u64 }))
                    .collect();
                let made = crops(made, seed + 200);
                push(&mut figures, name, classify(&real_features, &features(&net, &made)?, seed)?);
                shown.push(made);
                progress.inc(1);
            }
            progress.finish_and_clear();
            if seed == 0 {
                picture(kind, &shown)?;
            }
        }
        text.push_str(&format!(
            "\n## {kind}: {drawn} real, as many of each synthesizer, {seeds} seeds\n\n| synthesizer | AUROC | spread \
             |\n|---|---|---|\n"
        ));
        say(&format!("{kind}: {drawn} real defects"));
        let mut means = Vec::new();
        for (name, values) in &figures {
            let (mean, deviation) = (mean(values), standard_deviation(values));
            text.push_str(&format!("| {name} | {mean:.3} | {deviation:.3} |\n"));
            say(&format!("  {name:38} {mean:.3} +- {deviation:.3}"));
            means.push((name.as_str(), mean));
        }
        let ours = means.iter().filter(|m| m.0.starts_with("calibrated")).map(|m| m.1).fold(f64::INFINITY, f64::min);
        let others = means.iter().skip(3).map(|m| m.1).fold(f64::INFINITY, f64::min);
        lowest &= ours < others;
    }
    write_atomic(experiments::workspace().join("docs/realism.md"), &text)?;
    Ok(format!("result calibrated_physics_lowest={lowest} seeds={seeds}"))
}

fn push(figures: &mut Vec<(String, Vec<f64>)>, name: &str, value: f64) {
    match figures.iter_mut().find(|f| f.0 == name) {
        Some(found) => found.1.push(value),
        None => figures.push((name.to_owned(), vec![value])),
    }
}

/// Images of one defect kind with their masks.
fn real(root: &Path, kind: &str) -> Result<Vec<(Array3<f32>, Array2<bool>)>> {
    let mut found = Vec::new();
    for (path, image) in load_photos(&root.join("test").join(kind))? {
        let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let mask =
            read_mask(root.join("ground_truth").join(kind).join(format!("{stem}_mask.png")), MaskRule::NonZero)?.mask;
        if mask.iter().any(|&m| m) && image.dim().0.min(image.dim().1) >= CROP {
            found.push((image, mask));
        }
    }
    Ok(found)
}

/// Tries of a sample where a synthesizer refuses.
const RETRY: Retry = Retry::new(4, 10_000);

/// A synthetic defect on a random good tile; a few tries where it is refused.
fn make(
    synthesizer: &dyn Synthesizer,
    refine: bool,
    good: &[Array3<f32>],
    key: SampleKey,
) -> Option<(Array3<f32>, Array2<bool>)> {
    RETRY.indices(key.index).find_map(|index| {
        let key = SampleKey { index, ..key };
        let photo = &good[(key.seed as usize * 131 + key.index as usize * 37) % good.len()];
        let (h, w, _) = photo.dim();
        let sample = synthesizer.synthesize(photo.view(), &Domain::full(h, w).ok()?, key).ok()?;
        let (image, mask) = (sample.paste(photo.view()).ok()?, sample.full_mask(h, w).ok()?);
        if !refine {
            return Some((image, mask));
        }
        let stages = CoarseToFine::default().stages(photo.view(), image.view(), mask.view()).ok()?;
        Some((stages.fine.image, mask))
    })
}

/// The 64x64 crop whose center is a random pixel of the defect, moved inside the image: the same rule for real and
/// synthetic.
fn crop(image: ArrayView3<'_, f32>, mask: ArrayView2<'_, bool>, rng: &mut ChaCha8Rng) -> Array3<f32> {
    let pixels: Vec<_> = mask.indexed_iter().filter(|(_, m)| **m).map(|(p, _)| p).collect();
    let (y, x) = pixels[rng.random_range(0..pixels.len())];
    let (h, w, _) = image.dim();
    let (top, left) = (y.saturating_sub(CROP / 2).min(h - CROP), x.saturating_sub(CROP / 2).min(w - CROP));
    image
        .slice_each_axis(|a| match a.axis.index() {
            0 => Slice::from(top..top + CROP),
            1 => Slice::from(left..left + CROP),
            _ => Slice::from(..),
        })
        .to_owned()
}

/// Mean of every feature channel of each crop.
fn features(net: &EfficientNetLite0, crops: &[Array3<f32>]) -> Result<Vec<Vec<f64>>> {
    let pooled = |c: &Array3<f32>| -> std::result::Result<Vec<f64>, maphc2f::frozen_backbone::Error> {
        let pyramid = net.extract(c.view())?;
        let planes = pyramid.iter().flat_map(|level| level.outer_iter());
        Ok(planes.map(|p| f64::from(p.mean().unwrap_or(0.0))).collect())
    };
    Ok(crops.par_iter().map(pooled).collect::<std::result::Result<_, _>>()?)
}

/// Out-of-fold AUROC of a ridge-penalized logistic classifier, real against synthetic.
fn classify(real: &[Vec<f64>], synthetic: &[Vec<f64>], seed: u64) -> Result<f64> {
    let mut rows: Vec<(&Vec<f64>, bool)> =
        real.iter().map(|r| (r, false)).chain(synthetic.iter().map(|r| (r, true))).collect();
    rows.shuffle(&mut ChaCha8Rng::seed_from_u64(seed + 300));
    let (mut scores, mut labels) = (Vec::new(), Vec::new());
    for fold in 0..FOLDS {
        let training: Vec<_> = rows.iter().enumerate().filter(|(i, _)| i % FOLDS != fold).map(|(_, r)| *r).collect();
        let classifier = Logistic::fit(&training);
        for (row, label) in rows.iter().enumerate().filter(|(i, _)| i % FOLDS == fold).map(|(_, r)| r) {
            scores.push(classifier.logit(row) as f32);
            labels.push(*label);
        }
    }
    Ok(auroc(&scores, &labels)?)
}

/// Logistic regression on standardized inputs by gradient descent, ridge penalty 0.01, classes weighted alike.
struct Logistic {
    mean: Vec<f64>,
    scale: Vec<f64>,
    weights: Vec<f64>,
    bias: f64,
}

impl Logistic {
    fn fit(rows: &[(&Vec<f64>, bool)]) -> Self {
        let (n, d) = (rows.len() as f64, rows.first().map_or(0, |r| r.0.len()));
        let mean: Vec<f64> = (0..d).map(|j| rows.iter().map(|r| r.0[j]).sum::<f64>() / n).collect();
        let scale: Vec<f64> = (0..d)
            .map(|j| (rows.iter().map(|r| (r.0[j] - mean[j]).powi(2)).sum::<f64>() / n).sqrt().max(1e-9))
            .collect();
        let mut model = Self { mean, scale, weights: vec![0.0; d], bias: 0.0 };
        let inputs: Vec<Vec<f64>> = rows.iter().map(|r| model.standardized(r.0)).collect();
        let positives = rows.iter().filter(|r| r.1).count() as f64;
        let share = |label: bool| 0.5 / if label { positives } else { n - positives };
        for _ in 0..400 {
            let mut gradient: Vec<f64> = model.weights.iter().map(|w| 0.01 * w).collect();
            let mut bias = 0.0;
            for (x, (_, label)) in inputs.iter().zip(rows) {
                let z = model.bias + x.iter().zip(&model.weights).map(|(x, w)| x * w).sum::<f64>();
                let error = share(*label) * (1.0 / (1.0 + (-z).exp()) - f64::from(u8::from(*label)));
                gradient.iter_mut().zip(x).for_each(|(g, x)| *g += error * x);
                bias += error;
            }
            // the step is safe: the loss's curvature is at most d / 4 in standardized inputs
            let step = 8.0 / (d as f64 + 1.0);
            model.weights.iter_mut().zip(&gradient).for_each(|(w, g)| *w -= step * g);
            model.bias -= step * bias;
        }
        model
    }

    fn standardized(&self, row: &[f64]) -> Vec<f64> {
        row.iter().zip(self.mean.iter().zip(&self.scale)).map(|(v, (m, s))| (v - m) / s).collect()
    }

    fn logit(&self, row: &[f64]) -> f64 {
        self.bias + self.standardized(row).iter().zip(&self.weights).map(|(x, w)| x * w).sum::<f64>()
    }
}

/// Draws eight crops of real defects and of every synthesizer, for people; kept out of the repository.
fn picture(kind: &str, shown: &[Vec<Array3<f32>>]) -> Result<()> {
    let labels = ["real", "calibrated", "refined", "default", "CutPaste", "scar", "Perlin", "clone"];
    let mut sheet = Sheet::new(labels);
    for i in 0..8 {
        let blank = Array3::ones((CROP, CROP, 1));
        sheet.push(shown.iter().map(|crops| Cell::photo(crops.get(i).unwrap_or(&blank).view(), 128)).collect())?;
    }
    let folder = Path::new("target/realism");
    maphc2f::prepare_folder(folder)?;
    Ok(sheet.save(&folder.join(format!("{kind}.png")))?)
}
