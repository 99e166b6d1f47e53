//! The patch-memory baseline: a detector that needs no training.

use std::sync::Arc;

use frozen_backbone::Backbone;
use ndarray::{Array2, Array3, ArrayView3, Axis, concatenate};
use rayon::prelude::*;

use crate::detectors::provenance::Provenance;
use crate::detectors::{Detector, Prediction, image_scores};
use crate::error::Error;
use crate::features::coreset::{Memory, norms};
use crate::features::patches;
use crate::features::statistics::{AT_ONCE, ensure_different, shorter_side};
use crate::features::subsample::subsample;
use crate::features::whitening::Whitening;
use crate::parameters::{at_least_one, held_out_share, parameters, smoothing};
use crate::persistence::format::Persist;
use crate::training::observer::{Observe, Progress};
use crate::training::split::Split;

parameters! {
    /// Parameters of [`MemoryDetector::fit`].
    pub struct MemoryParams {
        /// Seed that chooses the held-out images and the candidate patches (default 0).
        seed, with_seed: u64 = 0;
        /// Number of whitened feature dimensions kept, at least 1 (default 128).
        dimensions, with_dimensions: usize = 128;
        /// Number of patches in the memory, at least 1 (default 4096).
        memory, with_memory: usize = 4096;
        /// Largest number of patches that the memory is selected from, at least 1 (default 65 536).
        candidates, with_candidates: usize = 65_536;
        /// Share of the normal images held out for the threshold, in (0, 0.4] (default 0.1, at least one image): a
        /// random choice.
        held_out, with_held_out: f64 = 0.1;
        /// Standard deviation of the smoothing of the map, in \[0, 64\] px (default 4).
        smoothing, with_smoothing: f64 = 4.0;
    }
}

impl MemoryParams {
    /// Checks all ranges. [`MemoryDetector::fit`] does so too.
    ///
    /// # Errors
    /// [`Error::Parameter`] with the first bad field and its range.
    pub fn check(&self) -> Result<(), Error> {
        const WHAT: &str = "patch memory";
        for (name, value) in [("dimensions", self.dimensions), ("memory", self.memory), ("candidates", self.candidates)]
        {
            at_least_one(WHAT, name, value)?;
        }
        held_out_share(WHAT, self.held_out)?;
        smoothing(WHAT, self.smoothing)?;
        Ok(())
    }
}

/// PatchCore-like baseline: the distance of every patch to the nearest patch of a coreset of normal patches from
/// anywhere in the images. For products that may lie in any way, and for textures.
///
/// K. Roth et al., "Towards Total Recall in Industrial Anomaly Detection", CVPR 2022, with these differences:
/// half-whitened principal components; random candidate patches; the image score is the mean of the highest hundredth
/// of the smoothed map, without reweighting.
///
/// Memory: `memory` x `dimensions` floats, twice (4 MB by default). The search is exact.
///
/// ```
/// use bisqad::{Detector, MemoryDetector, MemoryParams, NoObserver, Threshold};
/// use frozen_backbone::EfficientNetLite0;
/// use ndarray::Array3;
///
/// let photo = |i: usize| {
///     Array3::from_shape_fn((64, 64, 3), |(y, x, _)| 0.4 + 0.05 * ((y * 7 + x * 13 + i * 29) % 11) as f32 / 11.0)
/// };
/// let normals: Vec<_> = (0..10).map(photo).collect();
/// let net = std::sync::Arc::new(EfficientNetLite0::pretrained()?);
/// let params = MemoryParams::default().with_memory(256);
/// let detector = MemoryDetector::fit(net, &normals, &params, &mut NoObserver)?;
/// let mut bad = photo(20);
/// for y in 24..40 { for x in 24..40 { for c in 0..3 { bad[[y, x, c]] = 0.9; } } }
/// assert!(detector.predict(bad.view())?.score > Threshold::of(&detector, 0.0)?.value);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct MemoryDetector {
    pub(crate) backbone: Arc<dyn Backbone>,
    pub(crate) whitening: Whitening,
    pub(crate) memory: Memory,
    pub(crate) smoothing: f32,
    pub(crate) training_side: usize,
    pub(crate) normal_scores: Vec<f64>,
}

impl MemoryDetector {
    /// Fits to normal images `(H, W, C)`; a random share of them is only scored, for the threshold.
    ///
    /// # Errors
    /// [`Error::Parameter`] outside the ranges, [`Error::TooFewNormals`] for fewer than four images,
    /// [`Error::Backbone`] for images that the backbone rejects.
    pub fn fit(
        backbone: Arc<dyn Backbone>,
        normals: &[Array3<f32>],
        params: &MemoryParams,
        observer: &mut dyn Observe,
    ) -> Result<Self, Error> {
        params.check()?;
        ensure_different(normals, 4)?;
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
        let views: Vec<_> = rows.iter().map(|r| r.view()).collect();
        let few = |_| Error::TooFewNormals { found: normals.len(), needed: 4 };
        let candidates = concatenate(Axis(0), &views).map_err(few)?;
        observer.progress(Progress::Coreset);
        let whitening = Whitening::fit(candidates.view(), params.dimensions)?;
        let memory = Memory::coreset(&whitening.apply(candidates.view()), params.memory);
        let (smoothing, training_side) = (params.smoothing as f32, shorter_side(normals));
        let mut detector = Self { backbone, whitening, memory, smoothing, training_side, normal_scores: Vec::new() };
        observer.progress(Progress::Calibration);
        detector.normal_scores = image_scores(&detector, split.calibration.par_iter().map(|&i| &normals[i]))?;
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
        let residuals = self.memory.residuals(&self.whitening.apply(p.features.view()));
        Prediction::of_patches(norms(&residuals).to_vec(), p.grid, (h, w), self.smoothing)?.checked(self.name())
    }

    fn normal_scores(&self) -> &[f64] {
        &self.normal_scores
    }

    fn provenance(&self) -> Provenance {
        Provenance::new(Some(self.training_side), Vec::new())
    }

    fn as_persist(&self) -> Option<&dyn Persist> {
        Some(self)
    }
}
