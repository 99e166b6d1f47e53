//! Files that are whole and yet not plain: turned, of several images, of rare kinds, too large, of other formats.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

use std::fs::{self, File};
use std::io::{BufWriter, Cursor};
use std::path::{Path, PathBuf};

use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use imgkit::Size;
use imgkit::image_io::{
    ENDINGS, MaskRule, Note, Photo, ReadError, decode_photo, list_images, read_mask, read_photo, read_photo_file,
    read_size,
};
use imgkit::level::Window;
use ndarray::{Array2, Array3};
use tiff::encoder::{TiffEncoder, colortype};
use tiff::tags::Tag;

fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([(9 * x) as u8, (11 * y) as u8, (x * y) as u8]))
}

fn encoded(image: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// An EXIF block whose one entry is the orientation.
fn exif(orientation: u8) -> Vec<u8> {
    [b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".as_slice(), &[orientation, 0, 0, 0, 0, 0, 0]].concat()
}

fn png_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [kind.as_slice(), data].concat();
    let step = |crc: u32, byte: &u8| {
        let mix = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        (0..8).fold(crc ^ u32::from(*byte), mix)
    };
    let crc = !body.iter().fold(!0, step);
    [(data.len() as u32).to_be_bytes().as_slice(), &body, &crc.to_be_bytes()].concat()
}

fn golden(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tiff")).join(name)
}

#[test]
fn pictures_are_turned_as_their_orientation_says_and_so_are_their_sizes() {
    let folder = tempfile::tempdir().unwrap();
    let stored = picture(20, 12);
    let png = encoded(&stored, ImageFormat::Png);
    let jpeg = encoded(&stored, ImageFormat::Jpeg);
    let jpeg_pixels = image::load_from_memory(&jpeg).unwrap();
    for tag in 1..=8 {
        let marker = [b"Exif\0\0".as_slice(), &exif(tag)].concat();
        let app1 = [b"\xff\xe1".as_slice(), &(marker.len() as u16 + 2).to_be_bytes(), &marker].concat();
        let chunk = png_chunk(b"eXIf", &exif(tag));
        let (head, tail) = (png.len() - 12, png.len());
        let mut tiff = Cursor::new(Vec::new());
        let mut encoder = TiffEncoder::new(&mut tiff).unwrap();
        let mut page = encoder.new_image::<colortype::RGB8>(20, 12).unwrap();
        page.encoder().write_tag(Tag::Orientation, u16::from(tag)).unwrap();
        page.write_data(stored.as_raw()).unwrap();
        let files = [
            ("a.jpg", [&jpeg[..2], &app1, &jpeg[2..]].concat(), jpeg_pixels.clone()),
            ("before.png", [&png[..33], &chunk, &png[33..]].concat(), stored.clone().into()),
            ("behind.png", [&png[..head], &chunk, &png[head..tail]].concat(), stored.clone().into()),
            ("a.tif", tiff.into_inner(), DynamicImage::from(stored.clone())),
        ];
        for (name, bytes, pixels) in files {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            let mut shown = pixels;
            shown.apply_orientation(Orientation::from_exif(tag).unwrap());
            let shown = shown.into_rgb8();
            assert_eq!(read_photo(&path).unwrap(), Photo::from(&shown), "{name} {tag}");
            let size = Size { height: shown.height() as usize, width: shown.width() as usize };
            assert_eq!(read_size(&path).unwrap(), size, "{name} {tag}");
            let marked = read_mask(&path, MaskRule::NonZero).unwrap().mask;
            assert_eq!(marked.dim(), size.into(), "{name} {tag}");
        }
    }
}

/// What tifffile 2026.3.3 and Pillow 13.0.0 wrote of `3 x + 5 y + 40 c` at 16 x 12 px.
#[test]
fn rare_kinds_of_tiff_are_read_or_named_as_not_supported() {
    let value = |y: usize, x: usize, c: usize| (3 * x + 5 * y + 40 * c) as u8;
    let plain = Photo::U8(Array3::from_shape_fn((12, 16, 3), |(y, x, c)| value(y, x, c)));
    for name in ["planar.tif", "big.tif", "tiled.tif", "alpha.tif"] {
        assert_eq!(read_photo(golden(name)).unwrap(), plain, "{name}");
        assert_eq!(read_size(golden(name)).unwrap(), Size { height: 12, width: 16 }, "{name}");
    }
    assert!(read_photo_file(golden("alpha.tif")).unwrap().alpha.is_some());
    let bits = Array3::from_shape_fn((12, 16, 1), |(y, x, _)| 255 * (value(y, x, 0) % 2));
    assert_eq!(read_photo(golden("bits.tif")).unwrap(), Photo::U8(bits.clone()));
    assert_eq!(read_photo(golden("white_is_zero_bits.tif")).unwrap(), Photo::U8(bits.mapv(|v| 255 - v)));
    let Photo::F32(half) = read_photo(golden("half.tif")).unwrap() else { panic!("floats") };
    assert!(half.indexed_iter().all(|((y, x, c), v)| (v * 255.0 - f32::from(value(y, x, c))).abs() < 0.1));
    for name in ["palette.tif", "jpeg.tif", "cmyk.tif"] {
        let error = read_photo(golden(name)).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, ReadError::UnsupportedPixel { .. }), "{name}: {text}");
        assert!(text.contains("not supported (") && text.contains(": save as") && !text.contains("restore"), "{text}");
    }
}

#[test]
fn other_formats_are_named_as_not_supported_by_content_and_in_folders() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&str, &[u8]); 6] = [
        ("GIF", b"GIF89a\x01\0\x01\0"),
        ("WebP", b"RIFF\x24\0\0\0WEBPVP8 "),
        ("AVIF", b"\0\0\0\x20ftypavif"),
        ("HEIC", b"\0\0\0\x20ftypheic"),
        ("JPEG 2000", b"\0\0\0\x0cjP  \r\n\x87\n"),
        ("JPEG XL", b"\0\0\0\x0cJXL \r\n\x87\n"),
    ];
    for (format, bytes) in cases {
        let error = decode_photo(bytes, "a.png").unwrap_err().to_string();
        assert!(error.contains(format) && error.contains("not supported") && error.contains("save as"), "{error}");
        fs::write(folder.path().join(format!("{format}.dat")), bytes).unwrap();
    }
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    assert!(decode_photo(pointer, "a.png").unwrap_err().to_string().contains("git lfs pull"));
    for name in ["a.webp", "B.GIF", "c.heic"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    fs::write(folder.path().join("photo"), encoded(&picture(9, 9), ImageFormat::Png)).unwrap();
    fs::write(folder.path().join("notes.txt"), "BM is no picture").unwrap();
    let list = list_images(folder.path()).unwrap();
    assert_eq!((list.photos.len(), list.not_read.len()), (0, 10), "{list:?}");
    for file in list.not_read {
        let line = file.to_string();
        assert!(line.contains("not supported: save as") || line.contains("rename it to end in .png"), "{line}");
    }
}

#[test]
fn folders_give_regular_files_without_dots_and_masks_apart() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let png = encoded(&picture(9, 9), ImageFormat::Png);
    let photos: Vec<String> = ENDINGS.iter().map(|ending| format!("photo.{ending}")).collect();
    let others = ["UPPER.JPG", "._0.png", ".hidden.tif", "photo_mask.png"];
    for name in photos.iter().map(String::as_str).chain(others) {
        fs::write(at(name), &png).unwrap();
    }
    fs::write(at("readme.md"), "text").unwrap();
    fs::write(at("alone_mask.png"), &png).unwrap();
    fs::create_dir(at("folder.png")).unwrap();
    let list = list_images(folder.path()).unwrap();
    let names = |paths: &[PathBuf]| -> Vec<String> {
        paths.iter().map(|p| p.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    };
    let mut expected: Vec<String> = photos;
    expected.push("UPPER.JPG".to_owned());
    expected.sort();
    assert_eq!(names(&list.photos), expected);
    assert_eq!(names(&list.masks), ["photo_mask.png"]);
    assert_eq!(list.not_read.len(), 1, "{list:?}");
    assert!(list.not_read[0].path.ends_with("alone_mask.png"));
}

#[cfg(unix)]
#[test]
fn pipes_devices_and_links_to_nowhere_are_named_and_not_opened() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("0.png"), encoded(&picture(9, 9), ImageFormat::Png)).unwrap();
    symlink(at("0.png"), at("link.png")).unwrap();
    symlink(at("nowhere"), at("dangling.jpg")).unwrap();
    symlink("/dev/zero", at("zero.bmp")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(at("pipe.tif")).status().unwrap().success());
    let list = list_images(folder.path()).unwrap();
    assert_eq!((list.photos.len(), list.not_read.len()), (2, 3), "{list:?}");
    for name in ["dangling.jpg", "zero.bmp", "pipe.tif"] {
        assert!(list.not_read.iter().any(|file| file.path == at(name)), "{name}: {list:?}");
        let error = read_photo(at(name)).unwrap_err();
        assert!(matches!(error, ReadError::Io { .. } | ReadError::Missing { .. }), "{error}");
        assert!(read_size(at(name)).is_err() && read_mask(at(name), MaskRule::NonZero).is_err());
    }
}

#[test]
fn headers_that_claim_too_many_pixels_are_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tif");
    // width and height of 2^32 - 1 and below in the tags of a TIFF file without data, small and large kind
    let entry = |tag: u16, value: u32| [&tag.to_le_bytes()[..], &[4, 0, 1, 0, 0, 0], &value.to_le_bytes()].concat();
    let big = |tag: u16, value: u32| {
        [&tag.to_le_bytes()[..], &[4, 0, 1, 0, 0, 0, 0, 0, 0, 0], &u64::from(value).to_le_bytes()].concat()
    };
    for side in [1 << 15, 1 << 31, u32::MAX] {
        let tags = [(256, side), (257, side), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, side), (279, 1)];
        let small: Vec<u8> = tags.iter().flat_map(|&(tag, value)| entry(tag, value)).collect();
        let large: Vec<u8> = tags.iter().flat_map(|&(tag, value)| big(tag, value)).collect();
        for bytes in [
            [b"II*\0\x08\0\0\0\x09\0".as_slice(), &small, &[0; 4]].concat(),
            [b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0".as_slice(), &large, &[0; 8]].concat(),
        ] {
            fs::write(&path, bytes).unwrap();
            for error in [read_size(&path).map(drop), read_photo(&path).map(drop)] {
                let error = error.unwrap_err();
                let is_right = matches!(error, ReadError::TooLarge { .. } | ReadError::Undecodable { .. });
                assert!(is_right && error.path() == path, "{error}");
            }
        }
    }
    let header = [1_450_000_u32.to_be_bytes(), 1_450_000_u32.to_be_bytes()].concat();
    let header = png_chunk(b"IHDR", &[&header[..], &[8, 0, 0, 0, 0]].concat());
    let (data, end) = (png_chunk(b"IDAT", &[]), png_chunk(b"IEND", &[]));
    fs::write(&path, [b"\x89PNG\r\n\x1a\n".as_slice(), &header, &data, &end].concat()).unwrap();
    assert!(matches!(read_size(&path), Err(ReadError::TooLarge { .. })));
    assert!(matches!(read_photo(&path), Err(ReadError::TooLarge { .. })));
}

#[test]
fn masks_in_alpha_are_read_where_color_is_constant() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.png");
    let inside = |x: u32, y: u32| (10..50).contains(&x) && (20..40).contains(&y);
    let count = |path: &Path| read_mask(path, MaskRule::NonZero).unwrap().mask.iter().filter(|&&m| m).count();
    let alpha = |x, y| if inside(x, y) { 255 } else { 0 };
    for level in [0, 255] {
        image::GrayAlphaImage::from_fn(64, 64, |x, y| image::LumaA([level, alpha(x, y)])).save(&path).unwrap();
        assert_eq!(count(&path), 800, "gray {level}");
        image::RgbaImage::from_fn(64, 64, |x, y| image::Rgba([level, 40, 40, alpha(x, y)])).save(&path).unwrap();
        assert_eq!(count(&path), 800, "color {level}");
        let deep = |x, y| image::LumaA([u16::from(level), 257 * u16::from(alpha(x, y))]);
        image::ImageBuffer::<image::LumaA<u16>, Vec<u16>>::from_fn(64, 64, deep).save(&path).unwrap();
        assert_eq!(count(&path), 800, "16 bits {level}");
    }
    // where color tells, or alpha is the same everywhere, color is the mask
    image::GrayAlphaImage::from_fn(64, 64, |x, y| image::LumaA([alpha(x, y), alpha(y, x)])).save(&path).unwrap();
    assert_eq!(count(&path), 800);
    image::GrayAlphaImage::from_pixel(64, 64, image::LumaA([255, 255])).save(&path).unwrap();
    assert_eq!(count(&path), 4096);
}

#[test]
fn several_images_profiles_and_narrow_ranges_are_noted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let notes = |path: &Path| read_photo_file(path).unwrap().notes;
    let png = encoded(&picture(20, 12), ImageFormat::Png);
    fs::write(&path, &png).unwrap();
    assert_eq!(notes(&path), []);
    // an animation of three frames
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(&path).unwrap()), 20, 12);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_animated(3, 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    for _ in 0..3 {
        writer.write_image_data(picture(20, 12).as_raw()).unwrap();
    }
    writer.finish().unwrap();
    assert_eq!(notes(&path), [Note::SeveralImages { count: 3 }]);
    // a thumbnail page first, then two pages
    let pages = read_photo_file(golden("pages.tif")).unwrap();
    assert_eq!(pages.photo.dim(), (12, 16, 3), "the thumbnail is passed over");
    assert_eq!(pages.notes, [Note::SeveralImages { count: 2 }]);
    assert_eq!(read_size(golden("pages.tif")).unwrap(), Size { height: 12, width: 16 });

    let profile = |name: &[u8]| [&[0; 40], name].concat();
    let jpeg = encoded(&picture(20, 12), ImageFormat::Jpeg);
    for (name, expected) in [(b"Adobe RGB".as_slice(), vec![Note::ColorProfile]), (b"sRGB IEC61966", vec![])] {
        let body = [b"ICC_PROFILE\0\x01\x01".as_slice(), &profile(name)].concat();
        let app2 = [b"\xff\xe2".as_slice(), &(body.len() as u16 + 2).to_be_bytes(), &body].concat();
        fs::write(&path, [&jpeg[..2], &app2, &jpeg[2..]].concat()).unwrap();
        assert_eq!(notes(&path), expected);
    }

    // 12 bits in a file of 16, and floats up to 255
    let deep = image::ImageBuffer::<image::Luma<u16>, Vec<u16>>::from_fn(64, 64, |x, y| image::Luma([(x * y) as u16]));
    deep.save(&path).unwrap();
    let [Note::NarrowRange { highest, .. }] = notes(&path)[..] else { panic!("{:?}", notes(&path)) };
    assert_eq!(highest, 3969.0);
    let photo = read_photo(&path).unwrap();
    let spread = photo.to_f32_in(Window::new(0.0, 4095.0).unwrap());
    assert!((spread[(63, 63, 0)] - 3969.0 / 4095.0).abs() < 1e-6 && photo.to_f32()[(63, 63, 0)] < 0.07);
    let path = folder.path().join("floats.tiff");
    imgkit::image_io::tiff::write_map(&path, Array2::from_elem((4, 4), 200.0).view()).unwrap();
    assert!(matches!(notes(&path)[..], [Note::BeyondOne { .. }]));
}

/// Found by fuzzing: the decoder took the palette for whole and panicked.
#[test]
fn a_palette_that_is_cut_is_damage() {
    let header = [3_u32.to_be_bytes().as_slice(), &1_u32.to_be_bytes(), &[4, 3, 0, 0, 0]].concat();
    for (length, is_whole) in [(45, true), (46, false), (1, false)] {
        let palette: Vec<u8> = (0..length).collect();
        let rows = [0x78, 0x01, 0x01, 3, 0, 0xfc, 0xff, 0, 0x01, 0x20, 0, 37, 0, 34];
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        for (kind, data) in [(b"IHDR", &header[..]), (b"PLTE", &palette), (b"IDAT", &rows), (b"IEND", &[])] {
            bytes.extend(png_chunk(kind, data));
        }
        match (decode_photo(&bytes, "torn.png"), is_whole) {
            (Ok(photo), true) => assert_eq!(photo.dim(), (1, 3, 3)),
            (Err(ReadError::Undecodable { .. }), false) => {}
            (other, _) => panic!("{length}: {other:?}"),
        }
    }
}
