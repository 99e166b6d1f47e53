//! Multigrid for any coefficients: the hierarchy of grids and its cycles.

pub(crate) mod cycle;
pub(crate) mod level;
mod transfer;
