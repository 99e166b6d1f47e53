//! Any bytes as a CSV table: no panic, and no path out of the root.
#![no_main]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use adbench::loaders::Table;
use libfuzzer_sys::fuzz_target;

/// A root with a few images and masks, and a link out of it.
fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let root = common::scratch().join("root");
        fs::create_dir_all(root.join("d")).expect("a folder");
        fs::write(common::scratch().join("out.png"), "image").expect("a file");
        for name in ["a.png", "b.png", "m.png", "d/a.png", "d/m.png"] {
            fs::write(root.join(name), "image").expect("a file");
        }
        std::os::unix::fs::symlink("../out.png", root.join("l.png")).expect("a link");
        std::os::unix::fs::symlink("..", root.join("up")).expect("a link");
        root
    })
}

fuzz_target!(|data: &[u8]| {
    let path = common::scratch().join("table.csv");
    let root = root();
    fs::write(&path, data).expect("a file");
    let table = Table::new(&path).with_root(root);
    common::check(|policy| table.index(policy));
    for category in table.categories().unwrap_or_default() {
        let table = table.clone().with_category(category).with_train_anomalies();
        common::check(|policy| table.index(policy));
    }
});
