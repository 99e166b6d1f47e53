//! The seeds of the fuzz targets and the inputs that once broke a reader, run as an ordinary test.
#![allow(clippy::unwrap_used)] // a test may panic
#![allow(dead_code, unreachable_pub)] // modules of the program and of the targets, of which this uses a part
#![allow(clippy::expect_used)]

#[path = "../src/bin/maphc2f/args.rs"]
mod args;
#[path = "../src/bin/maphc2f/config.rs"]
mod config;
#[path = "../fuzz/fuzz_targets/models.rs"]
mod models;
#[path = "../src/bin/maphc2f/recipe.rs"]
mod recipe;
#[path = "../fuzz/fuzz_targets/settings.rs"]
mod settings;
#[path = "../fuzz/fuzz_targets/texts.rs"]
mod texts;

use std::fs;
use std::path::{Path, PathBuf};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The files of a target, of which there must be some.
fn inputs(target: &str) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let folders = ["seeds", "regressions"].map(|kind| root.join(kind).join(target));
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no input of {target}");
    files.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Each input, and each cut short and with a byte changed at several places.
fn run(target: &str, body: impl Fn(&[u8])) {
    for input in inputs(target) {
        body(&input);
        for at in (0..input.len()).step_by((input.len() / 24).max(1)) {
            body(&input[..at]);
            let mut changed = input.clone();
            changed[at] ^= 0x55;
            body(&changed);
        }
    }
}

#[test]
fn model_files() {
    let folder = tempfile::tempdir().unwrap();
    run("model_bytes", |data| models::bytes(folder.path(), data));
    run("model_values", |data| models::values(folder.path(), data));
}

#[test]
fn manifest_files() {
    let folder = tempfile::tempdir().unwrap();
    run("manifest_file", |data| texts::manifest(folder.path(), data));
}

#[test]
fn recipe_files() {
    let folder = tempfile::tempdir().unwrap();
    run("recipe_file", |data| texts::recipe(folder.path(), data));
}

#[test]
fn config_files() {
    let folder = tempfile::tempdir().unwrap();
    run("config_file", |data| texts::config(folder.path(), data));
}

#[test]
fn parameters() {
    run("parameters", settings::parameters);
}
