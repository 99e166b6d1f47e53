//! A detector of images that were read in a window of stored values.

use std::sync::Arc;

use imgkit::level::Window;
use ndarray::ArrayView3;

use crate::detectors::provenance::Provenance;
use crate::detectors::{Detector, Prediction};
use crate::error::Error;
use crate::persistence::format::Persist;

/// Detector that remembers in which [`Window`] the stored values of its training images were read, so that images of
/// the same camera are read alike. Predictions are those of the detector inside.
///
/// ```
/// use bisqad::{Detector, GaussianDetector, GaussianParams, NoObserver, Windowed};
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
/// let window = "0..4095".parse()?;
/// let detector = Windowed::new(Arc::new(detector), window);
/// assert_eq!(detector.provenance().window(), Some(window));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Windowed {
    pub(crate) detector: Arc<dyn Detector>,
    pub(crate) window: Window,
}

impl Windowed {
    /// Notes that the training images of `detector` were read in `window`.
    pub fn new(detector: Arc<dyn Detector>, window: Window) -> Self {
        Self { detector, window }
    }
}

impl Detector for Windowed {
    fn name(&self) -> &'static str {
        self.detector.name()
    }

    fn predict(&self, image: ArrayView3<'_, f32>) -> Result<Prediction, Error> {
        self.detector.predict(image)?.checked(self.name())
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
        self.detector.provenance().with_window(self.window)
    }

    fn as_persist(&self) -> Option<&dyn Persist> {
        Some(self)
    }
}
