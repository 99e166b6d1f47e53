//! The screened Poisson problem and its solvers, over plain arrays.

#[cfg(feature = "openblas-system")]
mod cholesky;
pub(crate) mod grid;
mod links;
pub(crate) mod multigrid;
pub(crate) mod solver;
mod spectral;
mod system;
pub(crate) mod unit_multigrid;

#[cfg(feature = "openblas-system")]
pub use cholesky::Cholesky;
pub use solver::{MgCg, Multigrid, Solve, SolveStats, Stopping};
pub use spectral::{Direct, Rectangle, Sample, Scratch, Side, Sides};
pub use system::System;
