//! The mix of mechanisms and materials of a data set, by name.

use std::fmt::{self, Display};
use std::str::FromStr;

use physdefect::appearance::{Appearance, Material};
use physdefect::registry::Registry;
use physdefect::replay::SynthesizerConfig;
use physdefect::visibility::Visibility;
use serde::{Deserialize, Serialize};

use super::error::Error;
use super::names::check_name;
use super::plant::Plant;
use super::text_list::{as_text, items, refuse};
use crate::synthesis::{PHYSICAL, SEVERITY};

/// Largest weight: their sum must be a number.
const MAX_WEIGHT: f64 = 1e9;

/// Entry of a mix: name of a mechanism, how often it is used, how severe its defects are.
#[derive(Debug, Clone, PartialEq)]
pub struct MixEntry {
    name: String,
    weight: f64,
    severity: (f64, f64),
}

impl MixEntry {
    /// Creates an entry for a mechanism by its name, with weight 1 and severities from 0.25 to 1. The name is looked up
    /// when a job starts.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), weight: 1.0, severity: SEVERITY }
    }

    /// Sets how often the mechanism is used, relative to the others: above 0, at most 1e9.
    #[must_use]
    pub fn with_weight(mut self, weight: f64) -> Self {
        self.weight = weight;
        self
    }

    /// Sets the range (low, high) of severities, within \[0, 1\].
    #[must_use]
    pub fn with_severity(mut self, severity: (f64, f64)) -> Self {
        self.severity = severity;
        self
    }

    /// Name of the mechanism, as in [`physdefect::Synthesizer::name`].
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Weight relative to the other mechanisms.
    #[must_use]
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// Range (low, high) of severities.
    #[must_use]
    pub fn severity(&self) -> (f64, f64) {
        self.severity
    }

    fn check(&self) -> Result<(), Error> {
        let (low, high) = self.severity;
        check_name("mechanisms", &self.name)?;
        if !(self.weight > 0.0 && self.weight <= MAX_WEIGHT) {
            return refuse("weight", self.weight, format!("a number above 0 and at most {MAX_WEIGHT:e}"));
        }
        if !(0.0 <= low && low <= high && high <= 1.0) {
            return refuse("severity", format!("{low}..{high}"), "low..high within 0 to 1");
        }
        Ok(())
    }
}

/// Mix of mechanisms, written `name[=weight][@low..high],...`: weight 1 and severities 0.25 to 1 where left out.
///
/// ```
/// use maphc2f::factory::MechanismMix;
/// let mix: MechanismMix = "fracture-line=2,pitting-loss@0.5..1".parse()?;
/// assert_eq!((mix.entries()[0].weight(), mix.entries()[1].severity()), (2.0, (0.5, 1.0)));
/// assert!("fracture".parse::<MechanismMix>().is_err());
/// # Ok::<(), maphc2f::factory::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct MechanismMix(Vec<MixEntry>);

impl Default for MechanismMix {
    fn default() -> Self {
        Self(PHYSICAL.map(MixEntry::new).into())
    }
}

impl MechanismMix {
    /// Creates a mix of at least one mechanism, each named once.
    ///
    /// # Errors
    /// [`Error::Parameter`] for no entry, a name given twice, a weight or a severity out of range.
    pub fn new(entries: impl IntoIterator<Item = MixEntry>) -> Result<Self, Error> {
        let entries: Vec<MixEntry> = entries.into_iter().collect();
        for (i, entry) in entries.iter().enumerate() {
            entry.check()?;
            if entries[..i].iter().any(|other| other.name == entry.name) {
                return refuse("mechanisms", &entry.name, "named once");
            }
        }
        if entries.is_empty() {
            return refuse("mechanisms", "empty", format!("one or more of {}", known_mechanisms()));
        }
        Ok(Self(entries))
    }

    /// Mechanisms in the order in which they were given.
    #[must_use]
    pub fn entries(&self) -> &[MixEntry] {
        &self.0
    }

    /// Names in the order in which they were given: the classes of a data set.
    pub(super) fn names(&self) -> Vec<&str> {
        self.0.iter().map(MixEntry::name).collect()
    }
}

impl FromStr for MechanismMix {
    type Err = Error;

    /// Reads a mix of the names in [`Registry::standard`].
    fn from_str(text: &str) -> Result<Self, Error> {
        let mix = Self::parse(text)?;
        for entry in &mix.0 {
            Registry::standard().by_name(&entry.name).map_err(crate::Error::from)?;
        }
        Ok(mix)
    }
}

impl MechanismMix {
    /// Reads a mix of any names.
    fn parse(text: &str) -> Result<Self, Error> {
        Self::new(items(text).map(MixEntry::parse).collect::<Result<Vec<_>, _>>()?)
    }
}

impl From<MechanismMix> for String {
    fn from(mix: MechanismMix) -> Self {
        mix.to_string()
    }
}

impl TryFrom<String> for MechanismMix {
    type Error = Error;

    /// Reads a mix of any names: a run may have been made with a registry of its own.
    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl MixEntry {
    fn parse(text: &str) -> Result<Self, Error> {
        let (rest, severity) = text.split_once('@').map_or((text, None), |(rest, range)| (rest, Some(range)));
        let (name, weight) = rest.split_once('=').map_or((rest, None), |(name, weight)| (name, Some(weight)));
        let mut entry = Self::new(name);
        if let Some(weight) = weight {
            entry.weight = weight.parse().unwrap_or(f64::NAN);
        }
        if let Some(range) = severity {
            entry.severity = match range.split_once("..").map(|(low, high)| (low.parse(), high.parse())) {
                Some((Ok(low), Ok(high))) => (low, high),
                _ => return refuse("severity", range, "low..high within 0 to 1"),
            };
        }
        entry.check().map(|()| entry)
    }
}

impl Display for MechanismMix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, MixEntry { name, weight, severity: (low, high) }) in self.0.iter().enumerate() {
            write!(f, "{}{name}={weight}@{low}..{high}", if i > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

/// Names of materials, separated by commas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Materials(Vec<String>);

impl Default for Materials {
    fn default() -> Self {
        Self(["matte", "glossy-plastic", "metal"].map(str::to_owned).into())
    }
}

impl Materials {
    /// Creates a list of at least one material.
    ///
    /// # Errors
    /// [`Error::Parameter`] for no name or an unknown one.
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.is_empty() {
            return refuse("materials", "empty", format!("one or more of {}", known_materials()));
        }
        match names.iter().find(|name| Material::by_name(name).is_err()) {
            Some(name) => refuse("materials", name, format!("one of {}", known_materials())),
            None => Ok(Self(names)),
        }
    }

    /// Names of the materials in the order in which they were given.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

impl FromStr for Materials {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::new(items(text))
    }
}

impl Display for Materials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

as_text!(Materials);

fn known_mechanisms() -> String {
    Registry::standard().names().collect::<Vec<_>>().join(", ")
}

fn known_materials() -> String {
    Material::names().collect::<Vec<_>>().join(", ")
}

/// The synthesizer of a mechanism, or of a kind of the plant's defects, on a material, as plain data.
pub(super) fn config(
    entry: &MixEntry,
    material: &str,
    visibility: Visibility,
    registry: &Registry,
    plant: Option<&Plant>,
) -> Result<SynthesizerConfig, crate::Error> {
    let (low, high) = entry.severity;
    let appearance = Appearance::new(Material::by_name(material)?).with_visibility(Some(visibility));
    let config = match plant.and_then(|plant| plant.kind(&entry.name)) {
        Some(kind) => {
            let calibration = kind.calibration();
            registry.calibrated_entry(calibration.mechanism)?.calibrated_config(calibration)?
        }
        None => registry.by_name(&entry.name)?.config()?,
    };
    Ok(config.with_appearance(appearance).with_severity(low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mechanism_is_built_under_its_own_name() {
        for name in Registry::standard().names() {
            let entry = MixEntry::new(name).with_severity((0.2, 0.4));
            let built =
                config(&entry, "metal", Visibility::default(), &Registry::standard(), None).unwrap().build().unwrap();
            assert_eq!(built.name(), name);
        }
    }

    #[test]
    fn lists_read_back_as_they_were_written() {
        let text = "fracture-line=2@0.25..1,cutpaste=0.5@0..0.75";
        let mix: MechanismMix = text.parse().unwrap();
        assert_eq!(mix.to_string(), text);
        for wrong in [
            "",
            "dents",
            "cutpaste=0",
            "cutpaste=x",
            "cutpaste=1e308",
            "cutpaste=inf",
            "cutpaste@1..0",
            "cutpaste@0..2",
            "cutpaste,cutpaste",
        ] {
            assert!(wrong.parse::<MechanismMix>().is_err(), "{wrong}");
        }
        assert!("gold".parse::<Materials>().unwrap_err().to_string().contains("glossy-plastic"));
    }
}
