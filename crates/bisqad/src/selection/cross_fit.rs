//! Scores of images by evidence and heads that were fitted without them.

use ndarray::Array2;
use rayon::prelude::*;

use crate::error::Error;
use crate::evidence::EvidenceKind;
use crate::evidence::heads::{self, Head, largest};
use crate::evidence::level::{Level, LevelNormals};
use crate::features::gaussians::FOLDS;
use crate::features::patches;
use crate::selection::drawn::Slot;
use crate::selection::images::{AT_ONCE, Images, Reading, coverage};
use crate::selection::params::EvidenceParams;
use crate::views::motion::Motion;
use crate::views::seen::Seen;

/// Defects that choose, drawn when their fold is scored; none of them is kept.
pub(crate) struct Choosing<'a> {
    pub(crate) from: Reading<'a>,
    pub(crate) slots: &'a [Slot],
    /// Is called with the number of defects that were drawn.
    pub(crate) done: &'a mut dyn FnMut(usize),
}

/// A synthetic defect that chooses.
#[derive(Debug)]
pub(crate) struct HeldOutDefect {
    /// Number of its slot, which is the same at every side.
    pub(crate) slot: usize,
    pub(crate) mechanism: usize,
    /// Share of each patch of the photo in the mask.
    pub(crate) coverage: Vec<f32>,
    pub(crate) maps: Maps,
}

impl Choosing<'_> {
    /// Draws the defects of a fold, and scores each by `maps`; those that cover nothing are left out.
    fn score(
        &mut self,
        side: usize,
        fold: usize,
        maps: &(dyn Fn(&Seen) -> Maps + Sync),
    ) -> Result<Vec<HeldOutDefect>, Error> {
        let of: Vec<(usize, Slot)> =
            self.slots.iter().copied().enumerate().filter(|(_, slot)| slot.fold() == fold).collect();
        let from = self.from;
        let one = |&(number, slot): &(usize, Slot)| -> Result<Option<HeldOutDefect>, Error> {
            let Some((_, anomaly, seen)) = from.drawn(slot, side, !from.relit.is_empty())? else { return Ok(None) };
            let coverage = coverage(anomaly.mask.view(), seen.grid());
            let is_seen = coverage.iter().any(|c| *c > 0.0);
            let defect = || HeldOutDefect { slot: number, mechanism: slot.mechanism, coverage, maps: maps(&seen) };
            Ok(is_seen.then(defect))
        };
        let mut found = Vec::with_capacity(of.len());
        for chunk in of.chunks(AT_ONCE) {
            found.extend(chunk.par_iter().map(one).collect::<Result<Vec<_>, Error>>()?.into_iter().flatten());
            (self.done)(chunk.len());
        }
        Ok(found)
    }
}

impl Images {
    /// Scores what the choice at `levels` needs, by every kind of evidence and by heads.
    pub(crate) fn fit_for_choice(
        &self,
        levels: &[usize],
        choosing: Choosing<'_>,
        folds: usize,
    ) -> Result<CrossFit, Error> {
        let params = choosing.from.params;
        let measured = self.measure(levels, params)?;
        self.cross_fit(&measured, &EvidenceKind::ALL, &self.mechanisms(), params, folds, Some(choosing))
    }

    /// Scores normal images and the defects `choosing` of the first `folds` folds by what was fitted to the other
    /// folds: `kinds` of evidence at each of `levels`, and heads.
    pub(crate) fn cross_fit(
        &self,
        levels: &[LevelNormals<'_>],
        kinds: &[EvidenceKind],
        mechanisms: &[(usize, String)],
        params: &EvidenceParams,
        folds: usize,
        mut choosing: Option<Choosing<'_>>,
    ) -> Result<CrossFit, Error> {
        let head_mechanisms = mechanisms.iter().map(|(m, _)| *m).collect();
        let mut fitted = CrossFit { head_mechanisms, ..CrossFit::default() };
        for fold in 0..folds.min(self.normals.len()) {
            let without = Some(fold);
            let levels: Vec<Level> = levels.iter().map(|level| level.fit(kinds, without)).collect::<Result<_, _>>()?;
            let heads = if mechanisms.is_empty() { Vec::new() } else { self.heads(mechanisms, params, without, None)? };
            let held: Vec<usize> = (0..self.normals.len()).filter(|i| i % FOLDS == fold).collect();
            let maps = |image: &Seen| Maps::of(&levels, &heads, image);
            fitted.normals.extend(held.par_iter().map(|&i| (i, maps(&self.normals[i]))).collect::<Vec<_>>());
            let Some(choosing) = &mut choosing else { continue };
            let others: Vec<&Seen> = self.others.iter().filter(|(of, _)| *of == fold).map(|(_, seen)| seen).collect();
            let position = |n: usize| self.normals.len() + n;
            fitted
                .normals
                .extend(others.par_iter().enumerate().map(|(n, seen)| (position(n), maps(seen))).collect::<Vec<_>>());
            fitted.defects.extend(choosing.score(self.side, fold, &maps)?);
            // the evidence knows no real defect, so any fold's will do; the heads leave out its group
            if fold == 0 {
                fitted.real = self.real_maps(&levels, mechanisms, params)?;
            }
        }
        fitted.defects.sort_by_key(|defect| defect.slot);
        fitted.standardize();
        Ok(fitted)
    }

    /// Scores each real defect by `levels`, and by heads that were fitted without its group; these are not scaled yet.
    pub(crate) fn real_maps(
        &self,
        levels: &[Level],
        mechanisms: &[(usize, String)],
        params: &EvidenceParams,
    ) -> Result<Vec<Maps>, Error> {
        let by_group: Vec<Vec<Head>> = (0..self.real.groups())
            .map(|group| match mechanisms {
                [] => Ok(Vec::new()),
                _ => self.heads(mechanisms, params, None, Some(group)),
            })
            .collect::<Result<_, _>>()?;
        let maps = |i: usize| Maps::of(levels, &by_group[self.real.group(i)], &self.real.seen[i]);
        Ok((0..self.real.rows.len()).into_par_iter().map(maps).collect())
    }
}

/// Scores of one image by each term of evidence and by each head, on the grid of stride 8 of the photo itself.
#[derive(Debug)]
pub(crate) struct Maps {
    pub(crate) grid: (usize, usize),
    /// By level and kind.
    pub(crate) terms: Vec<Vec<f32>>,
    /// `(places, heads)`.
    pub(crate) heads: Array2<f32>,
}

impl Maps {
    /// Scores an image; what was aligned comes back to where it lies in the photo.
    pub(crate) fn of(levels: &[Level], heads: &[Head], seen: &Seen) -> Self {
        let (grid, image) = (seen.grid(), &seen.levels[..]);
        let at_grid = |level: &Level, scores: Vec<f32>| {
            let from = image[level.level].grid;
            if from == grid {
                return scores;
            }
            let plane = Array2::from_shape_vec(from, scores).unwrap_or_default();
            patches::bilinear(plane.view(), grid.0, grid.1).into_raw_vec_and_offset().0
        };
        let scores = |level: &Level| -> Vec<Vec<f32>> {
            level.scores(&image[level.level]).into_iter().map(|(_, scores)| at_grid(level, scores)).collect()
        };
        let mut heads =
            if heads.is_empty() { Array2::zeros((grid.0 * grid.1, 0)) } else { heads::scores(heads, image) };
        let mut terms: Vec<Vec<f32>> = levels.iter().flat_map(scores).collect();
        if seen.motion != Motion::NONE {
            let back = |values: Vec<f32>| {
                let plane = Array2::from_shape_vec(grid, values).unwrap_or_default();
                seen.motion.back(plane.view(), seen.size).into_raw_vec_and_offset().0
            };
            terms = terms.into_iter().map(back).collect();
            for mut column in heads.columns_mut() {
                let moved = back(column.to_vec());
                column.iter_mut().zip(moved).for_each(|(to, v)| *to = v);
            }
        }
        Self { grid, terms, heads }
    }

    /// Brings each head to its mean and standard deviation.
    pub(crate) fn scale_heads(&mut self, scales: &[(f32, f32)]) {
        for (h, (mean, deviation)) in scales.iter().enumerate() {
            self.heads.column_mut(h).mapv_inplace(|v| (v - mean) / deviation);
        }
    }
}

/// Scores of held-out images, with the scales of each term and head over held-out normal patches.
#[derive(Debug, Default)]
pub(crate) struct CrossFit {
    /// With the position of each.
    pub(crate) normals: Vec<(usize, Maps)>,
    pub(crate) defects: Vec<HeldOutDefect>,
    /// Of each real defect.
    pub(crate) real: Vec<Maps>,
    /// Mechanism of each head.
    pub(crate) head_mechanisms: Vec<usize>,
    /// Mean and standard deviation of each term.
    pub(crate) term_scales: Vec<(f32, f32)>,
    pub(crate) head_scales: Vec<(f32, f32)>,
}

impl CrossFit {
    fn standardize(&mut self) {
        let terms = self.normals.first().map_or(0, |(_, m)| m.terms.len());
        let heads = self.normals.first().map_or(0, |(_, m)| m.heads.ncols());
        self.term_scales =
            (0..terms).map(|t| scale(self.normals.iter().flat_map(|(_, m)| m.terms[t].iter().copied()))).collect();
        self.head_scales =
            (0..heads).map(|h| scale(self.normals.iter().flat_map(|(_, m)| m.heads.column(h)).copied())).collect();
        let scales = &self.head_scales;
        let normals = self.normals.iter_mut().map(|(_, maps)| maps);
        let drawn = self.defects.iter_mut().map(|defect| &mut defect.maps);
        normals.chain(drawn).chain(&mut self.real).for_each(|maps| maps.scale_heads(scales));
    }

    /// Sum of some terms, each in its scale; not scaled itself.
    pub(crate) fn sum(&self, maps: &Maps, terms: &[usize]) -> Array2<f32> {
        let mut sum = vec![0.0f32; maps.grid.0 * maps.grid.1];
        for &t in terms {
            let (mean, deviation) = self.term_scales[t];
            sum.iter_mut().zip(&maps.terms[t]).for_each(|(s, v)| *s += (v - mean) / deviation);
        }
        Array2::from_shape_vec(maps.grid, sum).unwrap_or_default()
    }

    /// Largest head of each patch but those of the mechanisms `without`; not scaled.
    pub(crate) fn heads(&self, maps: &Maps, without: &[usize]) -> Array2<f32> {
        let is_left_out = |h: &usize| without.contains(&self.head_mechanisms[*h]);
        let without: Vec<usize> = (0..self.head_mechanisms.len()).filter(is_left_out).collect();
        Array2::from_shape_vec(maps.grid, largest(maps.heads.view(), &without)).unwrap_or_default()
    }
}

/// Mean of some values, and the standard deviation of normally distributed ones with their 99th percentile: of heavy
/// tails the tail counts, which is what normal images are told from defects by. A deviation of 1 where values do not
/// differ.
pub(crate) fn scale(values: impl Iterator<Item = f32>) -> (f32, f32) {
    /// 99th percentile of the standard normal distribution.
    const Z: f64 = 2.326_347_874;
    let mut values: Vec<f32> = values.collect();
    if values.is_empty() {
        return (0.0, 1.0);
    }
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
    let place = (values.len() - 1) * 99 / 100;
    let (_, percentile, _) = values.select_nth_unstable_by(place, f32::total_cmp);
    let deviation = (f64::from(*percentile) - mean) / Z;
    (mean as f32, if deviation > 1e-9 { deviation as f32 } else { 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, Normal};

    #[test]
    fn of_normally_distributed_values_the_scale_is_the_standard_deviation() {
        let (mut rng, normal) = (ChaCha8Rng::seed_from_u64(2), Normal::new(3.0f32, 2.0).unwrap());
        let (mean, deviation) = scale((0..200_000).map(|_| normal.sample(&mut rng)));
        assert!((mean - 3.0).abs() < 0.02 && (deviation - 2.0).abs() < 0.04, "{mean} {deviation}");
        assert_eq!(scale(std::iter::repeat_n(5.0, 10)), (5.0, 1.0));
        assert_eq!(scale(std::iter::empty()), (0.0, 1.0));
    }
}
