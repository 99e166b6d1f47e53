//! Screened Poisson problem `-div(D grad u) + lambda u = b` on arbitrary masks, and its solvers, over plain arrays.
//!
//! [`System`] assembles the operator; [`Multigrid`], [`MultigridPcg`] and [`Direct`] solve it behind the trait
//! [`Solve`]; [`Rectangle`] is the fast direct solver of a full rectangle with constant coefficients.

#[cfg(feature = "openblas-system")]
mod cholesky;
pub(crate) mod grid;
mod links;
mod multigrid;
mod solve;
mod solver;
mod spectral;
mod system;
pub(crate) mod unit_multigrid;

#[cfg(feature = "openblas-system")]
#[cfg_attr(docsrs, doc(cfg(feature = "openblas-system")))]
pub use cholesky::Cholesky;
pub use multigrid::{Multigrid, MultigridParams, MultigridPcg};
pub use solve::{Solve, SolveStats, Stopping};
pub use solver::Solver;
pub use spectral::{Direct, Rectangle, RectangleScratch, Scalar, Side, Sides};
pub use system::System;
