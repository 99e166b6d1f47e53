//! Observers of a training run.

use std::ops::ControlFlow;

use crate::training::checkpoint::Checkpoint;

/// Events reported while a detector is being fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Progress {
    /// Features of normal images are being read.
    Features {
        /// Done.
        done: usize,
        /// In all.
        total: usize,
    },
    /// The coreset of [`MemoryDetector`](crate::MemoryDetector) is being selected.
    Coreset,
    /// The images of a training step are ready. They are synthesized on a worker thread while earlier steps are made.
    BatchReady,
    /// An update was made.
    Update {
        /// Whether both levels were updated, or the lower one alone.
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
        /// Steps whose images are ready behind this one (at most 3): 0 means that training waits for the source.
        waiting: usize,
    },
    /// Candidates of [`EvidenceDetector::fit`](crate::EvidenceDetector::fit) are being compared.
    Selection {
        /// Shorter side at which images are seen, px.
        side: usize,
    },
    /// The held-out normal images are being scored.
    Calibration,
}

/// Observer of a training run, which may stop it after any round.
pub trait Observe {
    /// Receives an event; called often.
    fn progress(&mut self, _progress: Progress) {}
    /// Receives the state after every round; [`ControlFlow::Break`] stops the run.
    fn checkpoint(&mut self, _checkpoint: &Checkpoint) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Observer that ignores every event.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;
impl Observe for NoObserver {}
