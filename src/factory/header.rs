//! The file `run.json`: what a folder holds.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::content::{ContentChanges, PhotoContent};
use super::error::Error;
use super::files::read_text;
use super::layout::RUN;
use super::params::DatasetParams;

/// Largest `run.json` that is read, bytes: over a million photos.
const LARGEST: u64 = 1 << 28;

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
    /// Content of the photos. `None` in files of before it was recorded.
    #[serde(default, rename = "photos")]
    pub(super) content: Option<Vec<PhotoContent>>,
    /// Window of stored values in which photos of more than 8 bits were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) window: Option<String>,
    /// Hash of the file of the set's foreground; `None` where masks were given, and in files of before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) foreground: Option<String>,
    /// Hash of the quality estimator's file.
    #[serde(rename = "judge")]
    pub(super) quality_scorer: Option<String>,
}

impl RunHeader {
    pub(super) fn read(out: &Path) -> Result<Self, Error> {
        let path = out.join(RUN);
        match read_text(&path, LARGEST) {
            Err(source) => Err(Error::NoRun { path, source }),
            Ok(text) => serde_json::from_str(&text).map_err(|source| Error::RunHeader { path, source }),
        }
    }

    /// Reads the header in `out`; `None` if there is no file.
    pub(super) fn find(out: &Path) -> Result<Option<Self>, Error> {
        match Self::read(out) {
            Ok(header) => Ok(Some(header)),
            Err(Error::NoRun { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The file's text.
    pub(super) fn text(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// What is not as in the run `other`, in words, but for the content of the photos.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |what: &str, here: String, there: String| {
            if here != there {
                found.push(format!("{what} {there} instead of {here}"));
            }
        };
        compare("version", self.version.clone(), other.version.clone());
        let (here, there) = (&self.params, &other.params);
        compare("seed", here.seed().to_string(), there.seed().to_string());
        compare("count", here.count().to_string(), there.count().to_string());
        let side = |params: &DatasetParams| params.side().map_or("as it is".to_owned(), |side| side.to_string());
        compare("side", side(here), side(there));
        compare("mechanisms", here.mechanisms().to_string(), there.mechanisms().to_string());
        compare("materials", here.materials().to_string(), there.materials().to_string());
        compare("visibility", here.visibility().to_string(), there.visibility().to_string());
        compare("place", here.place().to_string(), there.place().to_string());
        compare("format", here.formats().to_string(), there.formats().to_string());
        compare("keep-best", here.keep_best().to_string(), there.keep_best().to_string());
        if here.calibration() != there.calibration() {
            found.push("another calibration".to_owned());
        }
        let mut compare = |what: &str, here: String, there: String| {
            if here != there {
                found.push(format!("{what} {there} instead of {here}"));
            }
        };
        let window = |header: &Self| header.window.clone().unwrap_or("full scale".to_owned());
        compare("window", window(self), window(other));
        let regions = |header: &Self| {
            let given = header.content.iter().flatten().any(|photo| photo.region_sha256.is_some());
            if given { "given" } else { "none" }.to_owned()
        };
        compare("regions", regions(self), regions(other));
        let foreground = |header: &Self| header.foreground.clone().unwrap_or("none".to_owned());
        compare("foreground of the set", foreground(self), foreground(other));
        let scorer = |header: &Self| header.quality_scorer.clone().unwrap_or("none".to_owned());
        compare("quality model", scorer(self), scorer(other));
        found
    }

    /// How the photos differ from those of the run `other`; `None` if that did not record them.
    pub(super) fn changes_since(&self, other: &Self) -> Option<ContentChanges> {
        let (now, before) = (self.content.as_deref()?, other.content.as_deref()?);
        Some(ContentChanges::between(before, now))
    }
}
