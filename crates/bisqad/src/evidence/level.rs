//! One level of the pyramid: its coordinates, and the evidence that was fitted in them.

use frozen_backbone::model_file::to_half;
use ndarray::{Array2, Axis, concatenate};
use rayon::prelude::*;

use super::bank::Bank;
use super::place_gaussian::PlaceGaussian;
use super::place_nearest::PlaceNearest;
use super::{Evidence, EvidenceKind, Rows};
use crate::error::Error;
use crate::features::gaussians::{FOLDS, Gaussians, Group, Moments};
use crate::features::patches::Patches;
use crate::features::subsample::subsample;
use crate::features::whitening::Whitening;
use crate::selection::params::EvidenceParams;

/// Largest number of rows that principal components are fitted to, and of those that a bank is selected from.
const COMPONENT_ROWS: usize = 32_768;
const POOL: usize = 16_384;

/// Sizes and settings of the evidence of a level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LevelSettings {
    pub(crate) seed: u64,
    /// Largest number of principal components.
    pub(crate) dimensions: usize,
    /// Share of the pooled covariance in that of each place.
    pub(crate) shrinkage: f64,
    /// Rows of a bank.
    pub(crate) bank: usize,
}

impl LevelSettings {
    pub(crate) fn of(params: &EvidenceParams) -> Self {
        Self {
            seed: params.seed(),
            dimensions: params.dimensions(),
            shrinkage: params.shrinkage(),
            bank: params.bank(),
        }
    }
}

/// Normal images at one level, from which evidence is fitted to all of them or to all but a fold.
pub(crate) struct LevelNormals<'a> {
    level: usize,
    settings: LevelSettings,
    normals: Vec<&'a Patches>,
    /// Of each, the number of its photo.
    numbers: &'a [u32],
    moments: Moments,
}

impl<'a> LevelNormals<'a> {
    /// Measures `normals`; image i belongs to fold i modulo [`FOLDS`] and is known by `numbers[i]`.
    pub(crate) fn measure(
        level: usize,
        normals: Vec<&'a Patches>,
        numbers: &'a [u32],
        settings: LevelSettings,
    ) -> Result<Self, Error> {
        let Some(&first) = normals.first() else { return Err(Error::TooFewNormals { found: 0, needed: 1 }) };
        let each = COMPONENT_ROWS.div_ceil(normals.len());
        let rows = |(i, n): (usize, &&Patches)| {
            n.features.select(Axis(0), &subsample(n.features.nrows(), each, settings.seed, i))
        };
        let rows: Vec<Array2<f32>> = normals.iter().enumerate().map(rows).collect();
        let views: Vec<_> = rows.iter().map(|r| r.view()).collect();
        let few = |_| Error::TooFewNormals { found: normals.len(), needed: 1 };
        let rows = concatenate(Axis(0), &views).map_err(few)?;
        // components of fewer rows than twice their number would be noise
        let dimensions = settings.dimensions.min(rows.nrows() / 2).max(1);
        let group = Group { from: 0, projection: Whitening::fit(rows.view(), dimensions)? };
        let mut moments = Moments::new(vec![group], first);
        let images: Vec<(usize, &Patches)> = normals.iter().copied().enumerate().collect();
        for images in images.chunks(16) {
            moments.add(images);
        }
        Ok(Self { level, settings, normals, numbers, moments })
    }

    /// Fits `kinds` of evidence to the normals outside fold `without`.
    pub(crate) fn fit(&self, kinds: &[EvidenceKind], without: Option<usize>) -> Result<Level, Error> {
        let used: Vec<usize> = (0..self.normals.len()).filter(|i| Some(i % FOLDS) != without).collect();
        let gaussians = if kinds.iter().any(|kind| kind.is_by_place()) {
            self.moments.finish(without, self.settings.shrinkage)?.rounded()
        } else {
            self.moments.components_alone()
        };
        let mut level = Level { level: self.level, gaussians, evidence: Vec::new() };
        let mut kinds = kinds.to_vec();
        kinds.sort_unstable();
        let mut pool: Option<(Array2<f32>, Vec<u32>)> = None;
        for kind in kinds {
            level.evidence.push(match kind {
                EvidenceKind::PlaceGaussian => Box::new(PlaceGaussian),
                EvidenceKind::PlaceNearest => {
                    let rows: Vec<Rows> = used.par_iter().map(|&i| level.deviations(self.normals[i])).collect();
                    let rows: Vec<(u32, &Rows)> = used.iter().map(|&i| self.number(i)).zip(&rows).collect();
                    let few = Error::TooFewNormals { found: 0, needed: 1 };
                    Box::new(PlaceNearest::fit(&rows).ok_or(few)?)
                }
                EvidenceKind::Bank | EvidenceKind::BankDensity => {
                    let (rows, images) = match &pool {
                        Some(pool) => pool,
                        None => pool.insert(self.pool(&level, &used)?),
                    };
                    Box::new(Bank::fit(rows, images, self.settings.bank, kind == EvidenceKind::BankDensity))
                }
            });
        }
        Ok(level)
    }

    /// Number that image `i` is known by.
    fn number(&self, i: usize) -> u32 {
        self.numbers.get(i).copied().unwrap_or(i as u32)
    }

    /// Random rows of the images `used`, with the number of the image of each.
    fn pool(&self, level: &Level, used: &[usize]) -> Result<(Array2<f32>, Vec<u32>), Error> {
        let each = POOL.div_ceil(used.len().max(1));
        let rows = |&i: &usize| {
            let features = &self.normals[i].features;
            // another choice than that of the components
            let which = subsample(features.nrows(), each, self.settings.seed ^ 0x706f_6f6c, i);
            let chosen = Patches { grid: (1, which.len()), features: features.select(Axis(0), &which) };
            (level.components(&chosen).rows.mapv(to_half), vec![self.number(i); which.len()])
        };
        let (rows, images): (Vec<_>, Vec<_>) = used.par_iter().map(rows).unzip();
        let views: Vec<_> = rows.iter().map(|r| r.view()).collect();
        let few = |_| Error::TooFewNormals { found: used.len(), needed: 1 };
        Ok((concatenate(Axis(0), &views).map_err(few)?, images.concat()))
    }
}

/// Evidence of some kinds at one level, fitted.
#[derive(Debug)]
pub(crate) struct Level {
    /// Number of the level in the pyramid.
    pub(crate) level: usize,
    /// Principal components, and Gaussians of the places.
    pub(crate) gaussians: Gaussians,
    /// By kind, each at most once.
    pub(crate) evidence: Vec<Box<dyn Evidence>>,
}

impl Level {
    /// Scores of each kind, in the order of the evidence.
    pub(crate) fn scores(&self, image: &Patches) -> Vec<(EvidenceKind, Vec<f32>)> {
        let is_needed = |by_place: bool| self.evidence.iter().any(|e| e.kind().is_by_place() == by_place);
        let deviations = is_needed(true).then(|| self.deviations(image));
        let components = is_needed(false).then(|| self.components(image));
        let score = |evidence: &dyn Evidence| {
            let rows = if evidence.kind().is_by_place() { &deviations } else { &components };
            (evidence.kind(), rows.as_ref().map(|rows| evidence.score(rows)).unwrap_or_default())
        };
        self.evidence.iter().map(|evidence| score(evidence.as_ref())).collect()
    }

    /// Adds normal image number `image` to the evidence; components and Gaussians stay.
    pub(crate) fn add(&mut self, normal: &Patches, image: u32) {
        for i in 0..self.evidence.len() {
            let by_place = self.evidence[i].kind().is_by_place();
            let rows = if by_place { self.deviations(normal) } else { self.components(normal) };
            self.evidence[i].add(&rows, image);
        }
    }

    /// Removes normal image number `image` from the evidence; components and Gaussians stay.
    pub(crate) fn remove(&mut self, image: u32) {
        self.evidence.iter_mut().for_each(|evidence| evidence.remove(image));
    }

    fn deviations(&self, image: &Patches) -> Rows {
        Rows { grid: image.grid, rows: self.gaussians.deviations(image, None) }
    }

    fn components(&self, image: &Patches) -> Rows {
        Rows { grid: image.grid, rows: self.gaussians.components(image) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const SETTINGS: LevelSettings = LevelSettings { seed: 3, dimensions: 4, shrinkage: 0.1, bank: 64 };

    fn normals(n: usize) -> Vec<Patches> {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut rows = || Array2::from_shape_fn((6, 8), |(p, k)| (p * k) as f32 / 4.0 + rng.random_range(-1.0..1.0));
        (0..n).map(|_| Patches { grid: (2, 3), features: rows() }).collect()
    }

    #[test]
    fn every_kind_scores_a_step_away_higher() {
        let images = normals(41);
        let (query, images) = images.split_first().unwrap();
        let measured = LevelNormals::measure(0, images.iter().collect(), &[], SETTINGS).unwrap();
        let level = measured.fit(&EvidenceKind::ALL, None).unwrap();
        let far = Patches { features: query.features.mapv(|v| v + 9.0), ..query.clone() };
        for ((kind, near), (_, far)) in level.scores(query).into_iter().zip(level.scores(&far)) {
            assert!(near.iter().zip(&far).all(|(n, f)| f > n), "{kind}: {near:?} {far:?}");
        }
        let kinds: Vec<_> = level.scores(query).iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, EvidenceKind::ALL);
    }

    /// Evidence without a fold is that of the other images alone, in the same components.
    #[test]
    fn a_fold_left_out_is_not_near() {
        let mut images = normals(20);
        images[3].features += 6.0; // of fold 3
        let measured = LevelNormals::measure(0, images.iter().collect(), &[], SETTINGS).unwrap();
        let kinds = [EvidenceKind::PlaceNearest, EvidenceKind::Bank];
        let [with, without] = [None, Some(3)].map(|fold| measured.fit(&kinds, fold).unwrap().scores(&images[3]));
        for ((kind, with), (_, without)) in with.iter().zip(&without) {
            assert!(with.iter().sum::<f32>() < without.iter().sum::<f32>() - 1.0, "{kind}: {with:?} {without:?}");
        }
    }
}
