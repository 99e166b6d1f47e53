//! The binary, small photos, and folders as maps.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)] // a test may panic, and uses its part

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::imageops::FilterType;
use image::{Rgb, RgbImage};

/// `maphc2f SUBCOMMAND --json`.
pub fn maphc2f(subcommand: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_maphc2f"));
    command.args([subcommand, "--json"]);
    command
}

/// `maphc2f synth` of `count` samples at 64 px with seed 1.
pub fn synth(normals: &Path, out: &Path, count: u64) -> Command {
    let mut command = maphc2f("synth");
    command.arg("--normals").arg(normals).arg("--out").arg(out).args(["--count", &count.to_string(), "--seed", "1"]);
    command
}

/// Runs a command that must succeed.
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}

/// The last line of standard output.
pub fn json(output: &Output) -> serde_json::Value {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap()
}

/// The first `n` of three photographs that ship with the repository, at 64 px, as `normals/<k>.png`.
pub fn photos(folder: &Path, n: usize) -> PathBuf {
    let normals = folder.join("normals");
    fs::create_dir_all(&normals).unwrap();
    for (k, name) in ["cardboard/01.jpg", "wood/01.jpg", "objects/coffee.jpg"].iter().take(n).enumerate() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/photos").join(name);
        let photo = image::open(path).unwrap().resize_exact(64, 64, FilterType::Triangle);
        photo.save(normals.join(format!("{k}.png"))).unwrap();
    }
    normals
}

/// A gray texture of 64 px, another one for each seed.
pub fn texture(seed: u32) -> RgbImage {
    RgbImage::from_fn(64, 64, |x, y| Rgb([90 + ((x * 7 + y * 13 + seed * 5) % 40) as u8; 3]))
}

/// A texture with a bright square.
pub fn damaged(seed: u32) -> RgbImage {
    let mut image = texture(seed);
    for (x, y, pixel) in image.enumerate_pixels_mut() {
        if (20..36).contains(&x) && (28..44).contains(&y) {
            *pixel = Rgb([250; 3]);
        }
    }
    image
}

/// Every file of a folder but temporary ones, whose names or folders start with a dot: name with `/`, and size and
/// hash.
pub fn tree(folder: &Path) -> BTreeMap<String, (usize, u64)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        if entry.path().is_dir() {
            found.extend(tree(&entry.path()).into_iter().map(|(below, file)| (format!("{name}/{below}"), file)));
        } else {
            let bytes = fs::read(entry.path()).unwrap();
            let mut hasher = DefaultHasher::new();
            bytes.hash(&mut hasher);
            found.insert(name, (bytes.len(), hasher.finish()));
        }
    }
    found
}

/// How often a test does something that needs luck to fail: `default` times, or as often as the variable
/// `MAPHC2F_REPEAT` says.
pub fn repetitions(default: usize) -> usize {
    std::env::var("MAPHC2F_REPEAT").ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// Names in a folder that start with a dot.
pub fn temporaries(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with('.')).collect()
}

/// Standard error as text.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The lines of a run's manifest.
pub fn manifest(out: &Path) -> Vec<serde_json::Value> {
    let mut names: Vec<PathBuf> = fs::read_dir(out.join("manifest")).unwrap().map(|e| e.unwrap().path()).collect();
    names.retain(|name| name.extension().is_some_and(|e| e == "jsonl"));
    names.sort();
    let texts = names.iter().map(|name| fs::read_to_string(name).unwrap());
    texts.flat_map(|text| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>()).collect()
}
