//! The normal images before training: who serves what, and what is kept of them.

use std::borrow::Cow;

use frozen_backbone::Backbone;
use ndarray::{Array2, Array3, ArrayView3, Axis, concatenate};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::gaussians::{FOLDS, Gaussians, Group, Moments, by_level};
use crate::reading::Scales;
use crate::shrinkage::Validation;
use crate::{AnomalySource, Error, TrainParams, patches};

/// Normal patches kept per image for training.
const KEPT: usize = 512;
/// Feature rows that projections are fitted to, and the images they are taken from, at most.
const ROWS: usize = 32_768;
const IMAGES: usize = 128;
/// Bytes of deviations of whole images that are kept, at most.
const WHOLE: usize = 512 << 20;
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
    /// The pooled covariance's share in them.
    pub(crate) shrinkage: f64,
    /// Longest shorter side of the images, px.
    pub(crate) side: usize,
    /// What the discriminator reads of some patches of each image, by image number.
    pub(crate) inputs: Vec<Array2<f32>>,
    /// Whole deviations of the first images.
    befores: Vec<Array2<f32>>,
    /// Of all training images but a fold.
    folds: Vec<Gaussians>,
    /// Fold of each image; the others are in none.
    fold_of: Vec<Option<usize>>,
}

/// Longest shorter side of some images, px.
pub(crate) fn side(images: &[Array3<f32>]) -> usize {
    images.iter().map(|n| n.dim().0.min(n.dim().1)).max().unwrap_or(0)
}

impl Normals {
    /// Tells `done` how many of how many images were read. `source` draws the defects by which the shrinkage is chosen, if none is given.
    pub(crate) fn gather(
        backbone: &dyn Backbone,
        normals: &[Array3<f32>],
        split: &Split,
        source: &dyn AnomalySource,
        params: &TrainParams,
        done: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, Error> {
        let total = split.train.len() + normals.len();
        let rows = sample(backbone, normals, &split.train, params.seed)?;
        let groups = by_level(backbone, rows.view(), params.dimensions)?;
        let moments = moments(backbone, normals, &split.train, groups, &mut |n| done(n, total))?;
        let shrinkage = match params.shrinkage {
            Some(given) => given,
            None => Validation::draw(backbone, normals, &split.meta, source)?.choose(&moments)?,
        };
        let whole = moments.finish(None, shrinkage)?;
        let folds: Vec<Gaussians> =
            (0..FOLDS).map(|f| moments.finish(Some(f), shrinkage)).collect::<Result<_, Error>>()?;
        drop(moments);
        let mut fold_of = vec![None; normals.len()];
        split.train.iter().enumerate().for_each(|(k, &i)| fold_of[i] = Some(k % FOLDS));

        let side = side(normals);
        let scales = Scales::new(&whole);
        let inputs = Vec::with_capacity(normals.len());
        let mut all = Self { whole, scales, shrinkage, side, inputs, befores: Vec::new(), folds, fold_of };
        let mut room = WHOLE;
        for block in normals.chunks(AT_ONCE) {
            let first = all.inputs.len();
            let deviations = |(k, image): (usize, &Array3<f32>)| all.deviations(backbone, image.view(), first + k);
            let deviations: Vec<_> = block.par_iter().enumerate().map(deviations).collect::<Result<_, Error>>()?;
            for whole in deviations {
                let kept = some(whole.nrows(), KEPT, params.seed, all.inputs.len());
                all.inputs.push(whole.select(Axis(0), &kept));
                room = room.saturating_sub(size_of::<f32>() * whole.len());
                if room > 0 {
                    all.befores.push(whole);
                }
            }
            done(split.train.len() + all.inputs.len(), total);
        }
        all.scales.fit(split.train.iter().map(|&i| &all.inputs[i]));
        let scales = &all.scales;
        all.inputs = all.inputs.par_iter().map(|deviations| scales.read(deviations)).collect();
        Ok(all)
    }

    fn deviations(
        &self,
        backbone: &dyn Backbone,
        photo: ArrayView3<'_, f32>,
        image: usize,
    ) -> Result<Array2<f32>, Error> {
        Ok(self.of(image).deviations(&patches::read(backbone, photo)?.1, None))
    }

    /// How every patch of image number `image`, which is `photo`, deviates from Gaussians that never saw it.
    pub(crate) fn before(
        &self,
        backbone: &dyn Backbone,
        photo: ArrayView3<'_, f32>,
        image: usize,
    ) -> Result<Cow<'_, Array2<f32>>, Error> {
        match self.befores.get(image) {
            Some(known) => Ok(Cow::Borrowed(known)),
            None => Ok(Cow::Owned(self.deviations(backbone, photo, image)?)),
        }
    }

    /// The Gaussians that never saw image number `image`.
    pub(crate) fn of(&self, image: usize) -> &Gaussians {
        self.fold_of.get(image).copied().flatten().map_or(&self.whole, |fold| &self.folds[fold])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Anomaly;

    struct Nothing;
    impl AnomalySource for Nothing {
        fn groups(&self) -> usize {
            1
        }
        fn anomaly(&self, _: ArrayView3<'_, f32>, _: usize, _: usize, _: u64) -> Result<Anomaly, String> {
            Err("draws nothing".to_owned())
        }
    }

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
        let params = TrainParams { dimensions: 8, shrinkage: Some(0.1), ..Default::default() };
        let split = Split::new(normals.len(), 0, 0.1);
        let base = Normals::gather(&net, &normals, &split, &Nothing, &params, &mut |_, _| ()).unwrap();
        let mean = |gaussians: &Gaussians, i: usize| {
            let p = patches::read(&net, normals[i].view()).unwrap().1;
            gaussians.lengths(&gaussians.deviations(&p, None)).mean().unwrap()
        };
        for &i in &split.train {
            let (without, with) = (mean(base.of(i), i), mean(&base.whole, i));
            assert!(without > 1.1 * with, "{i}: {without} {with}");
        }
        // kept or not, what an image was like before a defect is the same
        let dropped = Normals { befores: Vec::new(), ..base };
        let base = Normals::gather(&net, &normals, &split, &Nothing, &params, &mut |_, _| ()).unwrap();
        assert_eq!(base.befores.len(), normals.len());
        for (i, normal) in normals.iter().enumerate() {
            let [kept, made] = [&base, &dropped].map(|b| b.before(&net, normal.view(), i).unwrap().into_owned());
            assert_eq!(kept, made);
            assert_eq!(kept, base.of(i).deviations(&patches::read(&net, normal.view()).unwrap().1, None));
        }
        for &i in split.meta.iter().chain(&split.calibration) {
            assert_eq!(mean(base.of(i), i), mean(&base.whole, i));
        }
    }
}
