#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod coarse;
mod coherence;
mod compositing;
mod diagnostics;
mod distance;
mod error;
pub mod filters;
mod fine;
mod parallel;
mod params;
mod pipeline;
pub mod poisson;
mod refine;
mod region;
mod simd;

pub use imgkit;
pub use ndarray;

pub use coarse::{Diffusivity, Guidance, Npcf, NpcfParams, Screening};
pub use coherence::{AllenCahn, AllenCahnParams, AllenCahnStats};
pub use compositing::{inpaint, screened_smooth, seamless_clone, seamless_clone_with};
pub use diagnostics::{band_energy_ratio, seam_index};
pub use distance::{distance, distance_squared, half_width};
pub use error::Error;
pub use fine::{Atrous, NpcfPlus, NpcfPlusParams};
pub use pipeline::{CoarseToFine, Stages};
pub use refine::{Refine, RefineStats, Refined};
