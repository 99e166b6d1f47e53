//! Smoothing of score maps, as the named protocols do it.

use imgkit::{ParameterError, ensure};
use ndarray::{Array2, ArrayView2, Axis};

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
        let (sigma, radius, mirrored) = match self {
            Self::None => return Ok(map.to_owned()),
            Self::ScipyGaussian { sigma } => (sigma, (4.0 * sigma + 0.5) as usize, true),
            Self::ZeroPadded { sigma, side } => (sigma, side / 2, false),
        };
        let raw: Vec<f64> =
            (0..=2 * radius).map(|i| (-0.5 * ((i as f64 - radius as f64) / sigma).powi(2)).exp()).collect();
        let sum: f64 = raw.iter().sum();
        let taps: Vec<f64> = raw.iter().map(|t| t / sum).collect();
        let mut smoothed = map.to_owned();
        for axis in [Axis(0), Axis(1)] {
            for mut lane in smoothed.lanes_mut(axis) {
                let line: Vec<f32> = lane.iter().copied().collect();
                for (i, out) in lane.iter_mut().enumerate() {
                    *out = filtered(&line, i, &taps, mirrored);
                }
            }
        }
        Ok(smoothed)
    }
}

fn filtered(line: &[f32], at: usize, taps: &[f64], mirrored: bool) -> f32 {
    let (length, radius) = (line.len() as isize, (taps.len() / 2) as isize);
    let mut sum = 0.0;
    for (offset, tap) in (-radius..=radius).zip(taps) {
        let mut i = at as isize + offset;
        if mirrored {
            // The mirrored line has the period 2 length.
            i = i.rem_euclid(2 * length);
            i = i.min(2 * length - 1 - i);
        } else if i < 0 || i >= length {
            continue;
        }
        sum += tap * f64::from(line[i as usize]);
    }
    sum as f32
}
