//! The manifest: one record for every index of a run.

use std::collections::BTreeMap;
use std::path::Path;

use physdefect::registry::Registry;
use physdefect::replay::SynthesizerConfig;
use physdefect::{FrameReason, Measures, Place, SampleKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::Error;
use super::files::read_text;
use super::names::check_name;
use super::params::{check_side, is_anywhere};
use crate::foreground::Region;

/// What every line of the manifest has, whatever made its sample.
#[derive(Debug, Deserialize)]
pub(super) struct Outcome {
    pub(super) index: u64,
    /// The photo.
    pub(super) source: String,
    pub(super) mechanism: String,
    #[serde(default)]
    pub(super) unusable: bool,
    /// Why there is no sample.
    #[serde(default)]
    pub(super) failed: Option<String>,
    /// SHA-256 of the photo's file.
    #[serde(default)]
    pub(super) source_sha256: Option<String>,
    #[serde(default)]
    pub(super) image_sha256: Option<String>,
    #[serde(default)]
    pub(super) mask_sha256: Option<String>,
    #[serde(default)]
    pub(super) region: Option<Region>,
    #[serde(default)]
    pub(super) region_reason: Option<FrameReason>,
}

/// Largest manifest of a block that is read, bytes: 256 lines of some kilobytes each.
pub(super) const LARGEST: u64 = 1 << 26;

/// Reads the outcomes of a block.
pub(super) fn read_outcomes(path: &Path) -> Result<Vec<Outcome>, Error> {
    read(path, |line| Ok(serde_json::from_str(line)?))
}

/// Reads the record of one index in a block; `None` if it has none. `registry` knows the mechanism.
pub(super) fn read_record(path: &Path, registry: &Registry, index: u64) -> Result<Option<ManifestRecord>, Error> {
    let lines = read(path, |line| {
        let outcome: Outcome = serde_json::from_str(line)?;
        if outcome.index == index { parse(line, registry).map(Some) } else { Ok(None) }
    })?;
    Ok(lines.into_iter().flatten().next())
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn read<T>(path: &Path, parse: impl Fn(&str) -> Result<T, BoxError>) -> Result<Vec<T>, Error> {
    let text = read_text(path, LARGEST).map_err(|source| Error::Input { path: path.to_owned(), source })?;
    let parse = |(i, line): (usize, &str)| {
        parse(line).map_err(|e| Error::manifest(path, format!("line {} is no sample ({e})", i + 1)))
    };
    text.lines().enumerate().map(parse).collect()
}

/// A record whose synthesizer is one of `registry`. Deserialization itself knows the standard registry alone, so the
/// synthesizer is read by itself and put in the place of a standard one.
fn parse(line: &str, registry: &Registry) -> Result<ManifestRecord, BoxError> {
    let mut value: Value = serde_json::from_str(line)?;
    let Some(Value::Object(config)) = value.get_mut("model").map(Value::take) else {
        return Ok(ManifestRecord::Failed(serde_json::from_value(value)?));
    };
    let config = registry.config_from_json(config)?;
    value["model"] = json!({ "model": "cutpaste" });
    let record: SampleRecord = serde_json::from_value(value)?;
    check_side(record.side)?;
    check_name("mechanism", &record.mechanism)?;
    Ok(ManifestRecord::Made(Box::new(SampleRecord { model: config, ..record })))
}

/// Record of one index: a line of the manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum ManifestRecord {
    /// A sample.
    Made(Box<SampleRecord>),
    /// Record of an index for which no sample could be made.
    Failed(FailureRecord),
}

/// Record of a sample: all that is needed to make it again from the photo, and to weight it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SampleRecord {
    /// Its number in the run.
    pub index: u64,
    /// The run's seed.
    pub seed: u64,
    /// The photo, relative to the folder of good photos.
    pub source: String,
    /// SHA-256 of the photo's file.
    pub source_sha256: String,
    /// Side the photo was resized to, px; `null` if it kept its size.
    pub side: Option<usize>,
    /// Where defects could lie.
    pub region: Region,
    /// How clearly object and background part, in \[0, 1\]; `null` where the region was given. Below 0.5 the region is
    /// the whole frame.
    #[serde(default)]
    pub region_confidence: Option<f64>,
    /// Why the region is the whole frame, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region_reason: Option<FrameReason>,
    /// Place on the product where defects started; not written where that was anywhere.
    #[serde(default, skip_serializing_if = "is_anywhere")]
    pub place: Place,
    /// SHA-256 of the file of the painted region where defects started, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub painted_sha256: Option<String>,
    /// Name of the mechanism.
    pub mechanism: String,
    /// What was planned but could not be seen on this photo, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<Substitution>,
    /// The synthesizer with every parameter, light and material.
    pub model: SynthesizerConfig,
    /// Which of the synthesizer's samples: differs from `index` where an earlier try stayed invisible or was worse.
    pub key: SampleKey,
    /// Severity in \[0, 1\]: the size.
    pub severity: f64,
    /// Visibility in just noticeable contrasts, of the final image.
    #[serde(default)]
    pub visibility: f64,
    /// Visibility that the defect was brought to, if it was.
    #[serde(default)]
    pub visibility_target: Option<f64>,
    /// Scale of the object that carries the defect, px.
    #[serde(default)]
    pub object_scale: f64,
    /// Contrast-to-noise ratio of the rendered change against its surround.
    pub contrast_to_noise: f64,
    /// Physical measures, named with their units.
    pub measures: Measures,
    /// The coarse stage's solve.
    pub solver: SolverStats,
    /// Estimated quality in (0, 1), if an estimator chose the sample or rated it.
    pub quality: Option<f64>,
    /// Probability in (0, 1) of each fault by its name ([`sqe::Fault::name`]); empty, and not written, without quality.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub faults: BTreeMap<String, f64>,
    /// See [`sqe::DESCRIPTORS`].
    pub descriptors: BTreeMap<String, f64>,
    /// Height and width, px.
    pub size: (usize, usize),
    /// The mask's extent.
    pub mask: MaskExtent,
    /// SHA-256 of the image as PNG.
    pub image_sha256: String,
    /// SHA-256 of the mask as PNG.
    pub mask_sha256: String,
}

/// A mechanism and a material whose defect a photo refused, so that others were taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Substitution {
    /// Name of the mechanism that was planned.
    pub mechanism: String,
    /// Name of the material that was planned.
    pub material: String,
    /// Why none of its tries could be used.
    pub reason: String,
}

/// Statistics of the screened Poisson equation's solve, the worst over channels and boxes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SolverStats {
    /// Cycles.
    pub iterations: usize,
    /// True relative residual.
    pub residual: f64,
}

/// Extent of a mask, px.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaskExtent {
    /// Pixels.
    pub area: usize,
    /// Left, top, width, height.
    pub r#box: [usize; 4],
}

/// An index without a sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRecord {
    /// Its number in the run.
    pub index: u64,
    /// The photo.
    pub source: String,
    /// Name of the mechanism.
    pub mechanism: String,
    /// Whether the photo could not be used: mending it and resuming makes the sample.
    pub unusable: bool,
    /// Why.
    pub failed: String,
}

impl ManifestRecord {
    /// Index of the sample in the run.
    #[must_use]
    pub fn index(&self) -> u64 {
        match self {
            Self::Made(entry) => entry.index,
            Self::Failed(failure) => failure.index,
        }
    }
}
