//! What the quality estimator learns first: which of several versions of one defect is the better one.

use frozen_backbone::Backbone;
use ndarray::{Array2, Array3, ArrayView3, Zip};
use physdefect::SampleKey;
use rayon::prelude::*;
use sqe::{Head, QualityFeatures, RankedVersions, Sqe, WarmStartParams, WarmStartReport};

use crate::error::Error;
use crate::synthesis::{PipelineSource, Stages};

/// The versions that a [`RankedVersions`] ranks, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RankingTarget {
    /// Raw paste, npcF, npcF++, untouched pixels. The last has no contrast at all, and so a faint defect ranks high by its faintness.
    #[default]
    UpToOriginal,
    /// Raw paste, npcF and npcF++, each brought to the root-mean-square contrast to the photo that the faintest of them has: contrast says
    /// nothing of the rank. This project's own variant.
    ContrastMatched,
}

impl RankingTarget {
    /// The ladder of a defect on `photo` `(H, W, C)`.
    ///
    /// # Errors
    /// [`Error::Quality`].
    pub fn ladder(
        self,
        backbone: &dyn Backbone,
        photo: ArrayView3<'_, f32>,
        stages: &Stages,
    ) -> Result<RankedVersions, Error> {
        let made = [&stages.raw, &stages.coarse, &stages.fine];
        let gather = |image: ArrayView3<'_, f32>| QualityFeatures::extract(backbone, image, stages.mask.view());
        let rungs: Result<Vec<QualityFeatures>, sqe::Error> = match self {
            Self::UpToOriginal => made.map(|m| m.view()).into_iter().chain([photo]).map(gather).collect(),
            Self::ContrastMatched => {
                equally_faint(made, photo, &stages.mask).iter().map(|image| gather(image.view())).collect()
            }
        };
        Ok(RankedVersions::worst_first(rungs?))
    }
}

/// `images` with their difference from `photo` inside `mask` scaled to the least root mean square among them.
fn equally_faint(images: [&Array3<f32>; 3], photo: ArrayView3<'_, f32>, mask: &Array2<bool>) -> [Array3<f32>; 3] {
    let contrast = |image: &Array3<f32>| {
        let squares = image.indexed_iter().zip(photo).filter(|(((y, x, _), _), _)| mask[[*y, *x]]);
        squares.map(|((_, v), p)| f64::from(v - p).powi(2)).sum::<f64>().sqrt()
    };
    let contrasts = images.map(contrast);
    let least = contrasts.iter().copied().fold(f64::INFINITY, f64::min);
    let mut of = contrasts.into_iter();
    images.map(|image| {
        let scale = (least / of.next().unwrap_or(least).max(1e-12)) as f32;
        Zip::from(image).and(photo).map_collect(|v, p| p + scale * (v - p))
    })
}

/// A quality estimator that has learnt `rungs` of `count` defects, of every mechanism of `source` in turn, on its own photos.
///
/// A pure function of its arguments. Defects that cannot be made are left out.
///
/// # Errors
/// [`Error::Quality`], above all [`sqe::Error::TooFewRankings`].
pub fn warm_start(
    backbone: &dyn Backbone,
    photos: &[Array3<f32>],
    source: &PipelineSource<'_>,
    rungs: RankingTarget,
    count: usize,
    seed: u64,
) -> Result<(Sqe, WarmStartReport), Error> {
    let one = |i: usize| -> Result<Option<RankedVersions>, Error> {
        let image = (i * 7919) % photos.len();
        let (photo, Some(domain)) = (photos[image].view(), source.domain(image)) else { return Ok(None) };
        // a stream of its own: training draws use low indices
        let key = SampleKey { seed, index: (1 << 60) + i as u64 };
        let pipeline = source.pipeline();
        let Ok(stages) = pipeline.stages(photo, domain, i % pipeline.groups(), key) else { return Ok(None) };
        rungs.ladder(backbone, photo, &stages).map(Some)
    };
    let made: Result<Vec<_>, Error> = (0..count).into_par_iter().map(one).collect();
    let ladders: Vec<RankedVersions> = made?.into_iter().flatten().collect();
    let mut quality = Sqe::new(backbone, Head::default(), seed)?;
    let reached = quality.warm_start(&ladders, &WarmStartParams::default().with_seed(seed))?;
    Ok((quality, reached))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_faintest_stays_and_the_others_come_down_to_it() {
        let photo = Array3::from_elem((4, 5, 1), 0.5f32);
        let mask = Array2::from_shape_fn((4, 5), |(y, _)| y < 2);
        let by =
            |a: f32| Array3::from_shape_fn((4, 5, 1), |(y, x, _)| 0.5 + if y < 2 { a * x as f32 / 8.0 } else { 0.0 });
        let [raw, coarse, fine] = equally_faint([&by(0.8), &by(0.2), &by(-0.4)], photo.view(), &mask);
        let near = |a: &Array3<f32>, b: &Array3<f32>| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(near(&coarse, &by(0.2)) && near(&raw, &by(0.2)) && near(&fine, &by(-0.2)), "{raw} {fine}");
        // one that differs nowhere takes all contrast from the others, and nothing is divided by it
        let [raw, same, _] = equally_faint([&by(0.8), &photo, &by(0.1)], photo.view(), &mask);
        assert!(near(&raw, &photo) && near(&same, &photo));
    }
}
