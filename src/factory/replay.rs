//! One sample made again from its line of the manifest.

use std::path::Path;

use pde_refine::CoarseToFine;

use super::error::Error;
use super::files::Hash;
use super::manifest::{ManifestRecord, SampleRecord};
use super::plan::BLOCK;
use super::run::{piece, read_piece};
use super::sample::{Pictures, extent, render};
use super::sources::PhotoSet;

/// A sample made again.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// Its line of the manifest.
    pub entry: SampleRecord,
    /// The image as PNG.
    pub image: Vec<u8>,
    /// The mask as PNG.
    pub mask: Vec<u8>,
    /// What differs from the line; empty if the sample is the same to the last bit.
    pub differing: Vec<&'static str>,
}

/// Makes sample `index` of the run in `out` again, from its line and the photo in `sources` that it names.
///
/// # Errors
/// [`Error::Manifest`] if the manifest has no such sample, [`Error::Source`] if the photo cannot be used.
pub fn replay(out: &Path, sources: &PhotoSet, index: u64) -> Result<Replayed, Error> {
    let path = out.join(piece(index / BLOCK));
    let fail = |reason: String| Error::Manifest { path: path.clone(), reason };
    let entry = match read_piece(&path)?.into_iter().find(|line| line.index() == index) {
        Some(ManifestRecord::Made(entry)) => *entry,
        Some(ManifestRecord::Failed(failure)) => {
            return Err(fail(format!("sample {index} was not made: {}", failure.failed)));
        }
        None => return Err(fail(format!("has no sample {index}"))),
    };
    let normal = sources.load_path(&entry.source, entry.side)?;
    let synthesizer = entry.model.build().map_err(crate::Error::from)?;
    let rendered = render(&normal, synthesizer.as_ref(), &CoarseToFine::default(), entry.key)?;
    let pictures = Pictures::encode(&rendered, 0)?;
    let checks = [
        ("source", normal.hash == entry.source_sha256),
        ("image", Hash::of(&pictures.image) == entry.image_sha256),
        ("mask", Hash::of(&pictures.mask) == entry.mask_sha256),
        ("severity", rendered.record.severity == entry.severity),
        ("measures", rendered.record.measures == entry.measures),
        ("mask's extent", extent(rendered.mask.view()) == entry.mask),
    ];
    let differing = checks.into_iter().filter(|(_, equal)| !equal).map(|(what, _)| what).collect();
    Ok(Replayed { entry, image: pictures.image, mask: pictures.mask, differing })
}
