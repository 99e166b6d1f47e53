//! Toughness fields: fracture toughness that varies from grain to grain.

use crate::noise::{GaussianField, hash2, unit};
use crate::{Error, params};

const NAME: &str = "toughness";

/// Spatial variation of the toughness; both are mean 1 (K_c / K_c0).
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Toughness {
    /// `1 + disorder * eta`, eta a unit Gaussian field with the grain size as correlation length; floored at 0.1.
    Gaussian {
        /// Relative standard deviation, in \[0, 0.6\].
        disorder: f64,
    },
    /// Voronoi grains, each with a Weibull toughness (weakest-link statistics).
    Voronoi {
        /// Weibull modulus, in \[2, 50\]: glass and ceramics 5..20.
        modulus: f64,
    },
}

impl Default for Toughness {
    fn default() -> Self {
        Self::Gaussian { disorder: 0.3 }
    }
}

impl Toughness {
    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first value out of range and its range.
    pub fn check(&self) -> Result<(), Error> {
        match *self {
            Self::Gaussian { disorder } => params::within(NAME, "disorder", disorder, (0.0, 0.6), "in [0, 0.6]"),
            Self::Voronoi { modulus } => params::within(NAME, "modulus", modulus, (2.0, 50.0), "in [2, 50]"),
        }
    }
}

/// Random toughness field, evaluated point by point.
#[derive(Debug, Clone, Copy)]
pub struct ToughnessField {
    kind: Toughness,
    noise: GaussianField,
    seed: u64,
    per_px: f64,
    weibull_scale: f64,
}

impl ToughnessField {
    /// Creates a field with grains of `grain` px.
    #[must_use]
    pub fn new(kind: Toughness, grain: f64, seed: u64) -> Self {
        let weibull_scale = match kind {
            Toughness::Voronoi { modulus } => 1.0 / gamma(1.0 + 1.0 / modulus),
            Toughness::Gaussian { .. } => 1.0,
        };
        Self { kind, noise: GaussianField::new(seed), seed, per_px: 1.0 / grain, weibull_scale }
    }

    /// Relative toughness K_c / K_c0 at (row, column), px.
    #[inline]
    #[must_use]
    pub fn at(&self, y: f64, x: f64) -> f64 {
        let (v, u) = (y * self.per_px, x * self.per_px);
        match self.kind {
            Toughness::Gaussian { disorder: 0.0 } => 1.0,
            Toughness::Gaussian { disorder } => (1.0 + disorder * self.noise.at(v, u)).max(0.1),
            Toughness::Voronoi { modulus } => {
                let weakest = (1.0 - unit(self.grain(v, u))).max(1e-12);
                (self.weibull_scale * (-weakest.ln()).powf(1.0 / modulus)).max(0.1)
            }
        }
    }

    /// Hash of the Voronoi grain that holds the point: nearest seed of a jittered lattice.
    fn grain(&self, v: f64, u: f64) -> u64 {
        // Beyond 2^50 cells a float knows no place within its cell.
        let cell = |t: f64| t.floor().clamp(-1e15, 1e15) as i64;
        let (iy, ix) = (cell(v), cell(u));
        let mut best = (f64::INFINITY, 0);
        for gy in iy - 1..=iy + 1 {
            for gx in ix - 1..=ix + 1 {
                let hash = hash2(self.seed, gy, gx);
                let (jy, jx) = (unit(hash), unit(crate::noise::mix(hash)));
                let d = (gy as f64 + jy - v).powi(2) + (gx as f64 + jx - u).powi(2);
                if d < best.0 {
                    best = (d, hash);
                }
            }
        }
        crate::noise::mix(best.1 ^ 0x67_7261_696e)
    }
}

/// Gamma function on \[1, 2\] (Abramowitz and Stegun 6.1.36, error below 3e-7).
fn gamma(x: f64) -> f64 {
    let t = x - 1.0;
    let c = [
        -0.577_191_652,
        0.988_205_891,
        -0.897_056_937,
        0.918_206_857,
        -0.756_704_078,
        0.482_199_394,
        -0.193_527_818,
        0.035_868_343,
    ];
    1.0 + c.iter().rev().fold(0.0, |sum, &k| (sum + k) * t)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(kind: Toughness) -> (f64, f64) {
        let field = ToughnessField::new(kind, 3.0, 7);
        let values: Vec<f64> = (0..40_000).map(|i| field.at((i / 200) as f64 * 1.7, (i % 200) as f64 * 1.3)).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let sd = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
        (mean, sd)
    }

    #[test]
    fn gaussian_field_has_its_moments() {
        let (mean, sd) = moments(Toughness::Gaussian { disorder: 0.2 });
        assert!((mean - 1.0).abs() < 0.01 && (sd - 0.2).abs() < 0.01, "{mean} {sd}");
    }

    #[test]
    fn gaussian_field_is_correlated_over_a_grain() {
        // Independent normal numbers at the lattice sites, blended with quintic weights: the correlation along an axis
        // is the mean overlap of the normalized weights.
        let weights = |t: f64| {
            let s = t * t * t * (t * (t * 6.0 - 15.0) + 10.0);
            let norm = (s * s + (1.0 - s) * (1.0 - s)).sqrt();
            [(1.0 - s) / norm, s / norm]
        };
        let exact = |lag: f64| {
            let overlap = |t: f64| {
                let (a, b, moved) = (weights(t), weights((t + lag).fract()), (t + lag).floor() as usize);
                (0..2).filter(|k| k + moved < 2).map(|k| a[k + moved] * b[k]).sum::<f64>()
            };
            (0..1000).map(|i| overlap((f64::from(i) + 0.5) / 1000.0)).sum::<f64>() / 1000.0
        };
        let (grain, n) = (6.0, 90_000);
        let field = ToughnessField::new(Toughness::Gaussian { disorder: 0.1 }, grain, 3);
        let place = |i: usize| ((i / 300) as f64 * 7.3, (i % 300) as f64 * 9.1);
        for lag in [0.25, 0.5, 1.0, 2.0] {
            for (dy, dx) in [(0.0, lag * grain), (lag * grain, 0.0)] {
                let found = (0..n)
                    .map(|i| {
                        let (y, x) = place(i);
                        (field.at(y, x) - 1.0) * (field.at(y + dy, x + dx) - 1.0)
                    })
                    .sum::<f64>()
                    / (n as f64 * 0.01);
                assert!((found - exact(lag)).abs() < 0.03, "lag {lag}: {found} for {}", exact(lag));
            }
        }
    }

    #[test]
    fn weibull_grains_have_their_moments() {
        // Weibull: sd/mean = sqrt(G(1 + 2/m)/G(1 + 1/m)^2 - 1) = 0.2290 for m = 5.
        let (mean, sd) = moments(Toughness::Voronoi { modulus: 5.0 });
        assert!((mean - 1.0).abs() < 0.02 && (sd - 0.2290).abs() < 0.015, "{mean} {sd}");
    }
}
