//! Figures that a dataset's own protocol adds to those of the report, and maps of images without labels.

use std::path::Path;

use adbench::dataset::{Dataset, Sample, Split, SplitName};
use adbench::metrics::{MetricError, PixelCounts, SaturatedRegion, au_spro, threshold_of_normal_maps};
use adbench::report::CsvTable;
use bisqad::Detector;
use imgkit::file::write_atomic;
use imgkit::image_io::tiff::write_map;
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use crate::error::Error;
use crate::evaluate::{Evaluation, ScoredImage, TestImage, score_image};
use crate::photo::{PhotoReader, prepare_folder};

/// Share of the pixels of good validation images that may exceed the pixel threshold where none is given: that of a
/// normal distribution beyond three standard deviations above its mean.
pub const NORMAL_PIXELS_ABOVE: f64 = 0.00135;

/// False-positive rate up to which sPRO is integrated, as its authors do.
const SPRO_LIMIT: f64 = 0.05;

/// Figures that the protocol of a dataset adds; `None` or empty where it has no such thing.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct DatasetFigures {
    /// AUROC of objects that several images show, each with its highest score.
    pub objects: Option<ObjectFigure>,
    /// Area under the saturated per-region overlap up to a false-positive rate of 0.05: overall, then of each kind of
    /// defect with all good images.
    pub au_spro: Vec<(String, f64)>,
    /// F1 of pixels at a threshold that is not from the test images.
    pub seg_f1: Option<SegF1>,
}

/// AUROC of objects.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ObjectFigure {
    /// Number of objects.
    pub objects: usize,
    /// Those of them that are anomalous.
    pub anomalous: usize,
    /// The AUROC; `None` without a good or without an anomalous object.
    pub auroc: Option<f64>,
}

/// F1 of pixels at a threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct SegF1 {
    /// The F1, over the pixels of all test images with ground truth.
    pub f1: f64,
    /// The pixel score above which a pixel was called anomalous.
    pub threshold: f64,
    /// Validation images that the threshold was chosen on; `None` for one that was given.
    pub validation_images: Option<usize>,
}

impl DatasetFigures {
    /// Computes the figures of an evaluation on all test samples of a dataset, in their order. The pixel threshold is
    /// the one given or, where the dataset sets good validation images aside, the lowest that [`NORMAL_PIXELS_ABOVE`]
    /// of their pixels exceed.
    ///
    /// # Errors
    /// Those of reading validation images and masks, [`Error::Detector`], [`Error::Metric`], and [`Error::Parameter`]
    /// for a threshold that is not finite.
    pub fn of(
        detector: &dyn Detector,
        reader: &PhotoReader,
        data: &Dataset,
        tests: &[TestImage],
        evaluation: &Evaluation,
        pixel_threshold: Option<f64>,
    ) -> Result<Self, Error> {
        let images = &evaluation.images;
        let (threshold, validation_images) = match pixel_threshold {
            Some(threshold) => (Some(threshold), None),
            None => {
                let maps = maps(detector, reader, data.validation(), "a validation image")?;
                let views: Vec<_> = maps.iter().map(|image| image.map.view()).collect();
                let chosen = (!views.is_empty()).then(|| threshold_of_normal_maps(&views, NORMAL_PIXELS_ABOVE));
                (chosen.transpose()?.map(f64::from), Some(maps.len()))
            }
        };
        let seg_f1 = match threshold {
            Some(threshold) => seg_f1(tests, images, threshold)?.map(|f1| SegF1 { f1, threshold, validation_images }),
            None => None,
        };
        Ok(Self { objects: objects(data, images)?, au_spro: au_spro_by_kind(data, images)?, seg_f1 })
    }

    /// The figures, one line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(ObjectFigure { objects, anomalous, auroc }) = self.objects {
            let auroc = auroc.map_or_else(|| "not defined".to_owned(), |auroc| format!("{auroc:.4}"));
            lines.push(format!("AUROC of {objects} objects, {anomalous} anomalous, by their highest score: {auroc}"));
        }
        for (name, figure) in &self.au_spro {
            lines.push(format!("AU-sPRO {SPRO_LIMIT}, {name}: {figure:.4}"));
        }
        if let Some(SegF1 { f1, threshold, validation_images }) = self.seg_f1 {
            let source = match validation_images {
                Some(count) => format!("from {count} validation images"),
                None => "given".to_owned(),
            };
            lines.push(format!("SegF1 {f1:.4} at the pixel threshold {threshold:.4}, {source}"));
        }
        lines
    }
}

/// Scores of a split's images, in order.
fn maps<S: SplitName + Sync>(
    detector: &dyn Detector,
    reader: &PhotoReader,
    split: &Split<S>,
    role: &str,
) -> Result<Vec<ScoredImage>, Error> {
    let score = |sample: &Sample| score_image(detector, &TestImage::read_with(reader, sample)?, role);
    split.samples().par_iter().map(score).collect()
}

fn objects(data: &Dataset, images: &[ScoredImage]) -> Result<Option<ObjectFigure>, Error> {
    if data.test().samples().iter().all(|sample| sample.object().is_none()) {
        return Ok(None);
    }
    let scores = data.test().with_scores(images.iter().map(|image| image.score as f32).collect())?.by_object();
    let anomalous = scores.labels().iter().filter(|anomalous| **anomalous).count();
    Ok(Some(ObjectFigure { objects: scores.labels().len(), anomalous, auroc: scores.auroc().ok() }))
}

fn seg_f1(tests: &[TestImage], images: &[ScoredImage], threshold: f64) -> Result<Option<f64>, Error> {
    let mut counts = PixelCounts::new(threshold)?;
    for (test, image) in tests.iter().zip(images) {
        if let Some(mask) = &test.mask {
            counts.push(image.map.view(), mask.view())?;
        }
    }
    Ok(counts.f1().ok())
}

/// Overall, then by kind; nothing where the dataset does not tell how much of a defect is enough.
fn au_spro_by_kind(data: &Dataset, images: &[ScoredImage]) -> Result<Vec<(String, f64)>, Error> {
    let types = data.defect_types();
    if types.is_empty() {
        return Ok(Vec::new());
    }
    let samples = data.test().samples();
    let read = |sample: &Sample| -> Result<Vec<(f64, Array2<bool>)>, Error> {
        let defects = sample.read_defects()?.into_iter();
        let with_saturation = defects.map(|(value, mask)| {
            let area = mask.iter().filter(|marked| **marked).count();
            let of_type = types.iter().find(|t| t.pixel_value == value);
            (of_type.map_or(area as f64, |t| t.saturation(area)), mask)
        });
        Ok(with_saturation.collect())
    };
    let defects: Vec<_> = samples.par_iter().map(read).collect::<Result<_, _>>()?;
    // Images whose defects are not known take no part.
    let known = |i: &usize| !samples[*i].is_anomalous() || !defects[*i].is_empty();
    let figure = |wanted: Option<&str>| -> Result<Option<f64>, Error> {
        let of_kind = |i: &usize| samples[*i].kind().is_none() || wanted.is_none() || samples[*i].kind() == wanted;
        let members: Vec<usize> = (0..samples.len().min(images.len())).filter(known).filter(of_kind).collect();
        let maps: Vec<ArrayView2<'_, f32>> = members.iter().map(|&i| images[i].map.view()).collect();
        let regions: Vec<Vec<SaturatedRegion<'_>>> = members
            .iter()
            .map(|&i| defects[i].iter().map(|(s, mask)| SaturatedRegion::new(mask.view(), *s)).collect())
            .collect();
        match au_spro(&maps, &regions, SPRO_LIMIT) {
            Err(MetricError::MissingClass { .. }) => Ok(None),
            found => Ok(Some(found?)),
        }
    };
    let mut figures = Vec::new();
    figures.extend(figure(None)?.map(|f| ("overall".to_owned(), f)));
    for kind in data.kinds() {
        figures.extend(figure(Some(kind))?.map(|f| (kind.to_owned(), f)));
    }
    Ok(figures)
}

/// Scores images without labels: writes `scores.csv` and for each image a map of floats, `maps/<category>/<id>.tiff`,
/// for those who keep the ground truth. Returns the number of images.
///
/// # Errors
/// Those of reading images, [`Error::Detector`], [`Error::Output`], [`Error::Write`].
pub fn write_maps(
    detector: &dyn Detector,
    reader: &PhotoReader,
    data: &Dataset,
    out: &Path,
    progress: &(dyn Fn() + Sync),
) -> Result<usize, Error> {
    let score = |sample: &Sample| -> Result<f64, Error> {
        let image = score_image(detector, &TestImage::read_with(reader, sample)?, "a test image")?;
        let path = out.join("maps").join(data.category()).join(sample.id()).with_extension("tiff");
        prepare_folder(path.parent().unwrap_or(out))?;
        write_map(&path, image.map.view())?;
        progress();
        Ok(image.score)
    };
    let samples = data.test().samples();
    let scores: Vec<f64> = samples.par_iter().map(score).collect::<Result<_, _>>()?;
    let mut table = CsvTable::new(["image", "score"]);
    samples.iter().zip(&scores).for_each(|(sample, score)| table.push([sample.id(), &score.to_string()]));
    write_atomic(out.join("scores.csv"), table.into_text().as_bytes())?;
    Ok(samples.len())
}
