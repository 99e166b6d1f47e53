//! Gaussians of the normal images, and inputs and deviations of their patches.

use std::borrow::Cow;

use frozen_backbone::Backbone;
use ndarray::{Array2, Array3, ArrayView3, Axis};
use rayon::prelude::*;

use crate::error::Error;
use crate::features::gaussians::{FOLDS, Gaussians, by_level};
use crate::features::input_scales::Scales;
use crate::features::patches;
use crate::features::statistics::{AT_ONCE, moments, sample, shorter_side};
use crate::features::subsample::subsample;
use crate::training::anomaly_source::AnomalySource;
use crate::training::params::TrainParams;
use crate::training::shrinkage::Validation;
use crate::training::split::Split;

/// Normal patches kept per image for training.
const KEPT: usize = 512;
/// Largest number of bytes kept of the deviations of whole images. Beyond it images are read again: time is traded for
/// memory.
const WHOLE: usize = 512 << 20;

/// What training keeps of the normal images.
pub(crate) struct NormalCache {
    /// Gaussians of all training images.
    pub(crate) whole: Gaussians,
    pub(crate) scales: Scales,
    /// Share of the pooled covariance in them.
    pub(crate) shrinkage: f64,
    /// Longest shorter side of the images, px.
    pub(crate) side: usize,
    /// Inputs of the discriminator for some patches of each image, by image number.
    pub(crate) inputs: Vec<Array2<f32>>,
    /// Deviations of all patches of the first images, before any defect.
    clean_deviations: Vec<Array2<f32>>,
    /// Gaussians of all training images but those of a fold.
    folds: Vec<Gaussians>,
    /// Fold of each training image.
    fold_of: Vec<Option<usize>>,
}

impl NormalCache {
    /// Reads all images; calls `done` with the number read and the total. Unless the shrinkage is given, it is chosen
    /// by defects of `source`.
    pub(crate) fn gather(
        backbone: &dyn Backbone,
        normals: &[Array3<f32>],
        split: &Split,
        source: &dyn AnomalySource,
        params: &TrainParams,
        done: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, Error> {
        let total = split.train.len() + normals.len();
        let rows = sample(backbone, normals, &split.train, params.seed())?;
        let groups = by_level(backbone, rows.view(), params.dimensions())?;
        let moments = moments(backbone, normals, &split.train, groups, &mut |n| done(n, total))?;
        let shrinkage = match params.shrinkage() {
            Some(given) => given,
            None => Validation::synthesize(backbone, normals, &split.validation, source)?.choose(&moments)?,
        };
        let whole = moments.finish(None, shrinkage)?;
        let folds: Vec<Gaussians> =
            (0..FOLDS).map(|f| moments.finish(Some(f), shrinkage)).collect::<Result<_, Error>>()?;
        drop(moments);
        let mut fold_of = vec![None; normals.len()];
        split.train.iter().enumerate().for_each(|(k, &i)| fold_of[i] = Some(k % FOLDS));

        let side = shorter_side(normals);
        let scales = Scales::new(&whole);
        let inputs = Vec::with_capacity(normals.len());
        let mut all = Self { whole, scales, shrinkage, side, inputs, clean_deviations: Vec::new(), folds, fold_of };
        let mut room = WHOLE;
        for block in normals.chunks(AT_ONCE) {
            let first = all.inputs.len();
            let deviations = |(k, image): (usize, &Array3<f32>)| all.deviations(backbone, image.view(), first + k);
            let deviations: Vec<_> = block.par_iter().enumerate().map(deviations).collect::<Result<_, Error>>()?;
            for whole in deviations {
                let kept = subsample(whole.nrows(), KEPT, params.seed(), all.inputs.len());
                all.inputs.push(whole.select(Axis(0), &kept));
                room = room.saturating_sub(size_of::<f32>() * whole.len());
                if room > 0 {
                    all.clean_deviations.push(whole);
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

    /// Deviation of every patch of image number `image`, which is `photo`, from Gaussians fitted without it.
    pub(crate) fn before(
        &self,
        backbone: &dyn Backbone,
        photo: ArrayView3<'_, f32>,
        image: usize,
    ) -> Result<Cow<'_, Array2<f32>>, Error> {
        match self.clean_deviations.get(image) {
            Some(known) => Ok(Cow::Borrowed(known)),
            None => Ok(Cow::Owned(self.deviations(backbone, photo, image)?)),
        }
    }

    /// Gaussians that were fitted without image number `image`.
    pub(crate) fn of(&self, image: usize) -> &Gaussians {
        self.fold_of.get(image).copied().flatten().map_or(&self.whole, |fold| &self.folds[fold])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::anomaly_source::{Anomaly, SourceError};

    struct Nothing;
    impl AnomalySource for Nothing {
        fn mechanisms(&self) -> usize {
            1
        }
        fn anomaly(&self, _: ArrayView3<'_, f32>, _: usize, _: usize, _: u64) -> Result<Anomaly, SourceError> {
            Err("makes nothing".into())
        }
    }

    /// Gaussians fitted without an image lie farther from it than Gaussians fitted with it.
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
        let params = TrainParams::default().with_dimensions(8).with_shrinkage(Some(0.1));
        let split = Split::new(normals.len(), 0, 0.1);
        let base = NormalCache::gather(&net, &normals, &split, &Nothing, &params, &mut |_, _| ()).unwrap();
        let mean = |gaussians: &Gaussians, i: usize| {
            let p = patches::read(&net, normals[i].view()).unwrap().1;
            gaussians.lengths(&gaussians.deviations(&p, None)).mean().unwrap()
        };
        for &i in &split.train {
            let (without, with) = (mean(base.of(i), i), mean(&base.whole, i));
            assert!(without > 1.1 * with, "{i}: {without} {with}");
        }
        // kept or computed again, the deviations of an image are the same
        let dropped = NormalCache { clean_deviations: Vec::new(), ..base };
        let base = NormalCache::gather(&net, &normals, &split, &Nothing, &params, &mut |_, _| ()).unwrap();
        assert_eq!(base.clean_deviations.len(), normals.len());
        for (i, normal) in normals.iter().enumerate() {
            let [kept, made] = [&base, &dropped].map(|b| b.before(&net, normal.view(), i).unwrap().into_owned());
            assert_eq!(kept, made);
            assert_eq!(kept, base.of(i).deviations(&patches::read(&net, normal.view()).unwrap().1, None));
        }
        for &i in split.validation.iter().chain(&split.calibration) {
            assert_eq!(mean(base.of(i), i), mean(&base.whole, i));
        }
    }
}
