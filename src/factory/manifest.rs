//! The manifest: one record for every index of a run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use physdefect::Measures;
use physdefect::SampleKey;
use physdefect::replay::SynthesizerConfig;
use serde::{Deserialize, Serialize};

use super::error::Error;
use super::photo_set::Region;

/// Reads the records of a block.
pub(super) fn read_block(path: &Path) -> Result<Vec<ManifestRecord>, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::Input { path: path.to_owned(), source })?;
    let parse = |(i, line): (usize, &str)| {
        let fail = |e| Error::manifest(path, format!("line {} is no sample ({e})", i + 1));
        serde_json::from_str(line).map_err(fail)
    };
    text.lines().enumerate().map(parse).collect()
}

/// Result of one index: a line of the manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum ManifestRecord {
    /// A sample.
    Made(Box<SampleRecord>),
    /// An index without a sample.
    Failed(FailureRecord),
}

/// A sample: all that is needed to make it again from the photo, and to weight it.
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
    /// Name of the mechanism.
    pub mechanism: String,
    /// The synthesizer with every parameter, light and material.
    pub model: SynthesizerConfig,
    /// Which of the synthesizer's samples: differs from `index` where an earlier try stayed invisible or was worse.
    pub key: SampleKey,
    /// Severity in \[0, 1\].
    pub severity: f64,
    /// Contrast-to-noise ratio of the rendered change against its surround.
    pub contrast_to_noise: f64,
    /// Physical measures, named with their units.
    pub measures: Measures,
    /// The coarse stage's solve.
    pub solver: SolverStats,
    /// Estimated quality in (0, 1), if an estimator was given.
    pub quality: Option<f64>,
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
    /// Number in the run.
    #[must_use]
    pub fn index(&self) -> u64 {
        match self {
            Self::Made(entry) => entry.index,
            Self::Failed(failure) => failure.index,
        }
    }
}
