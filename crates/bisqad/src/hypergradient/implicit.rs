//! Hypergradients of a lower problem solved to its optimum, by the implicit function theorem.

use super::inverse::{InverseHessian, Solution};
use super::{Bilevel, Hypergradient, WeightGradient, look_ahead, positive, shifted};
use crate::Error;

/// A lower problem `min_theta l(theta, phi)` and an upper loss `L(theta, phi)`, `phi` being any hyper-parameters.
pub trait Problem {
    /// `dl/dtheta`.
    ///
    /// # Errors
    /// Whatever evaluating the model can raise.
    fn lower(&self, theta: &[f64], phi: &[f64]) -> Result<Vec<f64>, Error>;
    /// `dl/dphi`.
    ///
    /// # Errors
    /// As [`Self::lower`].
    fn lower_by_hyper(&self, theta: &[f64], phi: &[f64]) -> Result<Vec<f64>, Error>;
    /// `L`, `dL/dtheta` and `dL/dphi`.
    ///
    /// # Errors
    /// As [`Self::lower`].
    fn upper(&self, theta: &[f64], phi: &[f64]) -> Result<(f64, Vec<f64>, Vec<f64>), Error>;
}

/// What [`implicit`] returns.
#[derive(Debug, Clone, PartialEq)]
pub struct HyperGradient {
    /// `dL(theta*(phi), phi)/dphi`.
    pub gradient: Vec<f64>,
    /// `L`.
    pub upper_loss: f64,
    /// `|dl/dtheta|`: the formula holds where this is 0.
    pub lower_gradient: f64,
    /// The inverse-Hessian product and what it took.
    pub solution: Solution,
}

/// `dL/dphi - (d2l/dphi dtheta) H^-1 dL/dtheta` at the lower optimum `theta`, `H` being the lower Hessian.
///
/// Products with `H` and the mixed derivatives are central differences of gradients over `2 radius`, so no second-order differentiation
/// is needed; `radius` (1e-4 suits f64 losses of order 1) is a length in parameter space.
///
/// ```
/// use bisqad::Error;
/// use bisqad::hypergradient::{Exact, Problem, implicit};
///
/// /// Ridge in one dimension: l = (theta - 3)^2 / 2 + phi theta^2 / 2, so theta* = 3 / (1 + phi); L = theta^2 / 2.
/// struct Ridge;
/// impl Problem for Ridge {
///     fn lower(&self, t: &[f64], p: &[f64]) -> Result<Vec<f64>, Error> {
///         Ok(vec![t[0] - 3.0 + p[0] * t[0]])
///     }
///     fn lower_by_hyper(&self, t: &[f64], _: &[f64]) -> Result<Vec<f64>, Error> {
///         Ok(vec![t[0] * t[0] / 2.0])
///     }
///     fn upper(&self, t: &[f64], _: &[f64]) -> Result<(f64, Vec<f64>, Vec<f64>), Error> {
///         Ok((t[0] * t[0] / 2.0, vec![t[0]], vec![0.0]))
///     }
/// }
/// let answer = implicit(&Ridge, &[1.5], &[1.0], &Exact, 1e-4)?;
/// assert!((answer.gradient[0] + 9.0 / 8.0).abs() < 1e-6); // dL/dphi = -9 / (1 + phi)^3
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`Error::Parameter`] for a radius that is not positive, [`Error::Unsolved`] and [`Error::Parameter`] of the method,
/// [`Error::Length`] for gradients of the wrong length, and what the problem raises.
pub fn implicit(
    problem: &dyn Problem,
    theta: &[f64],
    phi: &[f64],
    method: &dyn InverseHessian,
    radius: f64,
) -> Result<HyperGradient, Error> {
    positive("radius", radius)?;
    let (upper_loss, g, direct) = problem.upper(theta, phi)?;
    let solution = method.solve(&mut |v| difference(theta, v, radius, |t| problem.lower(t, phi)), &g)?;
    let mixed = difference(theta, &solution.q, radius, |t| problem.lower_by_hyper(t, phi))?;
    if mixed.len() != direct.len() {
        return Err(Error::Length { what: "dl/dphi", found: mixed.len(), expected: direct.len() });
    }
    let gradient = direct.iter().zip(&mixed).map(|(d, m)| d - m).collect();
    let lower = problem.lower(theta, phi)?;
    Ok(HyperGradient { gradient, upper_loss, lower_gradient: norm(&lower), solution })
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// `J v` for the Jacobian `J` of `f` at `theta`.
fn difference(
    theta: &[f64],
    v: &[f64],
    radius: f64,
    f: impl Fn(&[f64]) -> Result<Vec<f64>, Error>,
) -> Result<Vec<f64>, Error> {
    let length = norm(v);
    if length == 0.0 {
        return Ok(vec![0.0; f(theta)?.len()]);
    }
    let e = radius / length;
    let (up, down) = (f(&shifted(theta, v, e)?)?, f(&shifted(theta, v, -e)?)?);
    Ok(up.iter().zip(&down).map(|(a, b)| (a - b) / (2.0 * e)).collect())
}

/// Weights of samples by the implicit function theorem: after the look-ahead step, `dL/dw_i = -1/B <H^-1 grad L, grad l_i>`.
///
/// With [`super::T1T2`] of the same step, evaluated at `theta` instead, this is [`super::ForwardDifference`]; the other methods look
/// further than one step and suit a lower level that is trained to its optimum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Implicit<M> {
    /// The inverse-Hessian product.
    pub method: M,
    /// Length of the probes in parameter space (1e-4 suits f64 losses of order 1).
    pub radius: f64,
}

impl<M: InverseHessian> Hypergradient for Implicit<M> {
    fn name(&self) -> &'static str {
        self.method.name()
    }

    fn weight_gradient(
        &self,
        problem: &dyn Bilevel,
        theta: &[f64],
        weights: &[f64],
        step: f64,
    ) -> Result<WeightGradient, Error> {
        positive("radius", self.radius)?;
        positive("step", step)?;
        let (ahead, upper_loss, g) = look_ahead(problem, theta, weights, step)?;
        let mut product = |v: &[f64]| difference(&ahead, v, self.radius, |t| problem.weighted_gradient(t, weights));
        let q = self.method.solve(&mut product, &g)?.q;
        let slopes = difference(&ahead, &q, self.radius, |t| problem.losses(t))?;
        if slopes.len() != weights.len() {
            return Err(Error::Length { what: "losses", found: slopes.len(), expected: weights.len() });
        }
        let gradient = slopes.iter().map(|s| -s / weights.len() as f64).collect();
        Ok(WeightGradient { gradient, upper_loss })
    }
}
