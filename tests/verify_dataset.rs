//! `maphc2f verify --layout` on a small dataset of every layout: clean, and with one fault.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

use std::fs;
use std::path::Path;
use std::process::Command;

use image::{GrayImage, Luma, RgbImage};

fn photo(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    RgbImage::new(8, 6).save(path).unwrap();
}

/// A mask with one pixel of this level; black at level 0.
fn mask(path: &Path, level: u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut mask = GrayImage::new(8, 6);
    mask.put_pixel(3, 2, Luma([level]));
    mask.save(path).unwrap();
}

/// Exit code, what is said to people, and the result as JSON.
fn verify(args: &[&str]) -> (Option<i32>, String, serde_json::Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_maphc2f"));
    let output = command.args(["verify", "--json"]).args(args).output().unwrap();
    let object = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap(), object)
}

fn category(root: &Path, names: [&str; 2], extension: &str, suffix: &str, level: u8) {
    let [good, bad] = names;
    for part in [format!("train/{good}"), format!("test/{good}"), format!("test/{bad}")] {
        photo(&root.join(part).join(format!("000.{extension}")));
    }
    mask(&root.join("ground_truth").join(bad).join(format!("000{suffix}.png")), level);
}

#[test]
fn every_layout_is_verified() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    category(&root.join("mvtec/widget"), ["good", "dent"], "png", "_mask", 255);
    category(&root.join("btad/BTech_Dataset_transformed/09"), ["ok", "ko"], "bmp", "", 255);
    category(&root.join("copy/1cls/gear"), ["good", "bad"], "JPG", "", 3);
    category(&root.join("flat/gear"), ["ok", "ko"], "JPG", "", 3);
    for name in ["Images/Normal/000.JPG", "Images/Normal/001.JPG", "Images/Anomaly/000.JPG"] {
        photo(&root.join("visa/gear/Data").join(name));
    }
    mask(&root.join("visa/gear/Data/Masks/Anomaly/000.png"), 3);
    let row = |split: &str, label: &str, image: &str, mask: &str| {
        format!("gear,{split},{label},gear/Data/Images/{image}.JPG,{mask}\r\n")
    };
    let table = [
        "object,split,label,image,mask\r\n".to_owned(),
        row("train", "normal", "Normal/000", ""),
        row("test", "normal", "Normal/001", ""),
        row("test", "anomaly", "Anomaly/000", "gear/Data/Masks/Anomaly/000.png"),
    ];
    fs::create_dir(root.join("visa/split_csv")).unwrap();
    for name in ["1cls", "2cls_highshot", "2cls_fewshot"] {
        fs::write(root.join("visa/split_csv").join(name).with_extension("csv"), table.concat()).unwrap();
    }
    fs::write(root.join("visa/list.csv"), table.concat()).unwrap();
    let masks = |path: &str| root.join(path);
    for (layout, at, more, truth) in [
        ("mvtec", "mvtec", &[][..], masks("mvtec/widget/ground_truth/dent/000_mask.png")),
        ("mvtec", "mvtec/widget", &[], masks("mvtec/widget/ground_truth/dent/000_mask.png")),
        ("btad", "btad", &[], masks("btad/BTech_Dataset_transformed/09/ground_truth/ko/000.png")),
        ("visa", "copy", &[], masks("copy/1cls/gear/ground_truth/bad/000.png")),
        ("visa", "flat", &[], masks("flat/gear/ground_truth/ko/000.png")),
        ("visa", "visa", &[], masks("visa/gear/Data/Masks/Anomaly/000.png")),
        ("visa-2cls-highshot", "visa", &[], masks("visa/gear/Data/Masks/Anomaly/000.png")),
        ("visa-2cls-fewshot", "visa", &[], masks("visa/gear/Data/Masks/Anomaly/000.png")),
        ("table", "visa/list.csv", &[], masks("visa/gear/Data/Masks/Anomaly/000.png")),
        (
            "folder",
            "mvtec/widget",
            &["--train", "train/good", "--good", "test/good", "--defect", "dent=test/dent:ground_truth/dent"],
            masks("mvtec/widget/ground_truth/dent/000_mask.png"),
        ),
    ] {
        let at = root.join(at);
        let args = [&["--layout", layout, "--data", at.to_str().unwrap()], more].concat();
        let (code, text, found) = verify(&args);
        assert_eq!(code, Some(0), "{layout}: {text}");
        let counts: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().skip(1).take(3).collect();
        assert_eq!(counts, ["1", "1", "1"], "{layout}: {text}");
        assert_eq!((found["faults"].as_u64(), found["categories"].as_array().unwrap().len()), (Some(0), 1), "{found}");
        assert_eq!(found["categories"][0]["counts"]["test_anomalous"], 1, "{found}");
        let level = image::open(&truth).unwrap().to_luma8().get_pixel(3, 2)[0];
        mask(&truth, 0);
        let (code, text, found) = verify(&args);
        assert_eq!(found["faults"], 1, "{found}");
        assert_eq!(code, Some(1), "{layout}: {text}");
        assert!(text.contains("fault: ") && text.contains("marks no pixel"), "{layout}: {text}");
        mask(&truth, level);
    }
    // files are not decoded, so that a black mask is not seen
    mask(&masks("mvtec/widget/ground_truth/dent/000_mask.png"), 0);
    let widget = root.join("mvtec");
    let (code, ..) = verify(&["--layout", "mvtec", "--index-only", "--data", widget.to_str().unwrap()]);
    assert_eq!(code, Some(0));
    let (code, text, found) = verify(&["--layout", "mvtec", "--data", root.to_str().unwrap()]);
    assert_eq!(code, Some(2), "{text}");
    assert!(found["error"].as_str().unwrap().contains("no category"), "{found}");
    let (code, text, _) = verify(&["--layout", "mvtech", "--data", root.to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert!(text.contains("did you mean `mvtec`?"), "{text}");
}
