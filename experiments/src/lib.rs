#![doc = include_str!("../README.md")]

use std::path::Path;

pub mod cleaning;
pub mod console;
pub mod memo;
pub mod oracle_table;
pub mod pairs;
pub mod plot;
pub mod poisson_cases;
pub mod texture;

/// Root folder of the workspace, where `docs` and `assets` lie.
pub fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}
