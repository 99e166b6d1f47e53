//! npcF: appearance coherence by a screened Poisson solve.

mod cycle;
mod level;
mod npcf;
mod solver;
mod system;
mod transfer;

pub(crate) use npcf::write_box;
pub use npcf::{Diffusivity, Guidance, Npcf, NpcfParams, Screening};
pub use solver::{MgCg, Multigrid, Solve, SolveStats, Stopping};
pub use system::System;
