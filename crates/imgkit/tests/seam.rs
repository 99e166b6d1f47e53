//! Odd input of the seam measures.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

use imgkit::seam::{SeamError, band_energy_ratio, seam_index};
use ndarray::{Array2, Array3};

#[test]
fn bad_pixels_sizes_and_parameters_are_typed_errors() {
    let mask = Array2::from_shape_fn((60, 60), |(y, x)| (20..40).contains(&y) && (25..35).contains(&x));
    let image = Array3::from_shape_fn((60, 60, 3), |(y, x, c)| ((y * 7 + x * 3 + c) % 11) as f32 / 11.0);
    let mut nan = image.clone();
    nan[(30, 31, 1)] = f32::NAN;
    assert_eq!(seam_index(nan.view(), mask.view()), Err(SeamError::NotFinite { row: 30, column: 31 }));
    let refused = |bands| band_energy_ratio(image.view(), mask.view(), bands).unwrap_err();
    assert!([0, 7, usize::MAX].map(refused).iter().all(|e| matches!(e, SeamError::Parameter(p) if p.name == "bands")));
    let small = Array2::from_elem((60, 59), true);
    assert!(matches!(seam_index(image.view(), small.view()), Err(SeamError::Shape { .. })));
    // far from the mask nothing is looked at
    let mut far = image;
    far[(1, 1, 0)] = f32::INFINITY;
    assert!(seam_index(far.view(), mask.view()).is_ok());
}
