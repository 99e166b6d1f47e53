//! The `Document`: the reports of a run with its provenance, and the lines of its table.

use super::error::ReportError;
use super::model::{COLUMNS, Figure, Report, Row, mean};
use super::provenance::Provenance;

/// Results of a run: one category or several, under one protocol.
///
/// ```
/// use adbench::protocol::Protocol;
/// use adbench::report::{Document, Format, Provenance};
/// use adbench::report::{Outcome, ReportBuilder};
/// # let mut builder = ReportBuilder::new("bottle");
/// # builder.push(&Outcome::new("good/0.png", None, 0.1))?;
/// # builder.push(&Outcome::new("crack/0.png", Some("crack"), 0.2))?;
/// # let report = builder.finish()?;
/// let native = Protocol::named("native").expect("a protocol of that name");
/// let provenance = Provenance::new("MVTec AD", "my detector", native, "my-tool --seed 0");
/// let document = Document::new("My detector on bottle", provenance, vec![report])?;
/// assert!(document.render(Format::Markdown).contains("| overall |"));
/// let folder = tempfile::tempdir()?;
/// document.write_all(folder.path().join("report"))?; // report.html, report.csv ...
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub(super) title: String,
    pub(super) provenance: Provenance,
    pub(super) categories: Vec<Report>,
}

impl Document {
    /// Creates a document on these categories, in this order.
    ///
    /// # Errors
    /// [`ReportError::Empty`] without a category.
    pub fn new(title: impl Into<String>, provenance: Provenance, categories: Vec<Report>) -> Result<Self, ReportError> {
        if categories.is_empty() {
            return Err(ReportError::Empty);
        }
        Ok(Self { title: title.into(), provenance, categories })
    }

    /// Reports of the categories, in order.
    #[must_use]
    pub fn categories(&self) -> &[Report] {
        &self.categories
    }

    /// The table's lines: for each category its kinds, their mean and overall; then the mean of categories.
    pub(super) fn lines(&self) -> Vec<Line<'_>> {
        let mut lines = Vec::new();
        for report in &self.categories {
            lines.extend(report.kinds.iter().map(|row| Line::row(report, row, Role::Kind)));
            let figures = COLUMNS.map(|c| mean(report.kinds.iter().map(|r| (c.figure)(r).map(|f| f.value))));
            lines.push(Line::mean(&report.name, "mean of kinds", Role::MeanOfKinds, figures));
            lines.push(Line::row(report, &report.overall, Role::Overall));
        }
        if self.categories.len() > 1 {
            let overall = || self.categories.iter().map(|r| &r.overall);
            let figures = COLUMNS.map(|c| mean(overall().map(|r| (c.figure)(r).map(|f| f.value))));
            lines.push(Line::mean("mean of categories", "overall", Role::MeanOfCategories, figures));
        }
        lines
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Kind,
    MeanOfKinds,
    Overall,
    MeanOfCategories,
}

/// A line of the table.
pub(super) struct Line<'a> {
    pub(super) category: &'a str,
    pub(super) name: &'a str,
    pub(super) role: Role,
    /// The row, unless the line is a mean.
    pub(super) row: Option<&'a Row>,
    /// One a column of [`COLUMNS`].
    pub(super) figures: [Option<Figure>; COLUMNS.len()],
}

impl<'a> Line<'a> {
    fn row(report: &'a Report, row: &'a Row, role: Role) -> Self {
        Self {
            category: &report.name,
            name: &row.name,
            role,
            row: Some(row),
            figures: COLUMNS.map(|c| (c.figure)(row)),
        }
    }

    fn mean(category: &'a str, name: &'a str, role: Role, figures: [Option<f64>; COLUMNS.len()]) -> Self {
        let figures = figures.map(|value| value.map(|value| Figure { value, interval: None }));
        Self { category, name, role, row: None, figures }
    }
}
