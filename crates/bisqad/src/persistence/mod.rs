//! Files of detectors and checkpoints.

mod checkpoint;
mod detectors;
pub(crate) mod format;
pub(crate) mod load;
