//! Bodies of the targets of text files: manifest, recipe and configuration. The fuzzer runs them, and
//! `tests/fuzz_regressions.rs` on what was kept.

use std::ffi::OsString;
use std::path::Path;

use clap::{CommandFactory, FromArgMatches};
use maphc2f::factory;
use maphc2f::physdefect::registry::Registry;

use crate::args::Args;
use crate::{config, recipe};

/// A folder's `run.json`, manifest and checksums, parted by zero bytes: no panic, and nothing is read outside.
pub fn manifest(scratch: &Path, data: &[u8]) {
    let folder = scratch.join("data set");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("manifest")).expect("a folder");
    let mut parts = data.split(|byte| *byte == 0);
    for name in ["run.json", "manifest/000000.jsonl", "manifest/000000.sums"] {
        if let Some(part) = parts.next() {
            std::fs::write(folder.join(name), part).expect("a file");
        }
    }
    let _ = factory::verify(&folder, &|_| ());
    let photos = scratch.join("no photos");
    std::fs::create_dir_all(&photos).expect("a folder");
    if let Ok(photos) = factory::PhotoSet::find(&photos, None, None) {
        let _ = factory::replay(&folder, &photos, &Registry::standard(), 0);
    }
}

/// A recipe: no panic, and one line that says what is wrong.
pub fn recipe(scratch: &Path, data: &[u8]) {
    let path = scratch.join("recipe.toml");
    std::fs::write(&path, data).expect("a file");
    if let Ok(recipe) = recipe::Recipe::read(&path) {
        for (_, _, params) in recipe.runs() {
            let _ = params.check();
        }
    }
}

/// The flags of a command in a file; the first byte chooses the command.
pub fn config(scratch: &Path, data: &[u8]) {
    const COMMANDS: [&str; 7] = ["synth", "verify", "replay", "preview", "train", "evaluate", "inspect"];
    let Some((which, text)) = data.split_first() else { return };
    let path = scratch.join("config.toml");
    std::fs::write(&path, text).expect("a file");
    let command = COMMANDS[usize::from(*which) % COMMANDS.len()];
    let given: Vec<OsString> = ["maphc2f".into(), command.into(), "--config".into(), path.into()].into();
    if let Ok(full) = config::with_file(&Args::command(), given)
        && let Ok(matches) = Args::command().try_get_matches_from(full)
    {
        let _ = Args::from_arg_matches(&matches);
    }
}
