//! Console output of the program: progress bars and notes on standard error, results on standard output.

use std::cell::RefCell;
use std::fmt::{self, Display, Write as _};
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use maphc2f::bisqad::{Checkpoint, Observe, Progress};
use maphc2f::factory::PhotoSet;
use serde_json::{Value, json};

/// Console output: text for people or JSON, with or without notes.
#[derive(Debug, Default)]
pub struct Console {
    json: bool,
    quiet: bool,
    /// Why a result could not be printed.
    failure: RefCell<Option<io::Error>>,
}

impl Console {
    pub fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet, failure: RefCell::default() }
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
            note(line);
        }
    }

    /// Prints what is odd about the photos of a set, and the files beside them that are not read.
    pub fn say_photos(&self, photos: &PhotoSet) {
        for note in photos.notes() {
            self.say(&format!("note: {note}"));
        }
        for file in photos.not_read() {
            self.say(file);
        }
    }

    /// Prints a note of the files that were written.
    pub fn say_files(&self, folder: &Path, files: &[&str]) {
        let list: Vec<String> = files.iter().map(|file| folder.join(file).display().to_string()).collect();
        self.say(&format!("wrote {}", list.join(", ")));
    }

    /// Whether results are for programs.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a result: a line for people, or the object for programs.
    pub fn result(&self, line: &dyn Display, object: &Value) {
        let text = if self.json { cleaned_json(&object.to_string()) } else { cleaned(line) };
        let mut out = io::stdout().lock();
        if let Err(e) = writeln!(out, "{text}").and_then(|()| out.flush()) {
            self.failure.replace(Some(e));
        }
    }

    /// Returns the exit code of a command that ended with `code`: another if its result could not be printed, unless
    /// nobody reads on.
    pub fn end(&self, code: u8) -> ExitCode {
        match self.failure.take() {
            Some(e) if e.kind() != io::ErrorKind::BrokenPipe => {
                note(&format!("error: standard output: cannot be written ({e}): make room there"));
                ExitCode::from(2)
            }
            _ => code.into(),
        }
    }

    /// Prints an error on one line and returns its exit code.
    pub fn fail(&self, error: &dyn std::error::Error) -> ExitCode {
        let text = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        note(&format!("error: {text}"));
        if self.json {
            let _ = writeln!(io::stdout(), "{}", cleaned_json(&json!({ "error": text }).to_string()));
        }
        ExitCode::from(2)
    }
}

/// Prints one line of JSON Lines on standard output.
pub fn print_json_line(json: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", cleaned_json(json)).and_then(|()| out.flush())
}

/// Prints a line on standard error, whoever reads it or not.
fn note(line: &dyn Display) {
    let _ = writeln!(io::stderr(), "{}", cleaned(line));
}

/// Whether a terminal may take a character for a command, or show the text in another order.
fn is_command(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text whose names of files and kinds cannot command the terminal: escape sequences are written out.
fn cleaned(text: &dyn Display) -> String {
    struct Cleaned(String);
    impl fmt::Write for Cleaned {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for c in text.chars() {
                if is_command(c) { self.0.extend(c.escape_default()) } else { self.0.push(c) }
            }
            Ok(())
        }
    }
    let mut out = Cleaned(String::new());
    let _ = write!(out, "{text}"); // writing to a string cannot fail
    out.0
}

/// JSON on one line, with the same characters as escapes of JSON.
fn cleaned_json(json: &str) -> String {
    let mut out = String::new();
    for c in json.chars() {
        if is_command(c) {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
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
            Progress::Selection { side } => {
                self.stage = "";
                self.show("choice of evidence", 0, 1);
                self.bar.set_message(format!("{side} px"));
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_written_out() {
        let name = "a\u{1b}[31m\u{9b}2J\u{202e}\r\nb\tc";
        assert_eq!(cleaned(&name), "a\\u{1b}[31m\\u{9b}2J\\u{202e}\\r\nb\tc");
        let text = cleaned_json(&json!({ "name": name }).to_string());
        assert!(!text.contains(is_command), "{text}");
        let back: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back["name"], name);
    }
}
