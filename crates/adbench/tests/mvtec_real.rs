//! The real `bottle` category, where it is at hand: counts against the published ones.
//!
//! Skipped without the folder, unless `MAPHC2F_NEEDS_DATA=1` is set: then the test fails.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

use std::path::Path;

use adbench::dataset::Policy;
use adbench::loaders::{Layout, Mvtec};
use imgkit::image_io::MaskRule;

#[test]
fn bottle_has_the_published_counts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/mvtec/bottle");
    if !root.is_dir() {
        assert!(std::env::var_os("MAPHC2F_NEEDS_DATA").is_none_or(|v| v != "1"), "no {}", root.display());
        println!("skipped: no {}", root.display());
        return;
    }
    let bottle = Mvtec.index(&root, None, Policy::Strict).unwrap().validate().unwrap();
    let test = bottle.test();
    assert_eq!((bottle.train().len(), test.len() - test.anomalous(), test.anomalous()), (209, 20, 63));
    assert_eq!(bottle.kinds(), ["broken_large", "broken_small", "contamination"]);
    assert_eq!(bottle.findings(), []);
    let first = &test.samples()[0];
    assert_eq!(first.id(), "test/broken_large/000.png");
    assert_eq!(first.read_image().unwrap().dim(), (288, 288, 3));
    let mask = first.read_mask(MaskRule::NonZero).unwrap().mask;
    assert_eq!(mask.dim(), (288, 288));
    assert!(mask.iter().any(|&m| m) && !mask.iter().all(|&m| m));
}
