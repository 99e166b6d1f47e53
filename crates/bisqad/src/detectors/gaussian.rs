//! The position-Gaussian baseline: a detector that needs no training.

use std::sync::Arc;

use frozen_backbone::Backbone;
use imgkit::rank::nearest;
use ndarray::{Array3, ArrayView3};
use rayon::prelude::*;

use crate::detectors::provenance::Provenance;
use crate::detectors::{Detector, Prediction, image_scores};
use crate::error::Error;
use crate::features::gaussians::{Gaussians, Group};
use crate::features::patches;
use crate::features::statistics::{ensure_different, moments, sample, shorter_side};
use crate::features::whitening::Whitening;
use crate::parameters::{at_least_one, held_out_share, parameters, shrinkage, smoothing};
use crate::persistence::format::Persist;
use crate::training::observer::{Observe, Progress};

parameters! {
    /// Parameters of [`GaussianDetector::fit`].
    pub struct GaussianParams {
        /// Number of feature dimensions kept, by variance, at least 1 (default 64).
        dimensions, with_dimensions: usize = 64;
        /// Share of the pooled covariance in the covariance of every position, in (0, 1] (default 0.1).
        shrinkage, with_shrinkage: f64 = 0.1;
        /// Share of the normal images held out for the threshold, in (0, 0.4] (default 0.1, at least one image): the
        /// last ones.
        held_out, with_held_out: f64 = 0.1;
        /// Standard deviation of the smoothing of the map, in \[0, 64\] px (default 4).
        smoothing, with_smoothing: f64 = 4.0;
    }
}

impl GaussianParams {
    /// Checks all ranges. [`GaussianDetector::fit`] does so too.
    ///
    /// # Errors
    /// [`Error::Parameter`] with the first bad field and its range.
    pub fn check(&self) -> Result<(), Error> {
        const WHAT: &str = "position Gaussians";
        at_least_one(WHAT, "dimensions", self.dimensions)?;
        shrinkage(WHAT, self.shrinkage)?;
        held_out_share(WHAT, self.held_out)?;
        smoothing(WHAT, self.smoothing)?;
        Ok(())
    }
}

/// PaDiM-like baseline: one Gaussian per patch position over the normal images, all levels together; the score is the
/// Mahalanobis distance. For products that always lie the same way. In an image of another size, each patch is compared
/// with the position at the same place of the frame.
///
/// T. Defard et al., "PaDiM: a Patch Distribution Modeling Framework", ICPR 2020, with two differences: features are
/// the leading half-whitened principal components instead of a random choice; the covariance is shrunk towards the one
/// pooled over all positions instead of a multiple of the identity.
///
/// Memory: 2 bytes per position and squared dimension (288 x 288 px, 64 dimensions: 11 MB); four times that during
/// fitting, whatever the number of images.
///
/// ```
/// use bisqad::{Detector, GaussianDetector, GaussianParams, NoObserver};
/// use frozen_backbone::EfficientNetLite0;
/// use ndarray::Array3;
/// use std::sync::Arc;
///
/// let photo = |i: usize| {
///     Array3::from_shape_fn((64, 64, 3), |(y, x, _)| 0.4 + 0.05 * ((y * 7 + x * 13 + i * 29) % 11) as f32 / 11.0)
/// };
/// let normals: Vec<_> = (0..10).map(photo).collect();
/// let net = Arc::new(EfficientNetLite0::pretrained()?);
/// let params = GaussianParams::default().with_dimensions(8);
/// let detector = GaussianDetector::fit(net, &normals, &params, &mut NoObserver)?;
/// let mut bad = photo(20);
/// for y in 24..40 { for x in 24..40 { for c in 0..3 { bad[[y, x, c]] = 0.9; } } }
/// assert!(detector.predict(bad.view())?.score > detector.predict(photo(21).view())?.score);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct GaussianDetector {
    pub(crate) backbone: Arc<dyn Backbone>,
    pub(crate) normal: Gaussians,
    pub(crate) smoothing: f32,
    pub(crate) training_side: usize,
    pub(crate) normal_scores: Vec<f64>,
}

impl GaussianDetector {
    /// Fits to normal images `(H, W, C)`; the last of them (a share `held_out`) are only scored, for the threshold.
    ///
    /// # Errors
    /// [`Error::Parameter`] outside the ranges, [`Error::TooFewNormals`] for fewer than three images,
    /// [`Error::Backbone`] for images that the backbone rejects.
    pub fn fit(
        backbone: Arc<dyn Backbone>,
        normals: &[Array3<f32>],
        params: &GaussianParams,
        observer: &mut dyn Observe,
    ) -> Result<Self, Error> {
        params.check()?;
        ensure_different(normals, 3)?;
        let held = nearest(params.held_out, normals.len()).clamp(1, normals.len() - 2);
        let (train, rest) = normals.split_at(normals.len() - held);
        let images: Vec<usize> = (0..train.len()).collect();
        let rows = sample(backbone.as_ref(), train, &images, 0)?;
        let groups = vec![Group { from: 0, projection: Whitening::fit(rows.view(), params.dimensions)? }];
        let normal = moments(backbone.as_ref(), train, &images, groups, &mut |done| {
            observer.progress(Progress::Features { done, total: images.len() });
        })?;
        let normal = normal.finish(None, params.shrinkage)?;
        let (smoothing, training_side) = (params.smoothing as f32, shorter_side(normals));
        let mut detector = Self { backbone, normal, smoothing, training_side, normal_scores: Vec::new() };
        observer.progress(Progress::Calibration);
        detector.normal_scores = image_scores(&detector, rest.par_iter())?;
        Ok(detector)
    }
}

impl Detector for GaussianDetector {
    fn name(&self) -> &'static str {
        "position-gaussian"
    }

    fn predict(&self, image: ArrayView3<'_, f32>) -> Result<Prediction, Error> {
        let (h, w, _) = image.dim();
        let (_, p) = patches::read(self.backbone.as_ref(), image)?;
        let distances = self.normal.lengths(&self.normal.deviations(&p, None)).into_raw_vec_and_offset().0;
        Prediction::of_patches(distances, p.grid, (h, w), self.smoothing)?.checked(self.name())
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
