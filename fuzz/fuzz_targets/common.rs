//! What every target checks of an indexed dataset.
#![allow(dead_code)] // each target uses its part

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use adbench::dataset::{Dataset, DatasetError, Policy, Sample, Severity};

/// A folder of this process's own. `.ci/run` points `TMPDIR` at one that it removes: the fuzzer exits without clean-up.
pub fn scratch() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| tempfile::tempdir().expect("a temporary folder").keep())
}

/// Indexes under both policies and checks what must hold of any input.
pub fn check(index: impl Fn(Policy) -> Result<Dataset, DatasetError>) {
    let strict = index(Policy::Strict);
    let skipping = index(Policy::Skip);
    match (&strict, &skipping) {
        (Ok(a), Ok(b)) => {
            assert!(a.findings().iter().all(|f| f.severity() == Severity::Warning), "strict let an error pass");
            assert_eq!((a.train(), a.test(), a.findings()), (b.train(), b.test(), b.findings()));
        }
        (Err(DatasetError::Findings(list)), Ok(b)) => {
            assert!(list.as_slice().iter().any(|f| f.severity() == Severity::Error), "refused without an error");
            // Warnings about published counts follow once there is a dataset to count.
            assert!(b.findings().starts_with(list.as_slice()), "{list}\nand skipping {:?}", b.findings());
            let rest = &b.findings()[list.as_slice().len()..];
            assert!(rest.iter().all(|f| f.severity() == Severity::Warning), "strict hides {rest:?}");
        }
        (Err(a), Err(b)) => assert_eq!(a.to_string(), b.to_string()),
        (a, b) => panic!("strict gives {a:?}, skipping {b:?}"),
    }
    let Ok(data) = skipping else { return };
    let real = fs::canonicalize(data.root()).expect("the root exists");
    for samples in [data.train().samples(), data.validation().samples(), data.test().samples()] {
        let ids: Vec<&str> = samples.iter().map(Sample::id).collect();
        assert!(ids.windows(2).all(|pair| pair[0].as_bytes() < pair[1].as_bytes()), "order or repeated id: {ids:?}");
        let masks = samples.iter().flat_map(Sample::mask_paths).map(PathBuf::as_path);
        for path in samples.iter().map(Sample::image_path).chain(masks) {
            if let Ok(path) = fs::canonicalize(path) {
                assert!(path.starts_with(&real), "{} leads out of the root", path.display());
            }
        }
    }
    for finding in data.findings() {
        assert_eq!(finding.to_string().lines().count(), 1, "{finding}");
    }
}
