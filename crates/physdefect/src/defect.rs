//! The `Mechanism` trait, and the geometry of a defect that it returns.

use imgkit::Rect;
use std::collections::BTreeMap;

use ndarray::{Array2, Array3};
use rand::RngCore;

use crate::{Domain, Error};

/// Family of mechanisms that a defect belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum MechanismKind {
    /// FL: a crack.
    FractureLine,
    /// PL: corrosion pits.
    PittingLoss,
    /// PW: a dent, crease or warp.
    PlasticWarpage,
    /// SU: uneven shading, a stain or a water mark. Not the paper's: this project's own.
    SurfaceUnevenness,
    /// AB: a scratch. Not the paper's: this project's own.
    Abrasion,
    /// EL: a chip or notch of the outline. Not the paper's: this project's own.
    EdgeLoss,
    /// Not physics: a baseline from the literature, such as CutPaste.
    #[cfg_attr(feature = "serde", serde(rename = "Control"))]
    Baseline,
}

impl MechanismKind {
    /// Abbreviation: the paper's FL, PL or PW; this project's own SU, AB or EL, which the paper does not have; a dash
    /// for a baseline.
    #[must_use]
    pub fn abbreviation(self) -> &'static str {
        match self {
            Self::FractureLine => "FL",
            Self::PittingLoss => "PL",
            Self::PlasticWarpage => "PW",
            Self::SurfaceUnevenness => "SU",
            Self::Abrasion => "AB",
            Self::EdgeLoss => "EL",
            Self::Baseline => "-",
        }
    }
}

/// Named physical measures of one defect; the key ends in its unit (`length_px`, `volume_px3`, `strain`).
pub type Measures = BTreeMap<String, f64>;

/// A change of reflectance: inside `weight` the albedo moves towards `color`.
#[derive(Debug, Clone)]
pub struct Tint {
    /// `(h, w)` in \[0, 1\].
    pub weight: Array2<f32>,
    /// Linear-light reflectance factor of red, green and blue (other channel counts use their mean).
    pub color: [f32; 3],
}

/// Geometry of one defect in its own box. All arrays have the box's shape `(h, w)`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Defect {
    /// Where the arrays lie in the photo.
    pub bbox: Rect,
    /// Relief in px; negative is loss of material.
    pub height: Array2<f32>,
    /// In-plane shift `(h, w, 2)` in px: the rendered pixel p shows what was at p - shift; (dy, dx). `None` for no
    /// shift.
    pub displacement: Option<Array3<f32>>,
    /// Whether `displacement` shows what lies behind an object whose edge is gone, instead of moving the picture on its
    /// surface: it is then a place to look at and is taken as it is, however strong the defect is rendered.
    pub shows_background: bool,
    /// Soft support in \[0, 1\]: 0 leaves the pixel alone.
    pub opacity: Array2<f32>,
    /// Deposit or stain.
    pub tint: Option<Tint>,
    /// Factor on the surface's reflectance `(h, w)`, at least 0: 1 leaves it as it is. `None` for no change.
    pub reflectance: Option<Array2<f32>>,
    /// Resolved parameters and physical size.
    pub measures: Measures,
}

impl Defect {
    /// Creates a defect of a relief and a support, without shift, tint or change of reflectance.
    #[must_use]
    pub fn new(bbox: Rect, height: Array2<f32>, opacity: Array2<f32>, measures: Measures) -> Self {
        Self {
            bbox,
            height,
            displacement: None,
            shows_background: false,
            opacity,
            tint: None,
            reflectance: None,
            measures,
        }
    }
}

/// Mechanism with parameters in units: generates the geometry of one defect.
///
/// Object-safe: compose `Box<dyn Mechanism>` at run time.
pub trait Mechanism: std::fmt::Debug + Send + Sync {
    /// Stable name, used in records and tables (for example `fracture-line`).
    fn name(&self) -> &'static str;
    /// Family.
    fn kind(&self) -> MechanismKind;
    /// Draws one defect inside `domain`.
    ///
    /// `severity` in \[0, 1\] maps monotonically to the mechanism's physical size: with the same generator state a
    /// larger severity never gives a smaller [`Self::size_measure`].
    ///
    /// # Errors
    /// [`Error::Parameter`] for a severity outside \[0, 1\], [`Error::DomainTooSmall`] if the defect cannot fit.
    fn generate(&self, domain: &Domain, severity: f64, rng: &mut dyn RngCore) -> Result<Defect, Error>;
    /// Key in [`Defect::measures`] that severity is monotone in.
    fn size_measure(&self) -> &'static str;
    /// Whether it asks for [`Domain::grain`], which is then measured on the photo (default: no).
    fn follows_grain(&self) -> bool {
        false
    }
}

impl<M: Mechanism + ?Sized> Mechanism for Box<M> {
    fn name(&self) -> &'static str {
        (**self).name()
    }
    fn kind(&self) -> MechanismKind {
        (**self).kind()
    }
    fn generate(&self, domain: &Domain, severity: f64, rng: &mut dyn RngCore) -> Result<Defect, Error> {
        (**self).generate(domain, severity, rng)
    }
    fn size_measure(&self) -> &'static str {
        (**self).size_measure()
    }
    fn follows_grain(&self) -> bool {
        (**self).follows_grain()
    }
}
