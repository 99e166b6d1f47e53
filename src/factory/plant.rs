//! The plant's defects: one calibration for each kind of real defect, with its frequency, in a TOML file for people.

use std::fmt::Write;
use std::path::Path;

use imgkit::file::write_atomic;
use physdefect::appearance::{Appearance, Material};
use physdefect::calibration::{Calibration, CountPrior, Course, Prior, Scale, Share};
use physdefect::registry::Registry;
use serde::{Deserialize, Serialize};

use super::error::{BoxError, Error};
use super::files::read_text;
use super::mix::{MechanismMix, MixEntry};
use super::names::check_name;
use super::text_list::refuse;
use crate::synthesis::Pipeline;

/// Version of the file.
const VERSION: u32 = 1;
/// Largest file that is read, bytes.
const LARGEST: u64 = 1 << 24;

/// One kind of real defects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlantKind {
    name: String,
    frequency: f64,
    calibration: Calibration,
}

impl PlantKind {
    /// Takes a kind's name, which becomes that of a class and of folders, how often it is met relative to the others,
    /// and its priors.
    #[must_use]
    pub fn new(name: impl Into<String>, frequency: f64, calibration: Calibration) -> Self {
        Self { name: name.into(), frequency, calibration }
    }

    /// Name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How often it is met, relative to the others.
    #[must_use]
    pub fn frequency(&self) -> f64 {
        self.frequency
    }

    /// Priors.
    #[must_use]
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }
}

/// Kinds of real defects with their frequencies: what `maphc2f calibrate` writes and `synth` follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<PlantKind>", into = "Vec<PlantKind>")]
pub struct Plant(Vec<PlantKind>);

impl TryFrom<Vec<PlantKind>> for Plant {
    type Error = Error;
    fn try_from(kinds: Vec<PlantKind>) -> Result<Self, Error> {
        Self::new(kinds)
    }
}

impl From<Plant> for Vec<PlantKind> {
    fn from(plant: Plant) -> Self {
        plant.0
    }
}

impl Plant {
    /// Takes at least one kind, each name once.
    ///
    /// # Errors
    /// [`Error::Parameter`] for no kind, a name given twice or that is no folder's, a frequency or a prior out of
    /// range.
    pub fn new(kinds: Vec<PlantKind>) -> Result<Self, Error> {
        let plant = Self(kinds);
        for kind in &plant.0 {
            kind.calibration.check().map_err(crate::Error::from)?;
            Registry::standard().calibrated_entry(kind.calibration.mechanism).map_err(crate::Error::from)?;
        }
        plant.mix()?;
        Ok(plant)
    }

    /// Kinds in their order.
    #[must_use]
    pub fn kinds(&self) -> &[PlantKind] {
        &self.0
    }

    /// The kind of a name.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<&PlantKind> {
        self.0.iter().find(|kind| kind.name == name)
    }

    /// The kinds as a mix: each as often as it is met, with all of its sizes.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn mix(&self) -> Result<MechanismMix, Error> {
        if self.0.is_empty() {
            return refuse("kinds", "empty", "one or more kinds of defects");
        }
        let entry = |kind: &PlantKind| MixEntry::new(&kind.name).with_weight(kind.frequency).with_severity((0.0, 1.0));
        MechanismMix::new(self.0.iter().map(entry))
    }

    /// Creates a pipeline that draws the kinds, one group each, in every one of `materials`: for training, which takes
    /// groups in turn, whatever their frequencies.
    ///
    /// # Errors
    /// [`Error::Pipeline`] for a material or a prior out of range.
    pub fn pipeline(&self, materials: &[Material]) -> Result<Pipeline, Error> {
        let mut pipeline = Pipeline::default();
        for kind in &self.0 {
            let build = |&material: &Material| kind.calibration.synthesizer(Appearance::new(material));
            pipeline.push(materials.iter().map(build).collect::<Result<_, _>>().map_err(crate::Error::from)?);
        }
        Ok(pipeline)
    }

    /// Reads a file, every value checked.
    ///
    /// # Errors
    /// [`Error::Input`] if it cannot be read, [`Error::Plant`] if it is no such file, with line and column or the
    /// kind's name.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = read_text(path, LARGEST).map_err(|source| Error::Input { path: path.to_owned(), source })?;
        Self::from_toml(&text).map_err(|source| Error::Plant { path: path.to_owned(), source })
    }

    fn from_toml(text: &str) -> Result<Self, BoxError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = toml::from_str(text).map_err(|e| e.to_string())?;
        if version != VERSION {
            return Err(format!("version {version}, this program reads {VERSION}: calibrate again").into());
        }
        let file: File = toml::from_str(text).map_err(|e| e.to_string())?;
        let kind = |kind: FileKind| {
            let name = kind.name.clone();
            kind.read().map_err(|e| BoxError::from(format!("kind `{name}`: {e}")))
        };
        Ok(Self::new(file.kind.into_iter().map(kind).collect::<Result<_, _>>()?)?)
    }

    /// Writes the file, under a temporary name first.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        Ok(write_atomic(path, self.to_toml())?)
    }

    /// The file's text, with comments that say what is what.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = String::from(HEAD);
        let _ = writeln!(text, "version = {VERSION}");
        for kind in &self.0 {
            write_kind(&mut text, kind);
        }
        text
    }
}

const HEAD: &str = "\
# Real defects, measured on photos with masks by `maphc2f calibrate`; `synth`, `train` and `preview` follow it with
# --calibration. A prior is the median over photos, its 95 % interval, and how much single defects spread: one standard
# deviation multiplies or divides by `factor`, or adds or takes off `plus_minus`. Change what you know better.
";

/// The name that a mechanism has in the registry.
fn mechanism_name(calibration: &Calibration) -> &'static str {
    Registry::standard().calibrated_entry(calibration.mechanism).map_or("", |entry| entry.name())
}

fn write_kind(text: &mut String, kind: &PlantKind) {
    let c = &kind.calibration;
    let mut line = |key: &str, value: String, comment: &str| {
        let _ = if comment.is_empty() {
            writeln!(text, "{key} = {value}")
        } else {
            writeln!(text, "{key} = {value} # {comment}")
        };
    };
    // A string of JSON without control characters is one of TOML, too.
    let string = |s: &str| serde_json::Value::from(s).to_string();
    line("\n[[kind]]\nname", string(&kind.name), "");
    line("frequency", number(kind.frequency), "how often it is met, relative to the other kinds");
    line("mechanism", string(mechanism_name(c)), "");
    line("images", c.images.to_string(), "");
    line("defects", c.defects.to_string(), "");
    line("object_scale", number(c.object_scale), "px: square root of the object's area on the photos measured");
    line("size", prior(&c.size), "length or diameter, in object scales");
    line("width", prior(&c.width), "of the mask, in object scales");
    line("visibility", prior(&c.visibility), "just noticeable contrasts");
    line("contrast", prior(&c.contrast), "size of the mean ln of light over that of the surround");
    line("darker", share(&c.darker), "share of defects that are darker than their surround");
    line("polarity", prior(&c.polarity), "1: all darker or all brighter, 0: as much of both");
    line("mottle", prior(&c.mottle), "deviation of ln of light within a defect");
    line("texture", prior(&c.texture), "finest detail within a defect over that around it");
    line("level", prior(&c.level), "contrast at the masks' outlines over that inside: 0.5 tight, 0 loose");
    line("solidity", prior(&c.solidity), "area of a mask over that of its convex hull");
    if let Some(color) = &c.color {
        line("color", format!("[{}]", color.each_ref().map(prior).join(", ")), "shift of red, green and blue, ln");
    }
    if let Some(depth) = &c.depth {
        line("depth", prior(depth), "as deep as darkness says, in object scales");
    }
    let count = CountText { mean: c.count.mean, interval: c.count.interval, dispersion: c.count.dispersion };
    line("count", count.text(), "defects a photo");
    line("at_edge", share(&c.at_edge), "share of defects that touch the outline");
    if let Some(inset) = &c.inset {
        line("inset", prior(inset), "distance of the others from it, in half thicknesses");
    }
    line("seen", number(c.seen), "share of the masks that can be seen");
    if !c.courses.is_empty() {
        let all: Vec<String> =
            c.courses.iter().map(|c| format!("[{}, {}]", number(c.direction), number(c.waviness))).collect();
        line("courses", format!("[{}]", all.join(", ")), "axis in radians from right to down, and waviness, of each");
    }
}

struct CountText {
    mean: f64,
    interval: (f64, f64),
    dispersion: f64,
}

impl CountText {
    fn text(&self) -> String {
        let (low, high) = self.interval;
        let (mean, low, high) = (number(self.mean), number(low), number(high));
        format!("{{ mean = {mean}, interval = [{low}, {high}], dispersion = {} }}", number(self.dispersion))
    }
}

/// Five significant digits.
fn number(value: f64) -> String {
    let rounded: f64 = format!("{value:.4e}").parse().unwrap_or(value);
    format!("{rounded:?}")
}

fn prior(prior: &Prior) -> String {
    let (low, high) = prior.interval;
    let (key, spread) = match prior.scale {
        Scale::Log => ("factor", prior.deviation.exp()),
        Scale::Linear => ("plus_minus", prior.deviation),
    };
    let (median, spread) = (number(prior.median()), number(spread));
    format!("{{ median = {median}, {key} = {spread}, interval = [{}, {}] }}", number(low), number(high))
}

fn share(share: &Share) -> String {
    let (low, high) = share.interval;
    format!("{{ value = {}, interval = [{}, {}] }}", number(share.value), number(low), number(high))
}

/// The file as it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "version")]
    _version: u32,
    kind: Vec<FileKind>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileKind {
    name: String,
    #[serde(default = "one")]
    frequency: f64,
    mechanism: String,
    images: usize,
    defects: usize,
    object_scale: f64,
    size: FilePrior,
    width: FilePrior,
    visibility: FilePrior,
    contrast: FilePrior,
    darker: Share,
    polarity: FilePrior,
    mottle: FilePrior,
    texture: FilePrior,
    level: FilePrior,
    solidity: FilePrior,
    color: Option<[FilePrior; 3]>,
    depth: Option<FilePrior>,
    count: CountPrior,
    at_edge: Share,
    inset: Option<FilePrior>,
    seen: f64,
    #[serde(default)]
    courses: Vec<(f64, f64)>,
}

fn one() -> f64 {
    1.0
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilePrior {
    median: f64,
    factor: Option<f64>,
    plus_minus: Option<f64>,
    interval: (f64, f64),
}

impl FilePrior {
    fn read(self, key: &str, scale: Scale) -> Result<Prior, BoxError> {
        let Self { median, factor, plus_minus, interval } = self;
        let (mean, deviation) = match (scale, factor, plus_minus) {
            (Scale::Log, Some(factor), None) if median > 0.0 && factor >= 1.0 => (median.ln(), factor.ln()),
            (Scale::Linear, None, Some(spread)) if spread >= 0.0 => (median, spread),
            (Scale::Log, ..) => return Err(format!("{key}: a median above 0 and a `factor` of at least 1").into()),
            (Scale::Linear, ..) => return Err(format!("{key}: a median and a `plus_minus` of at least 0").into()),
        };
        Ok(Prior { scale, mean, deviation, interval })
    }
}

impl FileKind {
    fn read(self) -> Result<PlantKind, BoxError> {
        check_name("name", &self.name)?;
        let entry = Registry::standard().by_name(&self.mechanism)?;
        let log = |key: &str, prior: FilePrior| prior.read(key, Scale::Log);
        let linear = |key: &str, prior: FilePrior| prior.read(key, Scale::Linear);
        let color = match self.color {
            Some([r, g, b]) => Some([linear("color", r)?, linear("color", g)?, linear("color", b)?]),
            None => None,
        };
        let mut c = Calibration::new(entry.kind(), log("size", self.size)?, log("width", self.width)?);
        c.images = self.images;
        c.defects = self.defects;
        c.object_scale = self.object_scale;
        c.visibility = log("visibility", self.visibility)?;
        c.contrast = log("contrast", self.contrast)?;
        c.darker = self.darker;
        c.polarity = linear("polarity", self.polarity)?;
        c.mottle = log("mottle", self.mottle)?;
        c.texture = log("texture", self.texture)?;
        c.level = linear("level", self.level)?;
        c.solidity = linear("solidity", self.solidity)?;
        c.color = color;
        c.depth = self.depth.map(|prior| log("depth", prior)).transpose()?;
        c.count = self.count;
        c.at_edge = self.at_edge;
        c.inset = self.inset.map(|prior| linear("inset", prior)).transpose()?;
        c.seen = self.seen;
        c.courses = self.courses.into_iter().map(|(direction, waviness)| Course { direction, waviness }).collect();
        c.check()?;
        Ok(PlantKind::new(self.name, self.frequency, c))
    }
}
