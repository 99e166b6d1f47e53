//! `maphc2f train --defects`, and budgets, as processes.
#![allow(clippy::unwrap_used)] // a test may panic

mod factory_common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use factory_common::{damaged, json, maphc2f, run, stderr, texture};
use image::{GrayImage, Luma};

/// Good photos, and a category to test on with `kept` of the marked defects among its test images.
fn folders(root: &Path, kept: u32) -> (PathBuf, PathBuf, PathBuf) {
    let (good, defects, test) = (root.join("good"), root.join("defects/spot"), root.join("part"));
    for folder in
        [good.clone(), defects.clone(), test.join("train/good"), test.join("test/good"), test.join("test/spot")]
    {
        fs::create_dir_all(folder).unwrap();
    }
    fs::create_dir_all(test.join("ground_truth/spot")).unwrap();
    (0..8).for_each(|i| texture(i).save(good.join(format!("{i}.png"))).unwrap());
    (0..3).for_each(|i| texture(20 + i).save(test.join(format!("test/good/{i}.png"))).unwrap());
    texture(0).save(test.join("train/good/0.png")).unwrap();
    // masks differ, as those that a person draws
    let mask = |i: u32| {
        let inside = |x: u32, y: u32| (20..36).contains(&x) && (28..40 + i).contains(&y);
        GrayImage::from_fn(64, 64, |x, y| Luma([if inside(x, y) { 255 } else { 0 }]))
    };
    for i in 0..4 {
        damaged(30 + i).save(defects.join(format!("{i}.png"))).unwrap();
        mask(i).save(defects.join(format!("{i}_mask.png"))).unwrap();
    }
    for i in 0..2 {
        damaged(34 - kept + i).save(test.join(format!("test/spot/{i}.png"))).unwrap();
        mask(i).save(test.join(format!("ground_truth/spot/{i}_mask.png"))).unwrap();
    }
    (good, root.join("defects"), test)
}

fn train(good: &Path, out: &Path) -> Command {
    let mut command = maphc2f("train");
    command.arg("--normals").arg(good).arg("--out").arg(out);
    command
}

fn evaluate(out: &Path, test: &Path) -> Command {
    let mut command = maphc2f("evaluate");
    command.arg("--model").arg(out.join("detector.safetensors")).arg("--data").arg(test);
    command
}

#[test]
fn real_defects_are_learned_set_the_threshold_and_are_refused_in_tests() {
    let folder = tempfile::tempdir().unwrap();
    let (good, defects, test) = folders(folder.path(), 0);
    let out = folder.path().join("model");
    let output = train(&good, &out).arg("--defects").arg(&defects).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("spot: 4 real defects"), "{}", stderr(&output));
    let trained = json(&output);
    assert_eq!(trained["threshold"]["real_defects"], 4, "{trained}");
    assert_eq!(trained["threshold"]["real_defects_found"], 4, "bright squares are found: {trained}");
    assert_eq!(trained["choice"]["real_defects"]["defects"], 4, "{trained}");
    let measured = json(&run(&mut evaluate(&out, &test)));
    assert!(measured["image_auroc"].as_f64().unwrap() > 0.9, "{measured}");

    // a test that holds one of them measures nothing
    let other = tempfile::tempdir().unwrap();
    let (_, _, test) = folders(other.path(), 1);
    let output = evaluate(&out, &test).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(json(&output)["error"].as_str().unwrap().contains("test/spot/0.png"), "{output:?}");
}

#[test]
fn defects_that_cannot_be_used_leave_no_output() {
    let folder = tempfile::tempdir().unwrap();
    let (good, defects, _) = folders(folder.path(), 0);
    let out = folder.path().join("model");
    let refused = |command: &mut Command, words: &[&str]| {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let error = json(&output)["error"].as_str().unwrap().to_owned();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
        assert!(!out.join("detector.safetensors").exists(), "{error}");
    };
    refused(train(&good, &out).args(["--defects", "nowhere"]), &["nowhere"]);
    refused(train(&good, &out).arg("--defects").arg(&good), &["good"]); // no photo has a mask
    refused(train(&good, &out).arg("--defects").arg(&defects).args(["--preset", "bilevel-2026-11"]), &["--preset"]);
    refused(train(&good, &out).args(["--max-ms", "0.001"]), &["ms", "allow more"]);
    refused(train(&good, &out).args(["--max-memory", "1"]), &["MiB", "allow more"]);
    // a good photo among the defects
    fs::copy(good.join("3.png"), defects.join("spot/3.png")).unwrap();
    refused(train(&good, &out).arg("--defects").arg(&defects), &["spot/3.png", "normal image"]);
}
