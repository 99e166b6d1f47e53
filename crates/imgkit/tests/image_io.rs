//! Photos and masks of every kind of PNG, JPEG and BMP, and files that are none.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

use std::fs;
use std::path::Path;

use image::{GrayImage, Luma, Rgb, RgbImage};
use imgkit::image_io::{MaskRule, Photo, ReadError, decode_photo, read_mask, read_photo, read_size};

fn photo(side: u32) -> RgbImage {
    RgbImage::from_fn(side, side, |x, y| Rgb([x as u8, y as u8, 90]))
}

fn save<P: image::PixelWithColorType>(path: &Path, image: image::ImageBuffer<P, Vec<P::Subpixel>>)
where
    [P::Subpixel]: image::EncodableLayout,
{
    image.save(path).unwrap();
}

#[test]
fn photos_keep_their_depth_and_lose_their_alpha() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    save(&path("gray.png"), GrayImage::from_pixel(3, 2, Luma([51])));
    let gray = read_photo(path("gray.png")).unwrap();
    assert_eq!((gray.dim(), gray.bits()), ((2, 3, 1), 8));
    assert_eq!(gray.to_f32()[(1, 2, 0)], 0.2);

    let deep = image::ImageBuffer::<Luma<u16>, _>::from_fn(2, 1, |x, _| Luma([if x == 0 { 1 } else { 65535 }]));
    save(&path("deep.png"), deep);
    let deep = read_photo(path("deep.png")).unwrap();
    assert!(matches!(&deep, Photo::U16(p) if p[(0, 0, 0)] == 1));
    assert_eq!(deep.to_f32().as_slice().unwrap(), [1.0 / 65535.0, 1.0]);

    // Color under zero alpha stays as stored.
    save(&path("clear.png"), image::RgbaImage::from_pixel(1, 1, image::Rgba([10, 20, 30, 0])));
    assert!(matches!(read_photo(path("clear.png")).unwrap(), Photo::U8(p) if p.as_slice() == Some(&[10, 20, 30])));
    save(&path("veil.png"), image::GrayAlphaImage::from_pixel(1, 1, image::LumaA([40, 0])));
    assert!(matches!(read_photo(path("veil.png")).unwrap(), Photo::U8(p) if p.as_slice() == Some(&[40])));

    // The content decides, not the name.
    save(&path("photo.jpg"), photo(4));
    fs::rename(path("photo.jpg"), path("photo.png")).unwrap();
    assert_eq!(read_photo(path("photo.png")).unwrap().dim(), (4, 4, 3));
}

#[test]
fn masks_of_any_pixel_type_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.png");
    // Blue weighs least; its lowest level still counts as part of the defect.
    let mut rgb = RgbImage::new(3, 1);
    rgb.put_pixel(1, 0, Rgb([0, 0, 1]));
    rgb.put_pixel(2, 0, Rgb([255, 255, 255]));
    save(&path, rgb);
    let read = read_mask(&path, MaskRule::NonZero).unwrap();
    assert_eq!(read.mask.as_slice().unwrap(), [false, true, true]);
    assert_eq!(read.gray_pixels, 1);
    assert_eq!(read_mask(&path, MaskRule::LumaAbove(127.0)).unwrap().mask.as_slice().unwrap(), [false, false, true]);

    let deep = image::ImageBuffer::<Luma<u16>, _>::from_fn(3, 1, |x, _| Luma([[0, 1, 65535][x as usize]]));
    save(&path, deep);
    let read = read_mask(&path, MaskRule::NonZero).unwrap();
    assert_eq!((read.mask.as_slice().unwrap(), read.gray_pixels), ([false, true, true].as_slice(), 1));
}

#[test]
fn unreadable_images_are_typed_errors_of_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let line = |path: &Path| {
        let error = read_photo(path).unwrap_err();
        let text = error.to_string();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(&path.display().to_string()), "{text}");
        assert_eq!(error.path(), path);
        error
    };
    assert!(matches!(line(&folder.path().join("absent.png")), ReadError::Missing { .. }));
    assert!(matches!(line(folder.path()), ReadError::Io { .. }));
    let text = folder.path().join("text.png");
    fs::write(&text, "no image").unwrap();
    assert!(matches!(line(&text), ReadError::Undecodable { .. }));
    fs::write(&text, "").unwrap();
    assert!(matches!(line(&text), ReadError::Undecodable { .. }));
}

#[test]
fn every_length_of_a_truncated_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.png", "a.bmp", "a.jpg"] {
        let path = folder.path().join(name);
        save(&path, photo(16));
        let bytes = fs::read(&path).unwrap();
        for length in (0..bytes.len() / 2).step_by(7) {
            fs::write(&path, &bytes[..length]).unwrap();
            let error = read_photo(&path).unwrap_err();
            assert!(matches!(error, ReadError::Undecodable { .. }), "{name} {length}: {error}");
            assert_eq!(error.to_string().lines().count(), 1);
        }
    }
}

/// A palette PNG, which `image` does not write: 4 pixels of 2 bits, black, red, white, black.
fn palette_png(path: &Path) {
    let mut encoder = png::Encoder::new(fs::File::create(path).unwrap(), 4, 1);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Two);
    encoder.set_palette(vec![0, 0, 0, 255, 0, 0, 255, 255, 255]);
    encoder.write_header().unwrap().write_image_data(&[0b0001_1000]).unwrap();
}

#[test]
fn masks_with_a_palette_or_one_bit_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.png");
    palette_png(&path);
    let read = read_mask(&path, MaskRule::NonZero).unwrap();
    assert_eq!((read.mask.as_slice().unwrap(), read.gray_pixels), ([false, true, true, false].as_slice(), 1));
    let mut encoder = png::Encoder::new(fs::File::create(&path).unwrap(), 8, 1);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    encoder.write_header().unwrap().write_image_data(&[0b0100_0001]).unwrap();
    let read = read_mask(&path, MaskRule::NonZero).unwrap();
    let expected = [false, true, false, false, false, false, false, true];
    assert_eq!((read.mask.as_slice().unwrap(), read.gray_pixels), (expected.as_slice(), 0));
}

#[test]
fn bytes_decode_as_the_file_does_and_the_header_tells_the_size() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.png", "a.jpg", "a.bmp"] {
        let path = folder.path().join(name);
        save(&path, RgbImage::from_fn(7, 5, |x, y| Rgb([20 * x as u8, 30 * y as u8, 90])));
        let read = read_photo(&path).unwrap();
        assert_eq!(decode_photo(&fs::read(&path).unwrap(), "elsewhere").unwrap(), read);
        assert_eq!(<(usize, usize)>::from(read_size(&path).unwrap()), (5, 7));
        let error = decode_photo(b"no image", "elsewhere").unwrap_err();
        assert_eq!(error.path(), Path::new("elsewhere"));
    }
}
