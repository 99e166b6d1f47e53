//! Float TIFF maps: what another library wrote, and files that are none.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

use std::fs;

use imgkit::image_io::ReadError;
use imgkit::image_io::tiff::{read_map, write_map};
use ndarray::{Array2, arr2};

#[test]
fn maps_of_tifffile_are_read() {
    // tifffile 2026.3.3: imwrite("map.tiff", float32 [[0.5, -2, 3e-30], [1, 0, 7.25]])
    let read = read_map(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/map.tiff")).unwrap();
    assert_eq!(read, arr2(&[[0.5, -2.0, 3e-30], [1.0, 0.0, 7.25]]));
}

#[test]
fn files_that_are_no_maps_are_typed_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tiff");
    assert!(matches!(read_map(&path), Err(ReadError::Missing { .. })));
    write_map(&path, Array2::from_elem((9, 11), 0.5).view()).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    let bytes = fs::read(&path).unwrap();
    for length in (0..bytes.len()).step_by(13) {
        fs::write(&path, &bytes[..length]).unwrap();
        let error = read_map(&path).unwrap_err();
        assert!(matches!(error, ReadError::Undecodable { .. }), "{length}: {error}");
        assert_eq!(error.to_string().lines().count(), 1);
    }
    assert!(write_map(&path, Array2::zeros((0, 3)).view()).is_err());
    assert!(write_map(folder.path().join("absent/a.tiff"), Array2::zeros((1, 1)).view()).is_err());
}
