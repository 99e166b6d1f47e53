//! Progress bars, lines for people on standard error, the result line on standard output, arguments.
#![allow(clippy::print_stderr)] // these programs talk to people on standard error

use std::fmt::Display;
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use maphc2f::bisqad::{Observe, Progress};

/// Progress bars of a training run, on standard error.
#[derive(Debug)]
pub struct Bars {
    bar: ProgressBar,
    stage: &'static str,
}

impl Bars {
    /// Starts with the bar of the quality estimator's warm start.
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

impl Default for Bars {
    fn default() -> Self {
        Self::new()
    }
}

impl Observe for Bars {
    fn progress(&mut self, progress: Progress) {
        match progress {
            Progress::Features { done, total } => self.show("features of good photos", done, total),
            Progress::Memory => self.show("memory of good patches", 0, 1),
            Progress::Step { done, total, loss, waiting } => {
                self.show("training", done, total);
                self.bar.set_message(format!("loss {loss:.3}, {waiting} steps drawn ahead"));
            }
            Progress::Calibration => self.show("calibration", 0, 1),
            _ => {}
        }
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

/// Ends a program: its result line goes to standard output, an error is one line and exit code 2.
#[allow(clippy::print_stdout)] // the one line that programs read
pub fn finish(outcome: Result<String, Box<dyn std::error::Error>>) -> std::process::ExitCode {
    match outcome {
        Ok(line) => {
            println!("{line}");
            std::process::ExitCode::SUCCESS
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

/// A line for people.
pub fn say(line: &dyn Display) {
    eprintln!("{line}");
}

/// The files an example wrote.
pub fn tell_files(folder: &Path, files: &[&str]) {
    let list: Vec<String> = files.iter().map(|f| folder.join(f).display().to_string()).collect();
    say(&format!("wrote {}", list.join(", ")));
}
