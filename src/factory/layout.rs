//! Paths of a run's files, relative to the output folder.

use std::path::{Path, PathBuf};

/// What the run was asked for.
pub(super) const RUN: &str = "run.json";

/// The merged COCO annotations.
pub(super) const COCO: &str = "coco/annotations.json";

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

/// COCO fragments of all `blocks`; `None` unless all blocks are finished.
pub(super) fn coco_blocks(blocks: u64, out: &Path) -> Option<Vec<PathBuf>> {
    let finished = |block: u64| out.join(manifest_block(block)).exists().then(|| out.join(coco_block(block)));
    (0..blocks).map(finished).collect()
}
