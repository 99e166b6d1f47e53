//! The normal images before training: who serves what, and what is kept of them.

use frozen_backbone::Backbone;
use ndarray::{Array2, Array3, Axis, concatenate};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::gaussians::{FOLDS, Gaussians, Group, Moments, by_level};
use crate::patches::Patches;
use crate::reading::Scales;
use crate::{Error, TrainParams, patches};

/// Normal patches kept per image for training.
const KEPT: usize = 512;
/// Feature rows that projections are fitted to, and the images they are taken from, at most.
const ROWS: usize = 32_768;
const IMAGES: usize = 128;
/// Images whose features are in memory at once.
pub(crate) const AT_ONCE: usize = 16;

/// Which normal image serves what.
#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) train: Vec<usize>,
    pub(crate) meta: Vec<usize>,
    pub(crate) calibration: Vec<usize>,
}

impl Split {
    pub(crate) fn new(images: usize, seed: u64, held_out: f64) -> Self {
        let mut order: Vec<usize> = (0..images).collect();
        order.shuffle(&mut stream(seed, 0));
        let held = ((images as f64 * held_out).round() as usize).max(1);
        let calibration = order.split_off(images - held);
        let meta = order.split_off(images - 2 * held);
        Self { train: order, meta, calibration }
    }
}

/// Generator number `stream` of a run: draws do not depend on what was drawn before.
pub(crate) fn stream(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// Some of `n` patches, by number, for image number `image`.
pub(crate) fn some(n: usize, count: usize, seed: u64, image: usize) -> Vec<usize> {
    let mut kept = rand::seq::index::sample(&mut stream(seed, 1 + image as u64), n, n.min(count)).into_vec();
    kept.sort_unstable();
    kept
}

/// Feature rows of some patches of some of the images, `(N, features)`, at most [`ROWS`].
pub(crate) fn sample(
    backbone: &dyn Backbone,
    normals: &[Array3<f32>],
    images: &[usize],
    seed: u64,
) -> Result<Array2<f32>, Error> {
    let chosen: Vec<usize> = images.iter().copied().step_by(images.len().div_ceil(IMAGES).max(1)).collect();
    let each = ROWS.div_ceil(chosen.len().max(1));
    let rows = |&i: &usize| -> Result<Array2<f32>, Error> {
        let features = patches::read(backbone, normals[i].view())?.1.features;
        Ok(features.select(Axis(0), &some(features.nrows(), each, seed, i)))
    };
    let rows: Vec<Array2<f32>> = chosen.par_iter().map(rows).collect::<Result<_, Error>>()?;
    let views: Vec<_> = rows.iter().map(|r| r.view()).collect();
    concatenate(Axis(0), &views).map_err(|_| Error::TooFewNormals { found: 0, needed: 3 })
}

/// Adds up `images`, the first of them in fold 0, the next in fold 1 and so on; tells `done` how many there are.
pub(crate) fn moments(
    backbone: &dyn Backbone,
    normals: &[Array3<f32>],
    images: &[usize],
    groups: Vec<Group>,
    done: &mut dyn FnMut(usize),
) -> Result<Moments, Error> {
    let read = |i: usize| patches::read(backbone, normals[i].view()).map(|(_, p)| p);
    let Some(&first) = images.first() else { return Err(Error::TooFewNormals { found: 0, needed: 3 }) };
    let mut moments = Moments::new(groups, &read(first)?);
    for (block, images) in images.chunks(AT_ONCE).enumerate() {
        let features = images.par_iter().enumerate().map(|(k, &i)| Ok((block * AT_ONCE + k, read(i)?)));
        moments.add(&features.collect::<Result<Vec<_>, Error>>()?);
        done(block * AT_ONCE + images.len());
    }
    Ok(moments)
}

/// What training keeps of the normal images.
pub(crate) struct Normals {
    /// Of all training images.
    pub(crate) whole: Gaussians,
    pub(crate) scales: Scales,
    /// Longest shorter side of the images, px.
    pub(crate) side: usize,
    /// What the discriminator reads of some patches of each image, by image number.
    pub(crate) inputs: Vec<Array2<f32>>,
    /// Of all training images but a fold.
    folds: Vec<Gaussians>,
    /// Fold of each image; the others are in none.
    fold_of: Vec<Option<usize>>,
}

impl Normals {
    /// Tells `done` how many of how many images were read.
    pub(crate) fn gather(
        backbone: &dyn Backbone,
        normals: &[Array3<f32>],
        split: &Split,
        params: &TrainParams,
        done: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, Error> {
        let total = split.train.len() + normals.len();
        let rows = sample(backbone, normals, &split.train, params.seed)?;
        let groups = by_level(backbone, rows.view(), params.dimensions)?;
        let moments = moments(backbone, normals, &split.train, groups, &mut |n| done(n, total))?;
        let whole = moments.finish(None, params.shrinkage)?;
        let folds: Vec<Gaussians> =
            (0..FOLDS).map(|f| moments.finish(Some(f), params.shrinkage)).collect::<Result<_, Error>>()?;
        drop(moments);
        let mut fold_of = vec![None; normals.len()];
        split.train.iter().enumerate().for_each(|(k, &i)| fold_of[i] = Some(k % FOLDS));

        let side = normals.iter().map(|n| n.dim().0.min(n.dim().1)).max().unwrap_or(0);
        let scales = Scales::new(&whole);
        let mut all = Self { whole, scales, side, inputs: Vec::with_capacity(normals.len()), folds, fold_of };
        for block in normals.chunks(AT_ONCE) {
            let first = all.inputs.len();
            let deviations = |(k, image): (usize, &Array3<f32>)| -> Result<Array2<f32>, Error> {
                let p: Patches = patches::read(backbone, image.view())?.1;
                let kept = some(p.features.nrows(), KEPT, params.seed, first + k);
                Ok(all.of(first + k).deviations(&p, Some(&kept)))
            };
            let deviations: Vec<_> = block.par_iter().enumerate().map(deviations).collect::<Result<_, Error>>()?;
            all.inputs.extend(deviations);
            done(split.train.len() + all.inputs.len(), total);
        }
        all.scales.fit(split.train.iter().map(|&i| &all.inputs[i]));
        let scales = &all.scales;
        all.inputs = all.inputs.par_iter().map(|deviations| scales.read(deviations)).collect();
        Ok(all)
    }

    /// The Gaussians that never saw image number `image`.
    pub(crate) fn of(&self, image: usize) -> &Gaussians {
        self.fold_of.get(image).copied().flatten().map_or(&self.whole, |fold| &self.folds[fold])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an image is compared with was fitted without it: so it lies farther off than from Gaussians that know it.
    #[test]
    fn a_training_image_is_compared_with_the_others_only() {
        let net = frozen_backbone::EfficientNetLite0::pretrained().unwrap();
        let photo = |i: usize| {
            let value =
                |y: usize, x: usize, c: usize| ((y * 7919 + x * 104_729 + i * 611_953 + c * 31) % 1009) as f32 / 1009.0;
            Array3::from_shape_fn((64, 64, 3), |(y, x, c)| {
                0.4 + 0.1 * ((y / 6 + x / 9 + i) % 3) as f32 + 0.05 * value(y, x, c)
            })
        };
        let normals: Vec<_> = (0..10).map(photo).collect();
        let params = TrainParams { dimensions: 8, ..Default::default() };
        let split = Split::new(normals.len(), 0, 0.1);
        let base = Normals::gather(&net, &normals, &split, &params, &mut |_, _| ()).unwrap();
        let mean = |gaussians: &Gaussians, i: usize| {
            let p = patches::read(&net, normals[i].view()).unwrap().1;
            gaussians.lengths(&gaussians.deviations(&p, None)).mean().unwrap()
        };
        for &i in &split.train {
            let (without, with) = (mean(base.of(i), i), mean(&base.whole, i));
            assert!(without > 1.1 * with, "{i}: {without} {with}");
        }
        for &i in split.meta.iter().chain(&split.calibration) {
            assert_eq!(mean(base.of(i), i), mean(&base.whole, i));
        }
    }
}
