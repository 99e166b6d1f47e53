//! Where synthetic anomalies come from.

use ndarray::{Array2, Array3, ArrayView3};

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
    /// Number of mechanisms: the meta set leaves one of them out.
    fn groups(&self) -> usize;
    /// Sample `index` of mechanism `group` on `normal`, which is image number `image` of the training set.
    ///
    /// # Errors
    /// A line saying why no anomaly could be made.
    fn anomaly(&self, normal: ArrayView3<'_, f32>, image: usize, group: usize, index: u64) -> Result<Anomaly, String>;
}
