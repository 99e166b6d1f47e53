//! The fine stage npcF++: wavelet detail matching and multi-resolution feathering.

mod atrous;
mod detail;
mod feather;
mod npcf_plus;
mod patch;

pub use atrous::Atrous;
pub(crate) use detail::robust_scale;
pub use npcf_plus::{NpcfPlus, NpcfPlusParams};
