//! Hypergradients of a lower problem solved to its optimum, by the implicit function theorem.

use crate::error::Error;
use crate::inverse_hessian::{InverseHessian, Solution};
use crate::problem::{Bilevel, Hypergradient, Problem, UpperGradient, UpperGradients, WeightGradient, look_ahead};
use crate::vector::{dot, positive, same_length, shifted};

/// Gradient of the upper loss through a lower optimum, as [`implicit_gradient`] returns it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ImplicitGradient {
    /// `dL(theta*(phi), phi)/dphi`.
    pub gradient: Vec<f64>,
    /// `L`.
    pub upper_loss: f64,
    /// `|dl/dtheta|`: the formula holds where this is 0.
    pub lower_gradient_norm: f64,
    /// The inverse-Hessian product, its cost and its residual.
    pub solution: Solution,
}

/// Computes the hypergradient `dL/dphi - (d2l/dphi dtheta) H^-1 dL/dtheta` at the lower optimum `theta`, `H` being the
/// lower Hessian.
///
/// Products with `H` and the mixed derivatives are central differences of gradients over `2 radius`, so no second-order
/// differentiation is needed; `radius` (1e-4 suits f64 losses of order 1) is a length in parameter space.
///
/// ```
/// use bilevel::{DenseSolve, Error, Problem, UpperGradients, implicit_gradient};
///
/// /// Ridge in one dimension: l = (theta - 3)^2 / 2 + phi theta^2 / 2, so theta* = 3 / (1 + phi); L = theta^2 / 2.
/// struct Ridge;
/// impl Problem for Ridge {
///     fn lower_gradient(&self, t: &[f64], p: &[f64]) -> Result<Vec<f64>, Error> {
///         Ok(vec![t[0] - 3.0 + p[0] * t[0]])
///     }
///     fn lower_gradient_by_hyper(&self, t: &[f64], _: &[f64]) -> Result<Vec<f64>, Error> {
///         Ok(vec![t[0] * t[0] / 2.0])
///     }
///     fn upper(&self, t: &[f64], _: &[f64]) -> Result<UpperGradients, Error> {
///         Ok(UpperGradients { loss: t[0] * t[0] / 2.0, by_theta: vec![t[0]], by_hyper: vec![0.0] })
///     }
/// }
/// let answer = implicit_gradient(&Ridge, &[1.5], &[1.0], &DenseSolve, 1e-4)?;
/// assert!((answer.gradient[0] + 9.0 / 8.0).abs() < 1e-6); // dL/dphi = -9 / (1 + phi)^3
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`Error::Parameter`] for a radius that is not positive and finite, [`Error::Unsolved`] of the method,
/// [`Error::Length`] for gradients of the wrong length, and what the problem raises.
pub fn implicit_gradient(
    problem: &dyn Problem,
    theta: &[f64],
    phi: &[f64],
    method: &dyn InverseHessian,
    radius: f64,
) -> Result<ImplicitGradient, Error> {
    positive("implicit gradient", "radius", radius)?;
    let UpperGradients { loss: upper_loss, by_theta: g, by_hyper: direct } = problem.upper(theta, phi)?;
    let solution = method.solve(&mut |v| difference(theta, v, radius, |t| problem.lower_gradient(t, phi)), &g)?;
    let mixed = difference(theta, &solution.q, radius, |t| problem.lower_gradient_by_hyper(t, phi))?;
    same_length("dl/dphi", mixed.len(), direct.len())?;
    let gradient = direct.iter().zip(&mixed).map(|(d, m)| d - m).collect();
    let lower = problem.lower_gradient(theta, phi)?;
    Ok(ImplicitGradient { gradient, upper_loss, lower_gradient_norm: norm(&lower), solution })
}

fn norm(v: &[f64]) -> f64 {
    dot(v, v).sqrt()
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

/// Weight gradients by the implicit function theorem: after the look-ahead step, `dL/dw_i = -1/B <H^-1 grad L, grad
/// l_i>`.
///
/// With [`IdentityHessian`](crate::IdentityHessian) of the same step, evaluated at `theta` instead, this is
/// [`ForwardDifference`](crate::ForwardDifference); the other methods look further than one step and suit a lower level
/// that is trained to its optimum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Implicit<M> {
    method: M,
    radius: f64,
}

impl<M: InverseHessian> Implicit<M> {
    /// Creates the method from an inverse-Hessian product and the length of its probes in parameter space (1e-4 suits
    /// f64 losses of order 1).
    ///
    /// # Errors
    /// [`Error::Parameter`] unless the radius is positive and finite.
    pub fn new(method: M, radius: f64) -> Result<Self, Error> {
        positive("implicit gradient", "radius", radius)?;
        Ok(Self { method, radius })
    }

    /// Inverse-Hessian product that the method uses.
    #[must_use]
    pub fn method(&self) -> &M {
        &self.method
    }

    /// Length of the probes in parameter space.
    #[must_use]
    pub fn radius(&self) -> f64 {
        self.radius
    }
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
        positive("implicit gradient", "step", step)?;
        let (ahead, UpperGradient { loss: upper_loss, gradient: g }) = look_ahead(problem, theta, weights, step)?;
        let mut product = |v: &[f64]| difference(&ahead, v, self.radius, |t| problem.weighted_gradient(t, weights));
        let q = self.method.solve(&mut product, &g)?.q;
        let slopes = difference(&ahead, &q, self.radius, |t| problem.losses(t))?;
        same_length("losses", slopes.len(), weights.len())?;
        let gradient = slopes.iter().map(|s| -s / weights.len() as f64).collect();
        Ok(WeightGradient { gradient, upper_loss })
    }
}
