//! A detector for images of any number of channels.

use std::sync::Arc;

use ndarray::ArrayView3;

use crate::detectors::provenance::Provenance;
use crate::detectors::{Detector, Prediction};
use crate::error::Error;
use crate::features::projection::ChannelProjection;
use crate::persistence::format::Persist;

/// Detector behind a [`ChannelProjection`]: for multispectral or depth cameras, or any number of channels.
///
/// ```
/// use bisqad::{ChannelProjection, Detector, GaussianDetector, GaussianParams, NoObserver, Projected};
/// use frozen_backbone::EfficientNetLite0;
/// use ndarray::Array3;
/// use std::sync::Arc;
///
/// // five bands
/// let photo = |i: usize| {
///     let value = |y, x, c| ((y * (7 + c) + x * 13 + i * 29) % 11) as f32 / 11.0;
///     Array3::from_shape_fn((64, 64, 5), |(y, x, c)| 0.4 + 0.05 * value(y, x, c))
/// };
/// let normals: Vec<_> = (0..10).map(photo).collect();
/// let projection = ChannelProjection::fit(&normals)?;
/// let seen = normals.iter().map(|n| projection.apply(n.view())).collect::<Result<Vec<_>, _>>()?;
/// let net = Arc::new(EfficientNetLite0::pretrained()?);
/// let detector = GaussianDetector::fit(net, &seen, &GaussianParams::default().with_dimensions(8), &mut NoObserver)?;
/// let detector = Projected::new(Arc::new(detector), projection);
/// assert_eq!(detector.predict(photo(20).view())?.map.dim(), (64, 64));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Projected {
    pub(crate) detector: Arc<dyn Detector>,
    pub(crate) projection: ChannelProjection,
}

impl Projected {
    /// Creates a detector that projects images by `projection` before `detector`, which must have been fitted to images
    /// that went through it.
    pub fn new(detector: Arc<dyn Detector>, projection: ChannelProjection) -> Self {
        Self { detector, projection }
    }
}

impl Detector for Projected {
    fn name(&self) -> &'static str {
        "projected"
    }

    fn predict(&self, image: ArrayView3<'_, f32>) -> Result<Prediction, Error> {
        self.detector.predict(self.projection.apply(image)?.view())?.checked(self.name())
    }

    fn normal_scores(&self) -> &[f64] {
        self.detector.normal_scores()
    }

    fn defect_scores(&self) -> &[f64] {
        self.detector.defect_scores()
    }

    fn score_share(&self) -> f64 {
        self.detector.score_share()
    }

    fn provenance(&self) -> Provenance {
        self.detector.provenance().through(&self.projection)
    }

    fn as_persist(&self) -> Option<&dyn Persist> {
        Some(self)
    }
}
