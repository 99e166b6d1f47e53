//! Depths are kept; 8 bits only on request.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

use std::fs::File;
use std::path::Path;

use imgkit::image_io::tiff::write_map;
use imgkit::image_io::{MaskRule, Photo, ReadError, read_mask, read_photo};
use imgkit::resize::{Kernel, ResizeError, resize, resize_u8};
use ndarray::{Array3, arr2, arr3};
use tiff::encoder::{TiffEncoder, colortype};

fn write<C: colortype::ColorType>(path: &Path, values: &[C::Inner])
where
    [C::Inner]: tiff::encoder::TiffValue,
{
    TiffEncoder::new(File::create(path).unwrap()).unwrap().write_image::<C>(2, 1, values).unwrap();
}

#[test]
fn floats_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tiff");
    write_map(&path, arr2(&[[-2.5, 1e6], [0.25, 3.0]]).view()).unwrap();
    let photo = read_photo(&path).unwrap();
    let stored = arr3(&[[[-2.5_f32], [1e6]], [[0.25], [3.0]]]);
    assert_eq!((photo.to_f32(), photo.bits(), photo.dim()), (stored.clone(), 32, (2, 2, 1)));
    assert_eq!(photo, Photo::F32(stored));
    assert!(matches!(read_mask(&path, MaskRule::NonZero), Err(ReadError::UnsupportedPixel { .. })));
    write::<colortype::RGB32Float>(&path, &[0.5, -1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(read_photo(&path).unwrap(), Photo::F32(arr3(&[[[0.5, -1.0, 2.0], [3.0, 4.0, 5.0]]])));
    write::<colortype::Gray16>(&path, &[7, 65535]);
    assert_eq!(read_photo(&path).unwrap(), Photo::U16(arr3(&[[[7], [65535]]])));
    write::<colortype::RGB8>(&path, &[1, 2, 3, 4, 5, 6]);
    assert_eq!(read_photo(&path).unwrap(), Photo::U8(arr3(&[[[1, 2, 3], [4, 5, 6]]])));
}

/// A ramp of 16 bits keeps its levels in a window that says so.
#[test]
fn eight_bits_only_in_a_stated_window() {
    let ramp = Photo::U16(Array3::from_shape_fn((1, 65536, 1), |(_, x, _)| x as u16));
    let whole = ramp.to_rgb8((0.0, 65535.0)).unwrap();
    assert_eq!(whole.dim(), (1, 65536, 3));
    let saturated = |image: &Array3<u8>| image.iter().filter(|&&v| v == 255).count() as f64 / image.len() as f64;
    assert!(saturated(&whole) < 0.002);
    assert!(saturated(&ramp.to_rgb8((0.0, 255.0)).unwrap()) > 0.99);
    let floats = Photo::F32(arr3(&[[[-1.0, 0.0, 1.0]]]));
    assert_eq!(floats.to_rgb8((-1.0, 1.0)).unwrap(), arr3(&[[[0, 128, 255]]]));
    for window in [(1.0, 1.0), (2.0, 1.0), (f32::NAN, 1.0), (0.0, f32::INFINITY)] {
        assert_eq!(floats.to_rgb8(window).unwrap_err().name, "window");
    }
}

#[test]
fn resizing_of_eight_bits_agrees_with_that_of_floats() {
    let image = Array3::from_shape_fn((90, 70, 3), |(y, x, c)| ((y * y + 3 * x + 50 * c) % 256) as u8);
    for kernel in [Kernel::Bilinear, Kernel::Area] {
        let small = resize_u8(image.view(), (31, 40), kernel).unwrap();
        let exact = resize(image.mapv(f32::from).view(), (31, 40), kernel).unwrap();
        let worst = small.iter().zip(&exact).map(|(&a, b)| (f32::from(a) - b).abs()).fold(0.0, f32::max);
        assert!(worst <= 1.5, "{worst}");
    }
    assert_eq!(
        resize_u8(Array3::zeros((2, 2, 2)).view(), (1, 1), Kernel::Area),
        Err(ResizeError::Channels { channels: 2 })
    );
    assert!(resize_u8(Array3::zeros((2, 2, 3)).view(), (0, 1), Kernel::Area).is_err());
}
