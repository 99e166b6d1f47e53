#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod channels;
mod coarse;
mod coherence;
mod compositing;
mod diagnostics;
mod distance;
mod error;
pub mod filters;
mod fine;
mod pipeline;
mod refine;
mod region;
mod simd;
mod spectral;

pub use coarse::{Diffusivity, Guidance, Npcf, NpcfParams, Screening, SolveStats};
pub use coherence::{AllenCahn, AllenCahnParams, AllenCahnStats};
pub use compositing::{inpaint, screened_smooth, seamless_clone, seamless_clone_with};
pub use diagnostics::{band_energy_ratio, seam_index};
pub use distance::{distance, distance_squared, half_width};
pub use error::Error;
pub use fine::{Atrous, NpcfPlus, NpcfPlusParams};
pub use pipeline::{CoarseToFine, Stages};
pub use refine::{Refine, RefineStats, Refined};

/// The screened Poisson problem and its solvers, over plain arrays.
pub mod poisson {
    #[cfg(feature = "openblas-system")]
    pub use crate::coarse::Cholesky;
    pub use crate::coarse::{MgCg, Multigrid, Solve, SolveStats, Stopping, System};
    pub use crate::spectral::{Direct, Rectangle, Sample, Scratch, Side, Sides};
}
