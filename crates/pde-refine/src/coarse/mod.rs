//! The coarse stage npcF: appearance coherence by a screened Poisson solve.

mod compose;
mod diffusivity;
mod guidance;
mod npcf;
mod screening;

pub(crate) use compose::{Field, Scene};
pub use diffusivity::Diffusivity;
pub use guidance::Guidance;
pub(crate) use npcf::write_box;
pub use npcf::{Npcf, NpcfParams};
pub use screening::Screening;
