//! All inner products at once, by forward passes only.

use super::{Bilevel, Hypergradient, WeightGradient, look_ahead, positive, shifted};
use crate::Error;

/// <g, grad l_i> is approximately \[l_i(theta + e g) - l_i(theta - e g)\] / (2 e) with e = `radius` / |g|.
///
/// One upper backward and two lower forwards, whatever the number of samples; no second-order differentiation. The truncation error is
/// of order `radius`^2.
///
/// The step rule e = 0.01/|g| is that of H. Liu, K. Simonyan, Y. Yang, "DARTS: Differentiable Architecture Search", ICLR 2019;
/// the one-step look-ahead on sample weights is M. Ren et al., "Learning to Reweight Examples for Robust Deep Learning", ICML 2018.
/// That this serves SQE-driven weighting is this project's formulation; the paper's update rule is not public.
///
/// ```
/// use bisqad::hypergradient::{Bilevel, ForwardDifference, Hypergradient};
/// use bisqad::Error;
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
///     fn upper(&self, t: &[f64]) -> Result<(f64, Vec<f64>), Error> {
///         Ok(((t[0] - 1.0).powi(2) / 2.0, vec![t[0] - 1.0]))
///     }
/// }
/// // theta = 0, step 0.1, a = (2, -1): theta' = 0.05, dL/dw = -(0.1 / 2) (0.05 - 1) (0 - a) = (-0.095, 0.0475)
/// let answer = ForwardDifference::default().weight_gradient(&Pull([2.0, -1.0]), &[0.0], &[1.0, 1.0], 0.1)?;
/// assert!((answer.gradient[0] + 0.095).abs() < 1e-9 && (answer.gradient[1] - 0.0475).abs() < 1e-9);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForwardDifference {
    /// Length of the probe in parameter space (default 0.01).
    pub radius: f64,
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
        positive("step", step)?;
        positive("radius", self.radius)?;
        let (_, upper_loss, g) = look_ahead(problem, theta, weights, step)?;
        let norm = g.iter().map(|v| v * v).sum::<f64>().sqrt();
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
        if up.len() != weights.len() || down.len() != weights.len() {
            return Err(Error::Length { what: "losses", found: up.len(), expected: weights.len() });
        }
        let factor = -step / weights.len() as f64 / (2.0 * e);
        let gradient = up.iter().zip(&down).map(|(a, b)| factor * (a - b)).collect();
        Ok(WeightGradient { gradient, upper_loss })
    }
}
