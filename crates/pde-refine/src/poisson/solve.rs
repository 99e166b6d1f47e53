//! The trait of the solvers, what they report, and where they stop.

use crate::error::{Error, check, check_shape};
use crate::parallel;
use crate::poisson::multigrid::level::dot;
use crate::poisson::system::System;
use ndarray::{Array3, ArrayView3, Axis};

/// What a solve did. With several channels, each figure is the worst channel's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SolveStats {
    /// Iterations (cycles or conjugate-gradient steps).
    pub iterations: usize,
    /// True relative residual `||b - A u|| / ||b||`, evaluated in f64 on the returned solution.
    pub residual: f64,
    /// The same before the first and after every iteration.
    pub history: Vec<f64>,
    /// Unknowns a channel.
    pub unknowns: usize,
}

impl SolveStats {
    /// Keeps the worst of both.
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

/// A solver of `A u = b`.
pub trait Solve: std::fmt::Debug + Send + Sync {
    /// Solves `A u = rhs` for every channel, starting from `guess`.
    ///
    /// `rhs` and `guess` are (C, H, W); only their values in the mask are read. The solution is `guess` outside the
    /// mask.
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

/// Where a solver stops.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stopping {
    pub(crate) tolerance: f64,
    pub(crate) max_iterations: usize,
}

impl Stopping {
    /// Stops at the relative residual `tolerance` (> 0) or fails after `max_iterations` (>= 1).
    ///
    /// # Errors
    /// [`Error::Parameter`] outside those ranges.
    pub fn new(tolerance: f64, max_iterations: usize) -> Result<Self, Error> {
        check("tolerance", tolerance, tolerance.is_finite() && tolerance > 0.0, "a finite number > 0")?;
        check("max_iterations", max_iterations as f64, max_iterations > 0, ">= 1")?;
        Ok(Stopping { tolerance, max_iterations })
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

/// Relative residual; writes the residual itself to `r`.
pub(super) fn relative(system: &System, b: &[f64], x: &[f64], norm: f64, r: &mut [f32]) -> f64 {
    let residual = system.level.residual_f64(x, b, r).sqrt();
    if norm > 0.0 { residual / norm } else { residual }
}

/// Refuses a right-hand side or a guess of another shape than the system's.
pub(crate) fn check_shapes(system: &System, rhs: ArrayView3<'_, f64>, guess: ArrayView3<'_, f64>) -> Result<(), Error> {
    let (h, w) = system.dim();
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
