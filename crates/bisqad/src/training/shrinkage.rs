//! Choice of the shrinkage on synthetic defects and normal images that the Gaussians were not fitted to.

use frozen_backbone::Backbone;
use ndarray::{Array2, Array3};
use rayon::prelude::*;

use crate::error::Error;
use crate::features::gaussians::Moments;
use crate::features::input_scales::Scales;
use crate::features::patches::{self, Patches};
use crate::training::anomaly_source::AnomalySource;

/// Candidates: few images of a product need more shrinkage, many less.
const TRIED: [f64; 5] = [0.02, 0.05, 0.1, 0.2, 0.4];
/// Default if no defect can be made.
const OTHERWISE: f64 = 0.1;
/// Largest numbers of synthetic defects and of images that they are made on.
const DEFECTS: usize = 48;
const PHOTOS: usize = 16;
/// First index of the source that is used here: training uses lower ones.
const FIRST: u64 = 1 << 40;

/// Normal images as they are, and with defects.
pub(crate) struct Validation {
    good: Vec<Patches>,
    defects: Vec<Defect>,
}

struct Defect {
    patches: Patches,
    marked: Vec<usize>,
    /// Share of each marked patch in the defect.
    shares: Vec<f32>,
}

impl Validation {
    /// Synthesizes defects of every mechanism in turn on `images`, as far as they can be made.
    pub(crate) fn synthesize(
        backbone: &dyn Backbone,
        normals: &[Array3<f32>],
        images: &[usize],
        source: &dyn AnomalySource,
    ) -> Result<Self, Error> {
        let images = &images[..images.len().min(PHOTOS)];
        let good = |&i: &usize| Ok(patches::read(backbone, normals[i].view())?.1);
        let defect = |number: usize| -> Result<Option<Defect>, Error> {
            let image = images[number % images.len()];
            let (group, index) = (number % source.mechanisms(), FIRST + number as u64);
            let Ok(made) = source.anomaly(normals[image].view(), image, group, index) else { return Ok(None) };
            made.check(normals[image].view())?;
            let coverage = patches::coverage(made.mask.view());
            let marked: Vec<usize> = (0..coverage.len()).filter(|&p| coverage[p] > 0.0).collect();
            let total: f32 = coverage.iter().sum();
            let shares = marked.iter().map(|&p| coverage[p] / total).collect();
            Ok(Some(Defect { patches: patches::read(backbone, made.image.view())?.1, marked, shares }))
        };
        let count = if images.is_empty() { 0 } else { DEFECTS };
        let defects: Vec<_> = (0..count).into_par_iter().map(defect).collect::<Result<_, Error>>()?;
        Ok(Self {
            good: images.par_iter().map(good).collect::<Result<_, Error>>()?,
            defects: defects.into_iter().flatten().filter(|d| !d.marked.is_empty()).collect(),
        })
    }

    /// Chooses the candidate whose Gaussians separate synthetic defects best.
    pub(crate) fn choose(&self, moments: &Moments) -> Result<f64, Error> {
        if self.defects.is_empty() {
            return Ok(OTHERWISE);
        }
        let mut best = (f64::NEG_INFINITY, OTHERWISE);
        for shrinkage in TRIED {
            let separation = self.separation(moments, shrinkage)?;
            if separation > best.0 {
                best = (separation, shrinkage);
            }
        }
        Ok(best.1)
    }

    /// Mean over the defects of the probability that a random part of the defect deviates more than a random normal
    /// patch: the area under the ROC curve of the patches, every defect counting alike.
    fn separation(&self, moments: &Moments, shrinkage: f64) -> Result<f64, Error> {
        let gaussians = moments.finish(None, shrinkage)?;
        let mut scales = Scales::new(&gaussians);
        let good: Vec<Array2<f32>> = self.good.iter().map(|p| gaussians.deviations(p, None)).collect();
        scales.fit(good.iter());
        let distances = |deviations: &Array2<f32>| scales.distances(&scales.read(deviations));
        let mut below: Vec<f32> = good.iter().flat_map(distances).collect();
        below.sort_unstable_by(f32::total_cmp);
        let total: f64 = (self.defects.iter())
            .map(|d| {
                let found = distances(&gaussians.deviations(&d.patches, Some(&d.marked)));
                found.iter().zip(&d.shares).map(|(v, s)| f64::from(*s) * rank(&below, *v)).sum::<f64>()
            })
            .sum();
        Ok(total / self.defects.len() as f64)
    }
}

/// Share of `sorted` below `value`, ties by half.
fn rank(sorted: &[f32], value: f32) -> f64 {
    let (less, not_more) = (sorted.partition_point(|v| *v < value), sorted.partition_point(|v| *v <= value));
    (less + not_more) as f64 / (2 * sorted.len().max(1)) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::gaussians::Group;
    use crate::features::whitening::Whitening;
    use ndarray::{Array1, Axis};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const PLACES: usize = 24;

    /// Two directions, of which every position varies in one only, in turn; the defect goes in the other one, or in
    /// any.
    fn case(images: usize, turned: bool) -> (Moments, Validation) {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let spread = |p: usize| if turned && p % 2 == 1 { [0.05, 1.0] } else { [1.0, 0.05] };
        let mut image = |shift: f32| {
            let rows = Array2::from_shape_fn((PLACES, 2), |(p, k)| {
                let k = if shift != 0.0 && spread(p)[k] > 0.5 { return 0.0 } else { k };
                spread(p)[k] * 3f32.sqrt() * rng.random_range(-1.0..1.0f32) + shift
            });
            Patches { grid: (1, PLACES), features: rows }
        };
        let group = Group { from: 0, projection: Whitening { mean: Array1::zeros(2), projection: Array2::eye(2) } };
        let train: Vec<_> = (0..images).map(|i| (i, image(0.0))).collect();
        let mut moments = Moments::new(vec![group], &train[0].1);
        moments.add(&train);
        let whole = |patches: Patches| {
            let marked: Vec<usize> = (0..PLACES).collect();
            Defect { shares: vec![1.0 / PLACES as f32; PLACES], marked, patches }
        };
        let good = (0..20).map(|_| image(0.0)).collect();
        let defects = (0..20).map(|_| whole(image(0.3))).collect();
        (moments, Validation { good, defects })
    }

    #[test]
    fn places_that_differ_want_little_pooling_and_few_images_of_like_places_much() {
        let (moments, validation) = case(200, true);
        assert_eq!(validation.choose(&moments).unwrap(), 0.02);
        let (moments, validation) = case(3, false);
        assert_eq!(validation.choose(&moments).unwrap(), 0.4);
    }

    #[test]
    fn the_rank_is_the_area_under_the_curve() {
        let sorted = [1.0, 2.0, 2.0, 3.0];
        assert_eq!([0.0, 1.0, 2.0, 2.5, 9.0].map(|v| rank(&sorted, v)), [0.0, 0.125, 0.5, 0.75, 1.0]);
    }

    #[test]
    fn without_a_defect_there_is_a_default() {
        let (moments, validation) = case(8, false);
        let none = Validation { defects: Vec::new(), ..validation };
        assert_eq!(none.choose(&moments).unwrap(), OTHERWISE);
        assert_eq!(moments.finish(None, OTHERWISE).unwrap().means.len_of(Axis(0)), PLACES);
    }
}
