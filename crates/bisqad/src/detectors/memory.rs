//! A memory of normal patches alone: a detector that needs no training.

use std::sync::Arc;

use frozen_backbone::Backbone;
use ndarray::{Array2, Array3, ArrayView3, Axis, concatenate};
use rayon::prelude::*;

use crate::detectors::threshold::scores;
use crate::detectors::{Detector, Prediction};
use crate::error::Error;
use crate::features::coreset::{Memory, norms};
use crate::features::patches;
use crate::features::statistics::{AT_ONCE, shorter_side};
use crate::features::subsample::subsample;
use crate::features::whitening::Whitening;
use crate::persistence::Parts;
use crate::training::observer::{Observe, Progress};
use crate::training::split::Split;

/// Parameters of [`MemoryDetector::fit`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MemoryParams {
    /// Which images are held out, and which patches are candidates (default 0).
    pub seed: u64,
    /// Whitened feature dimensions kept (default 128).
    pub dimensions: usize,
    /// Patches in the memory (default 4096).
    pub memory: usize,
    /// Patches that the memory is selected from, at most (default 65 536).
    pub candidates: usize,
    /// Share of the normal images held out for the threshold (default 0.1, one at least).
    pub held_out: f64,
    /// Standard deviation of the map's smoothing, px (default 4).
    pub smoothing: f32,
}

impl Default for MemoryParams {
    fn default() -> Self {
        Self { seed: 0, dimensions: 128, memory: 4096, candidates: 65_536, held_out: 0.1, smoothing: 4.0 }
    }
}

impl MemoryParams {
    fn check(&self) -> Result<(), Error> {
        for (name, value) in [("dimensions", self.dimensions), ("memory", self.memory), ("candidates", self.candidates)]
        {
            if value == 0 {
                return Err(Error::Parameter { name, value: 0.0, expected: "at least 1" });
            }
        }
        if !(self.held_out > 0.0 && self.held_out <= 0.4) {
            return Err(Error::Parameter { name: "held_out", value: self.held_out, expected: "in (0, 0.4]" });
        }
        if !(self.smoothing >= 0.0 && self.smoothing <= 64.0) {
            let (name, value) = ("smoothing", f64::from(self.smoothing));
            return Err(Error::Parameter { name, value, expected: "in [0, 64] px" });
        }
        Ok(())
    }
}

/// PatchCore-like baseline: the distance of every patch to the nearest of a coreset of normal patches, wherever those lay. For products that
/// lie in any way, and for textures.
///
/// K. Roth et al., "Towards Total Recall in Industrial Anomaly Detection", CVPR 2022, with differences of our own: half-whitened principal
/// components; candidates are random patches; the image score is the mean of the smoothed map's highest hundredth, without reweighting.
///
/// Memory: `memory` x `dimensions` floats, twice (4 MB by default). The search is exact.
///
/// ```
/// use bisqad::{Detector, MemoryDetector, MemoryParams, NoObserver};
/// use frozen_backbone::EfficientNetLite0;
/// use ndarray::Array3;
///
/// let photo = |i: usize| {
///     Array3::from_shape_fn((64, 64, 3), |(y, x, _)| 0.4 + 0.05 * ((y * 7 + x * 13 + i * 29) % 11) as f32 / 11.0)
/// };
/// let normals: Vec<_> = (0..10).map(photo).collect();
/// let net = std::sync::Arc::new(EfficientNetLite0::pretrained()?);
/// let params = MemoryParams { memory: 256, ..Default::default() };
/// let detector = MemoryDetector::fit(net, &normals, &params, &mut NoObserver)?;
/// let mut bad = photo(20);
/// for y in 24..40 { for x in 24..40 { for c in 0..3 { bad[[y, x, c]] = 0.9; } } }
/// assert!(detector.predict(bad.view())?.score > detector.threshold(0.0)?.value);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct MemoryDetector {
    pub(crate) backbone: Arc<dyn Backbone>,
    pub(crate) whitening: Whitening,
    pub(crate) memory: Memory,
    pub(crate) smoothing: f32,
    pub(crate) trained_at: usize,
    pub(crate) normal_scores: Vec<f64>,
}

impl MemoryDetector {
    /// Fits to normal images `(H, W, C)`; a random share of them is only scored, for the threshold.
    ///
    /// # Errors
    /// [`Error::Parameter`], [`Error::TooFewNormals`] (four are needed), [`Error::Backbone`].
    pub fn fit(
        backbone: Arc<dyn Backbone>,
        normals: &[Array3<f32>],
        params: &MemoryParams,
        observer: &mut dyn Observe,
    ) -> Result<Self, Error> {
        params.check()?;
        if normals.len() < 4 {
            return Err(Error::TooFewNormals { found: normals.len(), needed: 4 });
        }
        let split = Split::new(normals.len(), params.seed, params.held_out);
        let train: Vec<usize> = split.train.iter().chain(&split.validation).copied().collect();
        let each = params.candidates.div_ceil(train.len());
        let read = |&i: &usize| -> Result<Array2<f32>, Error> {
            let features = patches::read(backbone.as_ref(), normals[i].view())?.1.features;
            Ok(features.select(Axis(0), &subsample(features.nrows(), each, params.seed, i)))
        };
        let mut rows: Vec<Array2<f32>> = Vec::with_capacity(train.len());
        for block in train.chunks(AT_ONCE) {
            rows.extend(block.par_iter().map(read).collect::<Result<Vec<_>, Error>>()?);
            observer.progress(Progress::Features { done: rows.len(), total: train.len() });
        }
        let owners: Vec<u32> = train.iter().zip(&rows).flat_map(|(&i, r)| vec![i as u32; r.nrows()]).collect();
        let views: Vec<_> = rows.iter().map(|r| r.view()).collect();
        let few = |_| Error::TooFewNormals { found: 0, needed: 4 };
        let candidates = concatenate(Axis(0), &views).map_err(few)?;
        observer.progress(Progress::Memory);
        let whitening = Whitening::fit(candidates.view(), params.dimensions)?;
        let memory = Memory::coreset(&whitening.apply(candidates.view()), &owners, params.memory)?;
        let (smoothing, trained_at) = (params.smoothing, shorter_side(normals));
        let mut detector = Self { backbone, whitening, memory, smoothing, trained_at, normal_scores: Vec::new() };
        observer.progress(Progress::Calibration);
        detector.normal_scores = scores(&detector, split.calibration.par_iter().map(|&i| &normals[i]))?;
        Ok(detector)
    }
}

impl Detector for MemoryDetector {
    fn name(&self) -> &'static str {
        "patch-memory"
    }

    fn predict(&self, image: ArrayView3<'_, f32>) -> Result<Prediction, Error> {
        let (h, w, _) = image.dim();
        let (_, p) = patches::read(self.backbone.as_ref(), image)?;
        let residuals = self.memory.residuals(&self.whitening.apply(p.features.view()), None);
        Prediction::of_patches(norms(&residuals).to_vec(), p.grid, (h, w), self.smoothing)
    }
    fn normal_scores(&self) -> &[f64] {
        &self.normal_scores
    }

    fn trained_at(&self) -> Option<usize> {
        Some(self.trained_at)
    }

    fn parts(&self) -> Result<Parts, Error> {
        self.to_parts()
    }
}
