//! One draw: photos with planted defects, and the figures of every arm.

use std::path::Path;

use experiments::cache::CachedBackbone;
use experiments::contamination::{Memory, Planting, Rule, coverage, highest, robust_scale, smoothed};
use experiments::program::Result;
use experiments::sets::ImageSet;
use maphc2f::adbench::metrics::auroc;
use maphc2f::bisqad::{Outliers, PlaceDistances};
use maphc2f::frozen_backbone::EfficientNetLite0;
use maphc2f::imgkit::resize::{Kernel, resize, resize_map};
use maphc2f::imgkit::rng::keyed_stream;
use maphc2f::shrink_to_side;
use ndarray::{Array2, Array3, ArrayView3, Axis};
use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde_json::{Value, json};

use crate::learn;

/// Share of a cell of 8 px in the mask from which on it is anomalous.
const MARKED: f32 = 0.3;
/// Fewest photos of a memory.
const LEAST: usize = 8;

/// Photos of a set at one size.
pub(crate) struct Photos {
    pub(crate) side: usize,
    pub(crate) normals: Vec<Array3<f32>>,
    pub(crate) names: Vec<String>,
    tests: Vec<Array3<f32>>,
    /// Cells of 8 px of each test photo that are anomalous.
    truth: Vec<Vec<bool>>,
    fine: (usize, usize),
    /// Number in the tests of each defective photo.
    pub(crate) defects: Vec<usize>,
    /// Keeps the features of photos; drawn defects go past it.
    pub(crate) cached: CachedBackbone,
    pub(crate) net: EfficientNetLite0,
    /// Maps and scores of the tests by the photos as they were.
    clean: Vec<Scored>,
}

/// Score and fine map of a test photo.
type Scored = (f64, Array2<f32>);

impl Photos {
    pub(crate) fn load(root: &Path, side: usize) -> Result<Self> {
        let ImageSet { normals, names, tests, .. } = ImageSet::load(root, side)?;
        let median = |of: fn(&Array3<f32>) -> usize| {
            let mut all: Vec<usize> = normals.iter().map(of).collect();
            all.sort_unstable();
            all.get(all.len() / 2).copied().unwrap_or(side).max(1)
        };
        let (h, w) = (median(|p| p.dim().0), median(|p| p.dim().1));
        let scaled = |n: usize| (n * side + h.min(w) / 2) / h.min(w);
        let size = (scaled(h), scaled(w));
        let fine = (size.0.div_ceil(8), size.1.div_ceil(8));
        let squashed = normals.par_iter().map(|photo| squash(photo.view(), size));
        let normals = squashed.collect::<std::result::Result<Vec<_>, String>>()?;
        let shrunk = tests.par_iter().map(|test| {
            let photo = shrink_to_side(test.image.view(), side).map_err(|e| e.to_string())?;
            squash(photo.view(), size)
        });
        let shrunk = shrunk.collect::<std::result::Result<Vec<_>, String>>()?;
        let mut truth = Vec::with_capacity(tests.len());
        for test in &tests {
            truth.push(match &test.mask {
                Some(mask) => coverage(mask.view(), fine)?.iter().map(|share| *share >= MARKED).collect(),
                None => Vec::new(),
            });
        }
        let defects = (0..tests.len()).filter(|&i| tests[i].kind.is_some()).collect();
        let net = EfficientNetLite0::pretrained_s32()?;
        let cached = CachedBackbone::new(EfficientNetLite0::pretrained_s32()?);
        let mut photos =
            Self { side, normals, names, tests: shrunk, truth, fine, defects, cached, net, clean: Vec::new() };
        let fitted = PlaceDistances::fit(&photos.cached, side, &photos.normals, 0)?;
        let (between, of) = (fitted.between(), fitted.of(&photos.cached, &photos.tests)?);
        photos.clean =
            Arm::every(&between, &vec![true; photos.normals.len()]).scored(&of, &between, fitted.grid(), fine)?;
        Ok(photos)
    }

    /// Share of the places of real defects in the tests `which`, at distances `of`, whose nearest photo is planted.
    fn nearest_planted(
        &self,
        which: &[usize],
        of: &[Array3<f32>],
        grid: (usize, usize),
        is_planted: &[bool],
    ) -> Option<f64> {
        let (mut near, mut all) = (0usize, 0usize);
        for (image, &test) in which.iter().enumerate().filter(|(_, test)| !self.truth[**test].is_empty()) {
            for place in 0..grid.0 * grid.1 {
                let (y, x) = (2 * (place / grid.1), 2 * (place % grid.1));
                let cells = [(y, x), (y, x + 1), (y + 1, x), (y + 1, x + 1)];
                let is_marked = |&(y, x): &(usize, usize)| {
                    y < self.fine.0 && x < self.fine.1 && self.truth[test][y * self.fine.1 + x]
                };
                if cells.iter().filter(|cell| is_marked(cell)).count() < 2 {
                    continue;
                }
                for level in of {
                    let nearest = learn::nearest(level.index_axis(Axis(0), place).row(image), None);
                    all += 1;
                    near += usize::from(nearest.is_some_and(|i| is_planted[i]));
                }
            }
        }
        (all > 0).then(|| near as f64 / all as f64)
    }

    /// Image and pixel AUROC of scores of the test photos `which`.
    fn figures(&self, which: &[usize], scored: &[&Scored]) -> Result<[f64; 2]> {
        let scores: Vec<f64> = scored.iter().map(|(score, _)| *score).collect();
        let labels: Vec<bool> = which.iter().map(|i| self.defects.contains(i)).collect();
        let (mut cells, mut truth) = (Vec::new(), Vec::new());
        for (&i, (_, map)) in which.iter().zip(scored).filter(|(i, _)| !self.truth[**i].is_empty()) {
            cells.extend(map.iter().copied());
            truth.extend(&self.truth[i]);
        }
        Ok([auroc(&scores, &labels)?, auroc(&cells, &truth)?])
    }
}

/// Brings a photo to a size, whatever its aspect.
fn squash(photo: ArrayView3<'_, f32>, size: (usize, usize)) -> std::result::Result<Array3<f32>, String> {
    if (photo.dim().0, photo.dim().1) == size {
        return Ok(photo.to_owned());
    }
    resize(photo, size, Kernel::Bilinear).map_err(|e| e.to_string())
}

/// Memories of all levels.
struct Arm(Vec<Memory>);

impl Arm {
    fn every(between: &[Array3<f32>], kept: &[bool]) -> Self {
        Self(between.iter().map(|level| Memory::of_photos(level, kept)).collect())
    }

    fn map(&self, change: impl Fn(&Memory, usize) -> Memory) -> Self {
        Self(self.0.iter().enumerate().map(|(i, memory)| change(memory, i)).collect())
    }

    /// Score maps by place of images and of the photos (held out), `(places, images)` each: the sum over levels, in
    /// robust standard deviations of the held-out photos.
    fn maps(&self, of: Option<&[Array3<f32>]>, between: &[Array3<f32>]) -> (Array2<f32>, Array2<f32>) {
        let (mut images, mut held) = (Array2::zeros((0, 0)), Array2::zeros((0, 0)));
        for (level, memory) in self.0.iter().enumerate() {
            let own = memory.scores(&between[level], true);
            let (median, deviation) = robust_scale(&own);
            let scale = |scores: Array2<f32>| scores.mapv(|s| (s - median) / deviation);
            let add = |to: &mut Array2<f32>, scores: Array2<f32>| {
                *to = if to.is_empty() { scores } else { &*to + &scores };
            };
            if let Some(of) = of {
                add(&mut images, scale(memory.scores(&of[level], false)));
            }
            add(&mut held, scale(own));
        }
        (images, held)
    }

    fn scored(
        &self,
        of: &[Array3<f32>],
        between: &[Array3<f32>],
        grid: (usize, usize),
        fine: (usize, usize),
    ) -> Result<Vec<Scored>> {
        let (maps, _) = self.maps(Some(of), between);
        let one = |map: ndarray::ArrayView1<'_, f32>| -> std::result::Result<Scored, String> {
            let map = smoothed(map, grid);
            let fine = resize_map(map.view(), fine, Kernel::Bilinear).map_err(|e| e.to_string())?;
            Ok((highest(map.view()), fine))
        };
        let maps: Vec<_> = maps.axis_iter(Axis(1)).collect();
        Ok(maps.into_par_iter().map(one).collect::<std::result::Result<_, _>>()?)
    }

    /// Scores of the photos, each held out.
    fn held(&self, between: &[Array3<f32>], grid: (usize, usize)) -> Vec<f64> {
        let (_, held) = self.maps(None, between);
        held.axis_iter(Axis(1)).map(|map| highest(smoothed(map, grid).view())).collect()
    }
}

/// Measures all arms of a draw.
pub(crate) fn measure(photos: &Photos, planting: &Planting, learning: &learn::Settings, draw: u64) -> Result<Value> {
    let mut train = photos.normals.clone();
    let mut names = photos.names.clone();
    let mut is_planted = vec![false; train.len()];
    let mut is_tested = vec![true; photos.tests.len()];
    for (&i, &defect) in planting.replaced.iter().zip(&planting.planted) {
        let test = photos.defects[defect];
        train[i] = photos.tests[test].clone();
        names[i] = format!("planted {test}");
        is_planted[i] = true;
        is_tested[test] = false;
    }
    let which: Vec<usize> = (0..photos.tests.len()).filter(|&i| is_tested[i]).collect();
    let tests: Vec<Array3<f32>> = which.iter().map(|&i| photos.tests[i].clone()).collect();
    let fitted = PlaceDistances::fit(&photos.cached, photos.side, &train, draw)?;
    let (between, of) = (fitted.between(), fitted.of(&photos.cached, &tests)?);

    let uniform = Arm::every(&between, &vec![true; train.len()]);
    let trim = uniform.map(|memory, level| memory.trimmed(&between[level], 0.1));
    let (held, held_trim) = (uniform.held(&between, fitted.grid()), trim.held(&between, fitted.grid()));
    let bound = Outliers::above(&held_trim).map_or(f64::INFINITY, |outliers| outliers.bound);
    let unlike: Vec<bool> = held_trim.iter().map(|score| *score <= bound).collect();

    let tenth = without_tenth(&held_trim);

    let scales: Vec<f32> =
        uniform.0.iter().zip(&between).map(|(memory, level)| robust_scale(&memory.scores(level, true)).1).collect();
    let spacings: Vec<&Array2<f32>> = uniform.0.iter().map(Memory::spacing).collect();
    let measured = learn::Measured { fitted: &fitted, between: &between, spacings: &spacings, scales: &scales };
    let learned = learn::learn(photos, &train, &names, &measured, &is_planted, learning, draw)?;
    let mut weighted: Vec<bool> = learned.weights.iter().map(|w| *w >= 0.5).collect();
    if weighted.iter().filter(|kept| **kept).count() < LEAST {
        weighted = vec![true; train.len()];
    }
    let falling: Vec<f64> = learned.weights.iter().map(|w| -w).collect();
    let lightest = without_tenth(&falling);
    let mut shuffled = weighted.clone();
    shuffled.shuffle(&mut keyed_stream(draw, 7));
    let oracle: Vec<bool> = is_planted.iter().map(|planted| !planted).collect();

    let arms = [
        ("cap", uniform.map(|memory, _| memory.capped(0.9))),
        ("lof", uniform.map(|memory, level| memory.without_local_outliers(&between[level], 1.4))),
        ("third", uniform.map(|memory, _| memory.by(Rule::MedianOfFive))),
        ("kept", Arm::every(&between, &oracle)),
        ("uniform", uniform),
        ("trim", trim),
    ];
    let mut figures = json!({});
    let clean: Vec<&Scored> = which.iter().map(|&i| &photos.clean[i]).collect();
    figures["clean"] = json!(photos.figures(&which, &clean)?);
    for (name, arm) in &arms {
        let scored = arm.scored(&of, &between, fitted.grid(), photos.fine)?;
        figures[*name] = json!(photos.figures(&which, &scored.iter().collect::<Vec<_>>())?);
    }
    let shares = arms.iter().map(|(name, arm)| {
        let mean = arm.0.iter().map(Memory::share).sum::<f64>() / arm.0.len().max(1) as f64;
        ((*name).to_owned(), json!(mean))
    });
    let shares: serde_json::Map<String, Value> = shares.collect();
    let dropping = [
        ("outliers", &unlike),
        ("tenth", &tenth),
        ("bilevel", &weighted),
        ("lightest", &lightest),
        ("shuffled", &shuffled),
        ("oracle", &oracle),
    ];
    for (name, kept) in dropping {
        if kept.iter().all(|kept| *kept) {
            figures[name] = figures["uniform"].clone();
            continue;
        }
        let left: Vec<Array3<f32>> =
            train.iter().zip(kept).filter(|(_, kept)| **kept).map(|(photo, _)| photo.clone()).collect();
        let fitted = PlaceDistances::fit(&photos.cached, photos.side, &left, draw)?;
        let (between, of) = (fitted.between(), fitted.of(&photos.cached, &tests)?);
        let arm = Arm::every(&between, &vec![true; left.len()]);
        let scored = arm.scored(&of, &between, fitted.grid(), photos.fine)?;
        figures[name] = json!(photos.figures(&which, &scored.iter().collect::<Vec<_>>())?);
        if name == "tenth" {
            let trim = arm.map(|memory, level| memory.trimmed(&between[level], 0.1));
            let scored = trim.scored(&of, &between, fitted.grid(), photos.fine)?;
            figures["both"] = json!(photos.figures(&which, &scored.iter().collect::<Vec<_>>())?);
        }
    }
    let dropped = |kept: &[bool]| {
        let count = |planted: bool| kept.iter().zip(&is_planted).filter(|(k, p)| !**k && **p == planted).count();
        json!({ "good": count(false), "planted": count(true) })
    };
    let found = |scores: &[f64]| if planting.planted.is_empty() { None } else { auroc(scores, &is_planted).ok() };
    Ok(json!({
        "photos": train.len(),
        "planted": planting.planted.len(),
        "arms": figures,
        "shares": shares,
        "dropped": { "bilevel": dropped(&weighted), "outliers": dropped(&unlike), "tenth": dropped(&tenth),
            "lightest": dropped(&lightest) },
        "found": {
            "weight": found(&falling),
            "gradient": found(&learned.gradient),
            "held": found(&held),
            "held_trim": found(&held_trim),
        },
        "upper": { "uniform": learned.uniform, "oracle": learned.oracle, "learned": learned.learned },
        "pairs": learned.pairs,
        "near": {
            "drawn": learned.near[0],
            "clean": learned.near[1],
            "real": photos.nearest_planted(&which, &of, fitted.grid(), &is_planted),
        },
    }))
}

/// Keeps all photos but the tenth with the highest scores.
fn without_tenth(scores: &[f64]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let mut kept = vec![true; scores.len()];
    order.iter().take(scores.len() / 10).for_each(|&i| kept[i] = false);
    kept
}
