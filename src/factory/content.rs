//! Content of a run's photos, masks and regions: by it, and not by names, a run knows them again.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::files::Hash;
use super::photo_set::PhotoSet;

/// Content of one photo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PhotoContent {
    /// Path relative to the folder of good photos.
    pub(super) name: String,
    /// SHA-256 of its file; `null` if that cannot be read.
    pub(super) sha256: Option<String>,
    /// SHA-256 of the file of its foreground mask, if one was given and can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mask_sha256: Option<String>,
    /// SHA-256 of the file of its painted region, if one was given and can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) region_sha256: Option<String>,
}

/// Hashes every photo of a set, its mask and its region.
pub(super) fn content_of(photos: &PhotoSet) -> Vec<PhotoContent> {
    let content = |i: usize| PhotoContent {
        name: photos.name(i).unwrap_or_default().to_owned(),
        sha256: photos.path(i).and_then(|path| Hash::of_file(&path).ok()),
        mask_sha256: photos.mask_path(i).and_then(|path| Hash::of_file(&path).ok()),
        region_sha256: photos.region_path(i).and_then(|path| Hash::of_file(&path).ok()),
    };
    (0..photos.len()).into_par_iter().map(content).collect()
}

/// Differences between the photos of a run and those of today.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ContentChanges {
    /// Photos that are not there any more.
    pub(super) removed: Vec<String>,
    /// Photos that were not there.
    pub(super) added: Vec<String>,
    /// Photos whose file, mask or region has other content.
    pub(super) replaced: Vec<String>,
}

impl ContentChanges {
    pub(super) fn between(before: &[PhotoContent], now: &[PhotoContent]) -> Self {
        let (old, new): (BTreeMap<_, _>, BTreeMap<_, _>) = (by_name(before), by_name(now));
        let missing_in = |other: &BTreeMap<&str, &PhotoContent>, of: &BTreeMap<&str, &PhotoContent>| {
            of.keys().filter(|name| !other.contains_key(*name)).map(|name| (*name).to_owned()).collect()
        };
        let replaced = old.iter().filter(|(name, content)| new.get(*name).is_some_and(|other| other != *content));
        Self {
            removed: missing_in(&new, &old),
            added: missing_in(&old, &new),
            replaced: replaced.map(|(name, _)| (*name).to_owned()).collect(),
        }
    }

    /// The differences in words, a few names of each kind.
    pub(super) fn in_words(&self) -> Vec<String> {
        let kinds = [("removed", &self.removed), ("added", &self.added), ("replaced", &self.replaced)];
        let kinds = kinds.into_iter().filter(|(_, names)| !names.is_empty());
        kinds.map(|(what, names)| format!("{} photos or masks {what}: {}", names.len(), few(names))).collect()
    }
}

fn by_name(content: &[PhotoContent]) -> BTreeMap<&str, &PhotoContent> {
    content.iter().map(|photo| (photo.name.as_str(), photo)).collect()
}

/// The first names of a list.
fn few(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let more = if names.len() > SHOWN { ", ..." } else { "" };
    format!("{}{more}", names[..names.len().min(SHOWN)].join(", "))
}
