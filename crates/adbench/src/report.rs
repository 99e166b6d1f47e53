//! Results of a test set, for each kind of defect and altogether.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use ndarray::ArrayView2;

use crate::file::{WriteError, write_atomic};
use crate::metrics::{MetricError, PixelPool, auroc};

/// Collects the results of the test images, one after another.
///
/// ```
/// use adbench::ReportBuilder;
/// let mut builder = ReportBuilder::new("bottle");
/// builder.push_image(None, 0.1)?;
/// builder.push_image(None, 0.3)?;
/// builder.push_image(Some("crack"), 0.2)?;
/// builder.push_image(Some("stain"), 0.9)?;
/// let report = builder.finish()?;
/// assert_eq!(report.overall.image_auroc, 0.75);
/// assert_eq!(report.kinds[0].image_auroc, 0.5);
/// println!("{report}");
/// # Ok::<(), adbench::MetricError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ReportBuilder {
    name: String,
    good: Part,
    kinds: BTreeMap<String, Part>,
    has_maps: bool,
}

#[derive(Debug, Clone, Default)]
struct Part {
    scores: Vec<f32>,
    pixels: PixelPool,
}

impl ReportBuilder {
    /// A report on the category of this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), good: Part::default(), kinds: BTreeMap::new(), has_maps: false }
    }

    fn part(&mut self, kind: Option<&str>) -> &mut Part {
        match kind {
            None => &mut self.good,
            Some(kind) => self.kinds.entry(kind.to_owned()).or_default(),
        }
    }

    /// Adds an image's score; `kind` is `None` for a good image.
    ///
    /// # Errors
    /// [`MetricError::NonFinite`]; nothing is added then.
    pub fn push_image(&mut self, kind: Option<&str>, score: f32) -> Result<(), MetricError> {
        if !score.is_finite() {
            return Err(MetricError::NonFinite { index: self.good.scores.len(), value: score });
        }
        self.part(kind).scores.push(score);
        Ok(())
    }

    /// Adds an image's score map and mask. Push those of all images or of none.
    ///
    /// # Errors
    /// As [`PixelPool::push`].
    pub fn push_map(
        &mut self,
        kind: Option<&str>,
        map: ArrayView2<'_, f32>,
        mask: ArrayView2<'_, bool>,
    ) -> Result<(), MetricError> {
        self.part(kind).pixels.push(map, mask)?;
        self.has_maps = true;
        Ok(())
    }

    /// Computes the report.
    ///
    /// # Errors
    /// [`MetricError::MissingClass`] when there is no good or no anomalous image, or no anomalous pixel of a kind.
    pub fn finish(self) -> Result<Report, MetricError> {
        if self.kinds.is_empty() {
            return Err(MetricError::MissingClass { class: "anomalous", count: self.good.scores.len() });
        }
        let mut all = Part::default();
        let mut kinds = Vec::new();
        for (kind, part) in &self.kinds {
            kinds.push(row(kind, &self.good, part, self.has_maps)?);
            all.scores.extend_from_slice(&part.scores);
            if self.has_maps {
                all.pixels.append(&part.pixels);
            }
        }
        let overall = row("overall", &self.good, &all, self.has_maps)?;
        Ok(Report { name: self.name, kinds, overall })
    }
}

fn row(name: &str, good: &Part, anomalous: &Part, has_maps: bool) -> Result<Row, MetricError> {
    let scores: Vec<f32> = good.scores.iter().chain(&anomalous.scores).copied().collect();
    let labels: Vec<bool> = (0..scores.len()).map(|i| i >= good.scores.len()).collect();
    let image_auroc = auroc(&scores, &labels)?;
    let pixels = if has_maps {
        let mut pool = good.pixels.clone();
        pool.append(&anomalous.pixels);
        let ranked = pool.rank()?;
        Some(PixelFigures {
            auroc: ranked.auroc(),
            average_precision: ranked.average_precision(),
            au_pro: ranked.au_pro(0.3)?,
            prevalence: ranked.prevalence(),
        })
    } else {
        None
    };
    Ok(Row { name: name.to_owned(), normal: good.scores.len(), anomalous: anomalous.scores.len(), image_auroc, pixels })
}

/// The figures of one kind of defect, or of all together.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Row {
    /// The defect kind, or `overall`.
    pub name: String,
    /// Good images: all of the test set's, for every kind.
    pub normal: usize,
    /// Anomalous images: those of the kind.
    pub anomalous: usize,
    /// Image AUROC of these images.
    pub image_auroc: f64,
    /// Figures over all pixels of these images; `None` when no maps were pushed.
    pub pixels: Option<PixelFigures>,
}

/// Figures over all pixels of some images.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct PixelFigures {
    /// Pixel AUROC.
    pub auroc: f64,
    /// Pixel average precision.
    pub average_precision: f64,
    /// AU-PRO at a false-positive rate of 0.3.
    pub au_pro: f64,
    /// Share of anomalous pixels.
    pub prevalence: f64,
}

impl Row {
    /// Share of anomalous images.
    #[must_use]
    pub fn prevalence(&self) -> f64 {
        self.anomalous as f64 / (self.normal + self.anomalous) as f64
    }
}

/// The results of a category. `Display` prints an aligned table.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The category.
    pub name: String,
    /// One row a defect kind, in byte order: the kind's anomalous images and all good ones.
    pub kinds: Vec<Row>,
    /// All images together.
    pub overall: Row,
}

const HEADER: [&str; 9] = [
    "kind",
    "normal",
    "anomalous",
    "prevalence",
    "image_auroc",
    "pixel_auroc",
    "pixel_ap",
    "au_pro_0.3",
    "pixel_prevalence",
];

impl Report {
    /// The mean over the defect kinds of a figure, such as `|row| Some(row.image_auroc)`; `None` when a kind lacks it.
    #[must_use]
    pub fn mean_of_kinds(&self, figure: impl Fn(&Row) -> Option<f64>) -> Option<f64> {
        let sum: Option<f64> = self.kinds.iter().map(figure).sum();
        sum.map(|sum| sum / self.kinds.len() as f64)
    }

    /// The table's cells below the header: the kinds, their mean, and overall.
    fn cells(&self, number: impl Fn(f64) -> String) -> Vec<Vec<String>> {
        let optional = |v: Option<f64>| v.map_or_else(String::new, &number);
        let figures: [fn(&Row) -> Option<f64>; 5] = [
            |r| Some(r.image_auroc),
            |r| r.pixels.map(|p| p.auroc),
            |r| r.pixels.map(|p| p.average_precision),
            |r| r.pixels.map(|p| p.au_pro),
            |r| r.pixels.map(|p| p.prevalence),
        ];
        let row = |r: &Row| {
            let mut cells = vec![r.name.clone(), r.normal.to_string(), r.anomalous.to_string(), number(r.prevalence())];
            cells.extend(figures.iter().map(|f| optional(f(r))));
            cells
        };
        let mut mean = vec!["mean of kinds".to_owned(), String::new(), String::new(), String::new()];
        mean.extend(figures[..4].iter().map(|f| optional(self.mean_of_kinds(f))));
        mean.push(String::new());
        let mut cells: Vec<_> = self.kinds.iter().map(row).collect();
        cells.push(mean);
        cells.push(row(&self.overall));
        cells
    }

    /// The table as comma-separated values with a header line and full precision; cells without a figure are empty.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut text = format!("category,{}\n", HEADER.join(","));
        for cells in self.cells(|v| v.to_string()) {
            let fields: Vec<String> = std::iter::once(&self.name).chain(&cells).map(|c| quoted(c)).collect();
            text.push_str(&fields.join(","));
            text.push('\n');
        }
        text
    }

    /// Writes [`Report::to_csv`] by way of a temporary file, so that no reader sees a part of it.
    ///
    /// # Errors
    /// [`WriteError`] when the file cannot be written.
    pub fn write_csv(&self, path: impl AsRef<Path>) -> Result<(), WriteError> {
        write_atomic(path, &self.to_csv())
    }
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = vec![HEADER.iter().map(|h| h.replace('_', " ")).collect::<Vec<_>>()];
        table[0][0].clone_from(&self.name);
        table.extend(self.cells(|v| format!("{v:.4}")));
        let width = |column: usize| table.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..HEADER.len()).map(width).collect();
        for (i, cells) in table.iter().enumerate() {
            let mut line = format!("{:<1$}", cells[0], widths[0]);
            for (cell, width) in cells.iter().zip(&widths).skip(1) {
                let cell = if cell.is_empty() { "-" } else { cell };
                line.push_str(&format!("  {cell:>width$}"));
            }
            if i > 0 {
                writeln!(f)?;
            }
            f.write_str(line.trim_end())?;
        }
        Ok(())
    }
}
