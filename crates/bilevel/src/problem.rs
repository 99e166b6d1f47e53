//! The traits that describe a bi-level problem and the methods that differentiate it.

use crate::error::Error;
use crate::vector::shifted;

/// A lower problem whose samples carry weights, and an upper loss on held-out data. Parameters are one flat vector.
///
/// Lower level, one step: theta' = theta - eta / B * sum_i w_i grad l_i(theta). Upper level: L(theta'). Hence
/// dL/dw_i = -(eta / B) <grad L(theta'), grad l_i(theta)>, the upper gradient being taken *after* the step.
///
/// For hyper-parameters other than weights, implement [`Problem`].
pub trait Bilevel {
    /// Lower losses l_i(theta), one per weighted sample.
    ///
    /// # Errors
    /// Any error of evaluating the model, as [`Error::Problem`].
    fn losses(&self, theta: &[f64]) -> Result<Vec<f64>, Error>;
    /// Weighted lower gradient 1/B sum_i w_i grad l_i(theta), plus the gradient of any unweighted term of the lower
    /// problem; B = number of weights.
    ///
    /// # Errors
    /// As [`Self::losses`].
    fn weighted_gradient(&self, theta: &[f64], weights: &[f64]) -> Result<Vec<f64>, Error>;
    /// Upper loss L(theta) and its gradient.
    ///
    /// # Errors
    /// As [`Self::losses`].
    fn upper(&self, theta: &[f64]) -> Result<UpperGradient, Error>;
}

/// Upper loss and its gradient by the lower parameters, as [`Bilevel::upper`] returns them.
#[derive(Debug, Clone, PartialEq)]
pub struct UpperGradient {
    /// L(theta).
    pub loss: f64,
    /// dL/dtheta.
    pub gradient: Vec<f64>,
}

/// A lower problem `min_theta l(theta, phi)` and an upper loss `L(theta, phi)`, `phi` being any hyper-parameters.
///
/// Only first-order gradients are asked for. For sample weights with a look-ahead of one step, implement [`Bilevel`].
pub trait Problem {
    /// Lower gradient `dl/dtheta`.
    ///
    /// # Errors
    /// Any error of evaluating the model, as [`Error::Problem`].
    fn lower_gradient(&self, theta: &[f64], phi: &[f64]) -> Result<Vec<f64>, Error>;
    /// Gradient of the lower loss by the hyper-parameters, `dl/dphi`.
    ///
    /// # Errors
    /// As [`Self::lower_gradient`].
    fn lower_gradient_by_hyper(&self, theta: &[f64], phi: &[f64]) -> Result<Vec<f64>, Error>;
    /// Upper loss `L` and its gradients `dL/dtheta` and `dL/dphi`.
    ///
    /// # Errors
    /// As [`Self::lower_gradient`].
    fn upper(&self, theta: &[f64], phi: &[f64]) -> Result<UpperGradients, Error>;
}

/// Upper loss and its direct gradients, as [`Problem::upper`] returns them.
#[derive(Debug, Clone, PartialEq)]
pub struct UpperGradients {
    /// L(theta, phi).
    pub loss: f64,
    /// dL/dtheta.
    pub by_theta: Vec<f64>,
    /// dL/dphi with theta held fixed.
    pub by_hyper: Vec<f64>,
}

/// Gradient of the upper loss by the sample weights, as a [`Hypergradient`] returns it.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightGradient {
    /// dL/dw_i.
    pub gradient: Vec<f64>,
    /// L(theta') after the look-ahead step.
    pub upper_loss: f64,
}

/// A method to differentiate the upper loss by the sample weights. Stateless and object-safe.
pub trait Hypergradient: std::fmt::Debug + Send + Sync {
    /// Stable name, for tables.
    fn name(&self) -> &'static str;
    /// Computes dL(theta')/dw_i at `weights`, where theta' is one gradient step of length `step` (eta) from `theta`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a step that is not positive and finite, [`Error::Length`] for vectors that do not fit,
    /// and what the problem raises.
    fn weight_gradient(
        &self,
        problem: &dyn Bilevel,
        theta: &[f64],
        weights: &[f64],
        step: f64,
    ) -> Result<WeightGradient, Error>;
}

/// The end of a step of length `step`, and the upper loss and its gradient there.
pub(crate) fn look_ahead(
    problem: &dyn Bilevel,
    theta: &[f64],
    weights: &[f64],
    step: f64,
) -> Result<(Vec<f64>, UpperGradient), Error> {
    let ahead = shifted(theta, &problem.weighted_gradient(theta, weights)?, -step)?;
    let upper = problem.upper(&ahead)?;
    Ok((ahead, upper))
}
