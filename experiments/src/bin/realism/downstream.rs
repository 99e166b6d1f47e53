//! The figure that decides: a linear head trained on drawn defects alone, scored on real ones.

use experiments::program::Result;
use experiments::realism::features::{Features, mask_shares};
use experiments::realism::scoring::{Figures, Tested, evaluate};
use maphc2f::bisqad::logistic::{Linear, fit};
use maphc2f::frozen_backbone::EfficientNetLite0;
use maphc2f::imgkit::rng::keyed_stream;
use ndarray::Array2;
use rand::seq::index::sample;
use rayon::prelude::*;

use crate::data::{Marked, Real};

/// Least share of the mask in the square of a place that makes it a defect; places with less are not used.
const LEAST_SHARE: f32 = 0.3;
/// Ridge penalty.
const L2: f64 = 3e-3;
/// Normal places taken from a photo.
const NORMAL_PLACES: usize = 200;

/// Features at places, one vector each.
type Vectors = Vec<Vec<f32>>;

/// Trains a head on drawn defects and on normal places of the same and of other good photos.
pub(crate) fn train(net: &EfficientNetLite0, drawn: &[Marked], others: &[&Features], seed: u64) -> Result<Linear> {
    let one = |(i, sample): (usize, &Marked)| -> std::result::Result<(Vectors, Vectors), String> {
        let features = Features::extract(net, sample.image.view()).map_err(|e| e.to_string())?;
        let shares = mask_shares(sample.mask.view());
        let places = |fits: &dyn Fn(f32) -> bool| -> Vec<(usize, usize)> {
            shares.indexed_iter().filter(|(_, s)| fits(**s)).map(|(at, _)| at).collect()
        };
        let defect = places(&|s| s >= LEAST_SHARE).into_iter().map(|(y, x)| features.at(y, x)).collect();
        Ok((defect, some(&features, &places(&|s| s == 0.0), seed, i as u64)))
    };
    let rows: Vec<_> = drawn.par_iter().enumerate().map(one).collect::<std::result::Result<_, _>>()?;
    let (defects, mut normals): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    let defects: Vectors = defects.into_iter().flatten().collect();
    let clean = |(i, features): (usize, &&Features)| {
        let (rows, columns) = features.grid();
        let places: Vec<_> = (0..rows * columns).map(|p| (p / columns, p % columns)).collect();
        some(features, &places, seed, (drawn.len() + i) as u64)
    };
    normals.extend(others.par_iter().enumerate().map(clean).collect::<Vec<_>>());
    let normals: Vectors = normals.into_iter().flatten().collect();
    if defects.is_empty() {
        return Err("no drawn defect fills three tenths of a place".into());
    }
    Ok(fit_standardized(&normals, &defects))
}

/// Features at some of the places.
fn some(features: &Features, places: &[(usize, usize)], seed: u64, photo: u64) -> Vectors {
    let mut rng = keyed_stream(seed, (1 << 61) + photo);
    let taken = sample(&mut rng, places.len(), NORMAL_PLACES.min(places.len()));
    taken.iter().map(|i| features.at(places[i].0, places[i].1)).collect()
}

/// Fits on inputs standardized by the normal places, and folds that into the weights.
fn fit_standardized(normals: &[Vec<f32>], defects: &[Vec<f32>]) -> Linear {
    let (inputs, n) = (defects[0].len(), normals.len() as f64);
    let mut mean = vec![0.0f64; inputs];
    let mut squares = vec![0.0f64; inputs];
    for row in normals {
        mean.iter_mut().zip(row).for_each(|(m, v)| *m += f64::from(*v) / n);
    }
    for row in normals {
        squares.iter_mut().zip(row.iter().zip(&mean)).for_each(|(s, (v, m))| *s += (f64::from(*v) - m).powi(2) / n);
    }
    let scale: Vec<f64> = squares.iter().map(|s| 1.0 / s.sqrt().max(1e-6)).collect();
    let rows: Vec<&Vec<f32>> = normals.iter().chain(defects).collect();
    let labels: Vec<bool> = (0..rows.len()).map(|i| i >= normals.len()).collect();
    let inputs =
        Array2::from_shape_fn((rows.len(), inputs), |(i, j)| ((f64::from(rows[i][j]) - mean[j]) * scale[j]) as f32);
    let head = fit(inputs.view(), &labels, L2);
    let weights: Vec<f64> = head.weights.iter().zip(&scale).map(|(w, s)| w * s).collect();
    let bias = head.bias - weights.iter().zip(&mean).map(|(w, m)| w * m).sum::<f64>();
    Linear { weights, bias }
}

/// Scores a head on real defects and on good test photos.
pub(crate) fn score(head: &Linear, defects: &[&Real], good: &[Real]) -> Result<Figures> {
    let tested = |real| -> Tested<'_> {
        let real: &Real = real;
        Tested { features: &real.features, mask: real.own.mask.view() }
    };
    let tests: Vec<Tested<'_>> = defects.iter().copied().chain(good).map(tested).collect();
    evaluate(head, &tests)
}
