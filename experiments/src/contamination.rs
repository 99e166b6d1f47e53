//! Defective photos among the normal ones: which are planted, and rules for a memory that may hold them.

use std::fmt::{Display, Formatter};

use maphc2f::imgkit::gaussian::{Border, gaussian_filter};
use maphc2f::imgkit::resize::{Kernel, resize_map};
use maphc2f::imgkit::rng::keyed_stream;
use ndarray::{Array2, Array3, ArrayView1, ArrayView2, Axis};
use rand::seq::SliceRandom;
use rayon::prelude::*;

use crate::program::Result;

/// Neighbors whose mean distance is a patch's spacing, and of which [`Rule::MedianOfFive`] takes the median.
const NEIGHBORS: usize = 5;

/// Rate of contamination that a set cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Photos that would be planted outnumber the good ones that are left.
    MorePlantedThanGood {
        /// Photos that would be planted.
        planted: usize,
        /// Good photos that would be left.
        good: usize,
    },
    /// More than half of the defective photos would be planted, so that too few are left to test on.
    TooFewDefects {
        /// Photos that would be planted.
        planted: usize,
        /// Defective photos.
        defects: usize,
    },
}

impl Display for Refused {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::MorePlantedThanGood { planted, good } => {
                write!(f, "more planted than good: {planted} planted, {good} good; give a lower rate")
            }
            Self::TooFewDefects { planted, defects } => {
                write!(
                    f,
                    "{planted} planted of {defects} defective: fewer than half are left to test on; give a lower rate"
                )
            }
        }
    }
}

impl std::error::Error for Refused {}

/// Normal photos that are replaced, and the defective ones that replace them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planting {
    /// Number of each replaced normal photo, ascending.
    pub replaced: Vec<usize>,
    /// For each of them the position in the list of defective photos.
    pub planted: Vec<usize>,
}

/// Replaces a share `rate` of `photos` normal photos by some of `defects` defective ones, both chosen by `seed`.
///
/// # Errors
///
/// [`Refused`] where photos are lacking.
pub fn plant(photos: usize, defects: usize, rate: f64, seed: u64) -> std::result::Result<Planting, Refused> {
    let count = (rate * photos as f64).round() as usize;
    let good = photos.saturating_sub(count);
    if count > good {
        return Err(Refused::MorePlantedThanGood { planted: count, good });
    }
    if 2 * count > defects {
        return Err(Refused::TooFewDefects { planted: count, defects });
    }
    let choose = |of: usize, stream: u64| {
        let mut all: Vec<usize> = (0..of).collect();
        all.shuffle(&mut keyed_stream(seed, stream));
        all.truncate(count);
        all
    };
    let mut replaced = choose(photos, 0);
    replaced.sort_unstable();
    Ok(Planting { replaced, planted: choose(defects, 1) })
}

/// How the score of a patch follows from its distances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Distance from the nearest kept patch of the place less that one's spacing.
    Nearest,
    /// Median of distance less spacing over the five nearest.
    MedianOfFive,
}

/// Patches of one level that are kept of the normal photos, with their spacings, each `(places, photos)`.
#[derive(Debug, Clone)]
pub struct Memory {
    kept: Array2<bool>,
    spacing: Array2<f32>,
    rule: Rule,
}

impl Memory {
    /// Keeps all patches of the photos that are `kept`; `between` holds the distances of the photos
    /// `(places, photos, photos)`.
    #[must_use]
    pub fn of_photos(between: &Array3<f32>, kept: &[bool]) -> Self {
        let kept = Array2::from_shape_fn((between.dim().0, between.dim().1), |(_, i)| kept.get(i) == Some(&true));
        Self { spacing: spacings(between, &kept), kept, rule: Rule::Nearest }
    }

    /// The same scored by another rule.
    #[must_use]
    pub fn by(&self, rule: Rule) -> Self {
        Self { rule, ..self.clone() }
    }

    /// The same with spacings of at most their quantile `share` of the place.
    #[must_use]
    pub fn capped(&self, share: f64) -> Self {
        let mut capped = self.clone();
        for mut place in capped.spacing.outer_iter_mut() {
            let most = quantile(place.view(), share);
            place.iter_mut().for_each(|s| *s = s.min(most));
        }
        capped
    }

    /// The same without the widest patches of each place, a share `share` of them; spacings are those among the others.
    #[must_use]
    pub fn trimmed(&self, between: &Array3<f32>, share: f64) -> Self {
        let mut kept = self.kept.clone();
        for (mut kept, place) in kept.outer_iter_mut().zip(self.spacing.outer_iter()) {
            let most = quantile(place, 1.0 - share);
            kept.iter_mut().zip(place).for_each(|(k, s)| *k &= *s <= most);
        }
        Self { spacing: spacings(between, &kept), kept, rule: self.rule }
    }

    /// The same without patches whose spacing exceeds `factor` times the mean spacing of their five neighbors (a local
    /// outlier factor); spacings are those among the others.
    #[must_use]
    pub fn without_local_outliers(&self, between: &Array3<f32>, factor: f32) -> Self {
        let mut kept = self.kept.clone();
        let places: Vec<_> = kept.outer_iter_mut().collect();
        places.into_par_iter().enumerate().for_each(|(p, mut kept)| {
            let (distances, spacing, before) = (between.index_axis(Axis(0), p), self.spacing.row(p), self.kept.row(p));
            for (i, k) in kept.iter_mut().enumerate() {
                let near = nearest(distances.row(i), before, Some(i));
                let around = near.iter().map(|&(_, j)| spacing[j]).sum::<f32>() / near.len().max(1) as f32;
                *k &= spacing[i] <= factor * around;
            }
        });
        Self { spacing: spacings(between, &kept), kept, rule: self.rule }
    }

    /// Spacings `(places, photos)`.
    #[must_use]
    pub fn spacing(&self) -> &Array2<f32> {
        &self.spacing
    }

    /// Share of the patches that are kept.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.kept.iter().filter(|k| **k).count() as f64 / self.kept.len().max(1) as f64
    }

    /// Scores of images at distances `(places, images, photos)`, `(places, images)`. Of the photos themselves
    /// (`own`), each is scored without its own patches.
    #[must_use]
    pub fn scores(&self, distances: &Array3<f32>, own: bool) -> Array2<f32> {
        let mut out = Array2::zeros((distances.dim().0, distances.dim().1));
        let places: Vec<_> = out.outer_iter_mut().collect();
        places.into_par_iter().enumerate().for_each(|(p, mut out)| {
            let (distances, kept, spacing) = (distances.index_axis(Axis(0), p), self.kept.row(p), self.spacing.row(p));
            for (i, score) in out.iter_mut().enumerate() {
                let without = own.then_some(i);
                *score = match self.rule {
                    Rule::Nearest => {
                        let all = distances.row(i);
                        let of = (0..all.len()).filter(|&k| kept[k] && Some(k) != without);
                        of.min_by(|&a, &b| all[a].total_cmp(&all[b])).map_or(0.0, |k| all[k] - spacing[k])
                    }
                    Rule::MedianOfFive => {
                        let near = nearest(distances.row(i), kept, without);
                        let mut gaps: Vec<f32> = near.iter().map(|&(d, k)| d - spacing[k]).collect();
                        gaps.sort_unstable_by(f32::total_cmp);
                        gaps.get(gaps.len() / 2).copied().unwrap_or(0.0)
                    }
                };
            }
        });
        out
    }
}

/// Mean distance of every patch from its five nearest kept ones of the place, itself left out.
fn spacings(between: &Array3<f32>, kept: &Array2<bool>) -> Array2<f32> {
    let mut out = Array2::zeros(kept.dim());
    let places: Vec<_> = out.outer_iter_mut().collect();
    places.into_par_iter().enumerate().for_each(|(p, mut out)| {
        let distances = between.index_axis(Axis(0), p);
        for (i, spacing) in out.iter_mut().enumerate() {
            let near = nearest(distances.row(i), kept.row(p), Some(i));
            *spacing = near.iter().map(|(d, _)| d).sum::<f32>() / near.len().max(1) as f32;
        }
    });
    out
}

/// The five nearest kept patches but `without`, nearest first, with their numbers.
fn nearest(distances: ArrayView1<'_, f32>, kept: ArrayView1<'_, bool>, without: Option<usize>) -> Vec<(f32, usize)> {
    let mut near: Vec<(f32, usize)> = Vec::with_capacity(NEIGHBORS + 1);
    for (k, (&d, &is_kept)) in distances.iter().zip(kept).enumerate() {
        let is_near = near.len() < NEIGHBORS || near.last().is_some_and(|(most, _)| d < *most);
        if is_kept && is_near && Some(k) != without {
            let at = near.partition_point(|(other, _)| *other <= d);
            near.insert(at, (d, k));
            near.truncate(NEIGHBORS);
        }
    }
    near
}

/// The value below which a share of the values lie.
fn quantile(values: ArrayView1<'_, f32>, share: f64) -> f32 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let at = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(at.saturating_sub(1).min(sorted.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

/// Median and robust standard deviation (1.4826 times the median absolute deviation) of some scores.
#[must_use]
pub fn robust_scale(scores: &Array2<f32>) -> (f32, f32) {
    let middle = |values: Vec<f32>| {
        let mut values = values;
        let at = values.len() / 2;
        if values.is_empty() { 0.0 } else { *values.select_nth_unstable_by(at, f32::total_cmp).1 }
    };
    let median = middle(scores.iter().copied().collect());
    let deviation = 1.4826 * middle(scores.iter().map(|s| (s - median).abs()).collect());
    (median, deviation.max(1e-6))
}

/// Score map of an image from the scores of its places: smoothed with a standard deviation of half a place.
#[must_use]
pub fn smoothed(places: ArrayView1<'_, f32>, grid: (usize, usize)) -> Array2<f32> {
    let map = Array2::from_shape_fn(grid, |(y, x)| places.get(y * grid.1 + x).copied().unwrap_or(0.0));
    gaussian_filter(map.view(), 0.5, 2, Border::Mirrored)
}

/// Mean of the highest hundredth of a map.
#[must_use]
pub fn highest(map: ArrayView2<'_, f32>) -> f64 {
    let mut values: Vec<f32> = map.iter().copied().collect();
    values.sort_unstable_by(|a, b| b.total_cmp(a));
    let count = values.len().div_ceil(100).max(1);
    values.iter().take(count).map(|v| f64::from(*v)).sum::<f64>() / count as f64
}

/// Share of each cell of `grid` in a mask of the same frame.
///
/// # Errors
///
/// An empty mask or grid.
pub fn coverage(mask: ArrayView2<'_, bool>, grid: (usize, usize)) -> Result<Array2<f32>> {
    let plane = mask.mapv(|m| if m { 1.0f32 } else { 0.0 });
    Ok(resize_map(plane.view(), grid, Kernel::Area)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_planted_is_a_share_and_another_one_by_seed() {
        let found = plant(50, 20, 0.1, 3).unwrap();
        assert_eq!((found.replaced.len(), found.planted.len()), (5, 5));
        assert_eq!(plant(50, 20, 0.1, 3).unwrap(), found);
        assert_ne!(plant(50, 20, 0.1, 4).unwrap(), found);
        let mut each = found.planted.clone();
        each.sort_unstable();
        each.dedup();
        assert!(each.len() == 5 && each.iter().all(|i| *i < 20) && found.replaced.is_sorted());
        assert!(plant(50, 0, 0.0, 0).unwrap().replaced.is_empty());
        let refused = plant(10, 50, 0.6, 0).unwrap_err();
        assert_eq!(refused, Refused::MorePlantedThanGood { planted: 6, good: 4 });
        assert!(refused.to_string().starts_with("more planted than good"));
        assert_eq!(plant(100, 19, 0.1, 0).unwrap_err(), Refused::TooFewDefects { planted: 10, defects: 19 });
        assert!(plant(100, 20, 0.1, 0).is_ok());
    }

    /// Photos on a line, at one place: twelve at 0 to 11, one far away at 40.
    fn line() -> (Array3<f32>, Vec<f32>) {
        let at: Vec<f32> = (0..12).map(|i| i as f32).chain([40.0]).collect();
        (Array3::from_shape_fn((1, 13, 13), |(_, i, k)| (at[i] - at[k]).abs()), at)
    }

    fn to(at: &[f32], x: f32) -> Array3<f32> {
        Array3::from_shape_fn((1, 1, at.len()), |(_, _, k)| (at[k] - x).abs())
    }

    #[test]
    fn rules_follow_their_definitions_on_a_line() {
        let (between, at) = line();
        let memory = Memory::of_photos(&between, &[true; 13]);
        // the five nearest of 0 are 1 to 5; of 40: 11 to 7
        assert_eq!((memory.spacing()[[0, 0]], memory.spacing()[[0, 12]]), (3.0, 31.0));
        let score = |memory: &Memory, x: f32| memory.scores(&to(&at, x), false)[[0, 0]];
        assert_eq!(score(&memory, -2.0), 2.0 - 3.0);
        assert_eq!(score(&memory, 41.0), 1.0 - 31.0);
        // the wide one is dropped: 30 from 11, whose spacing is 3
        assert_eq!(score(&memory.trimmed(&between, 0.1), 41.0), 30.0 - 3.0);
        let outliers = memory.without_local_outliers(&between, 2.0);
        assert_eq!(score(&outliers, 41.0), 30.0 - 3.0);
        assert_eq!(outliers.share(), 12.0 / 13.0);
        // spacings of the others are 3 at most
        assert_eq!(score(&memory.capped(0.9), 41.0), 1.0 - 3.0);
        // nearest of -2: 0 to 4, spacings 3, 2.2, 1.8, 1.8, 1.8, gaps -1, 0.8, 2.2, 3.2, 4.2
        assert!((score(&memory.by(Rule::MedianOfFive), -2.0) - 2.2).abs() < 1e-6);
        let mut kept = [true; 13];
        kept[12] = false;
        assert_eq!(score(&Memory::of_photos(&between, &kept), 41.0), 30.0 - 3.0);
    }

    #[test]
    fn a_photo_is_scored_without_itself() {
        let (between, _) = line();
        let memory = Memory::of_photos(&between, &[true; 13]);
        assert_eq!(memory.scores(&between, false)[[0, 12]], -31.0);
        assert_eq!(memory.scores(&between, true)[[0, 12]], 29.0 - 3.0);
    }

    #[test]
    fn maps_and_scales_are_robust_means() {
        let (median, deviation) = robust_scale(&Array2::from_shape_fn((1, 5), |(_, i)| [1.0, 2.0, 3.0, 4.0, 99.0][i]));
        assert_eq!((median, deviation), (3.0, 1.4826));
        let map = Array2::from_shape_fn((20, 20), |(y, x)| (y * 20 + x) as f32);
        assert_eq!(highest(map.view()), 397.5);
        let flat = ndarray::Array1::from_elem(12, 2.0f32);
        assert!(smoothed(flat.view(), (3, 4)).iter().all(|v| (v - 2.0).abs() < 1e-6));
        let mask = Array2::from_shape_fn((8, 8), |(y, x)| y < 4 && x < 2);
        assert_eq!(coverage(mask.view(), (2, 2)).unwrap()[[0, 0]], 0.5);
    }
}
