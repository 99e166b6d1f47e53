//! Results of a test set, for each kind of defect and altogether, and the documents made of them.
//!
//! [`ReportBuilder`] takes the test images one after another and gives the [`Report`] of a category; a [`Document`]
//! holds the reports of a run with its [`Provenance`] and writes them as HTML, CSV, JSON, Markdown and LaTeX.

mod builder;
mod csv_table;
mod curves;
mod document;
mod error;
mod format;
mod histogram;
mod html;
mod model;
mod pictures;
mod provenance;
mod svg;
mod text;
mod threshold_grid;

pub use builder::{Outcome, ReportBuilder};
pub use csv_table::CsvTable;
pub use curves::{Curve, Curves};
pub use document::Document;
pub use error::ReportError;
pub use format::Format;
pub use histogram::Histogram;
pub use model::{Figure, ImageResult, PixelFigures, Report, Row};
pub use pictures::{HeatScale, Pictures};
pub use provenance::Provenance;
