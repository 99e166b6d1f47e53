//! The oracle table of a report.

use std::fmt::Write;

/// Rows of the oracle table.
#[derive(Default)]
pub struct OracleTable {
    pub text: String,
    pub rows: usize,
    pub failed: usize,
}

impl OracleTable {
    /// A figure that must lie between two others.
    pub fn add(&mut self, what: &str, ours: f64, low: f64, high: f64) {
        let holds = (low..=high).contains(&ours);
        let bound = match high.is_finite() {
            true => format!("{low:.3e} to {high:.3e}"),
            false => format!("at least {low:.3e}"),
        };
        let _ = writeln!(self.text, "| {what} | {ours:.3e} | {bound} | {} |", if holds { "yes" } else { "NO" });
        self.rows += 1;
        self.failed += usize::from(!holds);
    }

    /// A row for what must happen.
    pub fn must(&mut self, what: &str, holds: bool) {
        self.add(what, f64::from(u8::from(holds)), 1.0, 1.0);
    }
}
