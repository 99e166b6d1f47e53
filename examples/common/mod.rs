//! What both examples share: a progress bar, error lines, outputs.
#![allow(clippy::print_stderr, unreachable_pub)] // an example talks to people on standard error
#![allow(dead_code)] // each example uses its part

use std::fmt::Display;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use maphc2f::adbench::protocol::Protocol;
use maphc2f::adbench::report::{Document, Provenance, Report as Figures};
use maphc2f::bisqad::{self, Checkpoint, FitReport, Observe, Progress, TrainParams};
use maphc2f::sqe::WarmStartReport;

/// Progress bars on standard error, and a checkpoint after every round.
pub struct Bars {
    bar: ProgressBar,
    stage: &'static str,
    checkpoint: Option<(PathBuf, String)>,
}

impl Bars {
    /// Saves checkpoints to a path, marked as belonging to a run, if given.
    pub fn new(checkpoint: Option<(PathBuf, String)>) -> Self {
        Self { bar: bar("quality warm start", 0), stage: "", checkpoint }
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

impl Observe for Bars {
    fn progress(&mut self, progress: Progress) {
        match progress {
            Progress::Features { done, total } => self.show("features of good photos", done, total),
            Progress::Coreset => self.show("memory of good patches", 0, 1),
            Progress::Step { done, total, loss, waiting } => {
                self.show("training", done, total);
                self.bar.set_message(format!("loss {loss:.3}, {waiting} steps drawn ahead"));
            }
            Progress::Calibration => self.show("calibration", 0, 1),
            _ => {}
        }
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> ControlFlow<()> {
        if let Some((path, run)) = &self.checkpoint
            && let Err(e) = checkpoint.save(path, run)
        {
            eprintln!("warning: {e}");
        }
        ControlFlow::Continue(())
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A labelled bar that ticks while it waits.
pub fn bar(label: &'static str, total: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:>24} [{bar:32}] {pos}/{len} {elapsed} {msg}");
    let bar = ProgressBar::new(total as u64).with_prefix(label);
    match style {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

/// Runs an example: its last line goes to standard output, an error is one line and exit code 2.
pub fn finish(outcome: Result<String, Box<dyn std::error::Error>>) -> std::process::ExitCode {
    finish_with(outcome.map(|line| (line, 0)))
}

/// [`finish`] with an exit code of the example's own.
#[allow(clippy::print_stdout)] // the one line that programs read
pub fn finish_with(outcome: Result<(String, u8), Box<dyn std::error::Error>>) -> std::process::ExitCode {
    match outcome {
        Ok((line, code)) => {
            println!("{line}");
            code.into()
        }
        Err(e) => {
            eprintln!("error: {}", e.to_string().trim().replace('\n', "; "));
            std::process::ExitCode::from(2)
        }
    }
}

/// The number that follows an option.
pub fn number<T: std::str::FromStr>(args: &mut lexopt::Parser, name: &str) -> Result<T, Box<dyn std::error::Error>> {
    let value = args.value()?;
    value.to_string_lossy().parse().map_err(|_| format!("--{name} {}: not a number", value.display()).into())
}

/// Says what training did.
pub fn tell_training(warm: &WarmStartReport, report: &FitReport) {
    say(&format!(
        "quality: ranks held-out coarse-to-fine pairs rightly in {:.0} % ({:.0} % of its training pairs)",
        100.0 * warm.held_out_accuracy,
        100.0 * warm.training_accuracy
    ));
    let bisqad::SplitSizes { training: train, validation: meta, calibration, .. } = report.split;
    say(&format!(
        "good photos: {train} train, {meta} steer, {calibration} calibrate; {} places compared; {} defects drawn",
        report.positions, report.synthetic
    ));
    if let (Some(first), Some(last)) = (report.rounds.first(), report.rounds.last()) {
        say(&format!(
            "training: loss {:.3} -> {:.3}, held-out mechanism {:.3} -> {:.3}, effective samples {:.0} %",
            first.loss,
            last.loss,
            first.upper_loss,
            last.upper_loss,
            100.0 * last.ess_fraction
        ));
    }
}

/// A line for people.
pub fn say(line: &dyn Display) {
    eprintln!("{line}");
}

/// Writes `results.html` and the other formats of a run's figures.
pub fn write_report(
    out: &Path,
    title: &str,
    dataset: String,
    side: usize,
    params: &TrainParams,
    figures: Vec<Figures>,
) -> Result<(), Box<dyn std::error::Error>> {
    let protocol = Protocol::named("native").ok_or("no protocol `native`")?;
    let command = std::env::args().collect::<Vec<_>>().join(" ");
    let mut provenance = Provenance::new(dataset, "maphc2f", protocol, command);
    provenance.seeds = vec![params.seed()];
    provenance.versions = vec![("maphc2f".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
    provenance.notes = [
        (
            "detector's input",
            format!(
                "shorter side at most {side} px; image scores are the mean of the map's highest hundredth at this size"
            ),
        ),
        ("training", format!("{params:?}")),
    ]
    .map(|(name, text)| (name.to_owned(), text))
    .into();
    Document::new(title, provenance, figures)?.write_all(out.join("results"))?;
    Ok(())
}

/// The files an example wrote.
pub fn tell_files(folder: &Path, files: &[&str]) {
    let list: Vec<String> = files.iter().map(|f| folder.join(f).display().to_string()).collect();
    say(&format!("wrote {}", list.join(", ")));
}
