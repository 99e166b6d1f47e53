//! The error type of this crate.
//!
//! Stable: the variants, their fields, and the fields of [`ParameterError`]. The wording of messages and what `source`
//! returns below the first level may change.

#[cfg(feature = "serde")]
use std::sync::Arc;

use imgkit::ParameterError;

/// Every failure of this crate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter is NaN, infinite or outside its range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The domain holds no pixel.
    #[error("the domain ({height}x{width}) holds no pixel: give a foreground mask with at least one true pixel")]
    EmptyDomain {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// The domain is too small for the defect.
    #[error(
        "{model}: the domain holds {found} px, but the defect needs {needed} px: lower the severity or enlarge the \
         domain"
    )]
    DomainTooSmall {
        /// Model that refused.
        model: &'static str,
        /// Pixels in the domain.
        found: usize,
        /// Pixels needed.
        needed: usize,
    },
    /// The domain fills the frame: it has no outline inside the photo that a piece could break off.
    #[error("{model}: the domain fills the frame and has no outline inside the photo: give a mask of the object")]
    NoEdge {
        /// Model that refused.
        model: &'static str,
    },
    /// No pixel of the object lies at the place where defects are to start.
    #[error("{}", no_sites(*place, *scale))]
    NoSites {
        /// The place.
        place: crate::Place,
        /// Scale of the object, px.
        scale: f64,
    },
    /// A region where defects are to start holds no pixel of the object.
    #[error(
        "the region ({height}x{width}) holds no pixel of the object where defects may start (place: {place}): paint it \
         on the object, or give a mask of the object"
    )]
    RegionMissesObject {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// The place that was asked for as well.
        place: crate::Place,
    },
    /// A defect does not lie where it was asked for, or can never lie there.
    #[error("{model}: no defect lies where it may (place: {place}): choose another place, mechanism or severity")]
    OffPlace {
        /// Model that refused.
        model: &'static str,
        /// The place.
        place: crate::Place,
    },
    /// Two arrays that must agree in shape do not.
    #[error("{what} has shape {found:?}, expected {expected:?}")]
    Shape {
        /// Which array.
        what: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// The required shape.
        expected: Vec<usize>,
    },
    /// The photo holds a value that is not finite.
    #[error("the photo holds a value that is not finite at row {row}, column {column}, channel {channel}")]
    NotFinite {
        /// Row.
        row: usize,
        /// Column.
        column: usize,
        /// Channel.
        channel: usize,
    },
    /// No visible change could be made (for example a saturated black photo).
    #[error("{model}: the defect stays invisible on this photo ({reason}): choose another place, light or severity")]
    Invisible {
        /// Model that refused.
        model: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// The visibility asked for lies beyond what the defect's physical range gives on this photo.
    #[error(
        "{model}: a visibility of {wanted:.2} just noticeable contrasts is out of reach here, {reached:.2} comes \
         nearest: ask for another range, or accept the nearest"
    )]
    VisibilityOutOfReach {
        /// Model that refused.
        model: &'static str,
        /// What was asked for.
        wanted: f64,
        /// What came nearest.
        reached: f64,
    },
    /// A text is not the JSON of a recipe or a configuration.
    #[cfg(feature = "serde")]
    #[error("not a recipe: {source}; compare with `Recipe::to_json`")]
    Json {
        /// What the parser met, with line and column.
        source: JsonError,
    },
    /// No mechanism or baseline has this name.
    #[error("there is no mechanism `{name}`{}: choose from {}", did_you_mean(*.nearest), .known.join(", "))]
    UnknownMechanism {
        /// Name that was looked up.
        name: String,
        /// Known name most like it.
        nearest: Option<&'static str>,
        /// All known names.
        known: Vec<&'static str>,
    },
    /// No material has this name.
    #[error("there is no material `{name}`{}: choose from {}", did_you_mean(*.nearest), .known.join(", "))]
    UnknownMaterial {
        /// Name that was looked up.
        name: String,
        /// Known name most like it.
        nearest: Option<&'static str>,
        /// All known names.
        known: Vec<&'static str>,
    },
    /// A registry holds an entry of this name already.
    #[error("there is a mechanism `{name}` already: give the new one another name")]
    DuplicateMechanism {
        /// Name.
        name: &'static str,
    },
    /// An entry of a registry cannot be written to JSON or read from it.
    #[error("`{name}` was registered without `Entry::replayable`: it has no JSON")]
    NotReplayable {
        /// Name.
        name: &'static str,
    },
    /// The foreground could not be separated from the background.
    #[error("no foreground found: {reason}; pass a mask or use the whole frame")]
    NoForeground {
        /// Why.
        reason: &'static str,
    },
    /// A photo of a set cannot be used.
    #[error("photo {index} of the set: {source}")]
    SetPhoto {
        /// Position among the photos given.
        index: usize,
        /// Why.
        source: Box<Error>,
    },
    /// Photos of a set do not share their background.
    #[error(
        "{disagreeing} of {photos} photos have another background than the rest, photo {index} most of all: fit one \
         model for each background, or pass masks"
    )]
    PhotosDisagree {
        /// Position, among the photos given, of the one that disagrees most.
        index: usize,
        /// Photos that disagree.
        disagreeing: usize,
        /// Photos that were looked at.
        photos: usize,
    },
    /// A stored model was written by another version.
    #[error("the stored model has version {found}, this version reads {expected}: fit it again")]
    ModelVersion {
        /// Version in the file.
        found: u32,
        /// Version that is read.
        expected: u32,
    },
    /// A text is not the JSON of a foreground model.
    #[cfg(feature = "serde")]
    #[error("not a foreground model: {source}; compare with `ForegroundModel::to_json`")]
    ModelJson {
        /// What the parser met, with line and column.
        source: JsonError,
    },
    /// Too few images with masks.
    #[error("calibration needs at least {needed} images with masks, {found} were given: label more defects")]
    TooFewSamples {
        /// Images given.
        found: usize,
        /// Images needed.
        needed: usize,
    },
    /// Too many photos with masks for a calibration.
    #[error("calibration takes at most {most} images with masks, {found} were given: choose 3 to 20 that differ")]
    TooManySamples {
        /// Images given.
        found: usize,
        /// Images allowed.
        most: usize,
    },
    /// A mask marks nothing that can be measured.
    #[error("the mask ({height}x{width}) marks no part of four pixels or more: leave this image out or mend its mask")]
    EmptyMask {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// The defects of a calibration are too small to be measured, in all photos.
    #[error(
        "the largest marked defect has {found} px, at least {needed} are needed: mark larger ones, or take photos of a \
         higher resolution"
    )]
    TinyDefects {
        /// Pixels of the largest part.
        found: usize,
        /// Pixels needed.
        needed: usize,
    },
    /// A mask leaves nothing to compare the defect with.
    #[error("the mask ({height}x{width}) leaves no surround 4 to 14 px from a defect: use an image with sound surface")]
    NoSurround {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// One of the calibration's images was refused.
    #[error("calibration image {index}: {source}")]
    CalibrationImage {
        /// Position in the given slice.
        index: usize,
        /// Why.
        source: Box<Error>,
    },
    /// A calibration cannot serve this mechanism.
    #[error("{wanted:?} cannot be calibrated from these measurements ({found:?}): fit again with the wanted mechanism")]
    WrongMechanism {
        /// What was asked for.
        wanted: crate::MechanismKind,
        /// What was fitted.
        found: crate::MechanismKind,
    },
}

fn no_sites(place: crate::Place, scale: f64) -> String {
    let (why, what) = match place {
        crate::Place::Edge => (
            "fills the frame and has no outline inside the photo",
            "give a mask of the object, or place defects anywhere",
        ),
        _ => ("is too thin to have an inside", "place defects on the edge or anywhere"),
    };
    format!("the object (scale {scale:.0} px) {why}: {what}")
}

fn did_you_mean(nearest: Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}

#[cfg(feature = "serde")]
impl Error {
    pub(crate) fn json(error: serde_json::Error) -> Self {
        Self::Json { source: JsonError(Arc::new(error)) }
    }

    pub(crate) fn model_json(error: serde_json::Error) -> Self {
        Self::ModelJson { source: JsonError(Arc::new(error)) }
    }
}

/// A parser's error, shared so that [`Error`] can be cloned; two are equal if they say the same.
#[cfg(feature = "serde")]
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub struct JsonError(Arc<serde_json::Error>);

#[cfg(feature = "serde")]
impl PartialEq for JsonError {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}
