//! Weight gradients through one look-ahead step, by two forward passes.

use crate::error::Error;
use crate::problem::{Bilevel, Hypergradient, UpperGradient, WeightGradient, look_ahead};
use crate::vector::{dot, positive, same_length, shifted};

/// Weight gradients by a finite difference: <g, grad l_i> is approximately \[l_i(theta + e g) - l_i(theta - e g)\] / (2
/// e) with e = `radius` / |g|.
///
/// One upper backward and two lower forwards, whatever the number of samples; no second-order differentiation. The
/// truncation error is of order `radius`^2.
///
/// The step rule e = 0.01/|g| is that of H. Liu, K. Simonyan, Y. Yang, "DARTS: Differentiable Architecture Search",
/// ICLR 2019; the one-step look-ahead on sample weights is M. Ren et al., "Learning to Reweight Examples for Robust
/// Deep Learning", ICML 2018.
///
/// ```
/// use bilevel::{Bilevel, Error, ForwardDifference, Hypergradient, UpperGradient};
///
/// /// l_i = (theta - a_i)^2 / 2, L = (theta - 1)^2 / 2.
/// struct Pull([f64; 2]);
/// impl Bilevel for Pull {
///     fn losses(&self, t: &[f64]) -> Result<Vec<f64>, Error> {
///         Ok(self.0.iter().map(|a| (t[0] - a).powi(2) / 2.0).collect())
///     }
///     fn weighted_gradient(&self, t: &[f64], w: &[f64]) -> Result<Vec<f64>, Error> {
///         Ok(vec![self.0.iter().zip(w).map(|(a, w)| w * (t[0] - a)).sum::<f64>() / 2.0])
///     }
///     fn upper(&self, t: &[f64]) -> Result<UpperGradient, Error> {
///         Ok(UpperGradient { loss: (t[0] - 1.0).powi(2) / 2.0, gradient: vec![t[0] - 1.0] })
///     }
/// }
/// // theta = 0, step 0.1, a = (2, -1): theta' = 0.05, dL/dw = -(0.1 / 2) (0.05 - 1) (0 - a) = (-0.095, 0.0475)
/// let answer = ForwardDifference::default().weight_gradient(&Pull([2.0, -1.0]), &[0.0], &[1.0, 1.0], 0.1)?;
/// assert!((answer.gradient[0] + 0.095).abs() < 1e-9 && (answer.gradient[1] - 0.0475).abs() < 1e-9);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForwardDifference {
    radius: f64,
}

impl ForwardDifference {
    /// Creates the method; `radius` is the length of the probe in parameter space (default 0.01).
    ///
    /// # Errors
    /// [`Error::Parameter`] unless the radius is positive and finite.
    pub fn new(radius: f64) -> Result<Self, Error> {
        positive("forward difference", "radius", radius)?;
        Ok(Self { radius })
    }

    /// Length of the probe in parameter space.
    #[must_use]
    pub fn radius(&self) -> f64 {
        self.radius
    }
}

impl Default for ForwardDifference {
    fn default() -> Self {
        Self { radius: 0.01 }
    }
}

impl Hypergradient for ForwardDifference {
    fn name(&self) -> &'static str {
        "forward-difference"
    }

    fn weight_gradient(
        &self,
        problem: &dyn Bilevel,
        theta: &[f64],
        weights: &[f64],
        step: f64,
    ) -> Result<WeightGradient, Error> {
        positive("forward difference", "step", step)?;
        let (_, UpperGradient { loss: upper_loss, gradient: g }) = look_ahead(problem, theta, weights, step)?;
        let norm = dot(&g, &g).sqrt();
        if !norm.is_finite() {
            let hint = "the upper gradient is not finite";
            return Err(Error::Unsolved { method: self.name(), iteration: 0, hint });
        }
        if norm == 0.0 {
            return Ok(WeightGradient { gradient: vec![0.0; weights.len()], upper_loss });
        }
        let e = self.radius / norm;
        let up = problem.losses(&shifted(theta, &g, e)?)?;
        let down = problem.losses(&shifted(theta, &g, -e)?)?;
        same_length("losses", up.len(), weights.len())?;
        same_length("losses", down.len(), weights.len())?;
        let factor = -step / weights.len() as f64 / (2.0 * e);
        let gradient = up.iter().zip(&down).map(|(a, b)| factor * (a - b)).collect();
        Ok(WeightGradient { gradient, upper_loss })
    }
}
