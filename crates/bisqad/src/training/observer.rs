//! Observers of a training run.

use std::ops::ControlFlow;

use crate::training::checkpoint::Checkpoint;

/// What is going on.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Progress {
    /// Features of the normal images: this many reads of that many.
    Features {
        /// Done.
        done: usize,
        /// In all.
        total: usize,
    },
    /// The memory of [`MemoryDetector`](crate::MemoryDetector) is being selected.
    Coreset,
    /// A training step's images are there. A thread of its own draws them while the steps before are made.
    BatchReady,
    /// An update was made.
    Update {
        /// Of both levels; else of the lower one alone.
        upper: bool,
    },
    /// A training step was made.
    Step {
        /// Done.
        done: usize,
        /// In all.
        total: usize,
        /// Weighted lower loss.
        loss: f64,
        /// Steps whose images were ready behind this one (at most 3): 0 says that training waits for the source.
        waiting: usize,
    },
    /// The held-out normals are being scored.
    Calibration,
}

/// Watches a training run; may stop it after any round.
pub trait Observe {
    /// Called often.
    fn progress(&mut self, _progress: Progress) {}
    /// Called after every round with everything needed to continue from here.
    fn checkpoint(&mut self, _checkpoint: &Checkpoint) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;
impl Observe for NoObserver {}
