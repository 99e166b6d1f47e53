//! Rows of the report.

use std::fmt;

/// One comparison.
struct Row {
    case: String,
    reference: String,
    source: &'static str,
    ours: String,
    error: String,
    tolerance: String,
    ok: bool,
}

/// Comparisons in order. A value that is not a number fails.
#[derive(Default)]
pub(crate) struct Table(Vec<Row>);

/// Six significant digits at most, without trailing zeros.
fn short(v: f64) -> String {
    if v == 0.0 {
        return "0".to_owned();
    }
    let magnitude = v.abs().log10().floor();
    if !(-4.0..6.0).contains(&magnitude) {
        return format!("{v:.2e}");
    }
    let text = format!("{v:.*}", (5.0 - magnitude).max(0.0) as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Two or three significant digits.
fn rough(v: f64) -> String {
    if v == 0.0 || (0.01..100.0).contains(&v) { short((v * 1000.0).round() / 1000.0) } else { format!("{v:.1e}") }
}

impl Table {
    pub(crate) fn rows(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn failed(&self) -> usize {
        self.0.iter().filter(|row| !row.ok).count()
    }

    /// `ours` within `tolerance` of `reference`.
    pub(crate) fn near(
        &mut self,
        case: impl Into<String>,
        (reference, source): (f64, &'static str),
        ours: f64,
        tolerance: f64,
    ) {
        let error = (ours - reference).abs();
        self.0.push(Row {
            case: case.into(),
            reference: short(reference),
            source,
            ours: short(ours),
            error: rough(error),
            tolerance: short(tolerance),
            ok: error <= tolerance,
        });
    }

    /// `ours` within a share of `reference`.
    pub(crate) fn within_share(
        &mut self,
        case: impl Into<String>,
        (reference, source): (f64, &'static str),
        ours: f64,
        share: f64,
    ) {
        let error = (ours / reference - 1.0).abs();
        self.0.push(Row {
            case: case.into(),
            reference: short(reference),
            source,
            ours: short(ours),
            error: format!("{} %", rough(100.0 * error)),
            tolerance: format!("{} %", short(100.0 * share)),
            ok: error <= share,
        });
    }

    /// `ours` in `low..=high`; the error is the distance outside.
    pub(crate) fn between(
        &mut self,
        case: impl Into<String>,
        ((low, high), source): ((f64, f64), &'static str),
        ours: f64,
    ) {
        let error = (low - ours).max(ours - high).max(0.0);
        self.0.push(Row {
            case: case.into(),
            reference: format!("{} to {}", short(low), short(high)),
            source,
            ours: short(ours),
            error: rough(error),
            tolerance: "0 outside".to_owned(),
            ok: (low..=high).contains(&ours),
        });
    }

    /// `ours`, a departure from `reference`, is at most `limit`.
    pub(crate) fn at_most(
        &mut self,
        case: impl Into<String>,
        (reference, source): (&str, &'static str),
        ours: f64,
        limit: f64,
    ) {
        self.0.push(Row {
            case: case.into(),
            reference: reference.to_owned(),
            source,
            ours: short(ours),
            error: rough(ours),
            tolerance: short(limit),
            ok: ours <= limit,
        });
    }

    /// At most `limit` of `cases` break a promise.
    pub(crate) fn breaches(
        &mut self,
        case: impl Into<String>,
        source: &'static str,
        found: usize,
        cases: usize,
        limit: usize,
    ) {
        self.0.push(Row {
            case: case.into(),
            reference: "0".to_owned(),
            source,
            ours: format!("{found} of {cases}"),
            error: found.to_string(),
            tolerance: limit.to_string(),
            ok: found <= limit && cases > 0,
        });
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| case | reference | source | ours | error | tolerance | ok |")?;
        writeln!(f, "|---|---|---|---|---|---|---|")?;
        for r in &self.0 {
            let ok = if r.ok { "yes" } else { "**no**" };
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {} | {ok} |",
                r.case, r.reference, r.source, r.ours, r.error, r.tolerance
            )?;
        }
        Ok(())
    }
}
