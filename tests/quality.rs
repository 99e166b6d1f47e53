//! `maphc2f quality` as a process: ratings in manifests and tar files, what is refused, what an interruption leaves.
#![allow(clippy::unwrap_used)] // a test may panic

mod factory_common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use factory_common::{json, manifest, maphc2f, photos, run, stderr, synth, temporaries, tree};
use maphc2f::frozen_backbone::EfficientNetLite0;
use maphc2f::physdefect::{Domain, SampleKey};
use maphc2f::sqe::{Fault, FaultEstimator, FaultParams, Head, Sqe};
use maphc2f::{FaultSource, MATERIALS, Pipeline, load_photo, resize_square};

fn quality(data: &Path) -> Command {
    let mut command = maphc2f("quality");
    command.arg("--data").arg(data);
    command
}

fn is_whole(data: &Path) -> bool {
    json(&maphc2f("verify").arg("--data").arg(data).output().unwrap())["whole"] == true
}

/// A file of an estimator that is not the built-in one.
fn other_estimator(folder: &Path) -> PathBuf {
    let path = folder.join("other.safetensors");
    let photo = photo();
    let pipeline = Pipeline::physical(&MATERIALS).unwrap();
    let source = FaultSource::new(&pipeline, &MATERIALS);
    let domain = Domain::full(96, 96).unwrap();
    let set = |i: u64| {
        let key = SampleKey { seed: 2, index: i };
        source.set(i as usize, photo.view(), &domain, i as usize % 3, key, &[0.5, 1.0]).unwrap()
    };
    let sets: Vec<_> = (0..9).filter_map(set).collect();
    FaultEstimator::learn(&sets, &FaultParams::default().with_epochs(3)).unwrap().0.save(&path).unwrap();
    path
}

fn photo() -> ndarray::Array3<f32> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/photos/leather/01.jpg");
    resize_square(load_photo(&path).unwrap().view(), 96).unwrap()
}

/// Rating a data set afterwards gives the lines that it would have been made with.
#[test]
fn a_finished_data_set_is_rated_as_one_that_was_made_with_the_estimator() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 3);
    let model = other_estimator(folder.path());
    for formats in ["mvtec", "coco", "webdataset", "yolo,webdataset,mvtec,soft"] {
        let at = |name: &str| folder.path().join(format!("{formats}-{name}"));
        let (plain, with) = (at("plain"), at("with"));
        run(synth(&normals, &plain, 300).args(["--format", formats]));
        run(synth(&normals, &with, 300).args(["--format", formats, "--quality-model"]).arg(&model));
        assert!(manifest(&plain).iter().all(|line| line.get("faults").is_none() && line["quality"].is_null()));
        let sheets = at("sheets");
        let done = json(&run(quality(&plain).arg("--quality-model").arg(&model).arg("--out").arg(&sheets)));
        assert!(is_whole(&plain), "{formats}");
        let (mut expected, mut found) = (tree(&with), tree(&plain));
        // who chose the samples is another matter
        assert!(expected.remove("run.json") != found.remove("run.json"));
        assert!(found == expected, "{formats}: {:?}", found.keys().zip(expected.keys()).find(|(a, b)| a != b));
        assert!(temporaries(&plain).is_empty());

        let lines: Vec<_> = manifest(&plain).into_iter().filter(|line| line["failed"].is_null()).collect();
        assert_eq!(done["samples"].as_u64(), Some(lines.len() as u64), "{done}");
        let mut qualities: Vec<f64> = lines.iter().map(|line| line["quality"].as_f64().unwrap()).collect();
        qualities.sort_by(f64::total_cmp);
        assert!(qualities.iter().all(|q| (0.0..1.0).contains(q)) && qualities[0] < qualities[qualities.len() - 1]);
        assert_eq!(done["quality"]["least"].as_f64(), Some(qualities[0]));
        assert_eq!(done["quality"]["most"].as_f64(), qualities.last().copied());
        let parts: u64 = done["quality"]["parts"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum();
        assert_eq!(parts, lines.len() as u64);
        for fault in Fault::ALL {
            let of = |line: &serde_json::Value, name: &str| line["faults"][name].as_f64().unwrap();
            let is_named = |line: &&serde_json::Value| {
                let own = of(line, fault.name());
                own > 0.5 && Fault::ALL.iter().all(|other| of(line, other.name()) <= own)
            };
            let named = lines.iter().filter(is_named).count() as u64;
            assert_eq!(done["faults"][fault.name()].as_u64(), Some(named), "{}", fault.name());
        }
        // five rows of four samples, of two pictures each
        let (width, height) = image::open(sheets.join("worst.png")).unwrap().into_rgb8().dimensions();
        assert!((8 * 224..9 * 224).contains(&width) && (5 * 224..6 * 270).contains(&height), "{width} x {height}");
        assert!(done["sheet"].as_str().unwrap().ends_with("worst.png"));
    }
}

#[test]
fn rating_twice_gives_the_same_bytes_and_what_reads_the_data_set_goes_on_reading_it() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 2);
    let out = folder.path().join("out");
    run(&mut synth(&normals, &out, 20));
    let done = json(&run(&mut quality(&out)));
    let rated = tree(&out);
    assert!(rated.contains_key("worst.png") && is_whole(&out));
    let again = json(&run(&mut quality(&out)));
    assert_eq!(tree(&out), rated);
    for key in ["samples", "quality", "faults", "no_fault", "estimator", "sheet"] {
        assert_eq!(done[key], again[key], "{key}");
    }
    assert_eq!(done["estimator"].as_str().unwrap().len(), 64);
    let mut replay = maphc2f("replay");
    run(replay.arg("--data").arg(&out).arg("--normals").arg(&normals).args(["--index", "3"]));
    let resumed = json(&run(synth(&normals, &out, 20).arg("--resume")));
    assert_eq!((resumed["images"].as_u64(), resumed["kept"].as_u64()), (Some(0), Some(20)));
    assert_eq!(tree(&out), rated);
    // another estimator says something else, in the same lines otherwise
    let other = other_estimator(folder.path());
    run(quality(&out).arg("--quality-model").arg(&other));
    assert!(is_whole(&out) && tree(&out) != rated);
    run(&mut quality(&out));
    assert_eq!(tree(&out), rated);
    // text for people: a histogram and the counts on standard error, one line on standard output
    let mut people = Command::new(env!("CARGO_BIN_EXE_maphc2f"));
    let output = run(people.args(["quality", "--data"]).arg(&out));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(text.lines().count() == 1 && text.contains("20 samples rated") && text.contains("worst.png"), "{text}");
    assert!(stderr(&output).contains("0.9 to 1.0") && stderr(&output).contains("no fault"), "{output:?}");
}

/// Whatever a kill leaves between two renames is mended by the same command.
#[test]
fn a_rating_that_was_broken_off_is_ended_by_rating_again() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 2);
    let (out, rated) = (folder.path().join("out"), folder.path().join("rated"));
    let formats = ["--format", "mvtec,webdataset"];
    run(synth(&normals, &out, 12).args(formats));
    run(synth(&normals, &rated, 12).args(formats));
    let other = other_estimator(folder.path());
    run(quality(&rated).arg("--quality-model").arg(&other));
    let whole = tree(&rated);
    let renamed = ["webdataset/000000.tar", "manifest/000000.sums", "manifest/000000.jsonl"];
    for name in &renamed[..2] {
        fs::copy(rated.join(name), out.join(name)).unwrap();
        fs::create_dir_all(out.join(".block-quality.killed")).unwrap();
        assert!(!is_whole(&out), "{name}");
        let before = tree(&out);
        if *name == renamed[1] {
            // by another estimator it cannot be known whether the manifest is the one that was made
            let output = quality(&out).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{output:?}");
            assert!(stderr(&output).contains("000000.jsonl") && stderr(&output).contains("again"), "{output:?}");
            assert_eq!(tree(&out), before);
        }
    }
    run(quality(&out).arg("--quality-model").arg(&other));
    assert!(tree(&out) == whole && is_whole(&out) && temporaries(&out).is_empty());
}

#[test]
fn what_cannot_be_rated_is_refused_by_name_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 1);
    let out = folder.path().join("out");
    run(&mut synth(&normals, &out, 6));
    let line = &manifest(&out)[0];
    let image = format!("mvtec/test/{}/00000000.png", line["mechanism"].as_str().unwrap());
    let mask = image.replace("/test/", "/ground_truth/").replace(".png", "_mask.png");
    let refused = |data: &Path, more: &[&str], words: &[&str]| {
        let before = tree(folder.path());
        let output: Output = quality(data).args(more).output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
        assert!(said.lines().count() == 1 && words.iter().all(|word| said.contains(word)), "{words:?}: {said}");
        assert!(json(&output)["error"].is_string());
        assert!(tree(folder.path()) == before && temporaries(&out).is_empty(), "{words:?}: nothing may be written");
    };
    refused(&folder.path().join("none"), &[], &["none", "run.json"]);
    refused(&normals, &[], &["run.json"]);
    let with = |name: &str, bytes: Option<&[u8]>, words: &[&str]| {
        let path = out.join(name);
        let kept = fs::read(&path).unwrap();
        match bytes {
            None => fs::remove_file(&path).unwrap(),
            Some(bytes) => fs::write(&path, bytes).unwrap(),
        }
        refused(&out, &[], words);
        fs::write(&path, kept).unwrap();
    };
    let other = fs::read(normals.join("0.png")).unwrap();
    with(&image, None, &["00000000.png"]);
    with(&image, Some(&other), &["00000000.png", "manifest"]);
    with(&mask, None, &["_mask.png"]);
    with(&mask, Some(&other), &["_mask.png", "manifest"]);
    with("run.json", Some(b"{}"), &["run.json"]);
    with("manifest/000000.jsonl", None, &["1 of 1 blocks"]);
    with("manifest/000000.jsonl", Some(b"no line\n"), &["000000.jsonl", "line 1"]);
    with("manifest/000000.sums", None, &["000000.sums"]);
    let text = fs::read_to_string(out.join("manifest/000000.jsonl")).unwrap();
    let severe = text.replacen("\"severity\":0.", "\"severity\":0.1", 1);
    with("manifest/000000.jsonl", Some(severe.as_bytes()), &["000000.jsonl", "checksums"]);
    let less = text.lines().next().unwrap().to_owned() + "\n";
    with("manifest/000000.jsonl", Some(less.as_bytes()), &["does not list"]);
    let kind = text.replacen("\"mechanism\":\"", "\"mechanism\":\"../", 1);
    with("manifest/000000.jsonl", Some(kind.as_bytes()), &["no mechanism"]);

    let at = |path: &Path| path.to_str().unwrap().to_owned();
    refused(&out, &["--quality-model", &at(&normals.join("0.png"))], &["0.png"]);
    refused(&out, &["--quality-model", &at(&folder.path().join("no.safetensors"))], &["no.safetensors"]);
    let old = folder.path().join("old.safetensors");
    let net = EfficientNetLite0::pretrained().unwrap();
    Sqe::new(&net, Head::default(), 1).unwrap().save(&old).unwrap();
    refused(&out, &["--quality-model", &at(&old)], &["old.safetensors", "train again"]);
    refused(&out, &["--out", &at(&out.join("mvtec"))], &["mvtec", "--out"]);
    fs::create_dir_all(folder.path().join("taken/worst.png")).unwrap();
    refused(&out, &["--out", &at(&folder.path().join("taken"))], &["worst.png"]);

    let yolo = folder.path().join("yolo");
    run(synth(&normals, &yolo, 2).args(["--format", "yolo"]));
    refused(&yolo, &[], &["yolo", "exact masks"]);
    let part = folder.path().join("part");
    run(synth(&normals, &part, 300).args(["--shard", "0/2"]));
    refused(&part, &[], &["1 of 2 blocks", "--resume"]);
    // of a photo without a product no sample is made
    fs::write(normals.join("0.png"), b"no picture").unwrap();
    let none = folder.path().join("empty");
    assert_eq!(synth(&normals, &none, 2).output().unwrap().status.code(), Some(3));
    refused(&none, &[], &["no sample"]);
    // and the first is as good as ever
    assert_eq!(json(&run(&mut quality(&out)))["samples"], 6);
}

#[test]
fn a_tar_that_is_not_that_of_its_manifest_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 1);
    let out = folder.path().join("out");
    run(synth(&normals, &out, 4).args(["--format", "webdataset"]));
    let path = out.join("webdataset/000000.tar");
    let kept = fs::read(&path).unwrap();
    let mut changed = kept.clone();
    changed[700] ^= 1;
    for bytes in [&kept[..kept.len() / 2], &kept[..0], b"no tar at all", &changed] {
        fs::write(&path, bytes).unwrap();
        let before = tree(&out);
        let output = quality(&out).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(stderr(&output).contains("000000.tar"), "{output:?}");
        assert!(tree(&out) == before && temporaries(&out).is_empty());
    }
}

/// The built-in estimator, on photographs of a kind that it knows: a spoiled defect ranks below the same unspoiled.
#[test]
fn a_spoiled_defect_ranks_below_the_same_one_unspoiled() {
    let scorer = maphc2f::factory::QualityScorer::pretrained().unwrap();
    let photo = photo();
    let pipeline = Pipeline::standard(&MATERIALS).unwrap();
    let source = FaultSource::new(&pipeline, &MATERIALS);
    let domain = Domain::full(96, 96).unwrap();
    let (mut right, mut pairs) = (0, 0);
    for i in 0..12 {
        let key = SampleKey { seed: 91, index: i };
        let made = source.make(photo.view(), &domain, i as usize % pipeline.groups(), key, &[1.0]).unwrap();
        let Some(made) = made else { continue };
        let clean = scorer.diagnose(made.stages.fine.view(), made.stages.mask.view()).unwrap();
        for (.., spoiled) in made.spoiled {
            let found = scorer.diagnose(spoiled.image.view(), spoiled.mask.view()).unwrap();
            pairs += 1;
            right += usize::from(found.quality < clean.quality);
        }
    }
    assert!(pairs >= 40 && 10 * right >= 8 * pairs, "{right} of {pairs}");
}

/// What training leaves rates data sets, and has seen defects beside a product that lies before a background.
#[test]
fn a_trained_estimator_is_read_by_synth_and_by_quality() {
    let folder = tempfile::tempdir().unwrap();
    let normals = folder.path().join("parts");
    fs::create_dir(&normals).unwrap();
    for seed in 0..6u32 {
        let part = image::RgbImage::from_fn(96, 96, |x, y| {
            let is_part = (f64::from(x) - 48.0).hypot(f64::from(y) - 48.0) < 36.0;
            image::Rgb([if is_part { 150 } else { 20 } + ((x * x * 7 + y * y * 13 + x * y + seed * 5) % 23) as u8; 3])
        });
        part.save(normals.join(format!("{seed}.png"))).unwrap();
    }
    let (model, out) = (folder.path().join("model"), folder.path().join("out"));
    let output = run(maphc2f("train").arg("--normals").arg(&normals).arg("--out").arg(&model));
    let trained = json(&output);
    assert!(trained["quality_pair_accuracy"].as_f64().unwrap() > 0.5, "{trained}");
    let said = stderr(&output);
    assert!(said.contains("of held-out pairs") && said.contains("beside the product"), "{said}");
    let file = model.join("quality.safetensors");
    run(synth(&normals, &out, 6).args(["--keep-best", "0.5", "--quality-model"]).arg(&file));
    let before = tree(&out);
    let done = json(&run(quality(&out).arg("--quality-model").arg(&file).arg("--out").arg(folder.path())));
    assert_eq!(tree(&out), before, "the data set was rated by it already");
    assert_eq!(done["estimator"].as_str(), Some(maphc2f::sha256_of_file(&file).unwrap().as_str()));
}
