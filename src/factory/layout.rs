//! Paths of a run's files, relative to the output folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What the run was asked for.
pub(super) const RUN: &str = "run.json";

/// The foreground of the set of photos.
pub(super) const FOREGROUND: &str = "foreground.json";

/// The merged COCO annotations.
pub(super) const COCO: &str = "coco/annotations.json";

/// Sheet of the samples of lowest quality, for people: of no run, and not hashed.
pub(super) const WORST: &str = "worst.png";

/// Manifest of a block: one JSON line a sample. Written last, so it marks a finished block.
pub(super) fn manifest_block(block: u64) -> String {
    format!("manifest/{block:06}.jsonl")
}

/// SHA-256 of a block's files.
pub(super) fn checksums(block: u64) -> String {
    format!("manifest/{block:06}.sums")
}

/// COCO fragments of a block.
pub(super) fn coco_block(block: u64) -> String {
    format!("coco/blocks/{block:06}.txt")
}

/// WebDataset shard of a block.
pub(super) fn tar(block: u64) -> String {
    format!("webdataset/{block:06}.tar")
}

/// Name of a sample in every format.
pub(super) fn stem(index: u64) -> String {
    format!("{index:08}")
}

/// Blocks that are finished, by their manifests.
pub(super) fn finished_blocks(out: &Path) -> BTreeSet<u64> {
    let block_of = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let block = name.strip_suffix(".jsonl")?.parse().ok()?;
        (manifest_block(block) == format!("manifest/{name}")).then_some(block)
    };
    fs::read_dir(out.join("manifest")).into_iter().flatten().flatten().filter_map(block_of).collect()
}

/// COCO fragments of all `blocks`; `None` unless all blocks are finished.
pub(super) fn coco_blocks(blocks: u64, finished: &BTreeSet<u64>, out: &Path) -> Option<Vec<PathBuf>> {
    let all = finished.len() as u64 == blocks && finished.last().is_none_or(|last| *last < blocks);
    all.then(|| finished.iter().map(|block| out.join(coco_block(*block))).collect())
}
