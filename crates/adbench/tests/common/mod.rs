//! Small images and folders that imitate the datasets' quirks.
#![allow(dead_code, clippy::unwrap_used)] // Each test file uses its part; a failed unwrap is a failed test.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use adbench::dataset::{Dataset, DatasetError, Finding, Policy, Severity};
use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage};

/// Saves an image in the format of its extension, in any case, making its folder.
pub(crate) fn save(path: &Path, image: impl Into<DynamicImage>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.into().save(path).unwrap();
}

/// A photo of one color, which none before it had, in a JPEG, too.
pub(crate) fn photo(side: u32) -> RgbImage {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let step = |n: u32| 20 + 8 * (n % 25) as u8;
    RgbImage::from_pixel(side, side, Rgb([step(count), step(count / 25), 150]))
}

/// A mask with one pixel of this level, in column 1 and row 2.
pub(crate) fn mask(side: u32, level: u8) -> GrayImage {
    let mut mask = GrayImage::new(side, side);
    mask.put_pixel(1, 2, Luma([level]));
    mask
}

/// The header of a PNG that claims to be 60000 x 60000 RGB (10.8 GB decoded), and hardly any data.
pub(crate) fn huge_png() -> Vec<u8> {
    let chunk = |kind: &[u8], data: &[u8]| {
        let mut body = kind.to_vec();
        body.extend_from_slice(data);
        let mut chunk = (data.len() as u32).to_be_bytes().to_vec();
        chunk.extend_from_slice(&body);
        chunk.extend_from_slice(&crc32(&body).to_be_bytes());
        chunk
    };
    let side = 60_000_u32.to_be_bytes();
    let header = [side.as_slice(), &side, &[8, 2, 0, 0, 0]].concat();
    // A zlib stream of one empty stored block.
    let data = [0x78, 0x01, 0x01, 0, 0, 0xff, 0xff, 0, 0, 0, 1];
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &header), chunk(b"IDAT", &data), chunk(b"IEND", &[])].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let mix = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        (0..8).fold(crc ^ u32::from(*byte), mix)
    };
    !bytes.iter().fold(!0, step)
}

/// What both policies say of a dataset that is expected to have exactly one error: strict lists it, skipping leaves
/// `left` test samples.
pub(crate) fn only_finding(index: impl Fn(Policy) -> Result<Dataset, DatasetError>, left: usize) -> Finding {
    let strict = index(Policy::Strict).and_then(Dataset::validate).unwrap_err();
    let text = strict.to_string();
    let DatasetError::Findings(list) = strict else { panic!("{strict:?}") };
    let errors: Vec<&Finding> = list.as_slice().iter().filter(|f| f.severity() == Severity::Error).collect();
    let [finding] = errors.as_slice() else { panic!("{list}") };
    assert!(text.lines().skip(1).all(|line| line.starts_with("  ")), "{text}");
    let skipped = index(Policy::Skip).and_then(Dataset::validate).unwrap();
    assert!(skipped.findings().contains(finding));
    assert_eq!(skipped.test().len(), left);
    (*finding).clone()
}

pub(crate) fn ids(data: &Dataset) -> Vec<&str> {
    data.test().samples().iter().map(|s| s.id()).collect()
}
