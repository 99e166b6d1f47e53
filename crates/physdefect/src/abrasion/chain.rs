//! Paths as worm-like chains.

use rand::{Rng, RngCore};
use rand_distr::{Distribution, StandardNormal};

use super::MODEL;
use crate::Error;
use crate::params::require;

/// Most steps of a path.
const MOST_STEPS: usize = 1 << 20;

/// Draws a worm-like chain (Kratky and Porod 1949) in the plane: points (row, column) from `start` on, `steps` steps of
/// length `step` px, first in the direction `heading`.
///
/// The heading is Brownian along the path: Var(theta(s) - theta(0)) = s / P with the persistence length P, so
/// <cos(theta(s) - theta(0))> = exp(-s / 2P) and <R^2> = 4 P L (1 - 2 P / L (1 - exp(-L / 2P))).
///
/// # Errors
/// [`Error::Parameter`] unless step and persistence length are above 0 and there are at most 2^20 steps.
///
/// ```
/// use physdefect::SampleKey;
/// use physdefect::abrasion::worm_like_chain;
///
/// let path = worm_like_chain([0.0, 0.0], 0.0, (100, 1.0), 1e9, &mut SampleKey { seed: 1, index: 0 }.rng())?;
/// assert!((path[100][1] - 100.0).abs() < 1e-3, "a very stiff chain is straight");
/// # Ok::<(), physdefect::Error>(())
/// ```
pub fn worm_like_chain<R: RngCore + ?Sized>(
    start: [f64; 2],
    heading: f64,
    (steps, step): (usize, f64),
    persistence: f64,
    rng: &mut R,
) -> Result<Vec<[f64; 2]>, Error> {
    require(step > 0.0, MODEL, "step", step, "greater than 0 px")?;
    require(persistence > 0.0, MODEL, "persistence", persistence, "greater than 0 px")?;
    require(steps <= MOST_STEPS, MODEL, "steps", steps as f64, "at most 2^20")?;
    let turn = (step / persistence).sqrt();
    let (mut theta, mut at) = (heading, start);
    let mut points = Vec::with_capacity(steps + 1);
    points.push(at);
    for _ in 0..steps {
        let z: f64 = StandardNormal.sample(rng);
        // The step goes where the heading points half way: second order in the step.
        let (sin, cos) = (theta + 0.5 * turn * z).sin_cos();
        theta += turn * z;
        at = [at[0] + step * sin, at[1] + step * cos];
        points.push(at);
    }
    Ok(points)
}

/// Uniform in \[low, high), for ranges that may be empty.
pub(super) fn between(rng: &mut dyn RngCore, low: f64, high: f64) -> f64 {
    low + (high - low) * rng.random::<f64>()
}
