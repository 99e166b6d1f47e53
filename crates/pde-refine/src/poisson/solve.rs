//! The `Solve` trait, its statistics, and the stopping rule of iterative solvers.

use crate::error::{Error, check_shape};
use crate::parallel;
use crate::params::accessors;
use crate::poisson::multigrid::level::dot;
use crate::poisson::system::System;
use imgkit::{Size, ensure};
use ndarray::{Array3, ArrayView3, Axis};

/// Statistics of a solve. With several channels, each figure is that of the worst channel.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct SolveStats {
    /// Iterations (cycles or conjugate-gradient steps).
    pub iterations: usize,
    /// True relative residual `||b - A u|| / ||b||`, evaluated in f64 on the returned solution.
    pub residual: f64,
    /// Relative residual before the first and after every iteration.
    pub history: Vec<f64>,
    /// Unknowns per channel.
    pub unknowns: usize,
}

impl SolveStats {
    /// Keeps the worse figure of the two, field by field.
    pub(crate) fn merge(&mut self, other: &SolveStats) {
        self.iterations = self.iterations.max(other.iterations);
        self.residual = self.residual.max(other.residual);
        for (k, &r) in other.history.iter().enumerate() {
            match self.history.get_mut(k) {
                Some(h) => *h = h.max(r),
                None => self.history.push(r),
            }
        }
        self.unknowns = self.unknowns.max(other.unknowns);
    }
}

/// A solver of the linear system `A u = b` of a [`System`].
///
/// Implement it to plug in a solver of your own by [`Solver::custom`](super::Solver::custom).
pub trait Solve: std::fmt::Debug + Send + Sync {
    /// Solves `A u = rhs` for every channel, starting from `guess`.
    ///
    /// `rhs` and `guess` are stacks of scalar fields (C, H, W), of which only the values in the mask are read. Outside
    /// the mask the solution equals `guess`.
    ///
    /// # Errors
    /// [`Error::Shape`] on mismatched shapes, [`Error::NotConverged`], carrying iterations and residual, if the
    /// tolerance is not reached.
    fn solve(
        &self,
        system: &System,
        rhs: ArrayView3<'_, f64>,
        guess: ArrayView3<'_, f64>,
    ) -> Result<(Array3<f64>, SolveStats), Error>;
}

/// Stopping rule of a solver: a tolerance, and a limit on the iterations.
///
/// ```
/// use pde_refine::poisson::{Multigrid, MultigridParams, Stopping};
/// let tight = Stopping::default().with_tolerance(1e-10);
/// let solver = Multigrid::new(MultigridParams::default().with_stopping(tight))?;
/// assert!(Multigrid::new(MultigridParams::default().with_stopping(tight.with_max_iterations(0))).is_err());
/// # Ok::<(), pde_refine::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stopping {
    tolerance: f64,
    max_iterations: usize,
}

accessors!(Stopping {
    /// Relative residual `||b - A u|| / ||b||` at which to stop, above 0 and finite.
    tolerance, with_tolerance: f64;
    /// Iterations after which to fail, at least 1.
    max_iterations, with_max_iterations: usize;
});

impl Stopping {
    /// Checks the parameters; the constructors of the solvers call it.
    ///
    /// # Errors
    /// [`Error::Parameter`] outside the documented ranges.
    pub fn check(&self) -> Result<(), Error> {
        let Stopping { tolerance, max_iterations } = *self;
        let ok = tolerance.is_finite() && tolerance > 0.0;
        ensure(ok, "Stopping", "tolerance", tolerance, "a finite number above 0")?;
        ensure(max_iterations > 0, "Stopping", "max_iterations", max_iterations, "at least 1")?;
        Ok(())
    }

    pub(crate) fn reached(self, residual: f64, iterations: usize) -> Result<bool, Error> {
        if residual <= self.tolerance {
            Ok(true)
        } else if iterations >= self.max_iterations || !residual.is_finite() {
            Err(Error::NotConverged { iterations, residual, tolerance: self.tolerance })
        } else {
            Ok(false)
        }
    }
}

impl Default for Stopping {
    /// Tolerance 1e-6, 60 iterations.
    fn default() -> Self {
        Stopping { tolerance: 1e-6, max_iterations: 60 }
    }
}

pub(super) fn norm(b: &[f64]) -> f64 {
    dot(b, b).sqrt()
}

/// Computes the relative residual, and writes the residual to `r`.
pub(super) fn relative(system: &System, b: &[f64], x: &[f64], norm: f64, r: &mut [f32]) -> f64 {
    let residual = system.level.residual_f64(x, b, r).sqrt();
    if norm > 0.0 { residual / norm } else { residual }
}

/// Checks the shapes of right-hand side and guess.
pub(crate) fn check_shapes(system: &System, rhs: ArrayView3<'_, f64>, guess: ArrayView3<'_, f64>) -> Result<(), Error> {
    let Size { height: h, width: w } = system.size();
    check_shape("rhs", &[guess.dim().0, h, w], rhs.shape())?;
    check_shape("guess", &[rhs.dim().0, h, w], guess.shape())
}

pub(super) fn solve_channels(
    system: &System,
    rhs: ArrayView3<'_, f64>,
    guess: ArrayView3<'_, f64>,
    solve: impl Fn(&[f64], &mut [f64]) -> Result<SolveStats, Error> + Sync,
) -> Result<(Array3<f64>, SolveStats), Error> {
    check_shapes(system, rhs, guess)?;
    let mut out = guess.to_owned();
    if system.unknowns() == 0 {
        return Ok((out, SolveStats::default()));
    }
    let one = |c: usize| {
        let b = system.pad(rhs.index_axis(Axis(0), c));
        let mut x = system.pad(guess.index_axis(Axis(0), c));
        solve(&b, &mut x).map(|stats| (x, stats))
    };
    let results = parallel::map(rhs.dim().0, system.unknowns(), one);
    let mut stats = SolveStats::default();
    for (c, result) in results.into_iter().enumerate() {
        let (x, channel) = result?;
        stats.merge(&channel);
        let mut plane = out.index_axis_mut(Axis(0), c);
        for ((i, &m), o) in system.mask().indexed_iter().zip(plane.iter_mut()) {
            if m {
                *o = x[system.level.at(i.0, i.1)];
            }
        }
    }
    Ok((out, stats))
}
