//! Patch features of normal photos, test images and drawn defects of one set.

use experiments::corruption::Corrupted;
use experiments::program::Result;
use experiments::sets::ImageSet;
use maphc2f::adbench::metrics::{PixelPool, auroc};
use maphc2f::bisqad::{AnomalySource, DefectPatches, PatchRows, RowExpansion, logistic};
use maphc2f::frozen_backbone::EfficientNetLite0;
use maphc2f::imgkit::distance::to_background;
use maphc2f::imgkit::resize::{Kernel, resize_map};
use maphc2f::imgkit::rng::keyed_stream;
use maphc2f::physdefect::SampleKey;
use maphc2f::sqe::{Descriptors, FaultEstimator};
use maphc2f::{Pipeline, PipelineSource, shrink_to_side};
use ndarray::{Array2, ArrayView2, ArrayView3, Axis, concatenate};
use rand::seq::SliceRandom;
use rayon::prelude::*;

/// Normal patches that a head is trained against.
const NORMAL: usize = 6_000;
/// Patches of a drawn defect.
const DRAWN: (usize, usize) = (40, 20);
/// Patches of a real one.
const REAL: (usize, usize) = (60, 200);
/// Ridge penalty of a head.
pub(crate) const RIDGE: f64 = 3e-3;

/// A drawn defect.
#[derive(Debug, Clone)]
pub(crate) struct Drawn {
    pub(crate) patches: DefectPatches,
    /// The same corrupted, if that was asked for, with its estimated quality.
    pub(crate) corrupted: Option<(DefectPatches, f64)>,
    /// Estimated quality.
    pub(crate) quality: f64,
    /// Mechanism and material by number; severity, visibility and depth below the outline of the object.
    pub(crate) bins: (usize, usize, [f64; 3]),
    /// Features and mask, for measuring.
    pub(crate) rows: PatchRows,
    pub(crate) mask: Array2<bool>,
    pub(crate) descriptors: Descriptors,
}

/// A test image.
#[derive(Debug)]
pub(crate) struct Test {
    pub(crate) rows: PatchRows,
    pub(crate) mask: Option<Array2<bool>>,
    pub(crate) kind: Option<String>,
    /// Of its defect; `None` where no mask marks one.
    pub(crate) descriptors: Option<Descriptors>,
}

pub(crate) struct Features {
    pub(crate) net: EfficientNetLite0,
    pub(crate) side: usize,
    pub(crate) normal: Array2<f32>,
    pub(crate) tests: Vec<Test>,
}

impl Features {
    pub(crate) fn read(images: &ImageSet) -> Result<Self> {
        let (net, side) = (EfficientNetLite0::pretrained_s32()?, images.side);
        let read = |image: ArrayView3<'_, f32>| PatchRows::read(&net, side, image).map_err(|e| e.to_string());
        let each = NORMAL.div_ceil(images.normals.len().max(1));
        let some = |(i, photo): (usize, &ndarray::Array3<f32>)| -> std::result::Result<Array2<f32>, String> {
            let rows = read(photo.view())?;
            let mut order: Vec<usize> = (0..rows.features().nrows()).collect();
            order.shuffle(&mut keyed_stream(7, i as u64));
            order.truncate(each);
            Ok(rows.features().select(Axis(0), &order))
        };
        let normal: Vec<Array2<f32>> =
            images.normals.par_iter().enumerate().map(some).collect::<std::result::Result<_, _>>()?;
        let normal = concatenate(Axis(0), &normal.iter().map(|n| n.view()).collect::<Vec<_>>())?;
        let test = |test: &maphc2f::TestImage| -> std::result::Result<Test, String> {
            let image = shrink_to_side(test.image.view(), side).map_err(|e| e.to_string())?;
            // at the size that drawn defects have
            let mask = test.mask.as_ref().map(|m| m.mapv(|m| f32::from(u8::from(m))));
            let size = (image.dim().0, image.dim().1);
            let mask =
                mask.map(|m| resize_map(m.view(), size, Kernel::Bilinear)).transpose().map_err(|e| e.to_string())?;
            let mask = mask.map(|m| m.mapv(|m| m >= 0.5));
            let descriptors = mask.and_then(|m| Descriptors::measure(image.view(), m.view()).ok());
            let rows = read(image.view())?;
            Ok(Test { rows, mask: test.mask.clone(), kind: test.kind.clone(), descriptors })
        };
        let tests = images.tests.par_iter().map(test).collect::<std::result::Result<_, String>>()?;
        Ok(Self { net, side, normal, tests })
    }

    /// Patches of the defect of test image `i`; `None` where its mask is missing or empty.
    pub(crate) fn real(&self, i: usize) -> Option<DefectPatches> {
        let test = &self.tests[i];
        test.rows.defect(test.mask.as_ref()?.view(), REAL, 0, i)
    }

    /// Draws `count` defects on the photos `on`, of every mechanism and material in turn; those that cannot be drawn
    /// are left out. With `estimator`, each is also corrupted, and both are rated.
    pub(crate) fn draw(
        &self,
        images: &ImageSet,
        on: &[usize],
        (pipeline, source): (&Pipeline, &PipelineSource<'_>),
        (count, seed): (usize, u64),
        estimator: Option<&FaultEstimator>,
    ) -> Result<Vec<Drawn>> {
        let corrupted = Corrupted::new(source, 1.0, seed);
        let groups = pipeline.groups();
        let read = |image: ArrayView3<'_, f32>| PatchRows::read(&self.net, self.side, image).map_err(|e| e.to_string());
        let one = |k: usize| -> std::result::Result<Option<Drawn>, String> {
            let (photo, group) = (on[(k * 7919) % on.len()], k % groups);
            // of every mechanism in turn each material in turn, from streams of their own
            let key = SampleKey { seed, index: (k / groups + 3_000_000 * (k % groups)) as u64 };
            let (image, Some(domain)) = (images.normals[photo].view(), source.domain(photo)) else { return Ok(None) };
            let Ok(made) = pipeline.synthesize(image, domain, group, key) else { return Ok(None) };
            let rows = read(made.image.view())?;
            let Some(patches) = rows.defect(made.mask.view(), DRAWN, seed, k) else { return Ok(None) };
            let (mut quality, mut bad) = (1.0, None);
            if let Some(estimator) = estimator {
                let rate = |image: ArrayView3<'_, f32>, mask: ArrayView2<'_, bool>| {
                    estimator.diagnose(image, mask).map(|d| d.quality).map_err(|e| e.to_string())
                };
                quality = rate(made.image.view(), made.mask.view())?;
                let Ok(c) = corrupted.anomaly(image, photo, group, key.index) else { return Ok(None) };
                let Some(p) = read(c.image.view())?.defect(c.mask.view(), DRAWN, seed, k) else { return Ok(None) };
                bad = Some((p, rate(c.image.view(), c.mask.view())?));
            }
            let depth = to_background(domain.mask());
            let inside = depth.iter().zip(&made.mask).filter(|(_, m)| **m).map(|(d, _)| f64::from(*d));
            let depth = inside.fold(f64::INFINITY, f64::min) / made.record.object_scale;
            let bins = (group, (key.index % 3) as usize, [made.record.severity, made.record.visibility, depth]);
            let descriptors = Descriptors::measure(made.image.view(), made.mask.view()).map_err(|e| e.to_string())?;
            Ok(Some(Drawn { patches, corrupted: bad, quality, bins, rows, mask: made.mask, descriptors }))
        };
        let all: Vec<Option<Drawn>> =
            (0..count).into_par_iter().map(one).collect::<std::result::Result<_, String>>()?;
        Ok(all.into_iter().flatten().collect())
    }
}

/// A defect, the weight of its marked patches and that of its unmarked ones.
pub(crate) type Weighted<'a> = (&'a DefectPatches, f64, f64);

/// Rows that a head is fitted to.
pub(crate) struct Rows {
    pub(crate) inputs: Array2<f32>,
    pub(crate) labels: Vec<bool>,
    pub(crate) weights: Vec<f64>,
}

impl Rows {
    /// Patches of defects with weights, and normal ones with weight 1.
    pub(crate) fn new(defects: &[Weighted<'_>], normal: ArrayView2<'_, f32>, expansion: &RowExpansion) -> Result<Self> {
        let (mut rows, mut labels, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        let mut push = |part: ArrayView2<'_, f32>, label: bool, weight: f64| {
            labels.extend(std::iter::repeat_n(label, part.nrows()));
            weights.extend(std::iter::repeat_n(weight, part.nrows()));
        };
        for (defect, marked, unmarked) in defects {
            push(defect.marked.view(), true, *marked);
            push(defect.unmarked.view(), false, *unmarked);
            rows.extend([defect.marked.view(), defect.unmarked.view()]);
        }
        push(normal, false, 1.0);
        rows.push(normal);
        let inputs = expansion.apply(concatenate(Axis(0), &rows)?.view());
        Ok(Self { inputs, labels, weights })
    }

    /// Fits a logistic head; the bias comes last.
    pub(crate) fn head(&self) -> Vec<f64> {
        let head = logistic::fit_weighted(self.inputs.view(), &self.labels, &self.weights, RIDGE);
        head.weights.into_iter().chain([head.bias]).collect()
    }
}

/// Pixel average precision, pixel AUROC and image AUROC.
pub(crate) type Figures = [f64; 3];

/// Measures a head on images: the map of patches is brought to the mask's size, the image score is the mean of the
/// highest hundredth of the patches.
pub(crate) fn measure(
    images: &[(&PatchRows, Option<&Array2<bool>>, bool)],
    scores: &(dyn Fn(ArrayView2<'_, f32>) -> Vec<f64> + Sync),
) -> Result<Figures> {
    let score = |&(rows, mask, _): &(&PatchRows, Option<&Array2<bool>>, bool)| -> std::result::Result<_, String> {
        let scores = scores(rows.features());
        let map = Array2::from_shape_vec(rows.grid(), scores.iter().map(|s| *s as f32).collect());
        let map = map.map_err(|e| e.to_string())?;
        let mut sorted = scores;
        sorted.sort_by(|a, b| b.total_cmp(a));
        let top = (sorted.len() / 100).max(1);
        let image = sorted[..top].iter().sum::<f64>() / top as f64;
        let full = mask.map(|m| resize_map(map.view(), m.dim(), Kernel::Bilinear)).transpose();
        Ok((full.map_err(|e| e.to_string())?, image))
    };
    let scored: Vec<_> = images.par_iter().map(score).collect::<std::result::Result<_, String>>()?;
    let (mut pool, mut scores, mut labels) = (PixelPool::new(), Vec::new(), Vec::new());
    for ((map, score), (_, mask, defective)) in scored.iter().zip(images) {
        if let (Some(map), Some(mask)) = (map, mask) {
            pool.push(map.view(), mask.view())?;
        }
        scores.push(*score);
        labels.push(*defective);
    }
    let ranked = pool.rank()?;
    let image = if labels.iter().all(|l| *l) { f64::NAN } else { auroc(&scores, &labels)? };
    Ok([ranked.average_precision(), ranked.auroc(), image])
}
