//! A Markdown table of figures and the bounds they must keep.

use std::fmt::Write;

/// Rows `| what | ours | bound | holds |`.
#[derive(Debug, Default)]
pub struct OracleTable {
    /// The rows so far, in Markdown, without a head.
    pub text: String,
    /// Number of rows.
    pub rows: usize,
    /// Number of rows whose bound does not hold.
    pub failed: usize,
}

impl OracleTable {
    /// Adds a figure that must lie in `low..=high`; NaN fails.
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

    /// Adds a statement that must hold.
    pub fn must(&mut self, what: &str, holds: bool) {
        self.add(what, f64::from(u8::from(holds)), 1.0, 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_within_its_bound_holds() {
        let mut table = OracleTable::default();
        table.add("inside", 1.0, 0.5, 1.0);
        table.add("above", 1.5, 0.5, 1.0);
        table.add("not a number", f64::NAN, 0.0, f64::INFINITY);
        table.must("true", true);
        assert_eq!((table.rows, table.failed), (4, 2));
        let verdicts: Vec<bool> = table.text.lines().map(|l| l.ends_with("| yes |")).collect();
        assert_eq!(verdicts, [true, false, false, true]);
    }
}
