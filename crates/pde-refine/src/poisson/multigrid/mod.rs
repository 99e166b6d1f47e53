//! Multigrid for any coefficients: the hierarchy of grids, its cycles, and the two solvers made of them.

mod cycle;
pub(crate) mod level;
mod pcg;
mod solver;
mod transfer;

pub use pcg::MultigridPcg;
pub use solver::{Multigrid, MultigridParams};
