//! Training of a detector on good photos.

pub(crate) mod bilevel;

use std::sync::Arc;

use bisqad::{EvidenceDetector, EvidenceOutcome, EvidenceParams, FewShotSet, Observe};
use frozen_backbone::{Backbone, EfficientNetLite0};
use ndarray::Array3;

use crate::error::Error;
use crate::synthesis::PipelineSource;

/// Trains a detector on good photos alone, `(H, W, 1 or 3)` of any sizes: chooses the evidence by defects that are
/// drawn on held-out photos, trains a head for each mechanism, and calibrates scores on photos that are held out in
/// turn ([`EvidenceDetector::fit`]).
///
/// `source` is made from the same photos in the same order. The backbone is the embedded one; [`train_on`] takes any.
///
/// ```no_run
/// use maphc2f::bisqad::{EvidenceParams, NoObserver, Persist, Threshold};
/// use maphc2f::{MATERIALS, Pipeline, PipelineSource, load_photos, train};
///
/// let (names, photos): (Vec<_>, Vec<_>) = load_photos("photos/good".as_ref())?.into_iter().unzip();
/// let pipeline = Pipeline::standard(&MATERIALS)?;
/// let source = PipelineSource::new(&pipeline, &photos, &[], 0)?;
/// let trained = train(&photos, &source, &EvidenceParams::default(), &mut NoObserver)?;
/// trained.detector.save("detector.safetensors".as_ref())?;
/// println!("{} photos, threshold {}", names.len(), Threshold::of(&trained.detector, 0.05)?.value);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::TooSmallToTrain`] for photos below 64 px a side; [`Error::Detector`] as [`EvidenceDetector::fit`].
pub fn train(
    photos: &[Array3<f32>],
    source: &PipelineSource<'_>,
    params: &EvidenceParams,
    observer: &mut dyn Observe,
) -> Result<EvidenceOutcome, Error> {
    train_on(Arc::new(EfficientNetLite0::pretrained_s32()?), photos, source, params, observer)
}

/// Trains as [`train`] does, on features of `backbone`.
///
/// # Errors
/// As [`train`].
pub fn train_on(
    backbone: Arc<dyn Backbone>,
    photos: &[Array3<f32>],
    source: &PipelineSource<'_>,
    params: &EvidenceParams,
    observer: &mut dyn Observe,
) -> Result<EvidenceOutcome, Error> {
    train_with(backbone, photos, source, None, params, observer)
}

/// Trains as [`train_on`] does, with marked real defects of the size that the photos have, if there are any
/// ([`EvidenceDetector::fit_with`]). Their kinds are those of `source` where these have the same names.
///
/// # Errors
/// As [`train`], and [`Error::Detector`] with [`bisqad::Error::TestLeak`] for one that is among the photos.
pub fn train_with(
    backbone: Arc<dyn Backbone>,
    photos: &[Array3<f32>],
    source: &PipelineSource<'_>,
    real: Option<&FewShotSet>,
    params: &EvidenceParams,
    observer: &mut dyn Observe,
) -> Result<EvidenceOutcome, Error> {
    check_size(photos)?;
    Ok(EvidenceDetector::fit_with(backbone, photos, source, real, params, observer)?)
}

/// Shorter side of photos, px, that gives a detector places enough to learn from.
const ENOUGH: usize = 64;

/// Refuses photos that are too small.
fn check_size(photos: &[Array3<f32>]) -> Result<(), Error> {
    match photos.iter().map(|photo| photo.dim().0.min(photo.dim().1)).min() {
        Some(found) if found < ENOUGH => Err(Error::TooSmallToTrain { found, minimum: ENOUGH }),
        _ => Ok(()),
    }
}

/// Says that photos are too small where that is why too few places differ, however many photos there are.
pub(crate) fn too_small(error: bisqad::Error, photos: &[Array3<f32>]) -> Error {
    let side = photos.iter().map(|photo| photo.dim().0.min(photo.dim().1)).min().unwrap_or(0);
    match error {
        bisqad::Error::Degenerate { .. } if side < ENOUGH => Error::TooSmallToTrain { found: side, minimum: ENOUGH },
        other => other.into(),
    }
}
