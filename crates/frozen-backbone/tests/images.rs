//! Images that a network rejects, gray images, and images of any size.
#![cfg(feature = "embedded-weights")]
#![allow(clippy::unwrap_used)] // a test may panic

use frozen_backbone::{Backbone, EfficientNetLite0, Error};
use imgkit::Size;
use ndarray::Array3;

#[test]
fn bad_images_are_rejected() {
    let net = EfficientNetLite0::pretrained().unwrap();
    let small = net.extract(Array3::zeros((31, 64, 3)).view()).unwrap_err();
    assert!(matches!(small, Error::TooSmall { found: Size { height: 31, width: 64 }, minimum: 32, .. }));
    assert!(matches!(net.extract(Array3::zeros((64, 64, 4)).view()), Err(Error::Channels { found: 4 })));
    for bad in [f32::NAN, f32::INFINITY] {
        let mut image = Array3::zeros((32, 32, 1));
        image[[5, 6, 0]] = bad;
        assert!(matches!(net.extract(image.view()), Err(Error::NotFinite { row: 5, column: 6 })));
    }
}

#[test]
fn gray_equals_repeated_rgb() {
    let net = EfficientNetLite0::pretrained().unwrap();
    let gray = Array3::from_shape_fn((40, 48, 1), |(y, x, _)| ((y * 3 + x * 5) % 17) as f32 / 16.0);
    let rgb = Array3::from_shape_fn((40, 48, 3), |(y, x, _)| gray[[y, x, 0]]);
    assert_eq!(net.extract(gray.view()).unwrap(), net.extract(rgb.view()).unwrap());
}

/// Memory order of the image does not matter.
#[test]
fn planes_equal_pixels() {
    let net = EfficientNetLite0::pretrained().unwrap();
    let image = Array3::from_shape_fn((40, 48, 3), |(y, x, c)| ((y * 3 + x * 5 + c * 7) % 17) as f32 / 16.0);
    let planes = image.view().permuted_axes([2, 0, 1]).as_standard_layout().into_owned();
    let again = planes.view().permuted_axes([1, 2, 0]);
    assert_eq!(net.extract(image.view()).unwrap(), net.extract(again).unwrap());
}
