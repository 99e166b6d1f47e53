//! Tables as CSV that spreadsheets may open.

/// A table as CSV (RFC 4180, lines end in a line feed). What a spreadsheet would take for a formula gets an apostrophe
/// before it; numbers do not.
///
/// ```
/// use adbench::report::CsvTable;
/// let mut table = CsvTable::new(["file", "score"]);
/// table.push(["a,b.png", "-0.5"]);
/// table.push(["=HYPERLINK(1)", ""]);
/// assert_eq!(table.into_text(), "file,score\n\"a,b.png\",-0.5\n'=HYPERLINK(1),\n");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvTable {
    text: String,
}

impl CsvTable {
    /// Creates a table with the names of its columns.
    #[must_use]
    pub fn new<S: AsRef<str>>(header: impl IntoIterator<Item = S>) -> Self {
        let mut table = Self { text: String::new() };
        table.push(header);
        table
    }

    /// Adds a row.
    pub fn push<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        for (i, cell) in cells.into_iter().enumerate() {
            if i > 0 {
                self.text.push(',');
            }
            self.text.push_str(&quoted(cell.as_ref()));
        }
        self.text.push('\n');
    }

    /// The table's text.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }
}

fn quoted(cell: &str) -> String {
    let is_formula = cell
        .starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
        && cell.parse::<f64>().is_err();
    let cell = if is_formula { &format!("'{cell}") } else { cell };
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_guarded_and_numbers_are_not() {
        for (cell, written) in [
            ("=1+1", "'=1+1"),
            ("+x", "'+x"),
            ("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0"),
            ("@SUM(1,2)", "\"'@SUM(1,2)\""),
            ("\t=1", "'\t=1"),
            ("\r\n=1", "\"'\r\n=1\""),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("-1.5e-3", "-1.5e-3"),
            ("+2", "+2"),
            ("-inf", "-inf"),
            ("a \"b\"", "\"a \"\"b\"\"\""),
            ("", ""),
        ] {
            assert_eq!(quoted(cell), written);
        }
    }
}
