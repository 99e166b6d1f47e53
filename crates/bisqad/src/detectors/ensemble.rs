//! The ensemble of two detectors.

use std::sync::Arc;

use ndarray::{Array3, ArrayView3};
use rayon::prelude::*;

use crate::detectors::provenance::Provenance;
use crate::detectors::{Detector, Prediction, image_scores, same_size};
use crate::error::Error;
use crate::persistence::format::Persist;

/// Ensemble of two detectors: the mean of their maps, each in standard deviations of its pixel scores on normal images.
///
/// ```
/// use bisqad::{Detector, Ensemble, GaussianDetector, GaussianParams, NoObserver, Threshold};
/// use frozen_backbone::EfficientNetLite0;
/// use ndarray::Array3;
/// use std::sync::Arc;
///
/// let photo = |i: usize| {
///     Array3::from_shape_fn((64, 64, 3), |(y, x, _)| 0.4 + 0.05 * ((y * 7 + x * 13 + i * 29) % 11) as f32 / 11.0)
/// };
/// let normals: Vec<_> = (0..12).map(photo).collect();
/// let net = Arc::new(EfficientNetLite0::pretrained()?);
/// let fit = |dimensions| {
///     let params = GaussianParams::default().with_dimensions(dimensions);
///     GaussianDetector::fit(net.clone(), &normals[..9], &params, &mut NoObserver)
/// };
/// // images that neither detector was fitted to
/// let both = Ensemble::new(Arc::new(fit(4)?), Arc::new(fit(16)?), &normals[9..])?;
/// assert!(both.predict(photo(20).view())?.score <= Threshold::of(&both, 0.0)?.value + 3.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Ensemble {
    pub(crate) members: [Arc<dyn Detector>; 2],
    /// Mean and standard deviation of each member's pixel scores.
    pub(crate) scales: [(f32, f32); 2],
    pub(crate) normal_scores: Vec<f64>,
}

impl Ensemble {
    /// Combines two detectors and calibrates them on `normals` `(H, W, C)`, which should be new to both.
    ///
    /// # Errors
    /// [`Error::TooFewNormals`] for no images, and the errors of the detectors.
    pub fn new(one: Arc<dyn Detector>, other: Arc<dyn Detector>, normals: &[Array3<f32>]) -> Result<Self, Error> {
        if normals.is_empty() {
            return Err(Error::TooFewNormals { found: 0, needed: 1 });
        }
        let members = [one, other];
        let scale = |member: &Arc<dyn Detector>| -> Result<(f32, f32), Error> {
            let sums = |n: &Array3<f32>| -> Result<[f64; 3], Error> {
                let map = member.predict(n.view())?.map;
                let add = |[s, q, n]: [f64; 3], &v: &f32| [s + f64::from(v), q + f64::from(v).powi(2), n + 1.0];
                Ok(map.iter().fold([0.0; 3], add))
            };
            let all = normals.par_iter().map(sums).collect::<Result<Vec<_>, Error>>()?;
            let [sum, squares, n] = all.iter().fold([0.0; 3], |a, b| [a[0] + b[0], a[1] + b[1], a[2] + b[2]]);
            let mean = sum / n;
            Ok((mean as f32, (squares / n - mean * mean).max(0.0).sqrt().max(1e-9) as f32))
        };
        let scales = [scale(&members[0])?, scale(&members[1])?];
        let mut ensemble = Self { members, scales, normal_scores: Vec::new() };
        ensemble.normal_scores = image_scores(&ensemble, normals.par_iter())?;
        Ok(ensemble)
    }
}

impl Detector for Ensemble {
    fn name(&self) -> &'static str {
        "ensemble"
    }

    fn predict(&self, image: ArrayView3<'_, f32>) -> Result<Prediction, Error> {
        let scaled = |k: usize| -> Result<ndarray::Array2<f32>, Error> {
            let (mean, spread) = self.scales[k];
            let map = self.members[k].predict(image)?.map;
            same_size("map of a member", &map, (image.dim().0, image.dim().1))?;
            Ok(map.mapv_into(|v| (v - mean) / spread))
        };
        Prediction::of_map((scaled(0)? + scaled(1)?) / 2.0).checked(self.name())
    }

    fn normal_scores(&self) -> &[f64] {
        &self.normal_scores
    }

    fn provenance(&self) -> Provenance {
        self.members[0].provenance().merged(self.members[1].provenance())
    }

    fn as_persist(&self) -> Option<&dyn Persist> {
        Some(self)
    }
}
