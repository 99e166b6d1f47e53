//! Smoothing of score maps, as the named protocols do it.

use imgkit::gaussian::{Border, gaussian_filter};
use imgkit::{ParameterError, ensure};
use ndarray::{Array2, ArrayView2};

/// Smoothing of a score map before it is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Smoothing {
    /// No smoothing.
    #[default]
    None,
    /// `scipy.ndimage.gaussian_filter` with its defaults: radius `floor(4 sigma + 0.5)`, mirrored at the border with
    /// the border pixel repeated (`d c b a | a b c d | d c b a`). Sigma 4 has 33 taps.
    ScipyGaussian {
        /// Standard deviation in pixels, above 0 and at most 1000.
        sigma: f64,
    },
    /// A Gaussian cut to a square of this odd side and normalized, with zeros beyond the border.
    ZeroPadded {
        /// Standard deviation in pixels, above 0 and at most 1000.
        sigma: f64,
        /// Side of the square in pixels, odd and at most 1001.
        side: usize,
    },
}

impl Smoothing {
    /// Checks the ranges of the parameters.
    ///
    /// # Errors
    /// [`ParameterError`] for the first parameter out of range.
    pub fn check(self) -> Result<(), ParameterError> {
        let (sigma, side) = match self {
            Self::None => return Ok(()),
            Self::ScipyGaussian { sigma } => (sigma, 1),
            Self::ZeroPadded { sigma, side } => (sigma, side),
        };
        ensure(sigma > 0.0 && sigma <= 1000.0, "smoothing", "sigma", sigma, "above 0 and at most 1000 px")?;
        ensure(side % 2 == 1 && side <= 1001, "smoothing", "side", side, "odd and at most 1001 px")
    }

    /// Smooths a map, height x width.
    ///
    /// # Errors
    /// As [`Smoothing::check`].
    ///
    /// ```
    /// use adbench::smoothing::Smoothing;
    /// use ndarray::Array2;
    /// // A constant stays, whatever the border.
    /// let map = Smoothing::ScipyGaussian { sigma: 4.0 }.apply(Array2::from_elem((5, 9), 2.0).view())?;
    /// assert!(map.iter().all(|v| (v - 2.0).abs() < 1e-6));
    /// # Ok::<(), adbench::imgkit::ParameterError>(())
    /// ```
    pub fn apply(self, map: ArrayView2<'_, f32>) -> Result<Array2<f32>, ParameterError> {
        self.check()?;
        Ok(match self {
            Self::None => map.to_owned(),
            Self::ScipyGaussian { sigma } => {
                gaussian_filter(map, sigma, (4.0 * sigma + 0.5) as usize, Border::Mirrored)
            }
            Self::ZeroPadded { sigma, side } => gaussian_filter(map, sigma, side / 2, Border::Zeros),
        })
    }
}
