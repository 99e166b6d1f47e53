//! The main job: good photos in, a calibrated detector out; then a test set in, figures out.

use std::sync::Arc;

use adbench::resize::{Kernel, resize_map};
use adbench::{Outcome, Report, ReportBuilder};
use bisqad::hypergradient::ForwardDifference;
use bisqad::{Checkpoint, Detector, Fitted, MetaSource, Observe, TrainParams, Upper, fit};
use frozen_backbone::{Backbone, EfficientNetLite0};
use ndarray::{Array2, Array3};
use rayon::prelude::*;
use sqe::{Sqe, WarmStartReport};

use crate::{Error, Rungs, Source, load_photo, shrink, warm_start};

/// What [`train`] is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Training {
    /// Two-level training.
    pub train: TrainParams,
    /// Defects whose coarse-to-fine ladders warm-start the quality estimator (default 48).
    pub ladders: usize,
    /// What those ladders rank.
    pub rungs: Rungs,
    /// Where the anomalies that steer the estimator come from (default: the mechanism that is left out).
    pub meta: MetaSource,
}

impl Default for Training {
    fn default() -> Self {
        Self { train: TrainParams::default(), ladders: 48, rungs: Rungs::default(), meta: MetaSource::default() }
    }
}

/// What [`train`] returns.
#[derive(Debug)]
pub struct Model {
    /// Detector and how its training went.
    pub fitted: Fitted,
    /// The quality estimator after both phases.
    pub quality: Sqe,
    /// What the warm start reached.
    pub warm_start: WarmStartReport,
}

/// Trains on good photos alone, `(H, W, 1 or 3)` of any sizes: warm start of the estimator, then both levels. `source` is made from the
/// same photos in the same order. The backbone is the embedded one; [`train_on`] takes any.
///
/// # Errors
/// [`Error::Foreground`], [`Error::Defect`], [`Error::Quality`], [`Error::Detector`].
pub fn train(
    photos: &[Array3<f32>],
    source: &Source<'_>,
    training: &Training,
    resume: Option<Checkpoint>,
    observer: &mut dyn Observe,
) -> Result<Model, Error> {
    train_on(Arc::new(EfficientNetLite0::pretrained()?), photos, source, training, resume, observer)
}

/// As [`train`], on features of `backbone`.
///
/// # Errors
/// As [`train`].
pub fn train_on(
    backbone: Arc<dyn Backbone>,
    photos: &[Array3<f32>],
    source: &Source<'_>,
    training: &Training,
    resume: Option<Checkpoint>,
    observer: &mut dyn Observe,
) -> Result<Model, Error> {
    let Training { rungs, ladders, .. } = *training;
    let (mut quality, reached) = warm_start(backbone.as_ref(), photos, source, rungs, ladders, training.train.seed)?;
    let method = ForwardDifference::default();
    let upper = Upper { quality: &mut quality, method: &method, meta: &training.meta };
    let fitted = fit(backbone, photos, source, upper, &training.train, resume, observer)?;
    Ok(Model { fitted, quality, warm_start: reached })
}

/// One test image.
#[derive(Debug, Clone)]
pub struct TestImage {
    /// For pictures and messages; no other image's.
    pub name: String,
    /// Defect kind; `None` for good images.
    pub kind: Option<String>,
    /// The image `(H, W, C)` at its own size.
    pub image: Array3<f32>,
    /// Ground truth `(H, W)`; all false for good images.
    pub mask: Array2<bool>,
}

impl TestImage {
    /// Reads a sample of a dataset with its ground truth.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::TooSmall`].
    pub fn read(sample: &adbench::Sample) -> Result<Self, Error> {
        let image = load_photo(sample.image_path())?;
        let mask = match sample.mask_path() {
            Some(_) => sample.read_mask(0.0)?.mask,
            None => Array2::from_elem((image.dim().0, image.dim().1), false),
        };
        Ok(Self { name: sample.id().to_owned(), kind: sample.kind().map(str::to_owned), image, mask })
    }
}

/// One test image's outcome.
#[derive(Debug, Clone)]
pub struct Evaluated {
    /// The detector's image score.
    pub score: f64,
    /// Map at the image's own size.
    pub map: Array2<f32>,
}

/// All of them.
#[derive(Debug)]
pub struct Evaluation {
    /// Per kind, mean and overall.
    pub report: Report,
    /// In the order of the test images.
    pub images: Vec<Evaluated>,
}

/// Scores a test set: detection on images shrunk to the shorter side that the detector was trained at, maps resized back, figures at each
/// image's own size.
///
/// `progress` hears how many images are done. Nothing is tuned here.
///
/// # Errors
/// [`Error::Report`] if a class is missing or two images share a name; [`Error::Detector`], above all
/// [`bisqad::Error::MetaLeak`] if a test image steered this detector's training.
pub fn evaluate(
    detector: &dyn Detector,
    name: &str,
    tests: &[TestImage],
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Evaluation, Error> {
    let side = detector.trained_at().unwrap_or(usize::MAX);
    let score = |(i, test): (usize, &TestImage)| -> Result<Evaluated, Error> {
        let image = shrink(test.image.view(), side)?;
        if detector.was_steered_by(image.view()) {
            let (name, place) = (test.name.clone(), "a test image".to_owned());
            return Err(bisqad::Error::MetaLeak { name, place }.into());
        }
        let prediction = detector.predict(image.view())?;
        let map = resize_map(prediction.map.view(), test.mask.dim(), Kernel::Bilinear)?;
        progress(i);
        Ok(Evaluated { score: prediction.score, map })
    };
    let images: Vec<Evaluated> = tests.par_iter().enumerate().map(score).collect::<Result<_, _>>()?;
    let mut builder = ReportBuilder::new(name);
    for (test, done) in tests.iter().zip(&images) {
        let outcome = Outcome::new(&test.name, test.kind.as_deref(), done.score as f32);
        builder.push(&outcome.with_map(done.map.view(), test.mask.view()).with_photo(test.image.view()))?;
    }
    Ok(Evaluation { report: builder.finish()?, images })
}
