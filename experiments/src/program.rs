//! Console output and exit codes of the programs: lines for people on standard error, one result line on standard
//! output.

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

/// Result of a whole program; the error is shown to a person.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Ends a program: its result line goes to standard output; an error is one line on standard error and exit code 2.
#[must_use]
pub fn finish(outcome: Result<String>) -> ExitCode {
    finish_with(outcome.map(|line| (line, ExitCode::SUCCESS)))
}

/// Ends a program as [`finish`] does, with an exit code of the program's own.
#[allow(clippy::print_stdout)] // the one line that other programs read
#[must_use]
pub fn finish_with(outcome: Result<(String, ExitCode)>) -> ExitCode {
    match outcome {
        Ok((line, code)) => {
            println!("{line}");
            code
        }
        Err(e) => {
            say(&format!("error: {}", e.to_string().trim().replace('\n', "; ")));
            ExitCode::from(2)
        }
    }
}

/// Prints a line for people on standard error.
#[allow(clippy::print_stderr)]
pub fn say(line: &dyn Display) {
    eprintln!("{line}");
}

/// Names the files that were written to a folder.
pub fn say_written(folder: &Path, files: &[&str]) {
    let list: Vec<String> = files.iter().map(|f| folder.join(f).display().to_string()).collect();
    say(&format!("wrote {}", list.join(", ")));
}

/// Name of the file in which a program leaves its last line for others.
const KEPT: &str = "result.txt";

/// Writes the last line of a program to its output folder, and returns it.
///
/// # Errors
///
/// The file cannot be written.
pub fn keep_result(folder: &std::path::Path, line: String) -> Result<String> {
    maphc2f::imgkit::file::write_atomic(folder.join(KEPT), &line)?;
    Ok(line)
}

/// A figure of the last line that a program left in its output folder; NaN if there is none.
#[must_use]
pub fn kept_figure(folder: &std::path::Path, name: &str) -> f64 {
    let line = std::fs::read_to_string(folder.join(KEPT)).unwrap_or_default();
    let figures = line.split_whitespace().filter_map(|word| word.split_once('='));
    figures.filter(|(n, _)| *n == name).find_map(|(_, v)| v.parse().ok()).unwrap_or(f64::NAN)
}
