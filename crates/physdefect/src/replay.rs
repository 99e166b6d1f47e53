//! A sample as text: which synthesizer, with which parameters, light and material, for which key.
//!
//! A [`Recipe`] is all that a sample depends on besides the photo, as JSON. [`replay`] makes the sample again, equal to the
//! last bit, on any machine that rounds as IEEE 754 asks. Values are exact: floating-point numbers are written in their
//! shortest form that reads back to the same bits.
//!
//! ```
//! use ndarray::Array3;
//! use physdefect::SampleKey;
//! use physdefect::appearance::{Appearance, Material};
//! use physdefect::fracture::FractureParams;
//! use physdefect::replay::{Model, Recipe, Region, replay};
//!
//! let photo = Array3::from_elem((96, 96, 3), 0.6f32);
//! let params = FractureParams { grain: 0.02, ..FractureParams::default() };
//! let model = Model::FractureLine { params, appearance: Appearance::new(Material::METAL), severity: (0.2, 0.6) };
//! let recipe = Recipe { model, key: SampleKey { seed: 7, index: 3 }, region: Region::WholeFrame };
//! let sample = recipe.make(photo.view())?;
//! let again = replay(&recipe.to_json()?, photo.view())?;
//! assert_eq!((again.patch, again.mask, again.record), (sample.patch, sample.mask, sample.record));
//! # Ok::<(), physdefect::Error>(())
//! ```

use ndarray::{Array3, ArrayView3};

use crate::appearance::{Appearance, Rendered};
use crate::baselines::{CutPaste, CutPasteScar, PatchClone, PerlinBlend, textures};
use crate::fracture::{FractureLine, FractureParams, FrontierParams, PaperFrontier};
use crate::pitting::{PaperPolygon, PittingLoss};
use crate::warpage::PlasticWarpage;
use crate::{Domain, Error, Mechanism, Sample, SampleKey, Synthesizer, estimate_foreground};

/// A whole synthesizer as plain data: mechanism or control arm, its parameters, light and material, severities drawn.
///
/// In JSON the variant is the key `model`, named as in [`Synthesizer::name`]; a part that is left out has its default, an
/// unknown key is refused. Nothing is checked before [`Self::build`].
///
/// `severity` is the range (low, high) that each sample's severity is drawn from, within \[0, 1\].
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "model", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Model {
    /// [`FractureLine`].
    FractureLine {
        /// Parameters.
        #[serde(default)]
        params: FractureParams,
        /// Material and light.
        #[serde(default)]
        appearance: Appearance,
        /// Severities.
        #[serde(default = "all")]
        severity: (f64, f64),
    },
    /// [`PaperFrontier`].
    PaperFrontier {
        /// Parameters.
        #[serde(default)]
        params: FrontierParams,
        /// Material and light.
        #[serde(default)]
        appearance: Appearance,
        /// Severities.
        #[serde(default = "all")]
        severity: (f64, f64),
    },
    /// [`PittingLoss`].
    PittingLoss {
        /// Parameters.
        #[serde(default)]
        params: PittingLoss,
        /// Material and light.
        #[serde(default)]
        appearance: Appearance,
        /// Severities.
        #[serde(default = "all")]
        severity: (f64, f64),
    },
    /// [`PaperPolygon`].
    PaperPolygon {
        /// Parameters.
        #[serde(default)]
        params: PaperPolygon,
        /// Material and light.
        #[serde(default)]
        appearance: Appearance,
        /// Severities.
        #[serde(default = "all")]
        severity: (f64, f64),
    },
    /// [`PlasticWarpage`].
    PlasticWarpage {
        /// Parameters.
        #[serde(default)]
        params: PlasticWarpage,
        /// Material and light.
        #[serde(default)]
        appearance: Appearance,
        /// Severities.
        #[serde(default = "all")]
        severity: (f64, f64),
    },
    /// [`CutPaste`].
    #[serde(rename = "cutpaste")]
    CutPaste {
        /// Severities.
        #[serde(default = "all")]
        severity: (f64, f64),
    },
    /// [`CutPasteScar`].
    #[serde(rename = "cutpaste-scar")]
    CutPasteScar {
        /// Severities.
        #[serde(default = "all")]
        severity: (f64, f64),
    },
    /// [`PerlinBlend`].
    PerlinBlend {
        /// Severities.
        #[serde(default = "all")]
        severity: (f64, f64),
        /// Textures `(H, W, C)` instead of the shuffled photo; each is written out as its shape and values.
        #[serde(default, with = "textures", skip_serializing_if = "Vec::is_empty")]
        textures: Vec<Array3<f32>>,
    },
    /// [`PatchClone`].
    PatchClone {
        /// Severities.
        #[serde(default = "all")]
        severity: (f64, f64),
        /// Photos `(H, W, C)` that patches come from; none for the photo itself. Each is written out as its shape and values.
        #[serde(default, with = "textures", skip_serializing_if = "Vec::is_empty")]
        sources: Vec<Array3<f32>>,
    },
}

fn all() -> (f64, f64) {
    (0.0, 1.0)
}

fn rendered(
    model: impl Mechanism + 'static,
    appearance: Appearance,
    (low, high): (f64, f64),
) -> Result<Box<dyn Synthesizer>, Error> {
    Ok(Box::new(Rendered::new(model, appearance)?.with_severity(low, high)?))
}

impl Model {
    /// The synthesizer, every value checked.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first value out of range and its range; [`Error::NotFinite`] for a texture.
    pub fn build(&self) -> Result<Box<dyn Synthesizer>, Error> {
        match self.clone() {
            Self::FractureLine { params, appearance, severity } => {
                rendered(FractureLine::new(params)?, appearance, severity)
            }
            Self::PaperFrontier { params, appearance, severity } => {
                rendered(PaperFrontier::new(params)?, appearance, severity)
            }
            Self::PittingLoss { params, appearance, severity } => {
                params.validate()?;
                rendered(params, appearance, severity)
            }
            Self::PaperPolygon { params, appearance, severity } => {
                params.validate()?;
                rendered(params, appearance, severity)
            }
            Self::PlasticWarpage { params, appearance, severity } => {
                params.validate()?;
                rendered(params, appearance, severity)
            }
            Self::CutPaste { severity: (low, high) } => Ok(Box::new(CutPaste::default().with_severity(low, high)?)),
            Self::CutPasteScar { severity: (low, high) } => {
                Ok(Box::new(CutPasteScar::default().with_severity(low, high)?))
            }
            Self::PerlinBlend { severity: (low, high), textures } => {
                Ok(Box::new(PerlinBlend::default().with_severity(low, high)?.with_textures(textures)?))
            }
            Self::PatchClone { severity: (low, high), sources } => {
                Ok(Box::new(PatchClone::default().with_severity(low, high)?.with_sources(sources)?))
            }
        }
    }
}

/// Which pixels of the photo may carry the defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Region {
    /// Every pixel.
    #[default]
    WholeFrame,
    /// What [`estimate_foreground`] finds on the photo.
    EstimatedForeground,
}

impl Region {
    /// The domain on a photo `(H, W, C)`.
    ///
    /// # Errors
    /// [`Error::EmptyDomain`] for a photo without pixels; those of [`estimate_foreground`].
    pub fn domain(self, photo: ArrayView3<'_, f32>) -> Result<Domain, Error> {
        match self {
            Self::WholeFrame => Domain::full(photo.dim().0, photo.dim().1),
            Self::EstimatedForeground => estimate_foreground(photo)?.into_domain(),
        }
    }
}

/// All that one sample depends on, the photo apart.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The synthesizer.
    pub model: Model,
    /// Which of its samples.
    pub key: SampleKey,
    /// Where on the photo.
    #[serde(default)]
    pub region: Region,
}

impl Recipe {
    /// Makes the sample on `photo` `(H, W, C)`, f32 in \[0, 1\].
    ///
    /// For many samples of one model or one photo, [`Model::build`] and [`Region::domain`] once and call
    /// [`Synthesizer::synthesize`]: the same samples.
    ///
    /// # Errors
    /// Those of [`Model::build`], [`Region::domain`] and [`Synthesizer::synthesize`].
    pub fn make(&self, photo: ArrayView3<'_, f32>) -> Result<Sample, Error> {
        let synthesizer = self.model.build()?;
        synthesizer.synthesize(photo, &self.region.domain(photo)?, self.key)
    }

    /// As one line of JSON.
    ///
    /// # Errors
    /// Those of [`Model::build`]: what cannot be replayed is not written.
    pub fn to_json(&self) -> Result<String, Error> {
        self.model.build()?;
        serde_json::to_string(self).map_err(json)
    }

    /// From JSON, every value checked.
    ///
    /// # Errors
    /// [`Error::Json`] if the text is not a recipe; those of [`Model::build`] if it is one with a value out of range.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let recipe: Self = serde_json::from_str(text).map_err(json)?;
        recipe.model.build()?;
        Ok(recipe)
    }
}

fn json(error: serde_json::Error) -> Error {
    Error::Json { reason: error.to_string() }
}

/// Makes the sample of a recipe in JSON on the photo it was made for: patch, mask, box and record equal to the last bit.
///
/// # Errors
/// Those of [`Recipe::from_json`] and [`Recipe::make`].
pub fn replay(text: &str, photo: ArrayView3<'_, f32>) -> Result<Sample, Error> {
    Recipe::from_json(text)?.make(photo)
}
