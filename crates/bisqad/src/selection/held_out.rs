//! Scores of images by evidence and heads that were fitted without them.

use frozen_backbone::Backbone;
use imgkit::resize::{Kernel, resize_map};
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, concatenate};
use rayon::prelude::*;

use crate::error::Error;
use crate::evidence::heads::{self, DefectRows, Head};
use crate::evidence::level::{Level, LevelNormals, LevelSettings};
use crate::evidence::{EvidenceKind, heads::largest};
use crate::features::gaussians::FOLDS;
use crate::features::patches::{self, Patches};
use crate::features::subsample::subsample;
use crate::selection::drawn::{Slot, draw};
use crate::selection::params::EvidenceParams;
use crate::selection::real::{RealDefectFeatures, own_kinds};
use crate::training::anomaly_source::{Anomaly, AnomalySource};
use crate::training::validation_anomalies::FewShotSet;
use crate::views::copies::View;
use crate::views::light::Light;
use crate::views::motion::Motion;
use crate::views::registration::Registration;
use crate::views::seen::Seen;

/// Distance from the border, px, at which the frame around a photo still shows in its features.
const NEAR: usize = 32;
/// Normal rows that a head is trained against.
const NORMAL_ROWS: usize = 16_384;

/// A synthetic defect that chooses, as features.
#[derive(Debug)]
pub(crate) struct HeldOutDefect {
    /// Number of its slot, which is the same at every side.
    pub(crate) slot: usize,
    pub(crate) mechanism: usize,
    /// Position of the normal image that it was drawn on.
    image: usize,
    /// Share of each patch of the photo in the mask.
    pub(crate) coverage: Vec<f32>,
    seen: Seen,
}

/// Features of everything that the choice needs, at one side.
#[derive(Debug)]
pub(crate) struct Images {
    pub(crate) side: usize,
    /// Whether they were aligned.
    pub(crate) aligned: bool,
    /// Whether copies in other light are fitted to.
    pub(crate) relit: bool,
    /// What is fitted to.
    pub(crate) views: Vec<View>,
    normals: Vec<Seen>,
    /// Images that are scored in their folds and not fitted to, each with its fold.
    others: Vec<(usize, Seen)>,
    /// Of each, the number of its photo among those that are used.
    numbers: Vec<u32>,
    /// Concatenated rows of some patches of each normal image.
    rows: Vec<Array2<f32>>,
    examples: Vec<DefectRows>,
    pub(crate) defects: Vec<HeldOutDefect>,
    pub(crate) real: RealDefectFeatures,
    /// Names of the mechanisms, then of the kinds of real defects that none of them is called.
    names: Vec<String>,
}

/// What is read.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) backbone: &'a dyn Backbone,
    pub(crate) normals: &'a [Array3<f32>],
    /// Normal images that are fitted to, in order, copies of photos last: position i belongs to fold i modulo
    /// [`FOLDS`].
    pub(crate) views: &'a [View],
    /// Copies of photos in other light, behind the views; empty where light is still.
    pub(crate) relit: &'a [View],
    /// Whether these are fitted to; if not, they are only scored.
    pub(crate) fits_relit: bool,
    pub(crate) source: &'a dyn AnomalySource,
    /// Real defects, if there are any.
    pub(crate) real: Option<&'a FewShotSet>,
    pub(crate) params: &'a EvidenceParams,
    /// What images are aligned by.
    pub(crate) registration: Option<&'a Registration>,
}

impl Images {
    /// Reads the normal images, and draws and reads the defects, at `side`; calls `done` with the number of images.
    pub(crate) fn read(
        from: Reading<'_>,
        side: usize,
        examples: &[Slot],
        defects: &[Slot],
        done: &mut dyn FnMut(usize),
    ) -> Result<Self, Error> {
        const AT_ONCE: usize = 32;
        let read = |image: ArrayView3<'_, f32>| Seen::read(from.backbone, from.registration, side, image);
        let mut count = 0;
        let mut step = |n: usize| {
            count += n;
            done(count);
        };
        let mut normals = Vec::with_capacity(from.views.len() + from.relit.len());
        for chunk in [from.views, from.relit].into_iter().flat_map(|views| views.chunks(AT_ONCE)) {
            let read: Vec<Seen> = chunk
                .par_iter()
                .map(|&view| read(view.image(from.normals[view.photo].clone()).view()))
                .collect::<Result<_, Error>>()?;
            normals.extend(read);
            step(chunk.len());
        }
        let mut views = from.views.to_vec();
        let mut others = Vec::new();
        if from.fits_relit {
            views.extend(from.relit);
        } else {
            let folds = (views.len()..).map(|i| i % FOLDS);
            others = folds.zip(normals.split_off(views.len())).collect();
        }
        let photos: Vec<usize> = from.views.iter().map(|view| view.photo).collect();
        // every second defect, where light varies
        let drawn = |slot: Slot, varies: bool| -> Result<Option<(usize, Anomaly, Seen)>, Error> {
            let Some((image, anomaly)) = draw(slot, from.source, from.normals, &photos)? else { return Ok(None) };
            let mut anomaly = from.views[image].anomaly(anomaly);
            if varies && !slot.index.is_multiple_of(2) {
                anomaly.image = Light::draw(from.params.seed(), slot.index).apply(anomaly.image);
            }
            let seen = read(anomaly.image.view())?;
            Ok(Some((image, anomaly, seen)))
        };
        let mut found = Vec::new();
        for (block, chunk) in examples.chunks(AT_ONCE).enumerate() {
            let one = |(i, slot): (usize, &Slot)| {
                let rows = |(image, anomaly, seen): (usize, Anomaly, Seen)| {
                    let of = (slot.mechanism, image);
                    let coverage = aligned_coverage(anomaly.mask.view(), &seen);
                    DefectRows::choose(of, &seen.levels, &coverage, from.params.seed(), block * AT_ONCE + i)
                };
                Ok(drawn(*slot, from.fits_relit)?.and_then(rows))
            };
            found.extend(chunk.par_iter().enumerate().map(one).collect::<Result<Vec<_>, Error>>()?);
            step(chunk.len());
        }
        let mut held_out = Vec::new();
        for (block, chunk) in defects.chunks(AT_ONCE).enumerate() {
            let one = |(i, slot): (usize, &Slot)| {
                let defect = |(image, anomaly, seen): (usize, Anomaly, Seen)| HeldOutDefect {
                    slot: block * AT_ONCE + i,
                    mechanism: slot.mechanism,
                    image,
                    coverage: coverage(anomaly.mask.view(), seen.grid()),
                    seen,
                };
                Ok(drawn(*slot, !from.relit.is_empty())?.map(defect))
            };
            held_out.extend(chunk.par_iter().enumerate().map(one).collect::<Result<Vec<_>, Error>>()?);
            step(chunk.len());
        }
        let real = from.real.map(|set| RealDefectFeatures::read(from, set, side)).transpose()?.unwrap_or_default();
        step(real.rows.len());
        let mut names: Vec<String> = (0..from.source.mechanisms()).map(|m| from.source.name(m)).collect();
        names.extend(from.real.map(|set| own_kinds(from.source, set)).unwrap_or_default());
        let each = NORMAL_ROWS.div_ceil(normals.len().max(1));
        let rows = |(i, seen): (usize, &Seen)| {
            let all = patches::concatenate(&seen.levels).features;
            let inside = inside(seen);
            let chosen = subsample(inside.len(), each, from.params.seed(), views[i].photo);
            all.select(Axis(0), &chosen.into_iter().map(|k| inside[k]).collect::<Vec<_>>())
        };
        Ok(Self {
            side,
            aligned: from.registration.is_some(),
            relit: from.fits_relit,
            rows: normals.par_iter().enumerate().map(rows).collect(),
            normals,
            others,
            numbers: views.iter().map(|view| view.number as u32).collect(),
            views,
            examples: found.into_iter().flatten().collect(),
            defects: held_out.into_iter().flatten().filter(|d| d.coverage.iter().any(|c| *c > 0.0)).collect(),
            real,
            names,
        })
    }

    /// Height and width of normal image `image` as it is seen.
    pub(crate) fn size(&self, image: usize) -> (usize, usize) {
        self.normals[image].size
    }

    /// Normal images at each of some levels, measured.
    pub(crate) fn measure(&self, levels: &[usize], params: &EvidenceParams) -> Result<Vec<LevelNormals<'_>>, Error> {
        let settings = LevelSettings::of(params);
        let at = |level: usize| self.normals.iter().map(|seen| &seen.levels[level]).collect();
        levels.iter().map(|&level| LevelNormals::measure(level, at(level), &self.numbers, settings)).collect()
    }

    /// Share of the variance of the features that the place explains, over levels `levels`: near 1 for products that
    /// lie alike in front of a still background, near 0 for textures and for products that lie in any way. Patches at
    /// the border are left out where there are others: the frame makes them look alike.
    pub(crate) fn explained_by_place(&self, levels: &[usize]) -> f64 {
        let share = |level: usize| -> f64 {
            let all: Vec<&Patches> = self.normals.iter().map(|seen| &seen.levels[level]).collect();
            let Some(first) = all.first() else { return 0.0 };
            let size = self.normals.first().map_or(0, |seen| seen.size.0);
            let inner = inner(first.grid, (NEAR * first.grid.0).div_ceil(size.max(1)));
            let same = all.iter().filter(|p| p.grid == first.grid);
            let same: Vec<Array2<f32>> = same.map(|p| p.features.select(Axis(0), &inner)).collect();
            let n = same.len() as f32;
            let zero = Array2::<f32>::zeros((inner.len(), first.features.ncols()));
            let mean = same.iter().fold(zero, |sum, features| sum + features) / n;
            let Some(overall) = mean.mean_axis(Axis(0)) else { return 0.0 };
            let (mut own, mut total) = (0.0f64, 0.0f64);
            for features in same {
                own += (&features - &mean).iter().map(|v| f64::from(v * v)).sum::<f64>();
                total += (&features - &overall).iter().map(|v| f64::from(v * v)).sum::<f64>();
            }
            if total > 0.0 { 1.0 - own / total } else { 0.0 }
        };
        levels.iter().map(|&level| share(level)).sum::<f64>() / levels.len().max(1) as f64
    }

    /// Mechanisms that have heads, with their names: those whose defects could be drawn on images of two folds at
    /// least, so that each fold can be left out, and those of real defects in two groups at least.
    pub(crate) fn mechanisms(&self) -> Vec<(usize, String)> {
        let mut found: Vec<(usize, usize)> = self.examples.iter().map(|d| (d.mechanism, d.image % FOLDS)).collect();
        found.sort_unstable();
        found.dedup();
        let mut twice: Vec<usize> = found.windows(2).filter(|w| w[0].0 == w[1].0).map(|w| w[0].0).collect();
        twice.extend(self.real.mechanisms());
        twice.sort_unstable();
        twice.dedup();
        twice.into_iter().map(|m| (m, self.names[m].clone())).collect()
    }

    /// Fits one head a mechanism to the defects on images outside fold `without` and to the real ones outside group
    /// `without_group`; none is scaled yet. `mechanisms` are those of [`Self::mechanisms`].
    pub(crate) fn heads(
        &self,
        mechanisms: &[(usize, String)],
        params: &EvidenceParams,
        without: Option<usize>,
        without_group: Option<usize>,
    ) -> Result<Vec<Head>, Error> {
        let kept = |image: usize| Some(image % FOLDS) != without;
        let normal: Vec<_> =
            self.rows.iter().enumerate().filter(|(i, _)| kept(*i)).map(|(_, rows)| rows.view()).collect();
        let few = |_| Error::TooFewNormals { found: self.normals.len(), needed: 1 };
        let normal = concatenate(Axis(0), &normal).map_err(few)?;
        let channels: Vec<usize> = self
            .normals
            .first()
            .map(|seen| seen.levels.iter().map(|l| l.features.ncols()).collect())
            .unwrap_or_default();
        let head = |(mechanism, name): &(usize, String)| {
            let defects: Vec<&DefectRows> =
                self.examples.iter().filter(|d| d.mechanism == *mechanism && kept(d.image)).collect();
            let is_real = |d: &&DefectRows| d.mechanism == *mechanism && Some(d.image) != without_group;
            let real: Vec<&DefectRows> = self.real.rows.iter().filter(is_real).collect();
            Head::fit(name, &defects, &real, normal.view(), &channels, params.ridge())
        };
        Ok(mechanisms.iter().filter_map(head).collect())
    }

    /// Scores normal images and defects of the first `folds` folds by what was fitted to the other folds: `kinds` of
    /// evidence at each of `levels`, and heads.
    pub(crate) fn cross_fit(
        &self,
        levels: &[LevelNormals<'_>],
        kinds: &[EvidenceKind],
        mechanisms: &[(usize, String)],
        params: &EvidenceParams,
        folds: usize,
        with_defects: bool,
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
            if with_defects {
                let others: Vec<&Seen> =
                    self.others.iter().filter(|(of, _)| *of == fold).map(|(_, seen)| seen).collect();
                let position = |n: usize| self.normals.len() + n;
                fitted.normals.extend(
                    others.par_iter().enumerate().map(|(n, seen)| (position(n), maps(seen))).collect::<Vec<_>>(),
                );
                let drawn: Vec<usize> =
                    (0..self.defects.len()).filter(|&d| self.defects[d].image % FOLDS == fold).collect();
                fitted.defects.extend(drawn.par_iter().map(|&d| (d, maps(&self.defects[d].seen))).collect::<Vec<_>>());
                // the evidence knows no real defect, so any fold's will do; the heads leave out its group
                if fold == 0 {
                    fitted.real = self.real_maps(&levels, mechanisms, params)?;
                }
            }
        }
        fitted.defects.sort_by_key(|(d, _)| *d);
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

/// Share of each cell of `grid` in a mask of the same frame.
pub(crate) fn coverage(mask: ArrayView2<'_, bool>, grid: (usize, usize)) -> Vec<f32> {
    let plane = mask.mapv(|m| f32::from(u8::from(m)));
    match resize_map(plane.view(), grid, Kernel::Area) {
        Ok(shares) => shares.iter().map(|&s| if s > 1e-6 { s } else { 0.0 }).collect(),
        Err(_) => vec![0.0; grid.0 * grid.1],
    }
}

/// Share of each patch of an aligned image in the mask of the photo; -1 for patches outside the photo, which are
/// neither in the mask nor beside it.
pub(crate) fn aligned_coverage(mask: ArrayView2<'_, bool>, seen: &Seen) -> Vec<f32> {
    if seen.motion == Motion::NONE {
        return coverage(mask, seen.grid());
    }
    let shares = coverage(seen.motion.warp_mask(mask).view(), seen.grid());
    let inside = seen.motion.inside(seen.grid(), seen.size);
    shares.into_iter().zip(inside).map(|(share, inside)| if inside { share } else { -1.0 }).collect()
}

/// Numbers of the patches of a grid but the `border` outermost ones on each side; all if it has no others.
fn inner((rows, columns): (usize, usize), border: usize) -> Vec<usize> {
    let is_inner = |p: &usize| {
        let (y, x) = (p / columns, p % columns);
        y >= border && y + border < rows && x >= border && x + border < columns
    };
    let inner: Vec<usize> = (0..rows * columns).filter(is_inner).collect();
    if inner.is_empty() { (0..rows * columns).collect() } else { inner }
}

/// Numbers of the patches that show the photo, not what an alignment put beside it.
fn inside(seen: &Seen) -> Vec<usize> {
    let inside = seen.motion.inside(seen.grid(), seen.size);
    (0..inside.len()).filter(|&p| inside[p]).collect()
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
    /// With the number of each.
    pub(crate) defects: Vec<(usize, Maps)>,
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
        let drawn = self.normals.iter_mut().chain(&mut self.defects).map(|(_, maps)| maps);
        drawn.chain(&mut self.real).for_each(|maps| maps.scale_heads(scales));
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

    #[test]
    fn the_border_of_a_grid_is_left_out_unless_there_is_nothing_else() {
        assert_eq!(inner((3, 4), 1), [5, 6]);
        assert_eq!(inner((5, 6), 2), [14, 15]);
        assert_eq!(inner((2, 2), 1), [0, 1, 2, 3]);
        assert!(inner((0, 0), 1).is_empty());
    }

    #[test]
    fn masks_keep_their_area() {
        let mask = Array2::from_shape_fn((100, 150), |(y, x)| y < 50 && x < 30);
        let shares = coverage(mask.view(), (10, 15));
        assert!((shares.iter().sum::<f32>() - 15.0).abs() < 1e-3);
        assert!(shares.iter().all(|s| (0.0..=1.001).contains(s)));
    }
}
