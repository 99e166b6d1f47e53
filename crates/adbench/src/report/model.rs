//! Data of a report: figures by kind of defect, curves, histograms, and the images one by one.

use super::curves::Curves;
use super::histogram::Histogram;
use super::pictures::{HeatScale, Pictures};
use crate::metrics::{BootstrapParams, Interval};

/// A figure and its bootstrap interval over images.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Figure {
    /// The figure, exact.
    pub value: f64,
    /// The interval at [`Report::bootstrap`]'s level; `None` where resampling leaves the figure undefined, and for
    /// means.
    pub interval: Option<Interval>,
}

/// Figures of one kind of defect, or of all together.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Row {
    /// The defect kind, or `overall`.
    pub name: String,
    /// Good images: all of the test set's, for every kind.
    pub normal: usize,
    /// Anomalous images: those of the kind.
    pub anomalous: usize,
    /// Those of the anomalous images whose ground truth is not known: they take no part in pixel figures.
    pub without_mask: usize,
    /// Image AUROC of these images; `None`, as the next two, without a good or without an anomalous one.
    pub image_auroc: Option<Figure>,
    /// Image average precision.
    pub image_average_precision: Option<Figure>,
    /// Largest image F1 over all thresholds, chosen with the labels in hand.
    pub image_f1_max: Option<Figure>,
    /// Figures over all pixels of these images; `None` when no maps were pushed, no mask marks a pixel, or all do.
    pub pixels: Option<PixelFigures>,
}

/// Figures over all pixels of some images.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct PixelFigures {
    /// Pixel AUROC.
    pub auroc: Figure,
    /// Pixel average precision.
    pub average_precision: Figure,
    /// Largest pixel F1 over all thresholds, chosen with the labels in hand.
    pub f1_max: Figure,
    /// AU-PRO at a false-positive rate of 0.3.
    pub au_pro: Figure,
    /// AU-PRO at a false-positive rate of 0.05.
    pub au_pro_05: Figure,
    /// AU-PRO at a false-positive rate of 0.01.
    pub au_pro_01: Figure,
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

/// Result of one test image in a report.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ImageResult {
    /// The image, such as its path in the dataset.
    pub id: String,
    /// Its kind of defect; `None` for a good image.
    pub kind: Option<String>,
    /// Its score.
    pub score: f64,
    /// The share of the other class's images that it is ranked wrongly against, ties counting one half: 0 is best. The
    /// mean over the images of either class is 1 - AUROC.
    pub misranked: f64,
    /// Its pictures, when a photo was pushed.
    pub pictures: Option<Pictures>,
}

/// Results of a category. `Display` prints an aligned table.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The category.
    pub name: String,
    /// Training images, when [`ReportBuilder::with_training_images`](super::ReportBuilder::with_training_images) said
    /// so.
    pub training_images: Option<usize>,
    /// One row a defect kind, in byte order: the kind's anomalous images and all good ones.
    pub kinds: Vec<Row>,
    /// All images together.
    pub overall: Row,
    /// The settings of the intervals.
    pub bootstrap: BootstrapParams,
    /// The curves of each kind and overall.
    pub curves: Curves,
    /// The image scores.
    pub image_scores: Histogram,
    /// The pixel scores of images with a mask; `None` when no maps were pushed.
    pub pixel_scores: Option<Histogram>,
    /// What dark and bright mean in the heat maps; `None` without pictures.
    pub heat_scale: Option<HeatScale>,
    /// The images in the order of their pushing.
    pub images: Vec<ImageResult>,
}

impl Report {
    /// Mean over the defect kinds of a figure, such as `|row| row.image_auroc.map(|figure| figure.value)`; `None` when
    /// a kind lacks it.
    #[must_use]
    pub fn mean_of_kinds(&self, figure: impl Fn(&Row) -> Option<f64>) -> Option<f64> {
        mean(self.kinds.iter().map(figure))
    }
}

impl Report {
    /// Notes on the figures that are not defined and on images that take no part in some, one line each.
    ///
    /// ```
    /// use adbench::report::{Outcome, ReportBuilder};
    /// let mut builder = ReportBuilder::new("bottle");
    /// builder.push(&Outcome::new("crack/0.png", Some("crack"), 0.2))?;
    /// let notes = builder.finish()?.notes();
    /// assert!(notes[0].contains("no good test image"), "{notes:?}");
    /// # Ok::<(), adbench::report::ReportError>(())
    /// ```
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let name = &self.name;
        let has_pixels = self.overall.pixels.is_some();
        if self.overall.normal == 0 {
            let rest = if has_pixels { "; pixel figures are of the anomalous images alone" } else { "" };
            notes.push(format!("{name}: no good test image, so that image figures are not defined{rest}"));
        }
        if self.overall.anomalous == 0 {
            notes.push(format!("{name}: no anomalous test image, so that there are scores and no figures"));
        }
        for row in &self.kinds {
            let (kind, lacking, count) = (&row.name, row.without_mask, row.anomalous);
            if lacking > 0 {
                notes.push(format!(
                    "{name}, {kind}: {lacking} of {count} anomalous images have no mask and take no part in pixel \
                     figures"
                ));
            } else if self.pixel_scores.is_some() && row.pixels.is_none() {
                notes.push(format!("{name}, {kind}: no mask marks a pixel, so that pixel figures are not defined"));
            }
        }
        notes
    }
}

/// The mean; `None` when a member is, or there is none.
pub(super) fn mean(figures: impl ExactSizeIterator<Item = Option<f64>>) -> Option<f64> {
    let count = figures.len();
    let sum: Option<f64> = figures.sum();
    sum.filter(|_| count > 0).map(|sum| sum / count as f64)
}

/// A column of figures.
#[derive(Clone, Copy)]
pub(super) struct Column {
    /// Name in files that programs read.
    pub(super) key: &'static str,
    /// Heading for people.
    pub(super) title: &'static str,
    /// What the figure is, in a sentence.
    pub(super) meaning: &'static str,
    pub(super) figure: fn(&Row) -> Option<Figure>,
}

/// The figures in the order in which all formats give them: three of images, then six of pixels.
pub(super) const COLUMNS: [Column; 9] = [
    Column {
        key: "image_auroc",
        title: "image AUROC",
        meaning: "the probability that an anomalous image scores above a good one, ties counting one half",
        figure: |r| r.image_auroc,
    },
    Column {
        key: "image_ap",
        title: "image AP",
        meaning: "average precision of the image scores: the step-wise sum over distinct thresholds",
        figure: |r| r.image_average_precision,
    },
    Column {
        key: "image_f1_max",
        title: "image F1-max",
        meaning: "the largest F1 over all thresholds on the image scores, an upper bound: the \
                  threshold is chosen with the labels in hand",
        figure: |r| r.image_f1_max,
    },
    Column {
        key: "pixel_auroc",
        title: "pixel AUROC",
        meaning: "AUROC over all pixels of all test images, good ones included",
        figure: |r| r.pixels.map(|p| p.auroc),
    },
    Column {
        key: "pixel_ap",
        title: "pixel AP",
        meaning: "average precision over all pixels; an uninformative detector gets the pixel prevalence",
        figure: |r| r.pixels.map(|p| p.average_precision),
    },
    Column {
        key: "pixel_f1_max",
        title: "pixel F1-max",
        meaning: "the largest F1 over all thresholds on the pixel scores, an upper bound",
        figure: |r| r.pixels.map(|p| p.f1_max),
    },
    Column {
        key: "au_pro_0.3",
        title: "AU-PRO 0.3",
        meaning: "area under the per-region-overlap curve up to a false-positive rate of 0.3, divided by it; \
                  8-connected regions of equal weight",
        figure: |r| r.pixels.map(|p| p.au_pro),
    },
    Column {
        key: "au_pro_0.05",
        title: "AU-PRO 0.05",
        meaning: "the same up to a false-positive rate of 0.05",
        figure: |r| r.pixels.map(|p| p.au_pro_05),
    },
    Column {
        key: "au_pro_0.01",
        title: "AU-PRO 0.01",
        meaning: "the same up to a false-positive rate of 0.01",
        figure: |r| r.pixels.map(|p| p.au_pro_01),
    },
];
