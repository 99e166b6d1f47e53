//! Warm start of the quality estimator: it learns to rank several versions of one defect by their fidelity.

use frozen_backbone::Backbone;
use imgkit::ensure;
use ndarray::{Array2, Array3, ArrayView3, Zip};
use physdefect::SampleKey;
use rayon::prelude::*;
use sqe::{Head, QualityFeatures, RankedVersions, Sqe, WarmStartParams, WarmStartReport};

use crate::error::Error;
use crate::synthesis::{PipelineSource, Stages};

/// Versions of a defect that the warm start ranks, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RankingTarget {
    /// Raw paste, npcF, npcF++, unmodified photo. The last version is the unmodified photo. Because it has no contrast,
    /// the estimator may learn to prefer faint defects.
    #[default]
    UpToOriginal,
    /// Raw paste, npcF and npcF++, each scaled to the root-mean-square contrast of the faintest of them, so that
    /// contrast carries no information about the rank. This project's own variant.
    ContrastMatched,
}

impl RankingTarget {
    /// Extracts the quality features of every version of a defect on `photo` `(H, W, C)`, worst first.
    ///
    /// # Errors
    /// [`Error::Quality`].
    pub fn rank(
        self,
        backbone: &dyn Backbone,
        photo: ArrayView3<'_, f32>,
        stages: &Stages,
    ) -> Result<RankedVersions, Error> {
        let made = [&stages.raw, &stages.coarse, &stages.fine];
        let extract = |image: ArrayView3<'_, f32>| QualityFeatures::extract(backbone, image, stages.mask.view());
        let versions: Result<Vec<QualityFeatures>, sqe::Error> = match self {
            Self::UpToOriginal => made.map(|m| m.view()).into_iter().chain([photo]).map(extract).collect(),
            Self::ContrastMatched => {
                match_contrast(made, photo, &stages.mask).iter().map(|image| extract(image.view())).collect()
            }
        };
        Ok(RankedVersions::worst_first(versions?))
    }
}

/// Scales the images' difference from `photo` inside `mask` to the smallest root mean square among them.
fn match_contrast(images: [&Array3<f32>; 3], photo: ArrayView3<'_, f32>, mask: &Array2<bool>) -> [Array3<f32>; 3] {
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

/// Parameters of the warm start: how many defects, and which of their versions are ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RankingParams {
    pub(crate) defects: usize,
    pub(crate) ranking: RankingTarget,
}

impl Default for RankingParams {
    fn default() -> Self {
        Self { defects: 48, ranking: RankingTarget::default() }
    }
}

impl RankingParams {
    /// Sets the number of defects (default 48).
    #[must_use]
    pub fn with_defects(mut self, count: usize) -> Self {
        self.defects = count;
        self
    }

    /// Sets the versions that are ranked (default: up to the original photo).
    #[must_use]
    pub fn with_ranking(mut self, ranking: RankingTarget) -> Self {
        self.ranking = ranking;
        self
    }

    /// Checks the number of defects.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless there are 1 to 2^20 defects.
    pub fn check(&self) -> Result<(), Error> {
        let allowed = (1..=1 << 20).contains(&self.defects);
        Ok(ensure(allowed, "warm start", "ranked_defects", self.defects, "1 to 2^20")?)
    }
}

/// Trains a quality estimator to rank versions of defects, of every mechanism of `source` in turn, on its own photos.
///
/// A pure function of its arguments. Defects that cannot be made are left out.
///
/// # Errors
/// [`Error::Parameter`] without photos or mechanisms; [`Error::Quality`], above all [`sqe::Error::TooFewRankings`].
pub fn warm_start(
    backbone: &dyn Backbone,
    photos: &[Array3<f32>],
    source: &PipelineSource<'_>,
    options: RankingParams,
    seed: u64,
) -> Result<(Sqe, WarmStartReport), Error> {
    options.check()?;
    let pipeline = source.pipeline();
    ensure(!photos.is_empty(), "warm start", "photos", photos.len(), "at least one photo")?;
    ensure(pipeline.groups() > 0, "warm start", "groups", pipeline.groups(), "at least one mechanism in the pipeline")?;
    let rank = |i: usize| -> Result<Option<RankedVersions>, Error> {
        let image = (i * 7919) % photos.len();
        let (photo, Some(domain)) = (photos[image].view(), source.domain(image)) else { return Ok(None) };
        // a range of its own: training samples have low indices
        let key = SampleKey { seed, index: (1 << 60) + i as u64 };
        let Ok(stages) = pipeline.stages(photo, domain, i % pipeline.groups(), key) else { return Ok(None) };
        options.ranking.rank(backbone, photo, &stages).map(Some)
    };
    let ranked: Result<Vec<_>, Error> = (0..options.defects).into_par_iter().map(rank).collect();
    let ranked: Vec<RankedVersions> = ranked?.into_iter().flatten().collect();
    let mut quality = Sqe::new(backbone, Head::default(), seed)?;
    let reached = quality.warm_start(&ranked, &WarmStartParams::default().with_seed(seed))?;
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
        let [raw, coarse, fine] = match_contrast([&by(0.8), &by(0.2), &by(-0.4)], photo.view(), &mask);
        let near = |a: &Array3<f32>, b: &Array3<f32>| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(near(&coarse, &by(0.2)) && near(&raw, &by(0.2)) && near(&fine, &by(-0.2)), "{raw} {fine}");
        // one that differs nowhere takes all contrast from the others, and nothing is divided by it
        let [raw, same, _] = match_contrast([&by(0.8), &photo, &by(0.1)], photo.view(), &mask);
        assert!(near(&raw, &photo) && near(&same, &photo));
    }
}
