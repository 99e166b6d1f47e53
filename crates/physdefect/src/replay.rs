//! Replay of samples from text: which synthesizer, with which parameters, light and material, for which key.
//!
//! A [`Recipe`] is all that a sample depends on besides the photo, as JSON. [`replay`] makes the sample again, equal to
//! the last bit, on any machine that rounds as IEEE 754 asks. Values are exact: floating-point numbers are written in
//! their shortest form that reads back to the same bits.
//!
//! ```
//! use ndarray::Array3;
//! use physdefect::SampleKey;
//! use physdefect::appearance::{Appearance, Material};
//! use physdefect::fracture::{FractureLine, FractureParams};
//! use physdefect::replay::{Recipe, Region, SynthesizerConfig, replay};
//!
//! let photo = Array3::from_elem((96, 96, 3), 0.6f32);
//! let params = FractureParams::default().with_grain(0.02);
//! let metal = Appearance::new(Material::METAL);
//! let model = SynthesizerConfig::mechanism::<FractureLine>(params).with_appearance(metal).with_severity(0.2, 0.6);
//! let recipe = Recipe { model, key: SampleKey { seed: 7, index: 3 }, region: Region::WholeFrame };
//! let sample = recipe.make(photo.view())?;
//! let again = replay(&recipe.to_json()?, photo.view())?;
//! assert_eq!((again.patch, again.mask, again.record), (sample.patch, sample.mask, sample.record));
//! # Ok::<(), physdefect::Error>(())
//! ```

use std::any::Any;
use std::fmt::Debug;

use ndarray::ArrayView3;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::appearance::{Appearance, Rendered};
use crate::registry::Registry;
use crate::{Domain, Error, Mechanism, Sample, SampleKey, Synthesizer, estimate_foreground};

/// A synthesizer that can be built from plain data, and so be written to JSON and replayed.
///
/// [`Rendered<M>`] is one for every mechanism `M` with [`FromParams`]; a foreign synthesizer implements it itself.
pub trait Replayable: Synthesizer + Sized + 'static {
    /// Name in the key `model` of the JSON, as in [`Synthesizer::name`].
    const NAME: &'static str;
    /// Everything that the synthesizer depends on, without checks; a missing field has its default.
    type Config: ConfigData;
    /// Builds the synthesizer, every value checked.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first value out of range.
    fn from_config(config: Self::Config) -> Result<Self, Error>;
}

/// A mechanism that is built from plain parameters: with this it can be registered as replayable.
pub trait FromParams: Mechanism + Sized + 'static {
    /// Name, as in [`Mechanism::name`].
    const NAME: &'static str;
    /// The mechanism's parameters, without checks; a missing field has its default.
    type Params: Clone + Default + PartialEq + Debug + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// Builds the mechanism, every value checked.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first value out of range.
    fn from_params(params: Self::Params) -> Result<Self, Error>;
}

/// Plain data of a [`Replayable`] synthesizer.
pub trait ConfigData: Clone + PartialEq + Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Range (low, high) that severities are sampled from.
    fn severity(&self) -> (f64, f64);
    /// Replaces the range of severities.
    fn set_severity(&mut self, severity: (f64, f64));
    /// Material and light; `None` for a baseline.
    fn appearance(&self) -> Option<Appearance> {
        None
    }
    /// Replaces material and light; a baseline has none and does nothing.
    fn set_appearance(&mut self, appearance: Appearance) {
        let _ = appearance;
    }
}

/// Plain data of a rendered mechanism: its parameters, material and light, and severities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RenderedConfig<P: Default> {
    params: P,
    appearance: Appearance,
    severity: (f64, f64),
}

impl<P: Default> Default for RenderedConfig<P> {
    fn default() -> Self {
        Self { params: P::default(), appearance: Appearance::default(), severity: (0.0, 1.0) }
    }
}

impl<P> ConfigData for RenderedConfig<P>
where
    P: Clone + Default + PartialEq + Debug + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    fn severity(&self) -> (f64, f64) {
        self.severity
    }
    fn set_severity(&mut self, severity: (f64, f64)) {
        self.severity = severity;
    }
    fn appearance(&self) -> Option<Appearance> {
        Some(self.appearance)
    }
    fn set_appearance(&mut self, appearance: Appearance) {
        self.appearance = appearance;
    }
}

impl<M: FromParams> Replayable for Rendered<M> {
    const NAME: &'static str = M::NAME;
    type Config = RenderedConfig<M::Params>;
    fn from_config(config: Self::Config) -> Result<Self, Error> {
        Self::new(M::from_params(config.params)?, config.appearance)?
            .with_severity(config.severity.0, config.severity.1)
    }
}

/// The configuration of one type of synthesizer.
#[derive(Debug)]
pub(crate) struct TypedConfig<S: Replayable>(S::Config);

impl<S: Replayable<Config: Default>> Default for TypedConfig<S> {
    fn default() -> Self {
        Self(S::Config::default())
    }
}

impl<S: Replayable> TypedConfig<S> {
    pub(crate) fn parse(value: serde_json::Value) -> serde_json::Result<Self> {
        serde_json::from_value(value).map(Self)
    }
}

/// [`TypedConfig`] without its type.
pub(crate) trait Config: Debug + Send + Sync {
    fn name(&self) -> &'static str;
    fn build(&self) -> Result<Box<dyn Synthesizer>, Error>;
    fn severity(&self) -> (f64, f64);
    fn set_severity(&mut self, severity: (f64, f64));
    fn appearance(&self) -> Option<Appearance>;
    fn set_appearance(&mut self, appearance: Appearance);
    fn boxed_clone(&self) -> Box<dyn Config>;
    fn equals(&self, other: &dyn Config) -> bool;
    fn data(&self) -> &dyn Any;
    fn as_serialize(&self) -> &dyn erased_serde::Serialize;
}

impl<S: Replayable + Debug> Config for TypedConfig<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }
    fn build(&self) -> Result<Box<dyn Synthesizer>, Error> {
        Ok(Box::new(S::from_config(self.0.clone())?))
    }
    fn severity(&self) -> (f64, f64) {
        self.0.severity()
    }
    fn set_severity(&mut self, severity: (f64, f64)) {
        self.0.set_severity(severity);
    }
    fn appearance(&self) -> Option<Appearance> {
        self.0.appearance()
    }
    fn set_appearance(&mut self, appearance: Appearance) {
        self.0.set_appearance(appearance);
    }
    fn boxed_clone(&self) -> Box<dyn Config> {
        Box::new(Self(self.0.clone()))
    }
    fn equals(&self, other: &dyn Config) -> bool {
        other.name() == S::NAME && other.data().downcast_ref() == Some(&self.0)
    }
    fn data(&self) -> &dyn Any {
        &self.0
    }
    fn as_serialize(&self) -> &dyn erased_serde::Serialize {
        &self.0
    }
}

/// Configuration of a synthesizer as plain data: mechanism or baseline, its parameters, material and light, severities.
///
/// In JSON the key `model` holds the name, as in [`Synthesizer::name`]; a field that is left out has its default, an
/// unknown key is refused. Nothing is checked before [`Self::build`]. `Deserialize` knows the names of
/// [`Registry::standard`]; for those of another registry use [`Registry::config_from_json`] or
/// [`Recipe::from_json_in`].
#[derive(Debug)]
pub struct SynthesizerConfig(Box<dyn Config>);

impl SynthesizerConfig {
    /// Creates the configuration of a rendered mechanism with the default appearance (matte, estimated light) and
    /// severities from 0 to 1.
    pub fn mechanism<M: FromParams>(params: M::Params) -> Self {
        Self::new::<Rendered<M>>(RenderedConfig { params, ..RenderedConfig::default() })
    }

    /// Creates the configuration of any synthesizer.
    pub fn new<S: Replayable>(config: S::Config) -> Self {
        Self(Box::new(TypedConfig::<S>(config)))
    }

    /// Sets material and light. A baseline takes no notice.
    #[must_use]
    pub fn with_appearance(mut self, appearance: Appearance) -> Self {
        self.0.set_appearance(appearance);
        self
    }

    /// Sets the range `low..=high` that severities are sampled from, within \[0, 1\].
    #[must_use]
    pub fn with_severity(mut self, low: f64, high: f64) -> Self {
        self.0.set_severity((low, high));
        self
    }

    /// Name of the mechanism or baseline.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name()
    }

    /// Range (low, high) that each sample's severity is sampled from.
    #[must_use]
    pub fn severity(&self) -> (f64, f64) {
        self.0.severity()
    }

    /// Material and light; `None` for a baseline.
    #[must_use]
    pub fn appearance(&self) -> Option<Appearance> {
        self.0.appearance()
    }

    /// Plain data, if it is that of `S`.
    #[must_use]
    pub fn data<S: Replayable>(&self) -> Option<&S::Config> {
        self.0.data().downcast_ref()
    }

    /// Builds the synthesizer, every value checked.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first value out of range and its range; [`Error::NotFinite`] for a texture.
    pub fn build(&self) -> Result<Box<dyn Synthesizer>, Error> {
        self.0.build()
    }
}

impl From<Box<dyn Config>> for SynthesizerConfig {
    fn from(config: Box<dyn Config>) -> Self {
        Self(config)
    }
}

impl Clone for SynthesizerConfig {
    fn clone(&self) -> Self {
        Self(self.0.boxed_clone())
    }
}

impl PartialEq for SynthesizerConfig {
    fn eq(&self, other: &Self) -> bool {
        self.0.equals(other.0.as_ref())
    }
}

impl Serialize for SynthesizerConfig {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Tagged<'a> {
            model: &'static str,
            #[serde(flatten)]
            fields: &'a dyn erased_serde::Serialize,
        }
        Tagged { model: self.name(), fields: self.0.as_serialize() }.serialize(out)
    }
}

impl<'de> Deserialize<'de> for SynthesizerConfig {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let fields = serde_json::Map::deserialize(from)?;
        Registry::standard().config_from_json(fields).map_err(serde::de::Error::custom)
    }
}

/// Region of the photo that may carry the defect.
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
    /// Computes the domain on a photo `(H, W, C)`.
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

/// Recipe of a sample: all that it depends on besides the photo.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The synthesizer.
    pub model: SynthesizerConfig,
    /// Which of its samples.
    pub key: SampleKey,
    /// Where on the photo.
    #[serde(default)]
    pub region: Region,
}

impl Recipe {
    /// Makes the sample on `photo` `(H, W, C)`, f32 in \[0, 1\].
    ///
    /// For many samples of one model or one photo, [`SynthesizerConfig::build`] and [`Region::domain`] once and call
    /// [`Synthesizer::synthesize`]: the same samples.
    ///
    /// # Errors
    /// Those of [`SynthesizerConfig::build`], [`Region::domain`] and [`Synthesizer::synthesize`].
    pub fn make(&self, photo: ArrayView3<'_, f32>) -> Result<Sample, Error> {
        let synthesizer = self.model.build()?;
        synthesizer.synthesize(photo, &self.region.domain(photo)?, self.key)
    }

    /// Writes the recipe as one line of JSON.
    ///
    /// # Errors
    /// Those of [`SynthesizerConfig::build`]: what cannot be replayed is not written.
    pub fn to_json(&self) -> Result<String, Error> {
        self.model.build()?;
        serde_json::to_string(self).map_err(Error::json)
    }

    /// Reads a recipe of this crate's mechanisms and baselines from JSON, every value checked.
    ///
    /// # Errors
    /// As [`Self::from_json_in`].
    pub fn from_json(text: &str) -> Result<Self, Error> {
        Self::from_json_in(text, &Registry::standard())
    }

    /// Reads a recipe of the mechanisms and baselines of `registry` from JSON, every value checked.
    ///
    /// # Errors
    /// [`Error::Json`] if the text is not a recipe, [`Error::UnknownMechanism`] if the registry has no such name; those
    /// of [`SynthesizerConfig::build`] if it is one with a value out of range.
    pub fn from_json_in(text: &str, registry: &Registry) -> Result<Self, Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            model: serde_json::Map<String, serde_json::Value>,
            key: SampleKey,
            #[serde(default)]
            region: Region,
        }
        let Fields { model, key, region } = serde_json::from_str(text).map_err(Error::json)?;
        let recipe = Self { model: registry.config_from_json(model)?, key, region };
        recipe.model.build()?;
        Ok(recipe)
    }
}

/// Makes the sample of a recipe in JSON on the photo it was made for: patch, mask, box and record equal to the last
/// bit.
///
/// # Errors
/// Those of [`Recipe::from_json`] and [`Recipe::make`].
pub fn replay(text: &str, photo: ArrayView3<'_, f32>) -> Result<Sample, Error> {
    Recipe::from_json(text)?.make(photo)
}
