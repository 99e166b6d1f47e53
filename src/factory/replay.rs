//! Replay: one sample made again from its record in the manifest.

use std::path::Path;

use physdefect::registry::Registry;

use super::encoded::EncodedSample;
use super::error::Error;
use super::files::{Hash, read_text};
use super::layout::{FOREGROUND, manifest_block};
use super::manifest::{ManifestRecord, SampleRecord, read_record};
use super::photo_set::PhotoSet;
use super::plan::BLOCK;
use super::render::{extent, render, to_f32};
use super::run::LARGEST_FOREGROUND;
use crate::foreground::SetForeground;
use crate::synthesis::Pipeline;

/// Replayed sample: made again, and compared with the files that were written.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Replayed {
    /// Its record in the manifest.
    pub entry: SampleRecord,
    /// The image as PNG.
    pub image: Vec<u8>,
    /// The mask as PNG.
    pub mask: Vec<u8>,
    /// What differs from the line; empty if the sample is the same to the last bit.
    pub differing: Vec<&'static str>,
}

/// Replays sample `index` of the run in `out`: makes it again, from its record and the photo in `photos` that it names.
/// `registry` knows the run's mechanisms: [`Registry::standard`] unless the run had one of its own.
///
/// # Errors
/// [`Error::NoSample`] or [`Error::Manifest`] if the manifest has no such sample, [`Error::Photo`] if the photo cannot
/// be used.
pub fn replay(out: &Path, photos: &PhotoSet, registry: &Registry, index: u64) -> Result<Replayed, Error> {
    let path = out.join(manifest_block(index / BLOCK));
    let entry = match read_record(&path, registry, index)? {
        Some(ManifestRecord::Made(record)) => *record,
        Some(ManifestRecord::Failed(failure)) => {
            return Err(Error::NoSample { path, index, reason: Some(failure.failed) });
        }
        None => return Err(Error::NoSample { path, index, reason: None }),
    };
    let Some(photo) = photos.find_name(&entry.source) else {
        let reason =
            format!("sample {index} names a photo that is not there, {:?}: name the photos of its run", entry.source);
        return Err(Error::manifest(&path, reason));
    };
    if entry.painted_sha256.is_some() != photos.has_regions() {
        let what = if photos.has_regions() {
            "was made without painted regions: name none"
        } else {
            "was made in a painted region: name the regions of its run"
        };
        return Err(Error::manifest(&path, format!("sample {index}, on {}: {what}", entry.source)));
    }
    let file = out.join(FOREGROUND);
    let stored = match read_text(&file, LARGEST_FOREGROUND) {
        Ok(text) => Some(SetForeground::from_json(&text).map_err(|e| Error::manifest(&file, e.to_string()))?),
        // a run with given masks has none
        Err(_) => None,
    };
    let photos = stored.map_or_else(|| photos.clone(), |foreground| photos.clone().with_foreground(foreground));
    let photo = photos.load_placed(photo, entry.side, entry.place)?;
    let mut pipeline = Pipeline::default();
    pipeline.push(vec![entry.model.build().map_err(crate::Error::from)?]);
    let pixels = to_f32(&photo.pixels);
    let rendered = render((&photo, pixels.view()), &pipeline, 0, entry.key)?;
    let encoded = EncodedSample::new(&rendered, 0).map_err(|source| Error::Encode { index, source })?;
    let checks = [
        ("source", photo.hash == entry.source_sha256),
        ("painted region", photo.painted_hash == entry.painted_sha256),
        ("image", Hash::of(&encoded.image) == entry.image_sha256),
        ("mask", Hash::of(&encoded.mask) == entry.mask_sha256),
        ("severity", rendered.record.severity == entry.severity),
        ("measures", rendered.record.measures == entry.measures),
        ("mask's extent", extent(rendered.mask.view()) == entry.mask),
    ];
    let differing = checks.into_iter().filter(|(_, equal)| !equal).map(|(what, _)| what).collect();
    Ok(Replayed { entry, image: encoded.image, mask: encoded.mask, differing })
}
