//! The screening of the coarse stage.

use crate::error::Error;
use imgkit::distance::{half_width, to_background};
use imgkit::ensure;
use ndarray::{Array2, ArrayView2};

/// Screening `lambda`, which ties the result to the composite: a correction that starts at the seam decays over
/// `1 / sqrt(lambda)` pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Screening {
    /// One `lambda`, 0 to 1e6, in 1 / pixel^2, everywhere. 0 is pure Poisson compositing.
    Uniform(f64),
    /// The decay length is `ratio` times the local half-width of the mask (at most `max_half_width` pixels):
    /// `lambda = (ratio * min(half-width, max_half_width))^-2`.
    ///
    /// The fraction of a flat-bottomed defect's contrast that survives is then the same at every size: the screened
    /// equation in a disc of radius R keeps `1 - 2 k I1(1/k) / I0(1/k)` of the mean contrast and
    /// `1 - 1 / I0(1/k)` at the center, `k` the ratio: 0.72 and 0.99 at `k = 0.15`.
    Proportional {
        /// Decay length over half-width, 1e-3 to 1e6.
        ratio: f64,
        /// Half-width, in pixels, beyond which the decay length stops growing, 1 to 1e6.
        max_half_width: f64,
    },
}

impl Default for Screening {
    /// `Proportional` with ratio 0.15 and at most 40 pixels.
    fn default() -> Self {
        Screening::Proportional { ratio: 0.15, max_half_width: 40.0 }
    }
}

impl Screening {
    /// Checks the parameters.
    pub(crate) fn check(self) -> Result<(), Error> {
        match self {
            Screening::Uniform(lambda) => {
                ensure((0.0..=1e6).contains(&lambda), "Screening::Uniform", "lambda", lambda, "0 to 1e6")?;
            }
            Screening::Proportional { ratio, max_half_width } => {
                let what = "Screening::Proportional";
                ensure((1e-3..=1e6).contains(&ratio), what, "ratio", ratio, "1e-3 to 1e6")?;
                let ok = (1.0..=1e6).contains(&max_half_width);
                ensure(ok, what, "max_half_width", max_half_width, "1 to 1e6 pixels")?;
            }
        }
        Ok(())
    }

    /// `lambda` at every pixel of a mask; `None` is 0.
    pub(crate) fn lambda(self, mask: ArrayView2<'_, bool>) -> Option<Array2<f32>> {
        match self {
            Screening::Uniform(lambda) => {
                let lambda = lambda as f32;
                (lambda > 0.0).then(|| Array2::from_elem(mask.dim(), lambda))
            }
            Screening::Proportional { ratio, max_half_width } => {
                let ratio = ratio as f32;
                let width = half_width(to_background(mask).view(), max_half_width as f32);
                Some(width.mapv_into(|t| (ratio * t.max(1.0)).powi(-2)))
            }
        }
    }
}
