//! Nothing passes as good that was not looked at: damaged detectors, thresholds, test sets and training photos.
#![allow(clippy::unwrap_used)] // a test may panic

mod factory_common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use factory_common::{json, maphc2f, run, stderr};
use image::{GrayImage, Luma, Rgb, RgbImage};

fn texture(seed: u32, side: u32) -> RgbImage {
    RgbImage::from_fn(side, side, |x, y| Rgb([90 + ((x * 7 + y * 13 + seed * 5) % 41) as u8; 3]))
}

/// A bright product on a dark table, with noise.
fn product(seed: u32, side: u32) -> RgbImage {
    RgbImage::from_fn(side, side, |x, y| {
        let noise = ((x * 7919) ^ (y * 104_729) ^ (seed * 1_299_709)).wrapping_mul(2_654_435_761) >> 28;
        let is_lit = (8 + seed % 3..24).contains(&x) && (8..24).contains(&y);
        Rgb([noise as u8 + if is_lit { 150 + 4 * (seed % 5) as u8 } else { 28 }; 3])
    })
}

/// Whether a pixel belongs to the bright square of a defect.
fn is_bright(x: u32, y: u32) -> bool {
    (20..36).contains(&x) && (28..44).contains(&y)
}

fn damaged(seed: u32) -> RgbImage {
    let mut image = texture(seed, 64);
    image.enumerate_pixels_mut().filter(|(x, y, _)| is_bright(*x, *y)).for_each(|(_, _, p)| *p = Rgb([250; 3]));
    image
}

fn save(image: &RgbImage, path: PathBuf) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.save(path).unwrap();
}

/// A category with eight good photos, three good test images and two of each of two kinds of defect.
fn category(root: &Path) {
    (0..8).for_each(|i| save(&texture(i, 64), root.join(format!("train/good/{i}.png"))));
    (0..3).for_each(|i| save(&texture(20 + i, 64), root.join(format!("test/good/{i}.png"))));
    let mask = GrayImage::from_fn(64, 64, |x, y| Luma([if is_bright(x, y) { 255 } else { 0 }]));
    for (kind, seed) in [("spot", 30), ("stain", 40)] {
        fs::create_dir_all(root.join("ground_truth").join(kind)).unwrap();
        for i in 0..2 {
            save(&damaged(seed + i), root.join(format!("test/{kind}/{i}.png")));
            mask.save(root.join(format!("ground_truth/{kind}/{i}_mask.png"))).unwrap();
        }
    }
}

fn train(normals: &Path, out: &Path) -> Output {
    maphc2f("train").arg("--normals").arg(normals).arg("--out").arg(out).output().unwrap()
}

/// A category and a detector trained on it.
fn trained(folder: &Path) -> (PathBuf, PathBuf) {
    let (root, model) = (folder.join("part"), folder.join("model"));
    category(&root);
    let output = train(&root.join("train/good"), &model);
    assert!(output.status.success(), "{output:?}");
    // what the threshold rests on is said, and that it is too little
    let said = stderr(&output);
    assert!(said.contains("of 8 held-out good photos anomalous") && said.contains("with 95 % confidence"), "{said}");
    assert!(said.contains("8 held-out photos are too few for a rate of 5 %, which takes 19"), "{said}");
    let threshold = json(&output)["threshold"].clone();
    assert_eq!((threshold["held_out"].as_u64(), threshold["supported"].as_bool()), (Some(8), Some(false)));
    assert!(threshold["low"].as_f64().unwrap() < 0.03 && threshold["high"].as_f64().unwrap() > 0.3, "{threshold}");
    // equal trainings, equal files
    let again = folder.join("again");
    assert!(train(&root.join("train/good"), &again).status.success());
    for name in ["detector.safetensors", "quality.safetensors"] {
        assert!(fs::read(model.join(name)).unwrap() == fs::read(again.join(name)).unwrap(), "{name}");
    }
    (root, model.join("detector.safetensors"))
}

/// Name, size of a number and place of every tensor of floats in a safetensors file.
fn tensors(bytes: &[u8]) -> Vec<(String, usize, usize)> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let floats = header.as_object().unwrap().iter().filter(|(_, info)| {
        let offset = |i: usize| info["data_offsets"][i].as_u64();
        info["dtype"].as_str().is_some_and(|dtype| dtype.starts_with('F')) && offset(0) != offset(1)
    });
    let place = |info: &serde_json::Value| 8 + length + info["data_offsets"][0].as_u64().unwrap() as usize;
    floats.map(|(name, info)| (name.clone(), if info["dtype"] == "F64" { 8 } else { 4 }, place(info))).collect()
}

#[test]
fn a_damaged_detector_and_a_threshold_that_is_no_number_pass_no_photo() {
    let folder = tempfile::tempdir().unwrap();
    let (root, detector) = trained(folder.path());
    let (seen, broken) = (folder.path().join("seen"), folder.path().join("broken.safetensors"));
    let inspect = |model: &Path, more: &[&str]| {
        let mut command = maphc2f("inspect");
        command.arg("--model").arg(model).arg("--images").arg(root.join("test/good")).arg("--out").arg(&seen);
        command.args(more).output().unwrap()
    };
    let whole = fs::read(&detector).unwrap();
    let tensors = tensors(&whole);
    assert!(tensors.len() > 10, "{tensors:?}");
    for (name, size, at) in tensors {
        let mut bytes = whole.clone();
        match size {
            8 => bytes[at..at + 8].copy_from_slice(&f64::NAN.to_le_bytes()),
            _ => bytes[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes()),
        }
        fs::write(&broken, &bytes).unwrap();
        let output = inspect(&broken, &[]);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{name}: {text}");
        assert!(text.contains(&format!("tensor `{name}` holds NaN")) && text.contains("broken.safetensors"), "{text}");
    }
    for value in ["nan", "inf", "-inf", "NaN"] {
        assert_eq!(inspect(&detector, &[&format!("--threshold={value}")]).status.code(), Some(2), "{value}");
        assert_eq!(inspect(&detector, &[&format!("--false-positive-rate={value}")]).status.code(), Some(2), "{value}");
        let config = folder.path().join("flags.toml");
        fs::write(&config, format!("threshold = {}", value.to_lowercase())).unwrap();
        assert_eq!(inspect(&detector, &["--config", config.to_str().unwrap()]).status.code(), Some(2), "{value}");
    }
    fs::write(&broken, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n").unwrap();
    let output = inspect(&broken, &[]);
    assert!(output.status.code() == Some(2) && stderr(&output).contains("git lfs pull"), "{output:?}");
    assert!(!seen.exists(), "nothing is written");
    // its own threshold is said with what it rests on
    let output = inspect(&detector, &[]);
    assert!(stderr(&output).contains("8 held-out photos are too few for a rate of 5 %, which takes 19"), "{output:?}");
    assert_eq!(json(&output)["chosen"]["held_out"], 8);
    // the whole one does see them
    assert!(inspect(&detector, &["--threshold", "1e9"]).status.success());
}

#[test]
fn figures_that_are_defined_are_given_with_warnings_and_scores_are_one_text_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let (root, detector) = trained(folder.path());
    let evaluate = |root: &Path, more: &[&str]| {
        maphc2f("evaluate").arg("--model").arg(&detector).arg("--data").arg(root).args(more).output().unwrap()
    };
    // a healthy copy, changed
    let changed = |name: &str, change: &dyn Fn(&Path)| {
        let copy = folder.path().join(name);
        category(&copy);
        change(&copy);
        copy
    };
    let figures = |output: &Output| {
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let found = json(output);
        let warnings: Vec<String> = serde_json::from_value(found["warnings"].clone()).unwrap();
        warnings.iter().for_each(|w| assert!(stderr(output).contains(&format!("warning: {w}")), "{w}: {output:?}"));
        (found["image_auroc"].as_f64(), found["pixel_auroc"].as_f64(), warnings)
    };
    let (image, pixel, warnings) = figures(&evaluate(&root, &[]));
    assert!(image == Some(1.0) && pixel.unwrap() > 0.9 && warnings.is_empty(), "{image:?} {pixel:?} {warnings:?}");

    let no_masks = changed("no masks", &|root| fs::remove_dir_all(root.join("ground_truth")).unwrap());
    let (image, pixel, warnings) = figures(&evaluate(&no_masks, &[]));
    assert!((image, pixel) == (Some(1.0), None) && warnings.iter().any(|w| w.contains("spot")), "{warnings:?}");

    let one_kind = changed("one kind", &|root| fs::remove_dir_all(root.join("ground_truth/stain")).unwrap());
    let (image, pixel, warnings) = figures(&evaluate(&one_kind, &[]));
    assert!(image == Some(1.0) && pixel.is_some() && warnings.iter().any(|w| w.contains("stain")), "{warnings:?}");

    for empty in [false, true] {
        let no_good = changed(&format!("no good {empty}"), &|root| {
            fs::remove_dir_all(root.join("test/good")).unwrap();
            if empty {
                fs::create_dir(root.join("test/good")).unwrap();
            }
        });
        let (image, pixel, warnings) = figures(&evaluate(&no_good, &[]));
        assert!(image.is_none() && pixel.is_some(), "{warnings:?}");
        assert!(warnings.iter().any(|w| w.contains("no good test image")), "{warnings:?}");
    }

    let no_bad = changed("no bad", &|root| {
        for kind in ["spot", "stain"] {
            fs::remove_dir_all(root.join("test").join(kind)).unwrap();
            fs::remove_dir_all(root.join("ground_truth").join(kind)).unwrap();
        }
    });
    let (image, pixel, warnings) = figures(&evaluate(&no_bad, &["--out", folder.path().join("rep").to_str().unwrap()]));
    assert!((image, pixel) == (None, None) && warnings.iter().any(|w| w.contains("no anomalous")), "{warnings:?}");

    // an empty mask: refused, and the flag that leaves it out is named
    let hollow = changed("hollow", &|root| {
        GrayImage::new(64, 64).save(root.join("ground_truth/spot/1_mask.png")).unwrap();
    });
    let output = evaluate(&hollow, &[]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = stderr(&output);
    assert!(said.contains("--skip-faulty") && said.contains("1_mask.png") && !said.contains("Policy"), "{said}");
    let (image, pixel, warnings) = figures(&evaluate(&hollow, &["--skip-faulty"]));
    assert!(image == Some(1.0) && pixel.is_some() && warnings.iter().any(|w| w.contains("1_mask.png")), "{warnings:?}");

    // the same image in both splits or under both labels, in another format too; folders of a file server
    let odd = changed("odd", &|root| {
        fs::copy(root.join("train/good/3.png"), root.join("test/good/7.png")).unwrap();
        image::open(root.join("test/good/1.png")).unwrap().save(root.join("test/spot/5.bmp")).unwrap();
        fs::copy(root.join("ground_truth/spot/0_mask.png"), root.join("ground_truth/spot/5_mask.png")).unwrap();
        fs::create_dir_all(root.join("test/@eaDir")).unwrap();
        fs::create_dir_all(root.join("train/lost+found")).unwrap();
        fs::write(root.join("test/@eaDir/thumbs.db"), "no photo").unwrap();
    });
    let (.., warnings) = figures(&evaluate(&odd, &[]));
    for words in [["train/good/3.png", "test/good/7.png"], ["test/good/1.png", "test/spot/5.bmp"]] {
        let both = |w: &&String| words.iter().all(|word| w.contains(word)) && w.contains("same image");
        assert_eq!(warnings.iter().filter(both).count(), 1, "{warnings:?}");
    }
    for name in ["@eaDir", "lost+found"] {
        assert!(warnings.iter().any(|w| w.contains(name) && w.contains("passed over")), "{name}: {warnings:?}");
    }

    // `train --report` says the same, before it trains
    let out = folder.path().join("refused");
    let output =
        maphc2f("train").arg("--report").arg("--normals").arg(&hollow).arg("--out").arg(&out).output().unwrap();
    assert!(output.status.code() == Some(2) && stderr(&output).contains("--skip-faulty"), "{output:?}");
    assert!(!out.exists() && !stderr(&output).contains("quality: ranks"), "{output:?}");

    // one score, one text: in the report, in the table of `inspect` and in its JSON
    let report = folder.path().join("report");
    run(maphc2f("evaluate").arg("--model").arg(&detector).arg("--data").arg(&root).arg("--out").arg(&report));
    let results: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(report.join("results.json")).unwrap()).unwrap();
    let seen = folder.path().join("seen");
    let mut inspect = maphc2f("inspect");
    inspect.arg("--model").arg(&detector).arg("--images").arg(root.join("test/good")).arg("--out").arg(&seen);
    assert!(inspect.arg("--threshold=1e9").output().unwrap().status.success());
    let table = fs::read_to_string(seen.join("scores.csv")).unwrap();
    let mut compared = 0;
    for image in results["categories"][0]["images"].as_array().unwrap() {
        let Some(name) = image["id"].as_str().unwrap().strip_prefix("test/good/") else { continue };
        let row = table.lines().find(|line| line.starts_with(&format!("{name},"))).unwrap();
        assert_eq!(row.split(',').nth(1).unwrap(), image["score"].to_string(), "{name}");
        compared += 1;
    }
    assert_eq!(compared, 3);
    let provenance = results["provenance"].to_string();
    assert!(provenance.contains("largest 1 % of pixel scores") && !provenance.contains("largest pixel score"));
}

#[test]
fn training_photos_that_cannot_make_a_detector_are_refused_or_named() {
    let folder = tempfile::tempdir().unwrap();
    let set = |name: &str, photos: &[RgbImage]| {
        let root = folder.path().join(name);
        photos.iter().enumerate().for_each(|(i, photo)| save(photo, root.join(format!("{i}.png"))));
        root
    };
    let out = folder.path().join("out");
    let refused = |normals: &Path, words: &[&str]| {
        let output = train(normals, &out);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        words.iter().for_each(|word| assert!(said.contains(word), "{word}: {said}"));
        assert!(!said.contains("learning rate") && !said.contains("quality: ranks"), "{said}");
        assert!(!out.join("detector.safetensors").exists());
    };
    refused(&set("same", &vec![texture(1, 64); 8]), &["only 1 that differ", "add photos of other pieces"]);
    let flat: Vec<_> = (0..8).map(|i| RgbImage::from_pixel(64, 64, Rgb([60 + 20 * i; 3]))).collect();
    refused(&set("flat", &flat), &["0.png"]);
    // the output among the photos
    let inside = set("photos", &(0..6).map(|i| texture(i, 64)).collect::<Vec<_>>());
    for out in [inside.clone(), inside.join("model")] {
        let output = train(&inside, &out);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(stderr(&output).contains("lies among the photos"), "{output:?}");
    }
    assert_eq!(fs::read_dir(&inside).unwrap().count(), 6, "nothing is written among the photos");
    // photos with too few places to learn from: the size that suffices is named, and trains
    let products = |side: u32| (0..12).map(|i| product(i, side)).collect::<Vec<_>>();
    refused(&set("small", &products(32)), &["32 px a side", "at least 64 px a side"]);
    let output = train(&set("enough", &products(64)), &folder.path().join("trained"));
    assert!(output.status.success(), "{}", stderr(&output));
    // a copy is named
    let mut photos = products(64);
    photos.truncate(7);
    photos.push(photos[2].clone());
    let output = train(&set("copy", &photos), &folder.path().join("trained on a copy"));
    let said = stderr(&output);
    assert!(output.status.success() && said.contains("7.png: the same picture as"), "{said}");
    assert!(said.contains("copy/2.png"), "{said}");
}
