//! What a run makes. Equal settings and photos make equal bytes.

use std::fmt::{self, Display};
use std::str::FromStr;

use physdefect::appearance::{Appearance, Material};
use physdefect::replay::Model;
use serde::{Deserialize, Serialize};

use super::error::Error;
use super::formats::Formats;
use crate::SEVERITY;

/// Everything the bytes of a data set depend on besides the photos and the quality estimator's file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Seed of the run.
    pub seed: u64,
    /// Samples, at most 2^40.
    pub count: u64,
    /// Photos are resized to this many px a side, at least 32; `None` keeps their sizes.
    pub side: Option<usize>,
    /// Which defects, how often, how severe.
    pub mechanisms: Mechanisms,
    /// What surfaces are taken for; one is drawn for each sample.
    pub materials: Materials,
    /// What is written.
    pub formats: Formats,
    /// The best by estimated quality of this share of the tries is kept, in (0, 1]; 1 tries once.
    pub keep_best: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            count: 256,
            side: None,
            mechanisms: Mechanisms::default(),
            materials: Materials::default(),
            formats: Formats::default(),
            keep_best: 1.0,
        }
    }
}

impl Settings {
    /// Refuses values out of range.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(&self) -> Result<(), Error> {
        let fail = |name, value: &dyn Display, expected: &str| {
            Err(Error::Setting { name, value: value.to_string(), expected: expected.to_owned() })
        };
        if self.count == 0 || self.count > 1 << 40 {
            return fail("count", &self.count, "give a number from 1 to 2^40");
        }
        if let Some(side) = self.side.filter(|s| !(32..=16384).contains(s)) {
            return fail("side", &side, "give 32 to 16384 px");
        }
        if !(self.keep_best > 0.01 && self.keep_best <= 1.0) {
            return fail("keep-best", &self.keep_best, "give a share above 0.01 and at most 1");
        }
        Ok(())
    }

    /// The synthesiser of a share of [`Self::mechanisms`] on a material, as plain data.
    pub(super) fn model(&self, share: usize, material: usize) -> Model {
        let share = &self.mechanisms.0[share];
        model(&share.name, material_of(&self.materials.0[material]), share.severity)
            .unwrap_or(Model::CutPaste { severity: share.severity }) // names were checked when they were read
    }
}

/// One mechanism of the mix.
#[derive(Debug, Clone, PartialEq)]
pub struct MixEntry {
    /// Name, as in [`physdefect::Synthesizer::name`].
    pub name: String,
    /// How often, relative to the others: above 0.
    pub weight: f64,
    /// Severities are drawn from this range, within \[0, 1\].
    pub severity: (f64, f64),
}

const MECHANISMS: [&str; 9] = [
    "fracture-line",
    "paper-frontier",
    "pitting-loss",
    "paper-polygon",
    "plastic-warpage",
    "cutpaste",
    "cutpaste-scar",
    "perlin-blend",
    "patch-clone",
];

fn model(name: &str, material: Material, severity: (f64, f64)) -> Option<Model> {
    let appearance = Appearance::new(material);
    Some(match name {
        "fracture-line" => Model::FractureLine { params: Default::default(), appearance, severity },
        "paper-frontier" => Model::PaperFrontier { params: Default::default(), appearance, severity },
        "pitting-loss" => Model::PittingLoss { params: Default::default(), appearance, severity },
        "paper-polygon" => Model::PaperPolygon { params: Default::default(), appearance, severity },
        "plastic-warpage" => Model::PlasticWarpage { params: Default::default(), appearance, severity },
        "cutpaste" => Model::CutPaste { severity },
        "cutpaste-scar" => Model::CutPasteScar { severity },
        "perlin-blend" => Model::PerlinBlend { severity, textures: Vec::new() },
        "patch-clone" => Model::PatchClone { severity, sources: Vec::new() },
        _ => return None,
    })
}

/// A mix of mechanisms, written `name[=weight][@low..high],...`: weight 1 and severities 0.25 to 1 where left out.
///
/// ```
/// use maphc2f::factory::Mechanisms;
/// let mix: Mechanisms = "fracture-line=2,pitting-loss@0.5..1".parse()?;
/// assert_eq!((mix.0[0].weight, mix.0[1].severity), (2.0, (0.5, 1.0)));
/// assert!("fracture".parse::<Mechanisms>().is_err());
/// # Ok::<(), maphc2f::factory::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Mechanisms(pub Vec<MixEntry>);

impl Default for Mechanisms {
    fn default() -> Self {
        let share = |name: &str| MixEntry { name: name.to_owned(), weight: 1.0, severity: SEVERITY };
        Self(["fracture-line", "pitting-loss", "plastic-warpage"].map(share).into())
    }
}

impl FromStr for Mechanisms {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let shares: Vec<MixEntry> = items(text).map(MixEntry::from_str).collect::<Result<_, _>>()?;
        let repeated = shares.iter().enumerate().find(|(i, s)| shares[..*i].iter().any(|t| t.name == s.name));
        if let Some((_, share)) = repeated {
            return setting("mechanisms", &share.name, "is given twice: name each once".to_owned());
        }
        if shares.is_empty() {
            return setting("mechanisms", text, format!("give one or more of {}", MECHANISMS.join(", ")));
        }
        Ok(Self(shares))
    }
}

impl FromStr for MixEntry {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (rest, severity) = text.split_once('@').map_or((text, None), |(rest, range)| (rest, Some(range)));
        let (name, weight) = rest.split_once('=').map_or((rest, None), |(name, weight)| (name, Some(weight)));
        if !MECHANISMS.contains(&name) {
            return setting("mechanisms", name, format!("choose from {}", MECHANISMS.join(", ")));
        }
        let weight: f64 = weight.map_or(Ok(1.0), str::parse).unwrap_or(f64::NAN);
        if !(weight > 0.0 && weight.is_finite()) {
            return setting("mechanisms", text, "the weight after `=` must be a number above 0".to_owned());
        }
        let severity = match severity.map(|s| s.split_once("..").map(|(a, b)| (a.parse::<f64>(), b.parse::<f64>()))) {
            None => SEVERITY,
            Some(Some((Ok(low), Ok(high)))) if 0.0 <= low && low <= high && high <= 1.0 => (low, high),
            Some(_) => {
                return setting("mechanisms", text, "severities after `@` are low..high within 0 to 1".to_owned());
            }
        };
        Ok(Self { name: name.to_owned(), weight, severity })
    }
}

impl Display for Mechanisms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, MixEntry { name, weight, severity: (low, high) }) in self.0.iter().enumerate() {
            write!(f, "{}{name}={weight}@{low}..{high}", if i > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

const MATERIALS: [(&str, Material); 5] = [
    ("matte", Material::MATTE),
    ("metal", Material::METAL),
    ("glossy-plastic", Material::GLOSSY_PLASTIC),
    ("wood", Material::WOOD),
    ("fabric", Material::FABRIC),
];

fn material_of(name: &str) -> Material {
    MATERIALS.iter().find(|(n, _)| *n == name).map_or_else(Material::default, |(_, m)| *m)
}

/// Names of materials, separated by commas: `matte`, `metal`, `glossy-plastic`, `wood`, `fabric`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Materials(pub Vec<String>);

impl Default for Materials {
    fn default() -> Self {
        Self(["matte", "glossy-plastic", "metal"].map(str::to_owned).into())
    }
}

impl FromStr for Materials {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let names: Vec<String> = items(text).map(str::to_owned).collect();
        let known = MATERIALS.map(|(name, _)| name);
        match names.iter().find(|n| !known.contains(&n.as_str())) {
            Some(name) => setting("materials", name, format!("choose from {}", known.join(", "))),
            None if names.is_empty() => setting("materials", text, format!("give one or more of {}", known.join(", "))),
            None => Ok(Self(names)),
        }
    }
}

impl Display for Materials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

/// The items of a list separated by commas.
pub(super) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

pub(super) fn setting<T>(name: &'static str, value: &str, expected: String) -> Result<T, Error> {
    Err(Error::Setting { name, value: value.to_owned(), expected })
}

/// Lists are written as one text, in `run.json` as on the command line.
macro_rules! as_text {
    ($($list:ty),*) => {$(
        impl From<$list> for String {
            fn from(list: $list) -> Self {
                list.to_string()
            }
        }
        impl TryFrom<String> for $list {
            type Error = Error;
            fn try_from(text: String) -> Result<Self, Error> {
                text.parse()
            }
        }
    )*};
}
as_text!(Mechanisms, Materials, Formats);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mechanism_is_built_under_its_own_name() {
        for name in MECHANISMS {
            let built = model(name, Material::METAL, (0.2, 0.4)).unwrap().build().unwrap();
            assert_eq!(built.name(), name);
        }
    }

    #[test]
    fn lists_read_back_as_they_were_written() {
        let text = "fracture-line=2@0.25..1,cutpaste=0.5@0..0.75";
        let mix: Mechanisms = text.parse().unwrap();
        assert_eq!(mix.to_string(), text);
        for wrong in ["", "dents", "cutpaste=0", "cutpaste=x", "cutpaste@1..0", "cutpaste@0..2", "cutpaste,cutpaste"] {
            assert!(wrong.parse::<Mechanisms>().is_err(), "{wrong}");
        }
        assert!("gold".parse::<Materials>().unwrap_err().to_string().contains("glossy-plastic"));
    }
}
