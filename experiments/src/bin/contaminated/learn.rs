//! Drawn defects on the photos of a draw, and the weights of the photos that are learned on them.

use experiments::contamination::coverage;
use experiments::program::Result;
use maphc2f::bilevel::{Bilevel, ConjugateGradient, Hypergradient, Implicit, UpperParams, WeightModel, learn_weights};
use maphc2f::bisqad::{Anomaly, AnomalySource, NormalsProblem, PlaceDistances};
use maphc2f::imgkit::rng::{Retry, keyed_stream};
use maphc2f::{MATERIALS, Pipeline, PipelineSource};
use ndarray::{Array2, Array3, ArrayView1, Axis};
use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde_json::{Value, json};

use crate::draw::Photos;

/// Share of a place in the mask from which on it is an example of the defect, and most of them of one defect.
const MARKED: f32 = 0.3;
const PLACES: usize = 4;
/// Most photos that defects are drawn on.
const DRAWN_ON: usize = 120;
/// Logit of the weights at the start: photos are good unless the defects speak against them.
const PRIOR: f64 = 2.0;
const RETRY: Retry = Retry::new(4, 1 << 40);

/// Settings of the learning.
pub(crate) struct Settings {
    /// Number of drawn defects.
    pub(crate) defects: usize,
    /// Factor of the penalty of few effective photos.
    pub(crate) penalty: f64,
    /// Width of the kernel in robust standard deviations of held-out scores; that of the upper loss is one of them.
    pub(crate) tau: f64,
}

impl Settings {
    /// The settings as fields of the log.
    pub(crate) fn key(&self) -> Value {
        json!({ "defects": self.defects, "penalty": self.penalty, "tau": self.tau })
    }
}

/// What is known of the photos, by level.
pub(crate) struct Measured<'a> {
    pub(crate) fitted: &'a PlaceDistances,
    pub(crate) between: &'a [Array3<f32>],
    pub(crate) spacings: &'a [&'a Array2<f32>],
    /// Robust standard deviation of held-out scores.
    pub(crate) scales: &'a [f32],
}

pub(crate) struct Learned {
    pub(crate) weights: Vec<f64>,
    /// Hypergradient by the weights at equal ones.
    pub(crate) gradient: Vec<f64>,
    /// Upper loss, and share of the pairs whose drawn patch scores higher, with equal weights, without the planted
    /// photos, and with the learned ones.
    pub(crate) uniform: [f64; 2],
    pub(crate) oracle: [f64; 2],
    pub(crate) learned: [f64; 2],
    pub(crate) pairs: usize,
    /// Share of the drawn patches, and of the clean ones, whose nearest photo is a planted one.
    pub(crate) near: [f64; 2],
}

/// Learns weights on defects that are drawn on all photos: which are planted is known to the oracle alone.
pub(crate) fn learn(
    photos: &Photos,
    train: &[Array3<f32>],
    names: &[String],
    measured: &Measured<'_>,
    is_planted: &[bool],
    settings: &Settings,
    seed: u64,
) -> Result<Learned> {
    let pipeline = Pipeline::standard(&MATERIALS)?;
    let mut order: Vec<usize> = (0..train.len()).collect();
    order.shuffle(&mut keyed_stream(seed, 5));
    order.truncate(DRAWN_ON);
    let normals: Vec<Array3<f32>> = order.iter().map(|&i| train[i].clone()).collect();
    let names: Vec<String> = order.iter().map(|&i| names[i].clone()).collect();
    let source = PipelineSource::new(&pipeline, &normals, &names, seed)?;
    let drawn = draw(&source, &normals, settings.defects).into_iter().map(|(photo, defect)| (order[photo], defect));
    let (own, defects): (Vec<usize>, Vec<Anomaly>) = drawn.unzip();
    let (images, masks): (Vec<_>, Vec<_>) = defects.into_iter().map(|a| (a.image, a.mask)).unzip();
    let distances = measured.fitted.of(&photos.net, &images)?;
    // (drawn defect, place)
    let mut examples = Vec::new();
    for (i, mask) in masks.iter().enumerate() {
        let shares: Vec<f32> = coverage(mask.view(), measured.fitted.grid())?.iter().copied().collect();
        let mut marked: Vec<usize> = (0..shares.len()).filter(|&p| shares[p] >= MARKED).collect();
        if marked.is_empty() {
            marked.extend((0..shares.len()).max_by(|&a, &b| shares[a].total_cmp(&shares[b])));
        }
        marked.shuffle(&mut keyed_stream(seed, i as u64));
        examples.extend(marked.into_iter().take(PLACES).map(|place| (i, place)));
    }
    let (levels, n) = (distances.len(), train.len());
    let pairs = levels * examples.len();
    let [mut defect, mut clean, mut spacing] = [0; 3].map(|_| Array2::zeros((pairs, n)));
    let mut owners = Vec::with_capacity(pairs);
    for (level, distances) in distances.iter().enumerate() {
        let by = measured.scales[level];
        for (k, &(i, place)) in examples.iter().enumerate() {
            let row = level * examples.len() + k;
            let scaled = |of: ArrayView1<'_, f32>| of.mapv(|v| v / by);
            let at = |all: &Array3<f32>, image: usize| scaled(all.index_axis(Axis(0), place).row(image));
            defect.row_mut(row).assign(&at(distances, i));
            clean.row_mut(row).assign(&at(&measured.between[level], own[i]));
            spacing.row_mut(row).assign(&scaled(measured.spacings[level].row(place)));
            owners.push(own[i]);
        }
    }
    let problem = NormalsProblem::new(&defect, &clean, &spacing, &owners, settings.tau, 1.0)?;
    let method = Implicit::new(ConjugateGradient::new(10, 1e-9)?, 1e-2)?;
    let model = WeightModel::per_sample(vec![PRIOR; n])?;
    let params = UpperParams::default().with_penalty(settings.penalty);
    let learned = learn_weights(&problem, &model, &method, &params, None, &mut |_, _| ())?;
    let at = |weights: &[f64]| -> Result<[f64; 2]> {
        let margins = problem.margins(weights)?;
        let won = margins.iter().filter(|m| **m > 0.0).count() as f64 / pairs as f64;
        Ok([problem.upper(weights)?.loss, won])
    };
    let equal = vec![1.0; n];
    let gradient = method.weight_gradient(&problem, &equal, &equal, params.lower_step())?.gradient;
    let good: Vec<f64> = is_planted.iter().map(|planted| if *planted { 0.0 } else { 1.0 }).collect();
    let near = [&defect, &clean].map(|distances| {
        let rows = distances.outer_iter().zip(&owners);
        rows.filter(|(row, own)| nearest(*row, Some(**own)).is_some_and(|i| is_planted[i])).count() as f64
            / pairs as f64
    });
    Ok(Learned {
        near,
        gradient,
        uniform: at(&equal)?,
        oracle: at(&good)?,
        learned: at(&learned.weights)?,
        weights: learned.weights,
        pairs,
    })
}

/// Photo at the least of some distances, `without` left out.
pub(crate) fn nearest(distances: ArrayView1<'_, f32>, without: Option<usize>) -> Option<usize> {
    let others = (0..distances.len()).filter(|i| Some(*i) != without);
    others.min_by(|&a, &b| distances[a].total_cmp(&distances[b]))
}

/// Draws defects with the number of the photo of each, all mechanisms in turn; where one cannot be drawn on a photo the
/// next ones are tried.
fn draw(source: &PipelineSource<'_>, normals: &[Array3<f32>], count: usize) -> Vec<(usize, Anomaly)> {
    let mechanisms = source.mechanisms().max(1);
    let one = |k: usize| {
        (0..4).find_map(|attempt| {
            let photo = (k + attempt * 37) % normals.len().max(1);
            let (normal, first) = (normals.get(photo)?.view(), (k / mechanisms) as u64);
            let made = RETRY.first_success(first, |i| source.anomaly(normal, photo, k % mechanisms, i));
            Some((photo, made.ok()?))
        })
    };
    (0..count).into_par_iter().filter_map(one).collect()
}
