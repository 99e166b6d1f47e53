//! What makes a run the same run: the content of photos and masks; and what is lacking stays lacking.
#![allow(clippy::unwrap_used)] // a test may panic

mod factory_common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use factory_common::{json, manifest, maphc2f, photos, run, stderr, synth, temporaries, tree};
use image::{GrayImage, Luma, Rgb, RgbImage};

/// Masks of three photos of 64 px: what `marked` says.
fn masks(folder: &Path, marked: impl Fn(u32, u32) -> bool) -> PathBuf {
    let masks = folder.join("masks");
    fs::create_dir_all(&masks).unwrap();
    let mask = GrayImage::from_fn(64, 64, |x, y| Luma([if marked(x, y) { 255 } else { 0 }]));
    (0..3).for_each(|k| mask.save(masks.join(format!("{k}.png"))).unwrap());
    masks
}

#[test]
fn replaced_photos_and_masks_are_named_and_refused() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 3);
    let masks = masks(folder.path(), |x, _| x < 40);
    let out = folder.path().join("out");
    let make = |part: &str| {
        let mut command = synth(&normals, &out, 520);
        command.args(["--mechanisms", "cutpaste", "--shard", part, "--resume", "--masks"]).arg(&masks);
        command
    };
    run(&mut make("0/3"));
    let before = tree(&out);
    let refuse = |part: &str, word: &str| {
        let output = make(part).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let text = stderr(&output);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("run.json") && text.contains("other settings") && text.contains(word), "{word}: {text}");
        assert_eq!(tree(&out), before);
    };
    for (file, other, word) in [
        (normals.join("0.png"), normals.join("1.png"), "1 photos or masks replaced: 0.png"),
        (masks.join("0.png"), normals.join("1.png"), "1 photos or masks replaced: 0.png"),
    ] {
        let sound = fs::read(&file).unwrap();
        fs::copy(&other, &file).unwrap();
        ["0/3", "1/3"].iter().for_each(|part| refuse(part, word));
        fs::write(&file, sound).unwrap();
    }
    fs::rename(normals.join("2.png"), normals.join("3.png")).unwrap();
    refuse("1/3", "1 photos or masks removed: 2.png; 1 photos or masks added: 3.png");
    fs::rename(normals.join("3.png"), normals.join("2.png")).unwrap();
    // the run of a version that did not record content: read by verify, not gone on with
    let header = fs::read_to_string(out.join("run.json")).unwrap();
    let mut old: serde_json::Value = serde_json::from_str(&header).unwrap();
    assert_eq!(old["photos"].as_array().unwrap().len(), 3);
    old.as_object_mut().unwrap().remove("photos");
    fs::write(out.join("run.json"), old.to_string()).unwrap();
    let output = make("1/3").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(stderr(&output).contains("did not record the content"), "{output:?}");
    let found = json(&maphc2f("verify").arg("--data").arg(&out).output().unwrap());
    assert_eq!((found["counts"]["unfinished"].as_u64(), found["counts"]["differing"].as_u64()), (Some(2), Some(0)));
    fs::write(out.join("run.json"), header).unwrap();
    ["1/3", "2/3"].iter().for_each(|part| drop(run(&mut make(part))));
    assert_eq!(json(&run(maphc2f("verify").arg("--data").arg(&out)))["whole"], true);
}

#[test]
fn a_photo_or_a_run_replaced_while_samples_are_made_breaks_off() {
    for what in ["photo", "run.json"] {
        let folder = tempfile::tempdir().unwrap();
        let normals = photos(folder.path(), 3);
        let out = folder.path().join("out");
        let mut command = synth(&normals, &out, 1500);
        command.args(["--threads", "1", "--mechanisms", "cutpaste"]).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        while !out.is_dir() || temporaries(&out).is_empty() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        if what == "photo" {
            fs::copy(normals.join("0.png"), normals.join("2.png")).unwrap();
        } else {
            while !out.join("run.json").exists() {}
            fs::write(out.join("run.json"), "{}").unwrap();
        }
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(
            stderr(&output).contains("replaced") && stderr(&output).contains("while the run was made"),
            "{output:?}"
        );
        assert_eq!(temporaries(&out), [""; 0]);
    }
}

#[test]
fn what_is_lacking_counts_again_when_a_finished_run_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 3);
    fs::write(normals.join("1.png"), "no picture").unwrap();
    let out = folder.path().join("out");
    let first = synth(&normals, &out, 300).args(["--mechanisms", "cutpaste"]).output().unwrap();
    assert_eq!(first.status.code(), Some(3), "{first:?}");
    let second = synth(&normals, &out, 300).args(["--mechanisms", "cutpaste", "--resume"]).output().unwrap();
    assert_eq!(second.status.code(), Some(3), "{second:?}");
    let (first, again) = (json(&first), json(&second));
    assert_eq!((again["images"].as_u64(), again["kept"].as_u64()), (Some(0), Some(300)));
    for key in ["failed", "unusable_photos"] {
        assert_eq!(first[key], again[key], "{key}");
    }
    assert!(stderr(&second).contains("skipped") && stderr(&second).contains("1.png"), "{second:?}");
}

#[test]
fn a_photo_stands_among_the_good_whatever_becomes_of_its_first_sample() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 3);
    // so little room that some samples find none
    let masks = masks(folder.path(), |x, _| x == 63);
    let mut failed_first = 0;
    for seed in 0..12 {
        let out = folder.path().join(format!("out{seed}"));
        let mut command = maphc2f("synth");
        command.arg("--normals").arg(&normals).arg("--out").arg(&out).arg("--masks").arg(&masks);
        // Of one mechanism and material: otherwise others are tried.
        command.args(["--mechanisms", "pitting-loss", "--materials", "matte"]);
        let output = command.args(["--count", "30", "--seed", &seed.to_string()]).output().unwrap();
        let lines = manifest(&out);
        for (photo, of_photo) in lines.chunks(10).enumerate() {
            failed_first += usize::from(!of_photo[0]["failed"].is_null());
            assert!(out.join(format!("mvtec/train/good/{:08}.png", 10 * photo)).is_file(), "{output:?}");
        }
        assert_eq!(fs::read_dir(out.join("mvtec/train/good")).unwrap().count(), 3);
        assert_eq!(json(&run(maphc2f("verify").arg("--data").arg(&out)))["whole"], true);
    }
    assert!(failed_first > 0, "no first sample failed: the test says nothing");
}

#[test]
fn a_photo_without_a_clear_object_is_named_and_its_samples_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let normals = folder.path().join("normals");
    fs::create_dir(&normals).unwrap();
    let grain = |x: u32, y: u32| ((x * 7 + y * 13 + x * y) % 9) as u8;
    let clear = |x: u32, y: u32| if (20..44).contains(&x) && (16..50).contains(&y) { 200 } else { 30 };
    RgbImage::from_fn(64, 64, |x, y| Rgb([clear(x, y) + grain(x, y); 3])).save(normals.join("clear.png")).unwrap();
    RgbImage::from_fn(64, 64, |x, y| Rgb([90 + 9 * grain(x, y); 3])).save(normals.join("texture.png")).unwrap();
    let out = folder.path().join("out");
    let output = run(synth(&normals, &out, 12).args(["--mechanisms", "cutpaste"]));
    assert!(stderr(&output).contains("texture.png") && !stderr(&output).contains("clear.png"), "{output:?}");
    assert_eq!(json(&output)["whole_frame_photos"], 1);
    for line in manifest(&out) {
        let (region, confidence) = (line["region"].as_str().unwrap(), line["region_confidence"].as_f64().unwrap());
        if line["source"] == "clear.png" {
            assert!(region == "estimated-foreground" && confidence > 0.5, "{line}");
        } else {
            assert!(region == "whole-frame" && confidence < 0.5, "{line}");
        }
    }
}
