//! Any tree of folders, files and links, read as each layout: no panic, no sample out of the root.
//!
//! The input is lines: a path ending in `/` is a folder, `path -> target` a link, anything else a file.
#![no_main]

mod common;

use std::fs;
use std::path::{Component, Path, PathBuf};

use adbench::loaders::{Folder, LAYOUTS, detect};
use libfuzzer_sys::fuzz_target;

/// The path below the root that a line names, unless it would leave it.
fn place(root: &Path, line: &str) -> Option<PathBuf> {
    let path = Path::new(line);
    let is_plain = path.components().all(|c| matches!(c, Component::Normal(_)));
    let folder = path.parent().map(|folder| root.join(folder)).filter(|_| is_plain && line.len() < 200)?;
    fs::create_dir_all(&folder).ok()?;
    // A link made earlier may be part of the path: nothing is written outside.
    fs::canonicalize(folder).ok().filter(|real| real.starts_with(root))?;
    Some(root.join(path))
}

fn make(root: &Path, line: &str) {
    if let Some((name, target)) = line.split_once(" -> ") {
        if let Some(path) = place(root, name) {
            let _ = std::os::unix::fs::symlink(target, path);
        }
    } else if let Some(path) = place(root, line) {
        if line.ends_with('/') {
            let _ = fs::create_dir(path);
        } else if fs::symlink_metadata(&path).is_err() {
            let _ = fs::write(path, "image");
        }
    }
}

fuzz_target!(|text: &str| {
    if text.contains('\0') {
        return;
    }
    let root = common::scratch().join("tree");
    let _ = fs::remove_dir_all(&root);
    fs::create_dir(&root).expect("a folder");
    let root = fs::canonicalize(root).expect("a folder");
    text.lines().take(24).for_each(|line| make(&root, line));

    let _ = detect(&root);
    for layout in LAYOUTS {
        common::check(|policy| layout.index(&root, None, policy));
        for category in layout.categories(&root).unwrap_or_default().iter().take(2) {
            common::check(|policy| layout.index(&root, Some(category), policy));
        }
    }
    let folder = Folder::new("f", &root).with_train("train/good").with_good("test/good");
    let folder = folder.with_defect("bad", "test/bad", Some("ground_truth/bad".as_ref()));
    common::check(|policy| folder.index(policy));
});
