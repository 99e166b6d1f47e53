//! Console output of the program: progress bars and notes on standard error, results on standard output.
#![allow(clippy::print_stderr, clippy::print_stdout)]

use std::fmt::Display;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use maphc2f::bisqad::{Checkpoint, Observe, Progress};
use serde_json::{Value, json};

/// Console output: text for people or JSON, with or without notes.
#[derive(Debug, Default)]
pub struct Console {
    json: bool,
    quiet: bool,
}

impl Console {
    pub fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet }
    }

    /// Creates a progress bar on standard error; it is hidden where that is no terminal, so that logs stay clean.
    pub fn bar(&self, label: &'static str, total: u64) -> ProgressBar {
        if self.quiet {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(total).with_prefix(label);
        match ProgressStyle::with_template("{prefix:>12} [{bar:32}] {pos}/{len} {per_sec} eta {eta}") {
            Ok(style) => bar.with_style(style.progress_chars("=> ")),
            Err(_) => bar,
        }
    }

    /// Prints a note for people.
    pub fn say(&self, line: &dyn Display) {
        if !self.quiet {
            eprintln!("{line}");
        }
    }

    /// Prints a note of the files that were written.
    pub fn say_files(&self, folder: &Path, files: &[&str]) {
        let list: Vec<String> = files.iter().map(|file| folder.join(file).display().to_string()).collect();
        self.say(&format!("wrote {}", list.join(", ")));
    }

    /// Prints a result: a line for people, or the object for programs.
    pub fn result(&self, line: &dyn Display, object: &Value) {
        if self.json {
            println!("{object}");
        } else {
            println!("{line}");
        }
    }

    /// Prints an error on one line and returns its exit code.
    pub fn fail(&self, error: &dyn std::error::Error) -> ExitCode {
        let text = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        eprintln!("error: {text}");
        if self.json {
            println!("{}", json!({ "error": text }));
        }
        ExitCode::from(2)
    }
}

/// Progress bars over the stages of training, and a checkpoint after every round.
pub struct TrainingBars<'a> {
    console: &'a Console,
    bar: ProgressBar,
    stage: &'static str,
    checkpoint: PathBuf,
    run: String,
}

impl<'a> TrainingBars<'a> {
    /// Creates an observer that saves checkpoints to a file, marked as belonging to `run`.
    pub fn new(console: &'a Console, checkpoint: PathBuf, run: String) -> Self {
        Self { console, bar: console.bar("quality warm start", 0), stage: "", checkpoint, run }
    }

    fn show(&mut self, stage: &'static str, done: usize, total: usize) {
        if self.stage != stage {
            self.bar.finish_and_clear();
            self.bar = self.console.bar(stage, total as u64);
            self.stage = stage;
        }
        self.bar.set_position(done as u64);
    }
}

impl Observe for TrainingBars<'_> {
    fn progress(&mut self, progress: Progress) {
        match progress {
            Progress::Features { done, total } => self.show("features of good photos", done, total),
            Progress::Step { done, total, .. } => self.show("training", done, total),
            Progress::Calibration => self.show("calibration", 0, 1),
            _ => {}
        }
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> ControlFlow<()> {
        if let Err(e) = checkpoint.save(&self.checkpoint, &self.run) {
            self.console.say(&format!("warning: {e}"));
        }
        ControlFlow::Continue(())
    }
}

impl Drop for TrainingBars<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Peak memory of the process so far, in MB of 2^20 bytes; `None` where the system does not say.
pub fn peak_rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some((kilobytes / 1024.0 * 10.0).round() / 10.0)
}
