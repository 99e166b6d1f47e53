//! Evaluation of a detector on a labeled test set.

use adbench::report::{Outcome, Report, ReportBuilder};
use bisqad::Detector;
use imgkit::Size;
use imgkit::image_io::MaskRule;
use imgkit::resize::{Kernel, resize_map};
use ndarray::{Array2, Array3};
use rayon::prelude::*;

use crate::error::Error;
use crate::photo::{PhotoReader, check_shrunk, shrink_to_side};

/// A labeled test image.
#[derive(Debug, Clone)]
pub struct TestImage {
    /// Unique name of the image, used in reports and error messages.
    pub name: String,
    /// Defect kind; `None` for good images.
    pub kind: Option<String>,
    /// The image `(H, W, C)` at its own size.
    pub image: Array3<f32>,
    /// Ground truth `(H, W)`, all false for good images; `None` where it is not known, so that the image takes no part
    /// in pixel figures.
    pub mask: Option<Array2<bool>>,
}

impl TestImage {
    /// Reads a sample of a dataset with its ground truth.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Dataset`], [`Error::TooSmall`].
    pub fn read(sample: &adbench::dataset::Sample) -> Result<Self, Error> {
        Self::read_with(&PhotoReader::default(), sample)
    }

    /// Reads a sample as [`TestImage::read`] does, with a reader that knows the window and remembers notes.
    ///
    /// # Errors
    /// As [`TestImage::read`].
    pub fn read_with(reader: &PhotoReader, sample: &adbench::dataset::Sample) -> Result<Self, Error> {
        let image = reader.load(sample.image_path())?;
        let mask = match sample.mask_path() {
            Some(_) => Some(sample.read_mask(MaskRule::NonZero)?.mask),
            None => (!sample.is_anomalous() && sample.is_labeled())
                .then(|| Array2::from_elem((image.dim().0, image.dim().1), false)),
        };
        Ok(Self { name: sample.id().to_owned(), kind: sample.kind().map(str::to_owned), image, mask })
    }
}

/// Score and score map of one test image.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ScoredImage {
    /// Image score.
    pub score: f64,
    /// Score map `(H, W)` at the image's own size.
    pub map: Array2<f32>,
}

/// Scores of a whole test set and the report computed from them.
#[derive(Debug)]
#[non_exhaustive]
pub struct Evaluation {
    /// Per kind, mean and overall.
    pub report: Report,
    /// In the order of the test images.
    pub images: Vec<ScoredImage>,
}

/// Scores a test set: images are shrunk to the shorter side that the detector was trained at, maps resized back, and
/// metrics computed at each image's own size.
///
/// `progress` is called with the number of each image that is done. Nothing is tuned on the test set. Figures that are
/// not defined, for want of good images, of anomalous ones or of masks, are `None`; [`Report::notes`] names them.
///
/// # Errors
/// [`Error::Report`] if there is no image or two share a name; [`Error::Detector`], above all
/// [`bisqad::Error::TestLeak`] if this detector saw a test image in training and [`bisqad::Error::NotFinite`] for a
/// score that is no number.
pub fn evaluate(
    detector: &dyn Detector,
    name: &str,
    tests: &[TestImage],
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Evaluation, Error> {
    let score = |(i, test): (usize, &TestImage)| -> Result<ScoredImage, Error> {
        let scored = score_image(detector, test, "a test image")?;
        progress(i);
        Ok(scored)
    };
    let images: Vec<ScoredImage> = tests.par_iter().enumerate().map(score).collect::<Result<_, _>>()?;
    let mut builder = ReportBuilder::new(name);
    for (test, done) in tests.iter().zip(&images) {
        let outcome = Outcome::new(&test.name, test.kind.as_deref(), done.score);
        let outcome = match &test.mask {
            Some(mask) => outcome.with_map(done.map.view(), mask.view()),
            None => outcome.with_map_alone(done.map.view()),
        };
        builder.push(&outcome.with_photo(test.image.view()))?;
    }
    Ok(Evaluation { report: builder.finish()?, images })
}

/// Scores an image, shrunk to the side that the detector was trained at; the map has the image's own size. `role` names
/// the image in the error for one that was seen in training.
pub(crate) fn score_image(detector: &dyn Detector, test: &TestImage, role: &str) -> Result<ScoredImage, Error> {
    let provenance = detector.provenance();
    let side = provenance.training_side().unwrap_or(usize::MAX);
    let size = (test.image.dim().0, test.image.dim().1);
    check_shrunk(test.name.as_ref(), Size::from(size), side)?;
    let image = shrink_to_side(test.image.view(), side)?;
    if provenance.saw_in_training(image.view()) {
        return Err(bisqad::Error::TestLeak { name: test.name.clone(), place: role.to_owned() }.into());
    }
    let prediction = detector.predict(image.view())?.checked(detector.name())?;
    let map = resize_map(prediction.map.view(), size, Kernel::Bilinear)?;
    Ok(ScoredImage { score: prediction.score, map })
}
