//! The list of mechanisms and baselines by name, from which parsers, help texts, replay and tests follow.
//!
//! [`Registry::standard`] holds this crate's own; [`Registry::with`] adds others, and the larger list is passed as a
//! value to whoever looks names up. A string that is not in the list is an error that names the nearest entry.
//!
//! ```
//! use ndarray::Array3;
//! use physdefect::appearance::{Appearance, Material};
//! use physdefect::registry::Registry;
//! use physdefect::{Domain, SampleKey};
//!
//! let registry = Registry::standard();
//! let entry = registry.by_name("fracture-line")?;
//! assert_eq!((entry.abbreviation(), entry.size_measure()), ("FL", Some("length_px")));
//! let synthesizer = entry.synthesizer(Appearance::new(Material::by_name("metal")?), (0.25, 1.0))?;
//! let photo = Array3::from_elem((96, 96, 3), 0.5f32);
//! let sample = synthesizer.synthesize(photo.view(), &Domain::full(96, 96)?, SampleKey { seed: 1, index: 0 })?;
//! assert_eq!(sample.record.model, "fracture-line");
//! assert!(registry.by_name("fracture").unwrap_err().to_string().contains("fracture-line"));
//! # Ok::<(), physdefect::Error>(())
//! ```

use std::fmt;

use crate::abrasion::Abrasion;
use crate::appearance::{Appearance, Rendered};
use crate::baselines::{CutPaste, CutPasteScar, PatchClone, PerlinBlend};
use crate::calibration::{Calibrate, Calibration};
#[cfg(feature = "serde")]
use crate::calibration::{Calibrated, CalibratedConfig};
use crate::edge_loss::EdgeLoss;
use crate::fracture::{FractureLine, PaperFrontier};
use crate::pitting::{PaperPolygon, PittingLoss};
#[cfg(feature = "serde")]
use crate::replay::{Config, Replayable, SynthesizerConfig, TypedConfig};
use crate::unevenness::SurfaceUnevenness;
use crate::warpage::PlasticWarpage;
use crate::{Error, Mechanism, MechanismKind, Synthesizer};

/// Entry of a [`Registry`]: one mechanism or baseline.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    name: &'static str,
    description: &'static str,
    kind: MechanismKind,
    size_measure: Option<&'static str>,
    mechanism: Option<fn() -> Box<dyn Mechanism>>,
    synthesizer: Build,
    calibrated: Option<BuildCalibrated>,
    #[cfg(feature = "serde")]
    config: Option<ConfigHooks>,
    #[cfg(feature = "serde")]
    calibrated_config: Option<CalibratedHooks>,
}

type BuildCalibrated = fn(&Calibration, Appearance) -> Result<Box<dyn Synthesizer>, Error>;
type Build = fn(Appearance, (f64, f64)) -> Result<Box<dyn Synthesizer>, Error>;

/// Makes the default configuration of an entry, or reads one from JSON.
#[cfg(feature = "serde")]
#[derive(Debug, Clone, Copy)]
struct ConfigHooks {
    default: fn() -> Box<dyn Config>,
    parse: fn(serde_json::Value) -> serde_json::Result<Box<dyn Config>>,
}

/// Makes the configuration of a calibrated synthesizer, or reads one from JSON.
#[cfg(feature = "serde")]
#[derive(Debug, Clone, Copy)]
struct CalibratedHooks {
    make: fn(Calibration) -> SynthesizerConfig,
    parse: fn(serde_json::Value) -> serde_json::Result<Box<dyn Config>>,
}

impl Entry {
    /// Creates an entry for a mechanism, which is rendered with its default parameters. Name, kind and size measure are
    /// the mechanism's own; `description` is one line for help texts.
    #[must_use]
    pub fn mechanism<M: Mechanism + Default + 'static>(description: &'static str) -> Self {
        let mechanism = M::default();
        Self {
            name: mechanism.name(),
            description,
            kind: mechanism.kind(),
            size_measure: Some(mechanism.size_measure()),
            mechanism: Some(|| Box::new(M::default())),
            synthesizer: |appearance, (low, high)| {
                Ok(Box::new(Rendered::new(M::default(), appearance)?.with_severity(low, high)?))
            },
            calibrated: None,
            #[cfg(feature = "serde")]
            config: None,
            #[cfg(feature = "serde")]
            calibrated_config: None,
        }
    }

    /// Creates an entry for a synthesizer that is no rendered mechanism, such as a baseline; `build` makes it from a
    /// range of severities.
    #[must_use]
    pub fn synthesizer_of<S: Synthesizer + Default + 'static>(description: &'static str, build: Build) -> Self {
        let synthesizer = S::default();
        Self {
            name: synthesizer.name(),
            description,
            kind: synthesizer.kind(),
            size_measure: None,
            mechanism: None,
            synthesizer: build,
            calibrated: None,
            #[cfg(feature = "serde")]
            config: None,
            #[cfg(feature = "serde")]
            calibrated_config: None,
        }
    }

    /// Makes the entry replayable: its configurations are written to JSON and read back. `S` is the synthesizer of the
    /// entry, for a mechanism `M` it is `Rendered<M>`.
    #[cfg(feature = "serde")]
    #[must_use]
    pub fn replayable<S: Replayable<Config: Default>>(mut self) -> Self {
        self.config = Some(ConfigHooks {
            default: || Box::new(TypedConfig::<S>::default()),
            parse: |value| Ok(Box::new(TypedConfig::<S>::parse(value)?)),
        });
        self
    }

    /// Lets the entry follow priors that were measured on real masks.
    #[must_use]
    pub fn calibrated_by<M: Calibrate>(mut self) -> Self {
        self.calibrated = Some(|calibration, appearance| Ok(Box::new(calibration.of::<M>(appearance)?)));
        #[cfg(feature = "serde")]
        {
            self.calibrated_config = Some(CalibratedHooks {
                make: |calibration| SynthesizerConfig::new::<Calibrated<M>>(CalibratedConfig::new(calibration)),
                parse: |value| Ok(Box::new(TypedConfig::<Calibrated<M>>::parse(value)?)),
            });
        }
        self
    }

    /// Name of the mechanism or baseline, as in [`Synthesizer::name`].
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Description in one line.
    #[must_use]
    pub fn description(&self) -> &'static str {
        self.description
    }

    /// Family of the defects.
    #[must_use]
    pub fn kind(&self) -> MechanismKind {
        self.kind
    }

    /// Abbreviation of the family, see [`MechanismKind::abbreviation`].
    #[must_use]
    pub fn abbreviation(&self) -> &'static str {
        self.kind.abbreviation()
    }

    /// Key of the measure that severity is monotone in; `None` for a baseline.
    #[must_use]
    pub fn size_measure(&self) -> Option<&'static str> {
        self.size_measure
    }

    /// Mechanism with its default parameters; `None` for a baseline.
    #[must_use]
    pub fn default_mechanism(&self) -> Option<Box<dyn Mechanism>> {
        self.mechanism.map(|make| make())
    }

    /// Creates the synthesizer with default parameters. A baseline takes no notice of the appearance, but it is
    /// checked.
    ///
    /// # Errors
    /// [`Error::Parameter`] for severities that are not 0 <= low <= high <= 1 or an appearance out of range.
    pub fn synthesizer(&self, appearance: Appearance, severity: (f64, f64)) -> Result<Box<dyn Synthesizer>, Error> {
        appearance.check()?;
        (self.synthesizer)(appearance, severity)
    }

    /// Configuration with default parameters as plain data, for records and replay.
    ///
    /// # Errors
    /// [`Error::NotReplayable`] if the entry was made without [`Self::replayable`].
    #[cfg(feature = "serde")]
    pub fn config(&self) -> Result<SynthesizerConfig, Error> {
        let hooks = self.config.ok_or(Error::NotReplayable { name: self.name })?;
        Ok(SynthesizerConfig::from((hooks.default)()))
    }

    /// Configuration of a synthesizer that follows a calibration as plain data, for records and replay. Its JSON names
    /// the entry as `model` and holds the calibration.
    ///
    /// # Errors
    /// As [`Self::calibrated`].
    #[cfg(feature = "serde")]
    pub fn calibrated_config(&self, calibration: &Calibration) -> Result<SynthesizerConfig, Error> {
        let wrong = Error::WrongMechanism { wanted: self.kind, found: calibration.mechanism };
        let hooks = self.calibrated_config.filter(|_| self.kind == calibration.mechanism).ok_or(wrong)?;
        calibration.check()?;
        Ok((hooks.make)(calibration.clone()))
    }

    /// Creates a synthesizer that follows a calibration.
    ///
    /// # Errors
    /// [`Error::WrongMechanism`] if the entry cannot be calibrated or the calibration is of another kind;
    /// [`Error::Parameter`] from the appearance.
    pub fn calibrated(&self, calibration: &Calibration, appearance: Appearance) -> Result<Box<dyn Synthesizer>, Error> {
        let wrong = Error::WrongMechanism { wanted: self.kind, found: calibration.mechanism };
        self.calibrated.ok_or(wrong)?(calibration, appearance)
    }
}

/// Registry of mechanisms and baselines by name.
#[derive(Debug, Clone)]
pub struct Registry {
    entries: Vec<Entry>,
}

impl Registry {
    /// Creates the registry of this crate's mechanisms and baselines. **A new mechanism is added here.**
    #[must_use]
    pub fn standard() -> Self {
        let entries = vec![
            mechanism::<FractureLine>("crack grown by linear elastic fracture mechanics")
                .calibrated_by::<FractureLine>(),
            mechanism::<PaperFrontier>("crack by the paper's stepping frontiers"),
            mechanism::<PittingLoss>("corrosion pits by nucleation and growth").calibrated_by::<PittingLoss>(),
            mechanism::<PaperPolygon>("corrosion by the paper's growing polygons"),
            mechanism::<PlasticWarpage>("dent, crease or warp by elastic-plastic bending")
                .calibrated_by::<PlasticWarpage>(),
            mechanism::<Abrasion>("scratch of a hard point by Archard's law (not the paper's)")
                .calibrated_by::<Abrasion>(),
            mechanism::<SurfaceUnevenness>("uneven grinding, waviness, stain or water mark (not the paper's)")
                .calibrated_by::<SurfaceUnevenness>(),
            mechanism::<EdgeLoss>("chip or notch of the object's outline (not the paper's)")
                .calibrated_by::<EdgeLoss>(),
            baseline::<CutPaste>("CutPaste: a rectangle of the photo pasted elsewhere"),
            baseline::<CutPasteScar>("CutPaste's scar: a thin rotated rectangle pasted elsewhere"),
            baseline::<PerlinBlend>("DRAEM: a texture blended in by Perlin noise"),
            baseline::<PatchClone>("NSA: a resized patch cloned elsewhere"),
        ];
        Self { entries }
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// [`Error::DuplicateMechanism`] if the name is taken.
    pub fn with(mut self, entry: Entry) -> Result<Self, Error> {
        if self.entries.iter().any(|e| e.name == entry.name) {
            return Err(Error::DuplicateMechanism { name: entry.name });
        }
        self.entries.push(entry);
        Ok(self)
    }

    /// All entries, in the order of registration.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// All names, in the order of registration.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.entries.iter().map(|e| e.name)
    }

    /// Looks an entry up by its exact name.
    ///
    /// # Errors
    /// [`Error::UnknownMechanism`] with all names and the nearest one.
    pub fn by_name(&self, name: &str) -> Result<Entry, Error> {
        let unknown = || Error::UnknownMechanism {
            name: name.to_owned(),
            nearest: nearest(name, self.names()),
            known: self.names().collect(),
        };
        self.entries.iter().find(|e| e.name == name).copied().ok_or_else(unknown)
    }

    /// Finds the first entry that follows calibrations of this kind.
    ///
    /// # Errors
    /// [`Error::WrongMechanism`] if there is none.
    pub fn calibrated(&self, calibration: &Calibration, appearance: Appearance) -> Result<Box<dyn Synthesizer>, Error> {
        self.calibrated_entry(calibration.mechanism)?.calibrated(calibration, appearance)
    }

    /// Finds the first entry that follows calibrations of a kind.
    ///
    /// # Errors
    /// [`Error::WrongMechanism`] if there is none.
    pub fn calibrated_entry(&self, kind: MechanismKind) -> Result<&Entry, Error> {
        let entry = self.entries.iter().find(|e| e.kind == kind && e.calibrated.is_some());
        entry.ok_or(Error::WrongMechanism { wanted: kind, found: kind })
    }

    /// Reads a configuration that [`SynthesizerConfig`] was written as: its key `model` names the entry.
    ///
    /// # Errors
    /// [`Error::UnknownMechanism`], [`Error::NotReplayable`], [`Error::Json`].
    #[cfg(feature = "serde")]
    pub fn config_from_json(
        &self,
        mut fields: serde_json::Map<String, serde_json::Value>,
    ) -> Result<SynthesizerConfig, Error> {
        use serde::de::Error as _;
        let name = match fields.remove("model") {
            Some(serde_json::Value::String(name)) => name,
            _ => return Err(Error::json(serde_json::Error::missing_field("model"))),
        };
        let entry = self.by_name(&name)?;
        let refused = Error::NotReplayable { name: entry.name };
        let parse = if fields.contains_key("calibration") {
            entry.calibrated_config.ok_or(refused)?.parse
        } else {
            entry.config.ok_or(refused)?.parse
        };
        parse(serde_json::Value::Object(fields)).map(SynthesizerConfig::from).map_err(Error::json)
    }
}

/// Formats the registry as a table for help texts: one line an entry, name and description.
impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.names().map(str::len).max().unwrap_or(0);
        for (i, entry) in self.entries.iter().enumerate() {
            let end = if i + 1 < self.entries.len() { "\n" } else { "" };
            write!(f, "{:width$}  {}{end}", entry.name, entry.description)?;
        }
        Ok(())
    }
}

#[cfg(feature = "serde")]
fn mechanism<M>(description: &'static str) -> Entry
where
    M: Mechanism + Default + 'static,
    Rendered<M>: Replayable<Config: Default>,
{
    Entry::mechanism::<M>(description).replayable::<Rendered<M>>()
}

#[cfg(not(feature = "serde"))]
fn mechanism<M: Mechanism + Default + 'static>(description: &'static str) -> Entry {
    Entry::mechanism::<M>(description)
}

#[cfg(feature = "serde")]
fn baseline<S: Baseline + Replayable<Config: Default>>(description: &'static str) -> Entry {
    Entry::synthesizer_of::<S>(description, |_, severity| S::boxed(severity)).replayable::<S>()
}

#[cfg(not(feature = "serde"))]
fn baseline<S: Baseline>(description: &'static str) -> Entry {
    Entry::synthesizer_of::<S>(description, |_, severity| S::boxed(severity))
}

/// A baseline with default parameters but for the severities.
pub(crate) trait Baseline: Synthesizer + Default + 'static {
    fn boxed(severity: (f64, f64)) -> Result<Box<dyn Synthesizer>, Error>;
}

/// The known name most like `name`, if one is alike at all.
pub(crate) fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    known
        .map(|k| (strsim::jaro_winkler(&name.to_lowercase(), k), k))
        .filter(|(likeness, _)| *likeness > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}
