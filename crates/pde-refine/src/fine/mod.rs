//! The fine stage npcF++: wavelet detail matching and multi-resolution feathering.

mod detail;
mod feather;
mod npcf_plus;
mod patch;

pub use npcf_plus::{NpcfPlus, NpcfPlusParams};
