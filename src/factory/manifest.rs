//! One line of the manifest.

use std::collections::BTreeMap;

use physdefect::Measures;
use physdefect::SampleKey;
use physdefect::replay::Model;
use serde::{Deserialize, Serialize};

use super::sources::Region;

/// What became of one index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum ManifestRecord {
    /// A sample was made.
    Made(Box<SampleRecord>),
    /// None was.
    Failed(FailureRecord),
}

/// A sample: all that is needed to make it again from the photo, and to weigh it.
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
    /// The synthesiser with every parameter, light and material.
    pub model: Model,
    /// Which of the synthesiser's samples: differs from `index` where an earlier try stayed invisible or was worse.
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

/// How the screened Poisson equation was solved, the worst over channels and boxes.
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
    pub fn index(&self) -> u64 {
        match self {
            Self::Made(entry) => entry.index,
            Self::Failed(failure) => failure.index,
        }
    }
}
