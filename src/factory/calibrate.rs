//! Calibration of kinds of real defects from folders of photos with masks.

use physdefect::calibration::{Calibration, Identification, Marked, fit, identify};
use physdefect::registry::Registry;
use physdefect::{Domain, MechanismKind};

use super::error::Error;
use super::marked_set::{MarkedPhoto, MarkedSet};
use crate::foreground::SetForeground;

/// A kind of real defects as it was measured.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MeasuredKind {
    /// Name.
    pub name: String,
    /// Which mechanism it looks like.
    pub identification: Identification,
    /// Priors, of the mechanism that was asked for or fits best; `None` if none fits.
    pub calibration: Option<Calibration>,
    /// Where the object is, of each photo.
    pub domains: Vec<Domain>,
}

/// Measures a kind of real defects: which mechanism it looks like, and the priors of that one or of the `wanted`.
///
/// # Errors
/// [`Error::Calibration`] naming the photo that is refused, or the kind with too few or too many photos.
pub fn measure_kind(
    set: &MarkedSet,
    foreground: &SetForeground,
    wanted: Option<MechanismKind>,
) -> Result<MeasuredKind, Error> {
    let refuse = |source: physdefect::Error| match source {
        physdefect::Error::CalibrationImage { index, source } => Error::Calibration {
            kind: set.kind.clone(),
            photo: set.photos.get(index).map(|photo| photo.path.clone()),
            source,
        },
        source => Error::Calibration { kind: set.kind.clone(), photo: None, source: Box::new(source) },
    };
    let locate = |(index, marked): (usize, &MarkedPhoto)| {
        foreground
            .locate(marked.photo.view())
            .map(|found| found.domain)
            .map_err(|source| physdefect::Error::CalibrationImage { index, source: Box::new(source) })
    };
    let domains: Vec<Domain> = set.photos.iter().enumerate().map(locate).collect::<Result<_, _>>().map_err(refuse)?;
    let one = |(photo, domain)| {
        let photo: &MarkedPhoto = photo;
        Marked::new(photo.photo.view(), photo.mask.view()).on(domain)
    };
    let samples: Vec<Marked<'_>> = set.photos.iter().zip(&domains).map(one).collect();
    let identification = identify(&samples).map_err(refuse)?;
    let mechanism = wanted.or_else(|| identification.set.best());
    let calibration = mechanism.map(|mechanism| fit(mechanism, &samples)).transpose().map_err(refuse)?;
    Ok(MeasuredKind { name: set.kind.clone(), identification, calibration, domains })
}

/// Foreground of all marked photos, where there are no good ones to learn it from.
#[must_use]
pub fn marked_foreground(sets: &[MarkedSet]) -> SetForeground {
    let photos = sets.iter().flat_map(|set| &set.photos).map(|marked| marked.photo.view());
    SetForeground::fit(photos).unwrap_or_else(|_| SetForeground::alone())
}

/// Looks up the mechanism of a name that can be calibrated.
///
/// # Errors
/// [`Error::Pipeline`] for an unknown name or one that cannot be calibrated.
pub fn mechanism_by_name(name: &str) -> Result<MechanismKind, Error> {
    let registry = Registry::standard();
    let kind = registry.by_name(name).map_err(crate::Error::from)?.kind();
    registry.calibrated_entry(kind).map_err(crate::Error::from)?;
    Ok(kind)
}
