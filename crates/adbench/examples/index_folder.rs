//! Indexes and checks a category in MVTec AD layout, here a small one made in a temporary folder.
//!
//! `cargo run -p adbench --example index_folder`
#![allow(clippy::print_stdout)] // the program prints its result

use std::fs;
use std::path::Path;

use adbench::dataset::{DatasetError, Policy};
use adbench::imgkit::image_io::MaskRule;
use adbench::loaders::{Layout, Mvtec};
use image::{GrayImage, Luma, Rgb, RgbImage};

/// Four good photos to train on, two to test on, two cracked ones, one of which lacks its mask.
fn write_category(root: &Path) -> Result<(), Box<dyn std::error::Error>> {
    for folder in ["train/good", "test/good", "test/crack", "ground_truth/crack"] {
        fs::create_dir_all(root.join(folder))?;
    }
    let photo = RgbImage::from_fn(48, 32, |x, y| Rgb([100 + ((x * 7 + y * 13) % 11) as u8; 3]));
    for (folder, count) in [("train/good", 4), ("test/good", 2), ("test/crack", 2)] {
        for i in 0..count {
            photo.save(root.join(folder).join(format!("{i:03}.png")))?;
        }
    }
    let mask = GrayImage::from_fn(48, 32, |x, y| Luma([if y == 16 && x > 8 { 255 } else { 0 }]));
    mask.save(root.join("ground_truth/crack/000_mask.png"))?;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("plate");
    write_category(&root)?;

    // strict: any fault refuses the category, and all faults are listed at once
    match Mvtec.index(&root, None, Policy::Strict) {
        Err(DatasetError::Findings(findings)) => println!("refused: {} finding(s)", findings.as_slice().len()),
        other => println!("accepted: {}", other.is_ok()),
    }
    // skip: faulty samples are left out; `validate` decodes every file
    let data = Mvtec.index(&root, None, Policy::Skip)?.validate()?;
    for finding in data.findings() {
        println!("- {finding}");
    }
    println!("{}: {} to train on, {} to test on", data.category(), data.train().len(), data.test().len());
    for sample in data.test().samples() {
        let image = sample.read_image()?.to_f32(); // (H, W, C) in [0, 1]
        let marked = match sample.mask_path() {
            Some(_) => sample.read_mask(MaskRule::NonZero)?.mask.iter().filter(|&&m| m).count(),
            None => 0,
        };
        println!("{} {:?}: {marked} anomalous pixels", sample.id(), image.dim());
    }
    Ok(())
}
