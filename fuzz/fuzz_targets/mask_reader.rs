//! Any bytes as an image file: no panic, no huge allocation, and all readers agree on the size.
#![no_main]

mod common;

use imgkit::image_io::{MaskRule, read_class_ids, read_mask, read_photo_file, read_size};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let path = common::scratch().join("mask.png");
    std::fs::write(&path, data).expect("a file");
    let size = read_size(&path);
    let photo = read_photo_file(&path);
    let Ok(mask) = read_mask(&path, MaskRule::NonZero) else {
        assert!(photo.is_err(), "an image, but no mask");
        return;
    };
    let file = photo.expect("a mask, hence an image");
    let photo = &file.photo;
    let (height, width, channels) = photo.dim();
    assert_eq!(mask.mask.dim(), (height, width));
    assert_eq!(size.map(<(usize, usize)>::from).ok(), Some((height, width)));
    assert!(channels == 1 || channels == 3);
    assert!(mask.gray_pixels <= height * width);
    if file.alpha.is_some() {
        return; // of one color, alpha may be the mask
    }
    // The mask is what is not black.
    let black = photo
        .to_f32()
        .outer_iter()
        .flat_map(|row| row.outer_iter().map(|p| p.iter().all(|&v| v == 0.0)).collect::<Vec<_>>())
        .filter(|&b| b)
        .count();
    assert_eq!(mask.mask.iter().filter(|&&m| !m).count(), black);
    if let Ok(ids) = read_class_ids(&path) {
        assert_eq!(ids.mapv(|id| id != 0), mask.mask);
    }
});
