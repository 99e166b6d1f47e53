//! Feature rows and moments of sets of normal images.

use std::collections::BTreeSet;

use frozen_backbone::Backbone;
use imgkit::hash::fnv1a;
use ndarray::{Array2, Array3, Axis, concatenate};
use rayon::prelude::*;

use crate::error::Error;
use crate::features::gaussians::{Group, Moments};
use crate::features::patches;
use crate::features::subsample::subsample;

/// Largest number of feature rows that projections are fitted to, and of images that they are taken from.
const ROWS: usize = 32_768;
const IMAGES: usize = 128;
/// Images whose features are in memory at once.
pub(crate) const AT_ONCE: usize = 16;

/// Samples feature rows of patches of the images, `(N, features)`, at most [`ROWS`].
pub(crate) fn sample(
    backbone: &dyn Backbone,
    normals: &[Array3<f32>],
    images: &[usize],
    seed: u64,
) -> Result<Array2<f32>, Error> {
    let chosen: Vec<usize> = images.iter().copied().step_by(images.len().div_ceil(IMAGES).max(1)).collect();
    let each = ROWS.div_ceil(chosen.len().max(1));
    let rows = |&i: &usize| -> Result<Array2<f32>, Error> {
        let features = patches::read(backbone, normals[i].view())?.1.features;
        Ok(features.select(Axis(0), &subsample(features.nrows(), each, seed, i)))
    };
    let rows: Vec<Array2<f32>> = chosen.par_iter().map(rows).collect::<Result<_, Error>>()?;
    let views: Vec<_> = rows.iter().map(|r| r.view()).collect();
    concatenate(Axis(0), &views).map_err(|_| Error::TooFewNormals { found: images.len(), needed: 3 })
}

/// Accumulates the moments of `images`, the first of them in fold 0, the next in fold 1 and so on; calls `done` with
/// the number of images so far.
pub(crate) fn moments(
    backbone: &dyn Backbone,
    normals: &[Array3<f32>],
    images: &[usize],
    groups: Vec<Group>,
    done: &mut dyn FnMut(usize),
) -> Result<Moments, Error> {
    let read = |i: usize| patches::read(backbone, normals[i].view()).map(|(_, p)| p);
    let Some(&first) = images.first() else { return Err(Error::TooFewNormals { found: 0, needed: 3 }) };
    let mut moments = Moments::new(groups, &read(first)?);
    for (block, images) in images.chunks(AT_ONCE).enumerate() {
        let features = images.par_iter().enumerate().map(|(k, &i)| Ok((block * AT_ONCE + k, read(i)?)));
        moments.add(&features.collect::<Result<Vec<_>, Error>>()?);
        done(block * AT_ONCE + images.len());
    }
    Ok(moments)
}

/// Refuses sets of normal images that leave nothing to measure deviations by: fewer than `needed` that differ from each
/// other and hold two values at least.
pub(crate) fn ensure_different(normals: &[Array3<f32>], needed: usize) -> Result<(), Error> {
    let found = normals.len();
    if found < needed {
        return Err(Error::TooFewNormals { found, needed });
    }
    let content = |image: &Array3<f32>| {
        let first = image.first().copied().unwrap_or_default();
        let is_flat = image.iter().all(|v| *v == first);
        let (h, w, c) = image.dim();
        let size = [h, w, c].into_iter().flat_map(usize::to_le_bytes);
        (!is_flat).then(|| fnv1a(size.chain(image.iter().flat_map(|v| v.to_le_bytes()))))
    };
    let contents: Vec<Option<u64>> = normals.par_iter().map(content).collect();
    let different = contents.iter().flatten().collect::<BTreeSet<_>>().len();
    if different < needed { Err(Error::TooFewDifferent { found, different, needed }) } else { Ok(()) }
}

/// Largest shorter side of the images, px.
pub(crate) fn shorter_side(images: &[Array3<f32>]) -> usize {
    images.iter().map(|n| n.dim().0.min(n.dim().1)).max().unwrap_or(0)
}
