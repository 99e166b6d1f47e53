#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod coarse;
mod coherence;
mod compositing;
mod error;
pub mod filters;
mod fine;
mod parallel;
mod params;
mod pipeline;
pub mod poisson;
mod refine;
mod simd;

pub use imgkit;
pub use ndarray;

pub use coarse::{Diffusivity, Guidance, Npcf, NpcfParams, Screening};
pub use coherence::{AllenCahn, AllenCahnParams, AllenCahnStats};
pub use compositing::{inpaint, screened_smooth, seamless_clone, seamless_clone_with};
pub use error::Error;
pub use fine::{NpcfPlus, NpcfPlusParams};
pub use pipeline::{CoarseToFine, Stages};
pub use refine::{Refine, RefineStats, Refined};
