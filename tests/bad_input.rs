//! `maphc2f train --report` refuses bad input with one line and exit code 2, and writes nothing.
#![allow(clippy::unwrap_used)] // a test may panic

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::{GrayImage, ImageBuffer, Luma, RgbImage};

fn maphc2f() -> Command {
    Command::new(env!("CARGO_BIN_EXE_maphc2f"))
}

/// One round of training on a category, measured on its test images.
fn train(root: &Path, out: &Path) -> Output {
    let mut command = maphc2f();
    command.args(["train", "--report"]);
    command.arg("--normals").arg(root).arg("--out").arg(out).output().unwrap()
}

/// Six good photos, two good and one bad test image.
fn category(folder: &Path) -> PathBuf {
    let root = folder.join("part");
    for sub in ["train/good", "test/good", "test/dent", "ground_truth/dent"] {
        std::fs::create_dir_all(root.join(sub)).unwrap();
    }
    let photo =
        |seed: u32| RgbImage::from_fn(64, 64, |x, y| image::Rgb([90 + ((x * 7 + y * 13 + seed * 5) % 40) as u8; 3]));
    for i in 0..6 {
        photo(i).save(root.join(format!("train/good/{i:03}.png"))).unwrap();
    }
    for i in 0..2 {
        photo(20 + i).save(root.join(format!("test/good/{i:03}.png"))).unwrap();
    }
    photo(30).save(root.join("test/dent/000.png")).unwrap();
    let mask = GrayImage::from_fn(64, 64, |x, y| Luma([if x / 16 == 1 && y / 16 == 1 { 255 } else { 0 }]));
    mask.save(root.join("ground_truth/dent/000_mask.png")).unwrap();
    root
}

/// Breaks a category and expects one error line that says `words`, exit code 2 and no output.
fn refuses(damage: impl Fn(&Path), words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let root = category(folder.path());
    damage(&root);
    let out = folder.path().join("out");
    let output = train(&root, &out);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    let errors: Vec<&str> = text.lines().filter(|l| l.starts_with("error:")).collect();
    assert_eq!(errors.len(), 1, "{text}");
    for word in words {
        assert!(errors[0].contains(word), "`{word}` is missing in: {}", errors[0]);
    }
    assert!(output.stdout.is_empty());
    let written = std::fs::read_dir(&out).map(|d| d.count()).unwrap_or(0);
    assert_eq!(written, 0, "nothing may be written");
}

#[test]
fn a_missing_folder() {
    refuses(|root| std::fs::remove_dir_all(root).unwrap(), &["part"]);
}

#[test]
fn an_empty_folder() {
    refuses(
        |root| {
            std::fs::remove_dir_all(root.join("train/good")).unwrap();
            std::fs::create_dir_all(root.join("train/good")).unwrap();
        },
        &["train"],
    );
}

#[test]
fn an_undecodable_image() {
    refuses(|root| std::fs::write(root.join("train/good/003.png"), b"not a picture").unwrap(), &["003.png", "decoded"]);
}

#[test]
fn a_mask_of_another_size() {
    refuses(
        |root| GrayImage::new(60, 64).save(root.join("ground_truth/dent/000_mask.png")).unwrap(),
        &["000_mask.png", "60"],
    );
}

#[test]
fn an_image_smaller_than_the_model_needs() {
    refuses(|root| RgbImage::new(20, 64).save(root.join("train/good/002.png")).unwrap(), &["002.png", "64x20", "32"]);
}

#[test]
fn an_empty_foreground() {
    refuses(
        |root| RgbImage::from_pixel(64, 64, image::Rgb([80; 3])).save(root.join("train/good/001.png")).unwrap(),
        &["001.png", "foreground"],
    );
}

#[test]
fn an_unwritable_output() {
    let folder = tempfile::tempdir().unwrap();
    let root = category(folder.path());
    let out = folder.path().join("file");
    std::fs::write(&out, b"a file where the folder should go").unwrap();
    let output = train(&root, &out);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.lines().any(|l| l.starts_with("error:") && l.contains("cannot be written")), "{text}");
    assert_eq!(std::fs::read(&out).unwrap(), b"a file where the folder should go");
}

#[test]
fn a_missing_flag_an_unknown_one_and_values_that_are_no_numbers() {
    let cases: [(&[&str], &str); 6] = [
        (&["train"], "--normals"),
        (&["train", "--normalls", "x", "--out", "y"], "--normalls"),
        (&["train", "--normals", "x", "--out", "y", "--seed", "many"], "many"),
        (&["train", "--normals", "x", "--out", "y", "--ablations"], "--report"),
        (&["train", "--normals", "x", "--out", "y", "--weighting", "learnt"], "learned"),
        (&["inspect", "--model", "x", "--images", "y", "--out", "z", "--threshold", "nan"], "not a number"),
    ];
    for (args, word) in cases {
        let output = maphc2f().args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.starts_with("error:") && text.contains(word), "{args:?}: {text}");
    }
}

/// Gray, 16-bit and mixed sizes work; standard output holds the result alone.
#[test]
fn gray_and_sixteen_bit_images_work() {
    let folder = tempfile::tempdir().unwrap();
    let root = category(folder.path());
    let texture = |x: u32, y: u32| 20_000 + ((x * 1931 + y * 3571) % 9000) as u16;
    for i in 0..6 {
        let deep: ImageBuffer<Luma<u16>, Vec<u16>> =
            ImageBuffer::from_fn(64 + i, 64, |x, y| Luma([texture(x + i * 3, y)]));
        deep.save(root.join(format!("train/good/{i:03}.png"))).unwrap();
    }
    GrayImage::from_fn(64, 64, |x, y| Luma([(texture(x, y) >> 8) as u8])).save(root.join("test/good/000.png")).unwrap();
    let out = folder.path().join("out");
    let output = train(&root, &out);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    assert!(stdout.starts_with("image AUROC ") && stdout.contains("on 3 test images"), "{stdout}");
    let mut files: Vec<_> =
        std::fs::read_dir(&out).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    let reports = ["csv", "html", "json", "md", "tex"].map(|extension| format!("results.{extension}"));
    assert_eq!(files[..3], ["detector.safetensors", "hardest.png", "quality.safetensors"]);
    assert_eq!(files[3..8], reports);
    assert_eq!(files[8..], ["selection.csv"]);
}
