//! The file `run.json`: what a folder holds.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::layout::RUN;
use super::params::DatasetParams;

/// Everything that the bytes of a run depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunHeader {
    /// Version of this crate: another may make other samples.
    pub(super) version: String,
    #[serde(rename = "settings")]
    pub(super) params: DatasetParams,
    /// Number of photos, and the hash of their names.
    #[serde(rename = "sources")]
    pub(super) photos: (usize, String),
    /// Hash of the quality estimator's file.
    #[serde(rename = "judge")]
    pub(super) quality_scorer: Option<String>,
}

impl RunHeader {
    pub(super) fn read(out: &Path) -> Result<Self, Error> {
        let path = out.join(RUN);
        match fs::read_to_string(&path) {
            Err(source) => Err(Error::NoRun { path, source }),
            Ok(text) => serde_json::from_str(&text).map_err(|source| Error::RunHeader { path, source }),
        }
    }
}
