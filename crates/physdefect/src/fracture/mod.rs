//! FL: cracks.
//!
//! [`FractureLine`] grows a crack by linear elastic fracture mechanics in a heterogeneous solid; [`PaperFrontier`] is
//! the published recipe (arXiv 2504.12970): stepping frontiers, branching probability, exponential thickness, Perlin
//! noise.

mod calibrate;
mod frontier;
pub mod lefm;
mod line;
mod params;
mod relief;
mod toughness;
mod walk;

pub use frontier::{FrontierParams, PaperFrontier, frontier_half_width};
pub use line::{Crack, FractureLine};
pub use params::FractureParams;
pub use relief::Branch;
pub use toughness::{Toughness, ToughnessField};
