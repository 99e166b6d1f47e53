//! npcF: appearance coherence by a screened Poisson solve.

#[cfg(feature = "openblas-system")]
mod cholesky;
mod compose;
mod cycle;
mod diffusivity;
mod grid;
mod level;
mod links;
mod npcf;
mod solver;
mod system;
mod transfer;
mod unit;

#[cfg(feature = "openblas-system")]
pub use cholesky::Cholesky;
pub(crate) use compose::{Field, Scene};
pub use diffusivity::Diffusivity;
pub(crate) use npcf::write_box;
pub use npcf::{Guidance, Npcf, NpcfParams, Screening};
pub(crate) use solver::check_shapes;
pub use solver::{MgCg, Multigrid, Solve, SolveStats, Stopping};
pub use system::System;
