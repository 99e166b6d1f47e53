//! The reports of a run with its provenance, written in several formats.

use std::path::{Path, PathBuf};

use super::model::{COLUMNS, Figure, Report, Row, mean};
use super::provenance::Provenance;
use super::{ReportError, html, text};
use imgkit::file::{WriteError, write_atomic};

/// A format of a [`Document`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// One file for people, with curves and pictures, that needs no network.
    Html,
    /// The table with full precision, one line a row; figures without a value are empty.
    Csv,
    /// Everything but the pictures, with full precision.
    Json,
    /// The table and the provenance.
    Markdown,
    /// The table for the package `booktabs`.
    Latex,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 5] = [Self::Html, Self::Csv, Self::Json, Self::Markdown, Self::Latex];

    /// The customary extension of a file.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Markdown => "md",
            Self::Latex => "tex",
        }
    }
}

/// The results of a run: one category or several, under one protocol.
///
/// ```
/// use adbench::protocol::Protocol;
/// use adbench::report::{Document, Format, Provenance};
/// use adbench::{Outcome, ReportBuilder};
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
    /// A document on these categories, in this order.
    ///
    /// # Errors
    /// [`ReportError::Empty`] without a category.
    pub fn new(title: impl Into<String>, provenance: Provenance, categories: Vec<Report>) -> Result<Self, ReportError> {
        if categories.is_empty() {
            return Err(ReportError::Empty);
        }
        Ok(Self { title: title.into(), provenance, categories })
    }

    /// The reports.
    #[must_use]
    pub fn categories(&self) -> &[Report] {
        &self.categories
    }

    /// The document in a format. Names of files and kinds are escaped.
    #[must_use]
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Html => html::page(self),
            Format::Csv => text::csv(self),
            Format::Json => text::json(self),
            Format::Markdown => text::markdown(self),
            Format::Latex => text::latex(self),
        }
    }

    /// Writes one format by way of a temporary file, so that no reader sees a part of it.
    ///
    /// # Errors
    /// [`WriteError`] when the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>, format: Format) -> Result<(), WriteError> {
        write_atomic(path, self.render(format))
    }

    /// Writes all formats next to each other: `stem` with each format's extension appended. Returns the paths, the
    /// HTML file's first.
    ///
    /// # Errors
    /// [`WriteError`] for the first file that cannot be written.
    pub fn write_all(&self, stem: impl AsRef<Path>) -> Result<Vec<PathBuf>, WriteError> {
        let path = |format: Format| {
            let mut name = stem.as_ref().as_os_str().to_owned();
            name.push(format!(".{}", format.extension()));
            let path = PathBuf::from(name);
            self.write(&path, format).map(|()| path)
        };
        Format::ALL.into_iter().map(path).collect()
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
