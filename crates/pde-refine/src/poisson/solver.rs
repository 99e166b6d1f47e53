//! A solver chosen at run time.

#[cfg(feature = "openblas-system")]
use super::cholesky::Cholesky;
use super::multigrid::{Multigrid, MultigridPcg};
use super::solve::{Solve, SolveStats};
use super::spectral::Direct;
use super::system::System;
use crate::error::Error;
use ndarray::{Array3, ArrayView3};
use std::sync::Arc;

/// Any solver: one of this crate's, or another implementation of [`Solve`].
///
/// Compositing takes a faster path to the same result with [`Solver::Multigrid`]. Every solver of this crate converts
/// into it; wrap another by [`Solver::custom`].
///
/// ```
/// use pde_refine::Npcf;
/// use pde_refine::poisson::{MultigridPcg, Solver};
///
/// let by_kind = Npcf::default().with_solver(MultigridPcg::default());
/// let by_trait = Npcf::default().with_solver(Solver::custom(MultigridPcg::default()));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Solver {
    /// Geometric multigrid.
    Multigrid(Multigrid),
    /// Conjugate gradients preconditioned by multigrid.
    MultigridPcg(MultigridPcg),
    /// Fourier transform and tridiagonal solves, on rectangles.
    Direct(Direct),
    /// Another implementation.
    Custom(Arc<dyn Solve>),
}

impl Solver {
    /// Wraps an implementation of [`Solve`].
    #[must_use]
    pub fn custom(solver: impl Solve + 'static) -> Self {
        Solver::Custom(Arc::new(solver))
    }
}

impl Default for Solver {
    /// [`Multigrid`] with its defaults.
    fn default() -> Self {
        Solver::Multigrid(Multigrid::default())
    }
}

impl From<Multigrid> for Solver {
    fn from(solver: Multigrid) -> Self {
        Solver::Multigrid(solver)
    }
}

impl From<MultigridPcg> for Solver {
    fn from(solver: MultigridPcg) -> Self {
        Solver::MultigridPcg(solver)
    }
}

impl From<Direct> for Solver {
    fn from(solver: Direct) -> Self {
        Solver::Direct(solver)
    }
}

#[cfg(feature = "openblas-system")]
impl From<Cholesky> for Solver {
    fn from(solver: Cholesky) -> Self {
        Solver::custom(solver)
    }
}

impl Solve for Solver {
    fn solve(
        &self,
        system: &System,
        rhs: ArrayView3<'_, f64>,
        guess: ArrayView3<'_, f64>,
    ) -> Result<(Array3<f64>, SolveStats), Error> {
        match self {
            Solver::Multigrid(solver) => solver.solve(system, rhs, guess),
            Solver::MultigridPcg(solver) => solver.solve(system, rhs, guess),
            Solver::Direct(solver) => solver.solve(system, rhs, guess),
            Solver::Custom(solver) => solver.solve(system, rhs, guess),
        }
    }
}
