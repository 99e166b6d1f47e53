//! Verification: whether a folder holds what its manifest says.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use rayon::prelude::*;

use super::error::Error;
use super::files::Hash;
use super::formats::{Format, coco_merge};
use super::header::RunHeader;
use super::layout::{COCO, RUN, checksums, coco_blocks, manifest_block};
use super::manifest::read_outcomes;
use super::params::DatasetParams;

/// Differences between a folder and its manifest. Paths are relative to the folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// Samples in the manifest.
    pub images: u64,
    /// Indices without a sample, as the manifest says.
    pub failed: u64,
    /// Files whose hash was compared.
    pub files: u64,
    /// Blocks that are not finished.
    pub unfinished: Vec<u64>,
    /// Files that are not there.
    pub missing: Vec<String>,
    /// Files with other content.
    pub differing: Vec<String>,
    /// Files that the manifest does not name. Temporary files, which start with a dot, do not count.
    pub unknown: Vec<String>,
}

impl Verification {
    /// Whether the folder holds every file as it was made, and nothing else.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.unfinished.is_empty() && self.missing.is_empty() && self.differing.is_empty() && self.unknown.is_empty()
    }

    fn add(&mut self, other: Self) {
        self.images += other.images;
        self.failed += other.failed;
        self.files += other.files;
        self.unfinished.extend(other.unfinished);
        self.missing.extend(other.missing);
        self.differing.extend(other.differing);
    }
}

/// Compares every file of a finished or unfinished run with the hash taken when it was made. `progress` is called after
/// each block.
///
/// # Errors
/// [`Error::NoRun`] or [`Error::RunHeader`] if the folder holds no run, [`Error::Manifest`] if a block's manifest is
/// not one.
pub fn verify(out: &Path, progress: &(dyn Fn(u64) + Sync)) -> Result<Verification, Error> {
    let params = RunHeader::read(out)?.params;
    let check = |block: u64| {
        let found = check_block(out, &params, block);
        progress(1);
        found
    };
    let blocks: Vec<(Verification, Vec<String>)> =
        (0..params.blocks()).into_par_iter().map(check).collect::<Result<_, _>>()?;
    let mut whole = Verification::default();
    let mut known: HashSet<String> = HashSet::from([RUN.to_owned()]);
    for (found, names) in blocks {
        whole.add(found);
        known.extend(names);
    }
    let classes = params.mechanisms().names();
    for (name, text) in params.formats().fixed(&classes) {
        compare(out, name, &Hash::of(text.as_bytes()), &mut whole);
        known.insert(name.to_owned());
    }
    if params.formats().has(Format::Coco)
        && let Some(fragments) = coco_blocks(params.blocks(), out).filter(|f| f.iter().all(|p| p.exists()))
    {
        let mut hash = Hash::new(std::io::sink());
        coco_merge(&classes, &fragments, &mut hash).map_err(|e| Error::manifest(&out.join("coco/blocks"), e))?;
        compare(out, COCO, &hash.finish().0, &mut whole);
        known.insert(COCO.to_owned());
    }
    list_unknown(out, out, &known, &mut whole.unknown);
    whole.unknown.sort();
    Ok(whole)
}

/// What is wrong with a block, and the names of its files.
fn check_block(out: &Path, params: &DatasetParams, block: u64) -> Result<(Verification, Vec<String>), Error> {
    let mut found = Verification::default();
    let lines = out.join(manifest_block(block));
    if !lines.exists() {
        found.unfinished.push(block);
        return Ok((found, Vec::new()));
    }
    let path = out.join(checksums(block));
    let Ok(text) = fs::read_to_string(&path) else {
        found.missing.push(checksums(block));
        return Ok((found, vec![manifest_block(block)]));
    };
    let mut names = vec![checksums(block)];
    for line in text.lines() {
        let (hash, name) = line.split_once("  ").unwrap_or((line, ""));
        compare(out, name, hash, &mut found);
        names.push(name.to_owned());
    }
    if !found.differing.contains(&manifest_block(block)) {
        let samples = read_outcomes(&lines)?;
        let expected = params.indices(block);
        let in_order = samples.len() as u64 == expected.end - expected.start
            && samples.iter().zip(expected).all(|(line, i)| line.index == i);
        if !in_order {
            return Err(Error::manifest(&lines, "does not list the samples of its block: make the block again"));
        }
        found.images = samples.iter().filter(|line| line.failed.is_none()).count() as u64;
        found.failed = samples.len() as u64 - found.images;
    }
    Ok((found, names))
}

fn compare(out: &Path, name: &str, hash: &str, found: &mut Verification) {
    match Hash::of_file(&out.join(name)) {
        Ok(other) if other == hash => {}
        Ok(_) => found.differing.push(name.to_owned()),
        Err(_) => found.missing.push(name.to_owned()),
    }
    found.files += 1;
}

fn list_unknown(out: &Path, folder: &Path, known: &HashSet<String>, unknown: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() {
            list_unknown(out, &path, known, unknown);
        } else if let Ok(name) = path.strip_prefix(out) {
            let name: Vec<_> = name.iter().map(|part| part.to_string_lossy()).collect();
            let name = name.join("/");
            if !known.contains(&name) {
                unknown.push(name);
            }
        }
    }
}
