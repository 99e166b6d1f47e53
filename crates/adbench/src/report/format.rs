//! Formats of a `Document`, and writing it in them.

use std::path::{Path, PathBuf};

use imgkit::file::{WriteError, write_atomic};

use super::document::Document;
use super::{html, text};

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

impl Document {
    /// Renders the document in a format. Names of files and kinds are escaped.
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
}
