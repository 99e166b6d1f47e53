//! The table of what was measured.

use std::fmt::Write;

/// Rows of figures with their aims.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: String,
}

impl Table {
    pub(crate) fn section(&mut self, title: &str) {
        let _ = write!(self.rows, "\n## {title}\n\n| what | measured | aim | met | |\n|---|---|---|---|---|\n");
    }

    /// A figure that should be at least `aim`.
    pub(crate) fn ratio(&mut self, what: &str, value: f64, aim: Option<f64>, note: &str) {
        self.row(what, value, aim.map(|aim| (format!("at least {aim}"), value >= aim, aim / value)), note);
    }

    /// A figure that should be at most `aim`.
    pub(crate) fn at_most(&mut self, what: &str, value: f64, aim: Option<f64>, note: &str) {
        self.row(what, value, aim.map(|aim| (format!("at most {aim}"), value <= aim, value / aim)), note);
    }

    /// `aim` is its words, whether it is met, and the factor by which it is missed.
    fn row(&mut self, what: &str, value: f64, aim: Option<(String, bool, f64)>, note: &str) {
        let (aim, met) = match aim {
            None => (String::new(), String::new()),
            Some((aim, _, _)) if value.is_nan() => (aim, "not measured".to_owned()),
            Some((aim, true, _)) => (aim, "yes".to_owned()),
            Some((aim, false, factor)) => (aim, format!("missed by {factor:.2}")),
        };
        let _ = writeln!(self.rows, "| {what} | {} | {aim} | {met} | {note} |", figure(value));
    }

    pub(crate) fn text(&self) -> String {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        format!(
            "# Speed beside other libraries\n\nWritten by `cargo run --release -p experiments --bin speed -- --python \
             PYTHON`: one run on {threads} threads of {}, least time or highest rate of several rounds, in turn with the \
             peers.\n{}",
            processor(),
            self.rows
        )
    }
}

/// Four significant digits or so.
fn figure(value: f64) -> String {
    match value.abs() {
        _ if value.is_nan() => "-".to_owned(),
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find(|l| l.starts_with("model name")).and_then(|l| l.split_once(": "));
    name.map_or_else(|| "an unknown processor".to_owned(), |(_, name)| format!("`{name}`"))
}
