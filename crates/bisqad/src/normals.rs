//! The normal images before training: who serves what, and what is remembered of them.

use std::sync::Arc;

use frozen_backbone::Backbone;
use ndarray::{Array2, Array3, Axis, concatenate};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::detector::{Calibration, PatchDetector};
use crate::discriminator::{Shape, width};
use crate::memory::Memory;
use crate::whitening::Whitening;
use crate::{Error, Fusion, Observe, Progress, TrainParams, patches};

/// Normal patches kept per image for training, and candidates of the memory in all.
const KEPT: usize = 512;
const CANDIDATES: usize = 65_536;

/// Which normal image serves what.
#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) train: Vec<usize>,
    pub(crate) meta: Vec<usize>,
    pub(crate) calibration: Vec<usize>,
}

impl Split {
    pub(crate) fn new(images: usize, params: &TrainParams) -> Self {
        let mut order: Vec<usize> = (0..images).collect();
        order.shuffle(&mut stream(params.seed, 0));
        let held = ((images as f64 * params.held_out).round() as usize).max(1);
        let calibration = order.split_off(images - held);
        let meta = order.split_off(images - 2 * held);
        Self { train: order, meta, calibration }
    }
}

/// Generator number `stream` of a run: draws do not depend on what was drawn before.
pub(crate) fn stream(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// Whitened patches of the normal images.
pub(crate) struct Normals {
    whitening: Whitening,
    /// Longest shorter side of the images, px.
    side: usize,
    /// Some patches of each image, by image number.
    patches: Vec<Array2<f32>>,
    /// `(rows of all training images, image number of each row)`, at most [`CANDIDATES`].
    candidates: (Array2<f32>, Vec<u32>),
}

impl Normals {
    pub(crate) fn gather(
        backbone: &Arc<dyn Backbone>,
        normals: &[Array3<f32>],
        split: &Split,
        params: &TrainParams,
        observer: &mut dyn Observe,
    ) -> Result<Self, Error> {
        let mut raw: Vec<Array2<f32>> = Vec::with_capacity(normals.len());
        for block in normals.chunks(16) {
            let first = raw.len();
            let rows: Result<Vec<_>, Error> = block
                .par_iter()
                .enumerate()
                .map(|(i, image)| {
                    let features = patches::read(backbone.as_ref(), image.view())?.1.features;
                    let mut rng = stream(params.seed, 1 + (first + i) as u64);
                    let n = features.nrows();
                    let mut kept = rand::seq::index::sample(&mut rng, n, n.min(KEPT)).into_vec();
                    kept.sort_unstable();
                    Ok(features.select(Axis(0), &kept))
                })
                .collect();
            raw.extend(rows?);
            observer.progress(Progress::Features { done: raw.len(), total: normals.len() });
        }
        let per_image = CANDIDATES.div_ceil(split.train.len());
        let views: Vec<_> = split.train.iter().map(|&i| head(&raw[i], per_image)).collect();
        let rows = concatenate(Axis(0), &views).map_err(|_| Error::Length {
            what: "features",
            found: 0,
            expected: backbone.levels().len(),
        })?;
        let owners = split.train.iter().zip(&views).flat_map(|(&i, v)| vec![i as u32; v.nrows()]).collect();
        let whitening = Whitening::fit(rows.view(), params.dimensions)?;
        let patches = raw.par_iter().map(|r| whitening.apply(r)).collect();
        let side = normals.iter().map(|n| n.dim().0.min(n.dim().1)).max().unwrap_or(0);
        Ok(Self { candidates: (whitening.apply(&rows), owners), whitening, side, patches })
    }

    /// The detector before training.
    pub(crate) fn detector(&self, backbone: Arc<dyn Backbone>, params: &TrainParams) -> Result<PatchDetector, Error> {
        let memory = Memory::coreset(&self.candidates.0, &self.candidates.1, params.memory)?;
        let shape = Shape { inputs: width(self.whitening.projection.ncols()), hidden: params.hidden };
        // residuals of some training patches against the other images
        let mut squares = (0.0f64, 0usize);
        for (rows, owner) in self.candidates.0.axis_chunks_iter(Axis(0), 64).zip(self.candidates.1.chunks(64)) {
            let residuals = memory.residuals(&rows.to_owned(), owner.first().copied());
            squares.0 += residuals.iter().map(|v| f64::from(v * v)).sum::<f64>();
            squares.1 += residuals.nrows();
        }
        Ok(PatchDetector {
            backbone,
            whitening: self.whitening.clone(),
            memory,
            shape,
            theta: Vec::new(),
            scale: ((squares.0 / squares.1.max(1) as f64).sqrt() as f32).max(1e-6),
            calibration: Calibration { logit: (0.0, 1.0), distance: (0.0, 1.0) },
            smoothing: params.smoothing,
            trained_at: self.side,
            fusion: Fusion::Both,
            normal_scores: Vec::new(),
            steered_by: Vec::new(),
        })
    }
}

impl Normals {
    /// What the discriminator reads of each image's patches, against the memory of the other images.
    pub(crate) fn inputs(&self, detector: &PatchDetector) -> Result<Vec<Array2<f32>>, Error> {
        let one = |(i, rows): (usize, &Array2<f32>)| detector.reads(rows, Some(i as u32));
        self.patches.par_iter().enumerate().map(one).collect()
    }
}

/// The first rows, which are a random subset in raster order thinned evenly.
fn head(rows: &Array2<f32>, n: usize) -> ndarray::ArrayView2<'_, f32> {
    let step = (rows.nrows() / n.max(1)).max(1);
    rows.slice_each_axis(
        |a| if a.axis.index() == 0 { ndarray::Slice::new(0, None, step as isize) } else { (..).into() },
    )
}
