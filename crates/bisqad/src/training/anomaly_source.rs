//! Where synthetic anomalies come from.

use ndarray::{Array2, Array3, ArrayView3};

/// Error of an [`AnomalySource`]: any error that can be sent between threads.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// One synthetic anomaly.
#[derive(Debug, Clone)]
pub struct Anomaly {
    /// The image `(H, W, C)`, f32 in \[0, 1\].
    pub image: Array3<f32>,
    /// Its exact mask `(H, W)`.
    pub mask: Array2<bool>,
    /// How severe it is, in \[0, 1\]; `None` if its maker does not say. Only for the log of weights.
    pub severity: Option<f64>,
}

/// Makes anomalies from normal images, on the fly. Object-safe; a pure function of its arguments.
pub trait AnomalySource: Send + Sync {
    /// Number of mechanisms: the lower level leaves one of them out for the validation anomalies.
    fn mechanisms(&self) -> usize;
    /// Makes sample `index` of mechanism `mechanism` on `normal`, which is image number `image` of the training set.
    ///
    /// # Errors
    /// The reason why no anomaly could be made; another sample is tried then.
    fn anomaly(
        &self,
        normal: ArrayView3<'_, f32>,
        image: usize,
        mechanism: usize,
        index: u64,
    ) -> Result<Anomaly, SourceError>;
}
