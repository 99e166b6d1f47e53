//! Placement measured: foregrounds of sets against outlines drawn by a person, and drawn defects against them.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use maphc2f::PHYSICAL;
use maphc2f::imgkit::image_io::{list_images, read_photo};
use maphc2f::physdefect::appearance::Appearance;
use maphc2f::physdefect::registry::Registry;
use maphc2f::physdefect::{ForegroundFit, ForegroundModel, ForegroundParams, SampleKey, Synthesizer};
use ndarray::Array2;
use serde_json::Value;

use crate::program::Result;

/// Defects of each mechanism on each photo.
const DEFECTS: u64 = 6;

/// A photo with its product's outline.
#[derive(Debug)]
pub struct Reference {
    /// Set, as a folder below the root of the data.
    pub set: String,
    /// File in its `train/good`.
    pub file: String,
    polygons: Vec<Vec<[f64; 2]>>,
    holes: Vec<Vec<[f64; 2]>>,
}

/// What one photo scored.
#[derive(Debug, Clone, Copy)]
pub struct Score {
    /// Intersection over union.
    pub iou: f64,
    /// Share of the foreground off the product.
    pub off: f64,
    /// Whether it is the whole frame.
    pub whole: bool,
}

/// Fits a model to all photos of a folder; the time is that of the model alone, the number that of the photos.
///
/// # Errors
///
/// A photo cannot be read, or the model refuses the set.
pub fn fit(folder: &Path) -> Result<(ForegroundModel, Duration, usize)> {
    let mut fit = ForegroundFit::new(&ForegroundParams::default())?;
    let mut spent = Duration::ZERO;
    for path in list_images(folder)?.photos {
        let photo = read_photo(&path)?.to_f32();
        let start = Instant::now();
        fit.add(photo.view())?;
        spent += start.elapsed();
    }
    let (photos, start) = (fit.len(), Instant::now());
    let model = fit.finish()?;
    Ok((model, spent + start.elapsed(), photos))
}

/// Reads outlines.
///
/// # Errors
///
/// The file cannot be read or holds none.
pub fn read_references(path: &Path) -> Result<Vec<Reference>> {
    let json: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
    let wrong = || format!("{}: not a file of outlines", path.display());
    let text = |v: &Value, key: &str| v[key].as_str().map(str::to_owned).ok_or_else(wrong);
    let mut references = Vec::new();
    for photo in json["photos"].as_array().ok_or_else(wrong)? {
        references.push(Reference {
            set: text(photo, "set")?,
            file: text(photo, "file")?,
            polygons: serde_json::from_value(photo["polygons"].clone())?,
            holes: serde_json::from_value(photo["holes"].clone())?,
        });
    }
    if references.is_empty() { Err(wrong().into()) } else { Ok(references) }
}

impl Reference {
    /// Pixels of the product, `(H, W)`.
    #[must_use]
    pub fn mask(&self, height: usize, width: usize) -> Array2<bool> {
        Array2::from_shape_fn((height, width), |(y, x)| {
            let (y, x) = (y as f64 + 0.5, x as f64 + 0.5);
            self.polygons.iter().any(|p| contains(p, y, x)) && !self.holes.iter().any(|p| contains(p, y, x))
        })
    }
}

/// Even-odd rule.
fn contains(polygon: &[[f64; 2]], y: f64, x: f64) -> bool {
    let ends = polygon.iter().zip(polygon.iter().cycle().skip(1));
    ends.filter(|(a, b)| (a[1] > y) != (b[1] > y) && x < a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0])).count() % 2
        == 1
}

/// Compares a foreground with the drawn one.
#[must_use]
pub fn score(found: &Array2<bool>, truth: &Array2<bool>, whole: bool) -> Score {
    let (mut both, mut either, mut off, mut area) = (0.0, 0.0, 0.0, 0.0);
    for (&f, &t) in found.iter().zip(truth) {
        both += f64::from(u8::from(f && t));
        either += f64::from(u8::from(f || t));
        off += f64::from(u8::from(f && !t));
        area += f64::from(u8::from(f));
    }
    Score { iou: both / f64::max(either, 1.0), off: off / f64::max(area, 1.0), whole }
}

/// Mean and worst intersection over union, and the mean share off the object.
#[must_use]
pub fn summary(scores: &[Score]) -> (f64, f64, f64) {
    let n = scores.len().max(1) as f64;
    let mean = scores.iter().map(|s| s.iou).sum::<f64>() / n;
    let worst = scores.iter().map(|s| s.iou).fold(f64::INFINITY, f64::min);
    (mean, worst, scores.iter().map(|s| s.off).sum::<f64>() / n)
}

/// Mean intersection over union over all photos with an outline, and the share of the mask pixels of drawn defects (the
/// physical mechanisms with their defaults, some of each a photo) that lie off the product. `None` where the photos are
/// absent.
///
/// # Errors
///
/// The outlines or a photo cannot be read.
pub fn measure(data: &Path, references: &Path) -> Result<Option<(f64, f64)>> {
    let references = read_references(references)?;
    let mut sets: Vec<&str> = references.iter().map(|r| r.set.as_str()).collect();
    sets.dedup();
    let registry = Registry::standard();
    let build = |name: &&str| registry.by_name(name)?.synthesizer(Appearance::default(), (0.0, 1.0));
    let synthesizers: Vec<Box<dyn Synthesizer>> = PHYSICAL.iter().map(build).collect::<std::result::Result<_, _>>()?;
    let (mut ious, mut marked, mut off) = (Vec::new(), 0usize, 0usize);
    for set in sets {
        let folder = data.join(set).join("train/good");
        if !folder.exists() {
            return Ok(None);
        }
        let (model, _, _) = fit(&folder)?;
        for reference in references.iter().filter(|r| r.set == set) {
            let photo = read_photo(folder.join(&reference.file))?.to_f32();
            let (h, w, _) = photo.dim();
            let found = model.mask(photo.view())?;
            let truth = reference.mask(h, w);
            ious.push(score(&found.mask, &truth, found.fills_frame).iou);
            let domain = found.into_domain()?;
            for (seed, synth) in synthesizers.iter().enumerate() {
                let made = (0..DEFECTS).filter_map(|index| {
                    synth.synthesize(photo.view(), &domain, SampleKey { seed: seed as u64, index }).ok()
                });
                for sample in made {
                    let mask = sample.full_mask(h, w)?;
                    marked += mask.iter().filter(|m| **m).count();
                    off += mask.iter().zip(&truth).filter(|(m, t)| **m && !**t).count();
                }
            }
        }
    }
    let n = ious.len().max(1) as f64;
    Ok((marked > 0).then(|| (ious.iter().sum::<f64>() / n, off as f64 / marked as f64)))
}
