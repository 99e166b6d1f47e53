//! Crops of real and of drawn defects: a classifier that tells them apart, and precision and recall.

use experiments::program::Result;
use experiments::realism::features::Features;
use experiments::realism::manifold::{PrecisionRecall, precision_recall};
use maphc2f::adbench::metrics::auroc;
use maphc2f::bisqad::logistic::fit;
use maphc2f::frozen_backbone::EfficientNetLite0;
use maphc2f::imgkit::rng::keyed_stream;
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, s};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::arms::Canvas;
use crate::data::{Marked, Real};

/// Side of a crop, px at the size of evaluation.
const CROP: usize = 64;
const FOLDS: usize = 5;
/// Ridge penalty of the classifier.
const L2: f64 = 0.01;
/// Neighbors that set the balls of precision and recall.
const NEIGHBORS: usize = 3;

/// Figures of one arm and seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compared {
    /// AUROC out of fold, real against drawn.
    pub(crate) auroc: f64,
    pub(crate) coverage: PrecisionRecall,
}

/// Pooled features of crops around real defects, standardized by crops of good photos.
#[derive(Debug)]
pub(crate) struct RealCrops {
    rows: Vec<Vec<f64>>,
    mean: Vec<f64>,
    scale: Vec<f64>,
}

impl RealCrops {
    pub(crate) fn new(net: &EfficientNetLite0, real: &[&Real], canvas: &Canvas, seed: u64) -> Result<Self> {
        let mut rng = keyed_stream(seed, 400);
        let mut good = Vec::new();
        for photo in &canvas.photos {
            let (h, w, _) = photo.image.dim();
            let center = (rng.random_range(0..h), rng.random_range(0..w));
            good.push(crop(photo.image.view(), center, CROP));
        }
        let good = pooled(net, &good)?;
        let n = good.len() as f64;
        let inputs = good.first().map_or(0, Vec::len);
        let mean: Vec<f64> = (0..inputs).map(|j| good.iter().map(|r| r[j]).sum::<f64>() / n).collect();
        let deviation = |j: usize| (good.iter().map(|r| (r[j] - mean[j]).powi(2)).sum::<f64>() / n).sqrt();
        let scale = (0..inputs).map(|j| 1.0 / deviation(j).max(1e-6)).collect();
        let real: Vec<&Marked> = real.iter().map(|r| &r.shown).collect();
        let mut crops = Self { rows: Vec::new(), mean, scale };
        crops.rows = crops.standardized(net, &real, seed + 100)?;
        Ok(crops)
    }

    /// AUROC of one half of the real defects against the other: what chance gives.
    pub(crate) fn halves(&self, seed: u64) -> Result<f64> {
        let (one, other) = self.rows.split_at(self.rows.len() / 2);
        classify(one, other, seed)
    }

    /// Compares as many drawn defects with the real ones as there are of these.
    pub(crate) fn compare(&self, net: &EfficientNetLite0, drawn: &[Marked], seed: u64) -> Result<Compared> {
        let drawn: Vec<&Marked> = drawn.iter().take(self.rows.len()).collect();
        let rows = self.standardized(net, &drawn, seed + 200)?;
        Ok(Compared {
            auroc: classify(&self.rows, &rows, seed)?,
            coverage: precision_recall(&self.rows, &rows, NEIGHBORS),
        })
    }

    fn standardized(&self, net: &EfficientNetLite0, marked: &[&Marked], seed: u64) -> Result<Vec<Vec<f64>>> {
        let mut rng = keyed_stream(seed, 0);
        let cut = |m: &&Marked| Some(crop(m.image.view(), center(m.mask.view(), &mut rng)?, CROP));
        let crops: Vec<Array3<f32>> = marked.iter().filter_map(cut).collect();
        let mut rows = pooled(net, &crops)?;
        for row in &mut rows {
            row.iter_mut().zip(self.mean.iter().zip(&self.scale)).for_each(|(v, (m, s))| *v = (*v - m) * s);
        }
        Ok(rows)
    }
}

/// A random pixel of a defect.
pub(crate) fn center(mask: ArrayView2<'_, bool>, rng: &mut ChaCha8Rng) -> Option<(usize, usize)> {
    let pixels: Vec<_> = mask.indexed_iter().filter(|(_, m)| **m).map(|(p, _)| p).collect();
    (!pixels.is_empty()).then(|| pixels[rng.random_range(0..pixels.len())])
}

/// Square of `side` px around a center, moved inside the image: the same rule for real and drawn.
pub(crate) fn crop(image: ArrayView3<'_, f32>, center: (usize, usize), side: usize) -> Array3<f32> {
    let (h, w, _) = image.dim();
    let start = |at: usize, n: usize| at.saturating_sub(side / 2).min(n.saturating_sub(side));
    let (top, left) = (start(center.0, h), start(center.1, w));
    image.slice(s![top..(top + side).min(h), left..(left + side).min(w), ..]).to_owned()
}

/// Mean of every feature channel of each crop.
fn pooled(net: &EfficientNetLite0, crops: &[Array3<f32>]) -> Result<Vec<Vec<f64>>> {
    let one = |c: &Array3<f32>| Features::extract(net, c.view()).map(|f| f.pooled()).map_err(|e| e.to_string());
    Ok(crops.par_iter().map(one).collect::<std::result::Result<_, _>>()?)
}

/// Out-of-fold AUROC of a ridge-penalized logistic classifier, real against drawn.
fn classify(real: &[Vec<f64>], drawn: &[Vec<f64>], seed: u64) -> Result<f64> {
    let mut rows: Vec<(&Vec<f64>, bool)> =
        real.iter().map(|r| (r, false)).chain(drawn.iter().map(|r| (r, true))).collect();
    rows.shuffle(&mut keyed_stream(seed, 300));
    let (mut scores, mut labels) = (Vec::new(), Vec::new());
    for fold in 0..FOLDS {
        let training: Vec<_> = rows.iter().enumerate().filter(|(i, _)| i % FOLDS != fold).map(|(_, r)| *r).collect();
        let inputs = training.first().map_or(0, |r| r.0.len());
        let table = Array2::from_shape_fn((training.len(), inputs), |(i, j)| training[i].0[j] as f32);
        let classifier = fit(table.view(), &training.iter().map(|r| r.1).collect::<Vec<_>>(), L2);
        for (row, label) in rows.iter().enumerate().filter(|(i, _)| i % FOLDS == fold).map(|(_, r)| r) {
            scores.push(classifier.score(&row.iter().map(|v| *v as f32).collect::<Vec<_>>()) as f32);
            labels.push(*label);
        }
    }
    Ok(auroc(&scores, &labels)?)
}
