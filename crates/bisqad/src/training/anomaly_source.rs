//! Sources of synthetic anomalies.

use imgkit::Size;
use ndarray::{Array2, Array3, ArrayView3};

use crate::error::Error;

/// Error of an [`AnomalySource`]: any error that can be sent between threads.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// Synthetic anomaly with its mask.
#[derive(Debug, Clone)]
pub struct Anomaly {
    /// Image `(H, W, C)`, f32 in \[0, 1\].
    pub image: Array3<f32>,
    /// Exact mask of the defect `(H, W)`.
    pub mask: Array2<bool>,
    /// Severity in \[0, 1\]; `None` if unknown. Only used in the log of weights.
    pub severity: Option<f64>,
}

impl Anomaly {
    /// Refuses an anomaly whose image or mask does not fit the normal image it was made on.
    pub(crate) fn check(&self, normal: ArrayView3<'_, f32>) -> Result<(), Error> {
        let (height, width, channels) = normal.dim();
        let expected = Size { height, width };
        let size = |(height, width): (usize, usize)| Size { height, width };
        let (image, mask) = (size((self.image.dim().0, self.image.dim().1)), size(self.mask.dim()));
        if image != expected {
            return Err(Error::Shape { what: "image of an anomaly", expected, found: image });
        }
        if mask != expected {
            return Err(Error::Shape { what: "mask of an anomaly", expected, found: mask });
        }
        if self.image.dim().2 != channels {
            let found = self.image.dim().2;
            return Err(Error::Length { what: "channels of an anomaly", found, expected: channels });
        }
        Ok(())
    }
}

/// Source of synthetic anomalies, made on demand from normal images. Object-safe; every sample is a pure function of
/// the arguments.
pub trait AnomalySource: Send + Sync {
    /// Number of mechanisms: the lower level leaves one of them out for the validation anomalies.
    fn mechanisms(&self) -> usize;
    /// Name of mechanism `mechanism`, for reports.
    fn name(&self, mechanism: usize) -> String {
        format!("mechanism {mechanism}")
    }
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
