//! Documents name only files and programs that exist.
#![allow(clippy::unwrap_used)] // a test may panic

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use experiments::workspace;

/// Files below a folder with one of the extensions, without build outputs and hidden folders.
fn files(folder: &Path, extensions: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            let is_output = ["target", "corpus", "artifacts", "seeds", "golden"].contains(&name.as_str());
            if !name.starts_with('.') && !is_output {
                files(&path, extensions, found);
            }
        } else if path.extension().and_then(OsStr::to_str).is_some_and(|e| extensions.contains(&e)) {
            found.push(path);
        }
    }
}

fn documents(extensions: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files(workspace(), extensions, &mut found);
    found.sort();
    assert!(found.len() > 10, "the workspace is not at {}", workspace().display());
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// Targets of Markdown links, `](target)`, outside code.
fn links(text: &str) -> Vec<String> {
    let mut prose = String::new();
    for (i, block) in text.split("```").enumerate() {
        if i % 2 == 0 {
            prose.push_str(block);
        }
    }
    let mut found = Vec::new();
    let mut rest = prose.as_str();
    while let Some(start) = rest.find("](") {
        rest = &rest[start + 2..];
        if let Some(end) = rest.find([')', '\n']) {
            found.push(rest[..end].to_owned());
        }
    }
    found
}

#[test]
fn relative_links_resolve() {
    let (mut broken, mut checked) = (Vec::new(), 0);
    for (document, text) in documents(&["md"]) {
        for link in links(&text) {
            let path = link.split('#').next().unwrap_or_default();
            // an item of the crate, in a README that is its front page
            let is_item = path.contains("::") || path.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '!');
            let is_license = path.starts_with("LICENSE");
            if link.contains("://") || path.is_empty() || is_item && !is_license {
                continue;
            }
            checked += 1;
            if !document.parent().unwrap().join(path).exists() {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links without a target:\n{}", broken.join("\n"));
    assert!(checked > 20, "only {checked} links were found");
}

#[test]
fn named_files_exist() {
    let (mut missing, mut checked) = (Vec::new(), 0);
    for (document, text) in documents(&["md"]) {
        if document.ends_with("CHANGELOG.md") {
            continue; // tells of what was
        }
        for quoted in text.split('`').skip(1).step_by(2) {
            let folders = ["docs/", "experiments/", "crates/", "assets/", "recipes/", "distributed/"];
            let plain = quoted.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
            if plain && folders.iter().any(|f| quoted.starts_with(f)) {
                checked += 1;
                // an image set in MVTec AD layout has names like these
                if !workspace().join(quoted).exists() {
                    missing.push(format!("{}: {quoted}", document.display()));
                }
            }
        }
    }
    assert!(missing.is_empty(), "files that are not there:\n{}", missing.join("\n"));
    assert!(checked > 10, "only {checked} names were found");
}

/// Folder of each package by name, and whether a command without `-p` looks into it.
fn packages() -> BTreeMap<String, (PathBuf, bool)> {
    let mut manifests = Vec::new();
    files(workspace(), &["toml"], &mut manifests);
    let mut packages = BTreeMap::new();
    for manifest in manifests.iter().filter(|m| m.ends_with("Cargo.toml")) {
        let text = fs::read_to_string(manifest).unwrap();
        let package = text.split("[package]").nth(1).unwrap_or_default();
        if let Some(name) = package.lines().find_map(|l| l.strip_prefix("name = \"")) {
            let folder = manifest.parent().unwrap().to_owned();
            let is_default = folder == workspace() || folder.parent() == Some(&workspace().join("crates"));
            packages.insert(name.trim_end_matches('"').to_owned(), (folder, is_default));
        }
    }
    packages
}

/// Whether a package has a target of the kind that an option such as `--example` names.
fn has_target(folder: &Path, option: &str, name: &str) -> bool {
    let place = match option {
        "--example" => "examples",
        "--bin" => "src/bin",
        "--bench" => "benches",
        "--test" => "tests",
        _ => return true,
    };
    let place = folder.join(place);
    place.join(format!("{name}.rs")).is_file() || place.join(name).join("main.rs").is_file()
}

/// Arguments of cargo's commands in a text, and of what is quoted from one: `--example NAME`.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let quoted = text.split('`').skip(1).step_by(2).filter(|q| q.starts_with("--"));
    let lines = text.lines().filter_map(|l| Some(&l[l.find("cargo ")?..]));
    for command in quoted.chain(lines) {
        // what follows ` -- ` is the program's own
        let command = command.split(['`', '#']).next().unwrap_or_default().split(" -- ").next().unwrap_or_default();
        let words = command.split_whitespace().map(|w| w.trim_matches(['"', '\'', ';', ',', '.', ')', '[', ']']));
        found.push(words.map(str::to_owned).collect());
    }
    found
}

#[test]
fn named_programs_exist() {
    let packages = packages();
    assert!(packages.contains_key("maphc2f") && packages.contains_key("experiments"), "{packages:?}");
    let (mut missing, mut checked) = (Vec::new(), 0);
    for (document, text) in documents(&["md", "rs", "py", "toml"]) {
        if document.ends_with("CHANGELOG.md") || document.ends_with("experiments/tests/docs.rs") {
            continue;
        }
        for words in commands(&text) {
            let package = words.windows(2).find(|w| w[0] == "-p" || w[0] == "--package").map(|w| w[1].as_str());
            for target in words.windows(2).filter(|w| ["--example", "--bin", "--bench", "--test"].contains(&&*w[0])) {
                let is_name = target[1].chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
                let is_placeholder = target[1].chars().all(|c| c.is_ascii_uppercase());
                if !is_name || is_placeholder {
                    continue;
                }
                checked += 1;
                let mut candidates = packages.iter().filter(|(name, (_, is_default))| match package {
                    Some(package) => *name == package,
                    // a quoted option stands for a command that the text names
                    None => *is_default || words[0].starts_with("--"),
                });
                if !candidates.any(|(_, (folder, _))| has_target(folder, &target[0], &target[1])) {
                    missing.push(format!("{}: {}", document.display(), words.join(" ")));
                }
            }
        }
    }
    assert!(missing.is_empty(), "programs that are not there:\n{}", missing.join("\n"));
    assert!(checked > 20, "only {checked} programs were found");
}
