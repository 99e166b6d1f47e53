//! Resizing against PIL, frozen by `golden/make_resize.py`.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

use imgkit::resize::{Kernel, ResizeError, resize, resize_map};
use ndarray::{Array2, Array3, Axis, stack};
use serde_json::Value;

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

fn side(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

#[test]
fn resizing_is_that_of_pil() {
    let golden: Value = serde_json::from_str(include_str!("golden/resize.json")).unwrap();
    let shape = (side(&golden["height"]), side(&golden["width"]));
    let image = Array2::from_shape_vec(shape, floats(&golden["image"])).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        let to = (side(&case["to"][0]), side(&case["to"][1]));
        let kernel = if case["kernel"] == "area" { Kernel::Area } else { Kernel::Bilinear };
        let expected = Array2::from_shape_vec(to, floats(&case["pixels"])).unwrap();
        let ours = resize_map(image.view(), to, kernel).unwrap();
        let worst = (&ours - &expected).fold(0.0_f32, |worst, d| worst.max(d.abs()));
        assert!(worst < 1e-6, "{kernel:?} to {to:?}: off by {worst}");
    }
}

#[test]
fn channels_are_resized_on_their_own() {
    let image = Array3::from_shape_fn((9, 7, 3), |(y, x, c)| ((y * 5 + x * 3 + c * 11) % 13) as f32);
    let resized = resize(image.view(), (4, 10), Kernel::Bilinear).unwrap();
    let channels: Vec<_> =
        image.axis_iter(Axis(2)).map(|c| resize_map(c, (4, 10), Kernel::Bilinear).unwrap()).collect();
    let views: Vec<_> = channels.iter().map(|c| c.view()).collect();
    assert_eq!(resized, stack(Axis(2), &views).unwrap());
    assert_eq!(resize(image.view(), (9, 7), Kernel::Bilinear).unwrap(), image);
}

#[test]
fn empty_sizes_are_refused() {
    let map = Array2::zeros((4, 3));
    let error = ResizeError::Size { from: (4, 3).into(), to: (0, 3).into() };
    assert_eq!(resize_map(map.view(), (0, 3), Kernel::Area), Err(error));
    assert!(resize_map(Array2::zeros((0, 3)).view(), (2, 2), Kernel::Area).is_err());
}
