#![doc = include_str!("../README.md")]

use std::path::Path;

pub mod args;
pub mod bars;
pub mod cache;
pub mod cleaning;
pub mod clone_times;
pub mod contamination;
pub mod corruption;
pub mod crop;
pub mod metric_cases;
pub mod network;
pub mod oracle_table;
pub mod paired;
pub mod placement;
pub mod plot;
pub mod poisson_cases;
pub mod program;
pub mod realism;
pub mod runs;
pub mod sets;
pub mod sheet_file;
pub mod texture;
pub mod timing;

/// Root folder of the workspace, where `docs` and `assets` lie.
#[must_use]
pub fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}
