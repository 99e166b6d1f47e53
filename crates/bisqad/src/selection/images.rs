//! Normal images and examples of defects, as features at one side: what evidence and heads are fitted to.

use frozen_backbone::Backbone;
use imgkit::resize::{Kernel, resize_map};
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, concatenate};
use rayon::prelude::*;

use crate::error::Error;
use crate::evidence::heads::{DefectRows, Head};
use crate::evidence::level::{LevelNormals, LevelSettings};
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
/// Images that are held in memory until what is needed of them is kept.
pub(crate) const AT_ONCE: usize = 32;
/// Normal rows that a head is trained against.
const NORMAL_ROWS: usize = 16_384;

/// Features of everything that is fitted to, at one side.
#[derive(Debug)]
pub(crate) struct Images {
    pub(crate) side: usize,
    /// Whether they were aligned.
    pub(crate) aligned: bool,
    /// Whether copies in other light are fitted to.
    pub(crate) relit: bool,
    /// What is fitted to.
    pub(crate) views: Vec<View>,
    pub(crate) normals: Vec<Seen>,
    /// Images that are scored in their folds and not fitted to, each with its fold.
    pub(crate) others: Vec<(usize, Seen)>,
    /// Of each, the number of its photo among those that are used.
    numbers: Vec<u32>,
    /// Concatenated rows of some patches of each normal image.
    rows: Vec<Array2<f32>>,
    examples: Vec<DefectRows>,
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

impl Reading<'_> {
    /// Reads an image at a shorter side of `side`.
    pub(crate) fn read(&self, side: usize, image: ArrayView3<'_, f32>) -> Result<Seen, Error> {
        Seen::read(self.backbone, self.registration, side, image)
    }

    /// Draws the defect of a slot and reads it at `side`, with the position of the normal image that it was drawn on.
    /// Where light `varies`, every second one is in another light.
    pub(crate) fn drawn(&self, slot: Slot, side: usize, varies: bool) -> Result<Option<(usize, Anomaly, Seen)>, Error> {
        let Some((image, anomaly)) = draw(slot, self.source, self.normals, self.views)? else { return Ok(None) };
        let mut anomaly = self.views[image].anomaly(anomaly);
        if varies && !slot.index.is_multiple_of(2) {
            anomaly.image = Light::draw(self.params.seed(), slot.index).apply(anomaly.image);
        }
        let seen = self.read(side, anomaly.image.view())?;
        Ok(Some((image, anomaly, seen)))
    }
}

impl Images {
    /// Reads the normal images, and draws and reads the defects that train heads, at `side`; calls `done` with the
    /// number of images.
    pub(crate) fn read(
        from: Reading<'_>,
        side: usize,
        examples: &[Slot],
        done: &mut dyn FnMut(usize),
    ) -> Result<Self, Error> {
        let mut normals = Vec::with_capacity(from.views.len() + from.relit.len());
        for chunk in [from.views, from.relit].into_iter().flat_map(|views| views.chunks(AT_ONCE)) {
            let read: Vec<Seen> = chunk
                .par_iter()
                .map(|&view| from.read(side, view.image(from.normals[view.photo].clone()).view()))
                .collect::<Result<_, Error>>()?;
            normals.extend(read);
            done(chunk.len());
        }
        let mut views = from.views.to_vec();
        let mut others = Vec::new();
        if from.fits_relit {
            views.extend(from.relit);
        } else {
            let folds = (views.len()..).map(|i| i % FOLDS);
            others = folds.zip(normals.split_off(views.len())).collect();
        }
        let mut found = Vec::new();
        for (block, chunk) in examples.chunks(AT_ONCE).enumerate() {
            let one = |(i, slot): (usize, &Slot)| {
                let rows = |(image, anomaly, seen): (usize, Anomaly, Seen)| {
                    let of = (slot.mechanism, image);
                    let coverage = aligned_coverage(anomaly.mask.view(), &seen);
                    DefectRows::choose(of, &seen.levels, &coverage, from.params.seed(), block * AT_ONCE + i)
                };
                Ok(from.drawn(*slot, side, from.fits_relit)?.and_then(rows))
            };
            found.extend(chunk.par_iter().enumerate().map(one).collect::<Result<Vec<_>, Error>>()?);
            done(chunk.len());
        }
        let real = from.real.map(|set| RealDefectFeatures::read(from, set, side)).transpose()?.unwrap_or_default();
        done(real.rows.len());
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

#[cfg(test)]
mod tests {
    use super::*;

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
