//! The priors of one kind of defect.

use std::fmt;

use super::shape::Course;
use super::statistics::{CountPrior, Prior, Scale, Share};
use super::synthesizer::Calibrated;
use super::target::Calibrate;
use crate::abrasion::Abrasion;
use crate::appearance::Appearance;
use crate::edge_loss::EdgeLoss;
use crate::fracture::FractureLine;
use crate::params::within;
use crate::pitting::PittingLoss;
use crate::registry::Registry;
use crate::unevenness::SurfaceUnevenness;
use crate::warpage::PlasticWarpage;
use crate::{Error, MechanismKind, Synthesizer};

const NAME: &str = "calibration";
/// Most courses that are kept.
const MOST_COURSES: usize = 4096;
/// Below this share of visible pixels masks count as loose.
const LOOSE: f64 = 0.6;

/// Priors of one kind of defect.
///
/// Lengths are shares of the object's scale ([`Domain::scale`](crate::Domain::scale)), so that they hold at any
/// resolution; times [`Self::object_scale`] they are px of the photos that were measured.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct Calibration {
    /// What the masks were measured as.
    pub mechanism: MechanismKind,
    /// Photos.
    pub images: usize,
    /// Defects on them (connected parts of four pixels or more).
    pub defects: usize,
    /// Median scale of the objects, px.
    pub object_scale: f64,
    /// Length of a crack or a scratch along its skeleton, the equal-area diameter of anything else (holes filled).
    /// Log-normal.
    pub size: Prior,
    /// Mean width of the mask of a crack or a scratch, area over length; the diameter again for anything else.
    /// Log-normal.
    pub width: Prior,
    /// Visibility of a photo's defects in just noticeable contrasts, see [`visibility`](crate::visibility). Log-normal.
    pub visibility: Prior,
    /// Size of the mean ln of linear light over that of the surround, of a photo's defects. Log-normal.
    pub contrast: Prior,
    /// Share of defects that are darker than their surround.
    pub darker: Share,
    /// Mean signed change over the mean size of the change: 1 where a defect is all darker or all brighter, near 0
    /// where it is both. Normal, in \[0, 1\].
    pub polarity: Prior,
    /// Standard deviation of ln of linear light over that of the surround within a defect. Log-normal.
    pub mottle: Prior,
    /// Standard deviation of the finest detail within a defect over that around it. Log-normal.
    pub texture: Prior,
    /// Contrast at the masks' outlines over that of the strong pixels (the ninth decile) inside: one half where masks
    /// end as tight as a blurred thing does, near 0 where they are loose. Normal, in \[0, 1\].
    pub level: Prior,
    /// Area of a defect's mask over that of its convex hull. Normal, in \[0, 1\].
    pub solidity: Prior,
    /// Mean ln of red, green and blue over the surround, less their mean; `None` for gray photos. Normal.
    pub color: Option<[Prior; 3]>,
    /// [`apparent_depth`](super::apparent_depth) of each darker defect; `None` if fewer than three photos show one.
    /// Log-normal.
    pub depth: Option<Prior>,
    /// Defects a photo.
    pub count: CountPrior,
    /// Share of defects that touch the object's outline or the frame's edge.
    pub at_edge: Share,
    /// Mean distance of a defect from the outline over half of the object's thickness, of those that do not touch it;
    /// `None` if all do. Normal, in \[0, 1\].
    pub inset: Option<Prior>,
    /// Share of the masks' pixels that can be seen: tight masks have nearly all.
    pub seen: f64,
    /// Axis and waviness of each crack or scratch longer than three times its width; empty for other mechanisms. Draws
    /// take one of them and shake it a little (a smoothed bootstrap).
    pub courses: Vec<Course>,
}

/// Doubt about a calibration.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Caution {
    /// Fewer than five photos: intervals are wide.
    Few {
        /// Photos.
        images: usize,
    },
    /// Masks are loose: much of them cannot be seen, or the contrast is too low.
    LooseMasks {
        /// Share that can be seen.
        seen: f64,
    },
    /// All defects have the same size: the spread is a guess.
    AllAlike,
    /// Defects of some pixels: their size is that of the pixel grid.
    Tiny {
        /// Median size, px.
        pixels: f64,
    },
    /// The defects can hardly be seen.
    Faint {
        /// Median visibility.
        visibility: f64,
    },
}

impl fmt::Display for Caution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Few { images } => write!(f, "only {images} photos: intervals are wide, five or more are better"),
            Self::LooseMasks { seen } => write!(
                f,
                "only {:.0} % of the masks can be seen: draw them closer to the defects, or the defects are faint",
                100.0 * seen
            ),
            Self::AllAlike => write!(f, "all defects have the same size: the spread is taken as 5 %; mark others, too"),
            Self::Tiny { pixels } => write!(f, "defects of {pixels:.1} px: photos of a higher resolution say more"),
            Self::Faint { visibility } => {
                write!(f, "a visibility of {visibility:.1} just noticeable contrasts: people would hardly find them")
            }
        }
    }
}

impl Calibration {
    /// Creates priors of a size and a width, in object scales, that are known otherwise; the rest is that of single
    /// dark defects of three just noticeable contrasts, anywhere on an object of 256 px. Change what you know.
    #[must_use]
    pub fn new(mechanism: MechanismKind, size: Prior, width: Prior) -> Self {
        let prior = |scale, mean: f64, deviation, interval| Prior { scale, mean, deviation, interval };
        Self {
            mechanism,
            images: 0,
            defects: 0,
            object_scale: 256.0,
            size,
            width,
            visibility: prior(Scale::Log, 3f64.ln(), 0.3, (1.5, 6.0)),
            contrast: prior(Scale::Log, 0.25f64.ln(), 0.3, (0.1, 0.6)),
            darker: Share { value: 1.0, interval: (0.0, 1.0) },
            polarity: prior(Scale::Linear, 0.95, 0.05, (0.0, 1.0)),
            mottle: prior(Scale::Log, 0.1f64.ln(), 0.3, (0.03, 0.3)),
            texture: prior(Scale::Log, 0.0, 0.2, (0.5, 2.0)),
            level: prior(Scale::Linear, 0.3, 0.1, (0.0, 1.0)),
            solidity: prior(Scale::Linear, 0.9, 0.05, (0.5, 1.0)),
            color: None,
            depth: None,
            count: CountPrior { mean: 1.0, interval: (1.0, 4.0), dispersion: 1.0 },
            at_edge: Share { value: 0.0, interval: (0.0, 1.0) },
            inset: None,
            seen: 1.0,
            courses: Vec::new(),
        }
    }

    /// Depth over width at the medians; the mechanisms' own default 3 or 0.25 where no depth is known.
    #[must_use]
    pub fn aspect(&self) -> f64 {
        let default = if self.mechanism == MechanismKind::FractureLine { 3.0 } else { 0.25 };
        self.depth.map_or(default, |d| d.median() / self.width.median())
    }

    /// Doubts about the masks, worst first; empty for good ones.
    #[must_use]
    pub fn cautions(&self) -> Vec<Caution> {
        let pixels = self.size.median() * self.object_scale;
        let visibility = self.visibility.median();
        [
            (self.seen < LOOSE).then_some(Caution::LooseMasks { seen: self.seen }),
            (visibility < 1.0).then_some(Caution::Faint { visibility }),
            (pixels < 6.0).then_some(Caution::Tiny { pixels }),
            self.size.is_alike().then_some(Caution::AllAlike),
            (self.images < 5).then_some(Caution::Few { images: self.images }),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Checks every value.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first value out of range and its range; [`Error::WrongMechanism`] for
    /// [`MechanismKind::Baseline`].
    pub fn check(&self) -> Result<(), Error> {
        if self.mechanism == MechanismKind::Baseline {
            return Err(Error::WrongMechanism { wanted: self.mechanism, found: self.mechanism });
        }
        within(NAME, "object_scale", self.object_scale, (1.0, 1e6), "in [1, 1e6] px")?;
        within(NAME, "seen", self.seen, (0.0, 1.0), "a share in [0, 1]")?;
        for (name, prior) in [
            ("size", &self.size),
            ("width", &self.width),
            ("visibility", &self.visibility),
            ("contrast", &self.contrast),
            ("polarity", &self.polarity),
            ("mottle", &self.mottle),
            ("texture", &self.texture),
            ("level", &self.level),
            ("solidity", &self.solidity),
        ] {
            prior.check(name)?;
        }
        for prior in self.color.iter().flatten().chain(&self.depth).chain(&self.inset) {
            prior.check("color, depth or inset")?;
        }
        within(NAME, "size", self.size.median(), (1e-6, 10.0), "a median in [1e-6, 10] object scales")?;
        within(NAME, "width", self.width.median(), (1e-6, 10.0), "a median in [1e-6, 10] object scales")?;
        within(NAME, "visibility", self.visibility.median(), (0.01, 1e3), "a median in [0.01, 1000]")?;
        self.darker.check("darker")?;
        self.at_edge.check("at_edge")?;
        self.count.check()?;
        within(NAME, "courses", self.courses.len() as f64, (0.0, MOST_COURSES as f64), "at most 4096")?;
        for course in &self.courses {
            within(NAME, "direction", course.direction, (-4.0, 4.0), "in [-4, 4] radians")?;
            within(NAME, "waviness", course.waviness, (0.0, 1.0), "in [0, 1]")?;
        }
        Ok(())
    }

    /// Creates a synthesizer of cracks that follow the priors.
    ///
    /// # Errors
    /// [`Error::WrongMechanism`] unless fitted as [`MechanismKind::FractureLine`]; [`Error::Parameter`] from the
    /// appearance or [`Self::check`].
    pub fn fracture_line(&self, appearance: Appearance) -> Result<Calibrated<FractureLine>, Error> {
        Calibrated::new(self, appearance)
    }

    /// Creates a synthesizer of pits that follow the priors.
    ///
    /// # Errors
    /// As [`Self::fracture_line`].
    pub fn pitting_loss(&self, appearance: Appearance) -> Result<Calibrated<PittingLoss>, Error> {
        Calibrated::new(self, appearance)
    }

    /// Creates a synthesizer of dents that follow the priors. A bend is lighter on one side and darker on the other.
    ///
    /// # Errors
    /// As [`Self::fracture_line`].
    pub fn plastic_warpage(&self, appearance: Appearance) -> Result<Calibrated<PlasticWarpage>, Error> {
        Calibrated::new(self, appearance)
    }

    /// Creates a synthesizer of scratches that follow the priors.
    ///
    /// # Errors
    /// As [`Self::fracture_line`].
    pub fn abrasion(&self, appearance: Appearance) -> Result<Calibrated<Abrasion>, Error> {
        Calibrated::new(self, appearance)
    }

    /// Creates a synthesizer of uneven shading that follows the priors.
    ///
    /// # Errors
    /// As [`Self::fracture_line`].
    pub fn surface_unevenness(&self, appearance: Appearance) -> Result<Calibrated<SurfaceUnevenness>, Error> {
        Calibrated::new(self, appearance)
    }

    /// Creates a synthesizer of chips that follow the priors.
    ///
    /// # Errors
    /// As [`Self::fracture_line`].
    pub fn edge_loss(&self, appearance: Appearance) -> Result<Calibrated<EdgeLoss>, Error> {
        Calibrated::new(self, appearance)
    }

    /// Creates a synthesizer of any calibrated mechanism `M`.
    ///
    /// # Errors
    /// As [`Self::fracture_line`].
    pub fn of<M: Calibrate>(&self, appearance: Appearance) -> Result<Calibrated<M>, Error> {
        Calibrated::new(self, appearance)
    }

    /// Creates a synthesizer of the mechanism that was fitted, following the priors.
    ///
    /// # Errors
    /// [`Error::Parameter`] from the appearance or [`Self::check`].
    pub fn synthesizer(&self, appearance: Appearance) -> Result<Box<dyn Synthesizer>, Error> {
        Registry::standard().calibrated(self, appearance)
    }
}
