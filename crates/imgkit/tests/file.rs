//! Atomic writing.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

use std::fs;

use imgkit::file::write_atomic;

#[test]
fn a_file_is_replaced_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.csv");
    fs::write(&path, "old").unwrap();
    write_atomic(&path, "new").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    let absent = folder.path().join("absent/report.csv");
    assert!(write_atomic(&absent, "text").unwrap_err().to_string().contains("absent"));
    // A folder in the file's place cannot be replaced; it stays, and the temporary file goes.
    let taken = folder.path().join("taken");
    fs::create_dir_all(taken.join("inner")).unwrap();
    assert!(write_atomic(&taken, "text").is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}
