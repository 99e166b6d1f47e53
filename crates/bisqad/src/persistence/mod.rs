//! Files of detectors and checkpoints.

mod checkpoint;
mod detectors;
mod evidence;
pub(crate) mod format;
pub(crate) mod load;
