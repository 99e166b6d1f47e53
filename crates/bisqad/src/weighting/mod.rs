//! Learned weights of synthetic defects: the lower level is a head on patch features, the upper level trusted defects.

mod expansion;
mod head;
mod rows;

pub use expansion::RowExpansion;
pub use head::HeadProblem;
pub use rows::{DefectPatches, PatchRows};
