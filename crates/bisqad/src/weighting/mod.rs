//! Learned weights: of synthetic defects, with a head on patch features below and trusted defects above; of normal
//! photos, with a density of each place below and drawn defects above.

mod expansion;
mod head;
mod normals;
mod rows;

pub use expansion::RowExpansion;
pub use head::HeadProblem;
pub use normals::NormalsProblem;
pub use rows::{DefectPatches, PatchRows};
