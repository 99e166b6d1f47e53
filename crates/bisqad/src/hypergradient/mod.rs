//! Gradients through one level of optimisation: how the upper loss changes with each sample's weight in the lower one.
//!
//! Stateless and not tied to this crate's detector: describe any weighted problem by [`Bilevel`] and ask a [`Hypergradient`].
//!
//! Lower level, one step: theta' = theta - eta / B * sum_i w_i grad l_i(theta). Upper level: L(theta'). Hence
//! dL/dw_i = -(eta / B) <grad L(theta'), grad l_i(theta)>; note that the upper gradient is taken *after* the step.

//!
//! Where the lower level is solved to its optimum, [`implicit`] differentiates through that optimum for any hyper-parameters
//! ([`Problem`]), by one of several inverse-Hessian products ([`InverseHessian`]); [`Implicit`] does the same for weights.

mod forward_difference;
mod implicit;
mod inverse;

pub use forward_difference::ForwardDifference;
pub use implicit::{HyperGradient, Implicit, Problem, implicit};
pub use inverse::{ConjugateGradient, Exact, InverseHessian, Neumann, Nystrom, Product, Solution, T1T2};

use crate::Error;

/// A lower problem whose samples carry weights, and an upper loss on held-out data. Parameters are one flat vector.
pub trait Bilevel {
    /// Lower losses l_i(theta), one per weighted sample.
    ///
    /// # Errors
    /// Whatever evaluating the model can raise.
    fn losses(&self, theta: &[f64]) -> Result<Vec<f64>, Error>;
    /// 1/B sum_i w_i grad l_i(theta), plus the gradient of any unweighted term of the lower problem; B = number of weights.
    ///
    /// # Errors
    /// As [`Self::losses`].
    fn weighted_gradient(&self, theta: &[f64], weights: &[f64]) -> Result<Vec<f64>, Error>;
    /// Upper loss L(theta) and its gradient.
    ///
    /// # Errors
    /// As [`Self::losses`].
    fn upper(&self, theta: &[f64]) -> Result<(f64, Vec<f64>), Error>;
}

/// What a method returns.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightGradient {
    /// dL/dw_i.
    pub gradient: Vec<f64>,
    /// L(theta') after the look-ahead step.
    pub upper_loss: f64,
}

/// A way to differentiate the upper loss by the weights.
pub trait Hypergradient: std::fmt::Debug + Send + Sync {
    /// Stable name.
    fn name(&self) -> &'static str;
    /// dL(theta')/dw_i at `weights`, where theta' is one gradient step of length `step` (eta) from `theta`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a step that is not positive, and what the problem raises.
    fn weight_gradient(
        &self,
        problem: &dyn Bilevel,
        theta: &[f64],
        weights: &[f64],
        step: f64,
    ) -> Result<WeightGradient, Error>;
}

/// The end of a step of length `step`, and the upper loss and its gradient there.
fn look_ahead(
    problem: &dyn Bilevel,
    theta: &[f64],
    weights: &[f64],
    step: f64,
) -> Result<(Vec<f64>, f64, Vec<f64>), Error> {
    let ahead = shifted(theta, &problem.weighted_gradient(theta, weights)?, -step)?;
    let (upper_loss, g) = problem.upper(&ahead)?;
    Ok((ahead, upper_loss, g))
}

/// theta + factor * direction.
fn shifted(theta: &[f64], direction: &[f64], factor: f64) -> Result<Vec<f64>, Error> {
    if direction.len() != theta.len() {
        return Err(Error::Length { what: "gradient", found: direction.len(), expected: theta.len() });
    }
    Ok(theta.iter().zip(direction).map(|(t, d)| t + factor * d).collect())
}

/// Refuses a parameter that is not positive and finite.
fn positive(name: &'static str, value: f64) -> Result<(), Error> {
    let ok = value > 0.0 && value.is_finite();
    if ok { Ok(()) } else { Err(Error::Parameter { name, value, expected: "positive and finite" }) }
}
