//! Progress bars on standard error.

use indicatif::{ProgressBar, ProgressStyle};
use maphc2f::bisqad::{Observe, Progress};

/// Makes a labeled bar of `total` steps that shows the elapsed time.
#[must_use]
pub fn bar(label: &'static str, total: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:>24} [{bar:32}] {pos}/{len} {elapsed} {msg}");
    let bar = ProgressBar::new(total as u64).with_prefix(label);
    match style {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

/// Shows a bar for each stage of a training run.
#[derive(Debug)]
pub struct TrainingBars {
    bar: ProgressBar,
    stage: &'static str,
}

impl TrainingBars {
    /// Starts with the bar of the quality estimator's warm start.
    #[must_use]
    pub fn new() -> Self {
        Self { bar: bar("quality warm start", 0), stage: "" }
    }

    fn show(&mut self, stage: &'static str, done: usize, total: usize) {
        if self.stage != stage {
            self.bar.finish_and_clear();
            self.bar = bar(stage, total);
            self.stage = stage;
        }
        self.bar.set_position(done as u64);
    }
}

impl Default for TrainingBars {
    fn default() -> Self {
        Self::new()
    }
}

impl Observe for TrainingBars {
    fn progress(&mut self, progress: Progress) {
        match progress {
            Progress::Features { done, total } => self.show("features of good photos", done, total),
            Progress::Coreset => self.show("memory of good patches", 0, 1),
            Progress::Step { done, total, loss, waiting } => {
                self.show("training", done, total);
                self.bar.set_message(format!("loss {loss:.3}, {waiting} batches prefetched"));
            }
            Progress::Calibration => self.show("calibration", 0, 1),
            _ => {}
        }
    }
}

impl Drop for TrainingBars {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
