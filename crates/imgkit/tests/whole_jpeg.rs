//! JPEG files that are whole, cut, or cut and filled: only whole ones are photos.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

use std::fs;
use std::path::{Path, PathBuf};

use imgkit::image_io::{Photo, ReadError, decode_photo, read_mask, read_photo};

/// Files of 70 x 50 px that Pillow 13.0.0 wrote: baseline with and without subsampling, optimized tables, restart
/// markers, CMYK, progressive in color and gray.
fn golden() -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/jpeg"));
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 7);
    files.iter().map(|f| (f.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(f).unwrap())).collect()
}

/// Where the entropy-coded data begins.
fn scan_start(bytes: &[u8]) -> usize {
    let at = bytes.windows(2).position(|pair| pair == b"\xff\xda").unwrap();
    at + 2 + usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]))
}

fn is_refused(bytes: &[u8]) -> bool {
    match decode_photo(bytes, "name.jpg") {
        Err(ReadError::Undecodable { path, .. }) => path == Path::new("name.jpg"),
        Err(other) => panic!("{other}"),
        Ok(_) => false,
    }
}

#[test]
fn files_cut_anywhere_after_the_scan_began_are_undecodable() {
    for (name, bytes) in golden() {
        let end = bytes.len() - 2; // the end marker
        for length in scan_start(&bytes)..end {
            let cut = &bytes[..length];
            assert!(is_refused(cut), "{name} cut at {length} of {}", bytes.len());
            let filled = [cut, &vec![0; bytes.len() - length]].concat();
            assert!(is_refused(&filled), "{name} filled with zeros from {length} of {}", bytes.len());
            if !name.starts_with("progressive") {
                assert!(is_refused(&[cut, b"\xff\xd9"].concat()), "{name} ended at {length} of {}", bytes.len());
            }
        }
    }
}

#[test]
fn files_that_lack_only_the_end_marker_or_have_bytes_behind_it_are_whole() {
    for (name, bytes) in golden() {
        let whole = decode_photo(&bytes, &name).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((whole.dim().0, whole.dim().1), (50, 70));
        for other in [
            bytes[..bytes.len() - 2].to_vec(),
            bytes[..bytes.len() - 1].to_vec(),
            [&bytes[..], &[0; 100]].concat(),
            [&bytes[..], b"\xff\xd8 another picture"].concat(),
            [&bytes[..bytes.len() - 2], b"\xff\xff\xff\xd9"].concat(),
        ] {
            assert!(decode_photo(&other, &name).is_ok_and(|photo| photo == whole), "{name}");
        }
    }
}

#[test]
fn every_reader_refuses_a_cut_file_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.jpg");
    for (name, bytes) in golden() {
        fs::write(&path, &bytes[..bytes.len() * 7 / 10]).unwrap();
        for error in [read_photo(&path).map(drop), read_mask(&path, Default::default()).map(drop)] {
            let error = error.unwrap_err();
            assert!(matches!(&error, ReadError::Undecodable { .. }) && error.path() == path, "{name}: {error}");
        }
    }
}

/// The files of the `image` crate's own encoder, of sizes around those of blocks.
#[test]
fn files_of_odd_sizes_are_whole() {
    for (width, height) in [(1, 1), (7, 9), (8, 8), (16, 15), (17, 33), (64, 1)] {
        let image = image::RgbImage::from_fn(width, height, |x, y| image::Rgb([(x * 13) as u8, (y * 7) as u8, 90]));
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
        let photo = decode_photo(bytes.get_ref(), "odd").unwrap();
        assert!(matches!(photo, Photo::U8(pixels) if pixels.dim() == (height as usize, width as usize, 3)));
    }
}
