//! Report files of an evaluation: tables, a page, and a sheet of the hardest images.

use std::path::Path;

use adbench::metrics::Reducer;
use adbench::protocol::PROTOCOLS;
use adbench::report::{Document, Provenance, Report};

use crate::error::Error;
#[cfg(feature = "sheet")]
use crate::evaluate::{Evaluation, TestImage};
#[cfg(feature = "sheet")]
use crate::heatmap::overlay_heatmap;
#[cfg(feature = "sheet")]
use crate::sheet::{Cell, Sheet};

/// Side of an image on the sheet of [`hardest_images`], px.
#[cfg(feature = "sheet")]
const SHOWN: u32 = 192;
/// Good images and defects on that sheet, each.
#[cfg(feature = "sheet")]
const ROWS: usize = 6;

/// Description of the run that a report is about.
#[derive(Debug, Clone)]
pub struct RunDescription {
    title: String,
    dataset: String,
    command: String,
    side: Option<usize>,
    reducer: Reducer,
    training: Option<(u64, String)>,
}

impl RunDescription {
    /// Creates the description of a run on a dataset, such as `MVTec AD, /data/mvtec/bottle`.
    #[must_use]
    pub fn new(title: impl Into<String>, dataset: impl Into<String>) -> Self {
        let (title, dataset, reducer) = (title.into(), dataset.into(), Reducer::MeanTopFraction(0.01));
        Self { title, dataset, command: String::new(), side: None, reducer, training: None }
    }

    /// Sets the command that made the run.
    #[must_use]
    pub fn with_command(mut self, command: impl Into<String>) -> Self {
        self.command = command.into();
        self
    }

    /// Sets the shorter side that images were shrunk to, px.
    #[must_use]
    pub fn with_side(mut self, side: Option<usize>) -> Self {
        self.side = side;
        self
    }

    /// Sets how image scores came from score maps (default: the mean of the highest hundredth, as of every detector of
    /// `bisqad`).
    #[must_use]
    pub fn with_reducer(mut self, reducer: Reducer) -> Self {
        self.reducer = reducer;
        self
    }

    /// Sets the seed and the parameters of training.
    #[must_use]
    pub fn with_training(mut self, seed: u64, params: &dyn std::fmt::Debug) -> Self {
        self.training = Some((seed, format!("{params:?}")));
        self
    }
}

/// Writes `results.html`, `.csv`, `.json`, `.md` and `.tex` with the reports of one or more categories into `folder`.
///
/// # Errors
/// [`Error::Report`] without a report, or if a file cannot be written.
pub fn write_report(folder: &Path, run: &RunDescription, reports: Vec<Report>) -> Result<(), Error> {
    let [mut native, ..] = PROTOCOLS;
    native.reducer = run.reducer;
    let mut provenance = Provenance::new(run.dataset.clone(), "maphc2f", native, run.command.clone());
    provenance.seeds = run.training.iter().map(|(seed, _)| *seed).collect();
    provenance.versions = vec![("maphc2f".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
    let scores = "image scores are of the map at this size";
    let input = run.side.map(|side| ("detector's input", format!("shorter side at most {side} px; {scores}")));
    let training = run.training.as_ref().map(|(_, params)| ("training", params.clone()));
    provenance.notes = input.into_iter().chain(training).map(|(name, text)| (name.to_owned(), text)).collect();
    Document::new(run.title.clone(), provenance, reports)?.write_all(folder.join("results"))?;
    Ok(())
}

/// Draws the good images that scored highest and the defects that scored lowest: photo, ground truth, heat map.
/// `threshold` is the score above which an image is anomalous; it sets the heat map's colors. Where there are fewer of
/// one class, or no ground truth, cells stay blank.
///
/// # Errors
/// [`Error::Parameter`] if the evaluation is not one of `tests`, or for a threshold that is not finite.
#[cfg(feature = "sheet")]
#[cfg_attr(docsrs, doc(cfg(feature = "sheet")))]
pub fn hardest_images(tests: &[TestImage], evaluation: &Evaluation, threshold: f64) -> Result<Sheet, Error> {
    let (found, expected) = (evaluation.images.len(), format!("{} as there are test images", tests.len()));
    imgkit::ensure(found == tests.len(), "hardest images", "evaluation.images", found, expected)?;
    let ranked = |anomalous: bool| {
        let mut order: Vec<usize> = (0..tests.len()).filter(|&i| tests[i].kind.is_some() == anomalous).collect();
        order.sort_by(|&a, &b| evaluation.images[a].score.total_cmp(&evaluation.images[b].score));
        if !anomalous {
            order.reverse();
        }
        order.truncate(ROWS);
        order
    };
    let mut sheet = Sheet::new(["good, high score", "truth", "heat map", "defect, low score", "truth", "heat map"]);
    imgkit::ensure(threshold.is_finite(), "hardest images", "threshold", threshold, "finite")?;
    let (good, bad) = (ranked(false), ranked(true));
    let blank = || Cell::photo(ndarray::Array3::zeros((0, 0, 1)).view(), SHOWN);
    for row in 0..good.len().max(bad.len()) {
        let cells = [good.get(row), bad.get(row)].into_iter().flat_map(|place| {
            let Some(&i) = place else { return [blank(), blank(), blank()] };
            let (test, scored) = (&tests[i], &evaluation.images[i]);
            let (low, high) = (0.6 * threshold as f32, 2.0 * threshold as f32);
            [
                Cell::photo(test.image.view(), SHOWN),
                test.mask.as_ref().map_or_else(blank, |mask| Cell::mask(mask.view(), SHOWN)),
                Cell::photo(overlay_heatmap(test.image.view(), &scored.map, low, high).view(), SHOWN),
            ]
        });
        sheet.push(cells.collect())?;
    }
    Ok(sheet)
}
