//! Band-limited Gaussian fields as sums of random plane waves.

use std::f64::consts::TAU;

use imgkit::Rect;
use imgkit::simd::widely;
use ndarray::Array2;
use rand::{Rng, RngCore};

use super::MODEL;
use crate::Error;
use crate::params::{require, within};

/// Plane waves in one field.
const WAVES: usize = 96;

/// Pixels of a row that are turned at once.
const LANES: usize = 8;

/// Power spectrum of a field: k^-slope between two wavelengths, nothing outside, stretched along a direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spectrum {
    /// Shortest and longest wavelength, px, 1e-6 <= first <= last <= 1e9.
    pub wavelength: (f64, f64),
    /// Exponent of the fall of the power density (per unit area of the wave-number plane) with the wave number.
    pub slope: f64,
    /// How much longer the field is along `angle` than across it, at least 1 (isotropic).
    pub aspect: f64,
    /// Direction along which the field is stretched, from +x (right) towards +y (down).
    pub angle: f64,
}

/// Stationary random field of mean 0 and variance 1 with a given [`Spectrum`].
///
/// f(p) = sqrt(2 / N) sum cos(k_j . p + phase_j) with N = 96 wave vectors drawn from the spectrum and phases drawn
/// uniformly (spectral representation: Shinozuka and Deodatis, Appl. Mech. Rev. 44 (1991) 191). The values at a place
/// are Gaussian up to an excess kurtosis of -3 / (2 N). A field costs N multiplications a pixel and is evaluated only
/// where it is needed.
///
/// ```
/// use physdefect::SampleKey;
/// use physdefect::unevenness::{Spectrum, WaveField};
///
/// let streaks = Spectrum { wavelength: (3.0, 30.0), slope: 2.0, aspect: 40.0, angle: 0.0 };
/// let field = WaveField::new(streaks, &mut SampleKey { seed: 1, index: 0 }.rng())?;
/// assert!((field.at(10.0, 20.0) - field.at(10.0, 21.0)).abs() < 0.2, "hardly changes along the grain");
/// # Ok::<(), physdefect::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct WaveField {
    /// Wave vector (row, column), radians a px, and phase.
    waves: Vec<[f64; 3]>,
}

impl WaveField {
    /// Draws a field: always the same number of random numbers, whatever the spectrum.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a spectrum out of range.
    pub fn new<R: RngCore + ?Sized>(spectrum: Spectrum, rng: &mut R) -> Result<Self, Error> {
        let Spectrum { wavelength: (shortest, longest), slope, aspect, angle } = spectrum;
        within(MODEL, "wavelength.0", shortest, (1e-6, 1e9), "in [1e-6, 1e9] px")?;
        within(MODEL, "wavelength.1", longest, (shortest, 1e9), "at least the shortest and at most 1e9 px")?;
        require((0.0..=8.0).contains(&slope), MODEL, "slope", slope, "in [0, 8]")?;
        require((1.0..=1e4).contains(&aspect), MODEL, "aspect", aspect, "in [1, 10000]")?;
        require(angle.abs() <= 100.0, MODEL, "angle", angle, "in [-100, 100] radians")?;
        let (low, high) = (TAU / longest, TAU / shortest);
        // Wave numbers have the density k^(1 - slope): a ring of radius k is 2 pi k long.
        let power = 2.0 - slope;
        let number = |u: f64| {
            if power.abs() < 1e-9 {
                low * (high / low).powf(u)
            } else {
                let (a, b) = (low.powf(power), high.powf(power));
                (a + u * (b - a)).powf(1.0 / power)
            }
        };
        let (sin, cos) = angle.sin_cos();
        let waves = (0..WAVES)
            .map(|j| {
                // One wave in each of N equal shares of the power, so that no field misses a part of its band.
                let k = number((j as f64 + rng.random::<f64>()) / WAVES as f64);
                let (across, along) = (TAU * rng.random::<f64>()).sin_cos();
                let (along, across) = (k * along / aspect, k * across);
                [along * sin + across * cos, along * cos - across * sin, TAU * rng.random::<f64>()]
            })
            .collect();
        Ok(Self { waves })
    }

    /// Value at (row, column), px.
    #[must_use]
    pub fn at(&self, y: f64, x: f64) -> f64 {
        let sum: f64 = self.waves.iter().map(|[ky, kx, phase]| (ky * y + kx * x + phase).cos()).sum();
        sum * (2.0 / self.waves.len() as f64).sqrt()
    }

    /// Root mean square slope, per px.
    #[must_use]
    pub fn rms_slope(&self) -> f64 {
        // Each wave has the variance 1 / N, its slope k^2 / N.
        let squares: f64 = self.waves.iter().map(|[ky, kx, _]| ky * ky + kx * kx).sum();
        (squares / self.waves.len() as f64).sqrt()
    }

    /// Values at the pixels of a box `(h, w)`: those of [`Self::at`] to single precision.
    #[must_use]
    pub fn on(&self, area: Rect) -> Array2<f32> {
        let width = area.width();
        let mut values = vec![0.0f32; area.area()];
        let norm = (2.0 / self.waves.len() as f64).sqrt();
        widely(
            #[inline(always)]
            || {
                for [ky, kx, phase] in &self.waves {
                    // Along a row each pixel is the one LANES before turned by a fixed angle.
                    let (turn_sin, turn_cos) = (LANES as f64 * kx).sin_cos();
                    for (y, row) in values.chunks_exact_mut(width.max(1)).enumerate() {
                        let start = ky * (area.top + y) as f64 + kx * area.left as f64 + phase;
                        let first: [_; LANES] = std::array::from_fn(|i| (start + i as f64 * kx).sin_cos());
                        let (mut sin, mut cos) = (first.map(|(sin, _)| norm * sin), first.map(|(_, cos)| norm * cos));
                        let (chunks, rest) = row.as_chunks_mut::<LANES>();
                        for chunk in chunks {
                            for i in 0..LANES {
                                chunk[i] += cos[i] as f32;
                                (sin[i], cos[i]) =
                                    (sin[i] * turn_cos + cos[i] * turn_sin, cos[i] * turn_cos - sin[i] * turn_sin);
                            }
                        }
                        rest.iter_mut().zip(&cos).for_each(|(v, c)| *v += *c as f32);
                    }
                }
            },
        );
        Array2::from_shape_vec((area.height(), width), values).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SampleKey;

    #[test]
    fn a_box_holds_the_values_of_its_pixels() {
        let spectrum = Spectrum { wavelength: (4.0, 40.0), slope: 1.0, aspect: 3.0, angle: 0.7 };
        let field = WaveField::new(spectrum, &mut SampleKey { seed: 4, index: 0 }.rng()).unwrap();
        let area = Rect { top: 100, left: 31, bottom: 140, right: 531 };
        for ((y, x), &v) in field.on(area).indexed_iter() {
            let exact = field.at((area.top + y) as f64, (area.left + x) as f64);
            assert!((f64::from(v) - exact).abs() < 1e-5, "{v} for {exact}");
        }
    }
}
