//! The dataset factory as real processes: what it refuses, what it leaves after being killed, what it proves.
#![allow(clippy::unwrap_used)] // a test may panic

mod factory_common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use factory_common::{json, manifest, maphc2f, photos, run, stderr, synth, tree};
use maphc2f::adbench::dataset::Policy;
use maphc2f::adbench::loaders::{Layout, Mvtec};
use maphc2f::frozen_backbone::EfficientNetLite0;
use maphc2f::sha256_of_file;
use maphc2f::sqe::{Fault, FaultEstimator, Head, Sqe};

#[test]
fn the_union_of_shards_is_the_single_run_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 3);
    let formats = ["--format", "mvtec,yolo,coco,webdataset"];
    let (single, shared) = (folder.path().join("single"), folder.path().join("shared"));
    let done = json(&run(synth(&normals, &single, 520).args(formats)));
    assert_eq!(
        (done["images"].as_u64().unwrap() + done["failed"].as_u64().unwrap(), done["kept"].as_u64()),
        (520, Some(0))
    );
    for key in ["seconds", "images_per_second", "peak_rss_mb"] {
        assert!(done[key].as_f64().unwrap() > 0.0, "{key}: {done}");
    }
    for shard in ["2/3", "0/3", "1/3"] {
        run(synth(&normals, &shared, 520).args(formats).args(["--shard", shard, "--threads", "1"]));
    }
    assert_eq!(tree(&single), tree(&shared));
    // shards in folders of their own, copied together
    let union = folder.path().join("union");
    for part in 0..2 {
        let out = folder.path().join(format!("part{part}"));
        run(synth(&normals, &out, 520).args(formats).args(["--shard", &format!("{part}/2")]));
        let copied = Command::new("cp").args(["-r", "-T"]).arg(&out).arg(&union).status().unwrap();
        assert!(copied.success());
    }
    run(synth(&normals, &union, 520).args(formats).arg("--resume"));
    assert_eq!(tree(&single), tree(&union));
    // proved by this program and by another
    assert_eq!(json(&run(maphc2f("verify").arg("--data").arg(&single)))["whole"], true);
    let sums = "cat manifest/*.sums | sha256sum --check --quiet --strict";
    assert!(Command::new("sh").args(["-c", sums]).current_dir(&single).status().unwrap().success());
    formats_hold_the_same_samples(&single);
}

/// Every format against the manifest, read by other programs' rules.
fn formats_hold_the_same_samples(out: &Path) {
    let lines: Vec<serde_json::Value> = (0..3)
        .flat_map(|block| {
            let text = fs::read_to_string(out.join(format!("manifest/{block:06}.jsonl"))).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<serde_json::Value>>()
        })
        .collect();
    assert_eq!(lines.iter().map(|l| l["index"].as_u64().unwrap()).collect::<Vec<_>>(), (0..520).collect::<Vec<_>>());
    let made: Vec<_> = lines.iter().filter(|l| l["failed"].is_null()).collect();
    // adbench pairs images and masks by name, decodes both and compares their sizes
    let mut kinds: Vec<_> = made.iter().map(|l| l["mechanism"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let data = Mvtec.index(&out.join("mvtec"), None, Policy::Strict).unwrap().validate().unwrap();
    assert_eq!((data.train().len(), data.test().len(), data.kinds()), (3, made.len(), kinds));
    let coco: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(out.join("coco/annotations.json")).unwrap()).unwrap();
    assert_eq!(coco["annotations"].as_array().unwrap().len(), made.len());
    let mut tars = 0;
    for block in 0..3 {
        let file = fs::File::open(out.join(format!("webdataset/{block:06}.tar"))).unwrap();
        tars += tar::Archive::new(file).entries().unwrap().count();
    }
    assert_eq!(tars, 3 * made.len());
    for (line, annotation) in made.iter().zip(coco["annotations"].as_array().unwrap()) {
        let name = format!("{:08}", line["index"].as_u64().unwrap());
        let mask = image::open(
            out.join(format!("mvtec/ground_truth/{}/{name}_mask.png", line["mechanism"].as_str().unwrap())),
        );
        let mask = mask.unwrap().to_luma8();
        let area = mask.pixels().filter(|p| p.0[0] == 255).count() as u64;
        assert_eq!(line["mask"]["area"].as_u64(), Some(area));
        // COCO: runs of background and foreground in turn, down the columns
        let counts: Vec<usize> = serde_json::from_value(annotation["segmentation"]["counts"].clone()).unwrap();
        let pixels: Vec<bool> =
            counts.iter().enumerate().flat_map(|(i, &n)| std::iter::repeat_n(i % 2 == 1, n)).collect();
        assert_eq!(pixels.len(), (mask.width() * mask.height()) as usize);
        for (x, y, p) in mask.enumerate_pixels() {
            assert_eq!(pixels[(x * mask.height() + y) as usize], p.0[0] == 255);
        }
        let b: [u32; 4] = serde_json::from_value(annotation["bbox"].clone()).unwrap();
        let marked = || mask.enumerate_pixels().filter(|(_, _, p)| p.0[0] == 255);
        let (left, right) = (marked().map(|p| p.0).min().unwrap(), marked().map(|p| p.0).max().unwrap());
        let (top, bottom) = (marked().map(|p| p.1).min().unwrap(), marked().map(|p| p.1).max().unwrap());
        assert_eq!(b, [left, top, right - left + 1, bottom - top + 1]);
        let label = fs::read_to_string(out.join(format!("yolo/labels/{name}.txt"))).unwrap();
        // YOLO: x and y in turn, in shares of the picture; all parts together reach as far as the mask
        let mut reach = [f64::INFINITY, f64::INFINITY, 0.0, 0.0];
        for row in label.lines() {
            let numbers: Vec<f64> = row.split(' ').map(|n| n.parse().unwrap()).collect();
            assert!(numbers.len() >= 7 && numbers[1..].iter().all(|n| (0.0..=1.0).contains(n)), "{row}");
            for corner in numbers[1..].chunks_exact(2) {
                let (x, y) = (corner[0] * f64::from(mask.width()), corner[1] * f64::from(mask.height()));
                reach = [reach[0].min(x), reach[1].min(y), reach[2].max(x), reach[3].max(y)];
            }
        }
        for (found, expected) in reach.into_iter().zip([left, top, right + 1, bottom + 1]) {
            assert!((found - f64::from(expected)).abs() < 1.0, "{name}: {reach:?}, not {b:?}");
        }
    }
}

#[test]
fn a_killed_run_leaves_whole_files_only_and_resumes_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 3);
    let formats = ["--format", "mvtec,coco,webdataset"];
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    run(synth(&normals, &whole, 700).args(formats));
    let expected = tree(&whole);
    let mut kills = 0;
    for wait in [0, 20, 60, 150] {
        let mut command = synth(&normals, &killed, 700);
        let mut child =
            command.args(formats).arg("--resume").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // the first files of a block have appeared
        let start = Instant::now();
        let appeared = || {
            fs::read_dir(&killed)
                .is_ok_and(|d| d.flatten().any(|e| e.file_name().to_string_lossy().starts_with(".block-")))
        };
        while !appeared() && start.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        kills += usize::from(!child.wait().unwrap().success());
        for (name, bytes) in tree(&killed) {
            assert_eq!(expected.get(&name), Some(&bytes), "{name} has its final name, but not its content");
        }
    }
    assert!(kills >= 2, "the runs were too short to be killed");
    run(synth(&normals, &killed, 700).args(formats).arg("--resume"));
    assert_eq!(tree(&killed), expected);
    let names = fs::read_dir(&killed).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
    assert!(names.filter(|n| n.starts_with('.')).count() == 0, "temporary files are left");
    let kept = json(&run(synth(&normals, &killed, 700).args(formats).arg("--resume")));
    assert_eq!((kept["images"].as_u64(), kept["kept"].as_u64()), (Some(0), Some(700)));
}

#[test]
fn a_full_disk_breaks_off_without_partial_files_and_resumes() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 2);
    let out = folder.path().join("out");
    let mut limited = Command::new("sh");
    // a file that outgrows the limit cannot be written further, as on a full disk
    limited.args(["-c", "trap '' XFSZ; ulimit -f 512; exec \"$0\" \"$@\""]).arg(env!("CARGO_BIN_EXE_maphc2f"));
    limited.args(synth(&normals, &out, 40).args(["--format", "webdataset"]).get_args());
    let output = limited.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be written"), "{output:?}");
    assert!(json(&output)["error"].is_string());
    // of what a run starts with, both are whole; of the block, nothing
    assert_eq!(tree(&out).keys().collect::<Vec<_>>(), ["foreground.json", "run.json"]);
    run(synth(&normals, &out, 40).args(["--format", "webdataset", "--resume"]));
    assert_eq!(json(&run(maphc2f("verify").arg("--data").arg(&out)))["whole"], true);
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 1);
    fs::write(folder.path().join("file"), "").unwrap();
    let output = synth(&normals, &folder.path().join("file/out"), 4).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("file/out"), "{output:?}");
}

#[test]
fn a_corrupt_photo_is_listed_once_and_counted_or_fatal_and_mending_it_resumes_to_the_clean_run() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 3);
    let sound = fs::read(normals.join("1.png")).unwrap();
    fs::write(normals.join("1.png"), &sound[..sound.len() / 2]).unwrap();
    let strict = folder.path().join("strict");
    let output = synth(&normals, &strict, 300).arg("--strict").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("1.png"), "{output:?}");
    assert!(!strict.exists(), "nothing may be written");

    let out = folder.path().join("out");
    let output = synth(&normals, &out, 300).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr).matches("1.png").count(), 1, "{output:?}");
    let done = json(&output);
    assert_eq!((done["failed"].as_u64(), done["unusable_photos"].as_u64()), (Some(100), Some(1)));
    assert_eq!(json(&run(maphc2f("verify").arg("--data").arg(&out)))["failed"], 100);
    fs::write(normals.join("1.png"), sound).unwrap();
    run(synth(&normals, &out, 300).arg("--resume"));
    // a run keeps the foreground that it found in its set, without the corrupt photo; so does a clean one that has it
    let clean = folder.path().join("clean");
    fs::create_dir(&clean).unwrap();
    fs::copy(out.join("foreground.json"), clean.join("foreground.json")).unwrap();
    run(&mut synth(&normals, &clean, 300));
    assert_eq!(tree(&out), tree(&clean));
}

#[test]
fn a_replayed_sample_is_the_same_to_the_last_bit_and_damage_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 2);
    let out = folder.path().join("out");
    run(synth(&normals, &out, 12)
        .args(["--mechanisms", "fracture-line,pitting-loss=2@0.5..1,plastic-warpage,cutpaste"]));
    let replay = |index: &str| {
        let mut command = maphc2f("replay");
        command.arg("--data").arg(&out).arg("--normals").arg(&normals).args(["--index", index]);
        command
    };
    for index in 0..12 {
        let again = folder.path().join("again");
        let output = run(replay(&index.to_string()).arg("--out").arg(&again));
        assert_eq!(json(&output)["equal"], true);
        let name = |name: &String| name.starts_with("mvtec/test/") && name.ends_with(&format!("{index:08}.png"));
        let image = tree(&out).into_keys().find(name).unwrap();
        assert!(fs::read(again.join("image.png")).unwrap() == fs::read(out.join(image)).unwrap());
    }
    assert_eq!(replay("12").output().unwrap().status.code(), Some(2));
    // a manifest that claims another severity is contradicted
    let piece = out.join("manifest/000000.jsonl");
    let text = fs::read_to_string(&piece).unwrap();
    let at = text.find("\"key\":{\"seed\":1,").unwrap();
    fs::write(&piece, format!("{}\"key\":{{\"seed\":2,{}", &text[..at], &text[at + 16..])).unwrap();
    assert_eq!(replay("0").output().unwrap().status.code(), Some(1));
    fs::write(&piece, &text).unwrap();
    // one flipped bit, one file gone, one file too many
    let names: Vec<String> = tree(&out).into_keys().filter(|n| n.starts_with("mvtec/test/")).collect();
    let mut bytes = fs::read(out.join(&names[0])).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(out.join(&names[0]), bytes).unwrap();
    fs::remove_file(out.join(&names[1])).unwrap();
    fs::write(out.join("mvtec/test/extra.png"), "").unwrap();
    let output = maphc2f("verify").arg("--data").arg(&out).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let found = json(&output);
    assert_eq!(found["differing"], serde_json::json!([names[0]]));
    assert_eq!(found["missing"], serde_json::json!([names[1]]));
    assert_eq!(found["unknown"], serde_json::json!(["mvtec/test/extra.png"]));
}

#[test]
fn another_run_in_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 1);
    let out = folder.path().join("out");
    run(&mut synth(&normals, &out, 2));
    let before = tree(&out);
    let refused = |extra: &[&str], words: &str| {
        let output = synth(&normals, &out, 2).args(extra).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(words), "{output:?}");
    };
    refused(&[], "is finished already");
    refused(&["--resume", "--side", "96"], "other settings");
    photos(folder.path(), 2);
    refused(&["--resume"], "other settings");
    assert_eq!(tree(&out), before);
}

#[test]
fn keeping_the_best_takes_each_sample_from_several_tries_by_quality() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 2);
    let model = folder.path().join("quality.safetensors");
    fs::write(&model, FaultEstimator::pretrained_bytes()).unwrap();
    let made = |name: &str, args: &[&str]| {
        let out = folder.path().join(name);
        run(synth(&normals, &out, 20).args(args));
        assert_eq!(json(&run(maphc2f("verify").arg("--data").arg(&out)))["whole"], true);
        let header: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(out.join("run.json")).unwrap()).unwrap();
        assert_eq!(header["judge"].as_str(), Some(sha256_of_file(&model).unwrap().as_str()));
        let text = fs::read_to_string(out.join("manifest/000000.jsonl")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines
            .map(|l| {
                let faults = l["faults"].as_object().unwrap();
                assert!(faults.len() == Fault::ALL.len() && Fault::ALL.iter().all(|f| faults[f.name()].is_f64()));
                (l["quality"].as_f64().unwrap(), l["image_sha256"].clone())
            })
            .collect::<Vec<_>>()
    };
    let file = model.to_str().unwrap();
    let (first, best) = (made("first", &["--quality-model", file]), made("best", &["--keep-best", "0.25"]));
    let better = first.iter().zip(&best).filter(|((one, _), (of_four, _))| of_four > one).count();
    assert!(better >= 4, "{first:?} {best:?}");
    let kept = manifest(&folder.path().join("first")).into_iter().map(|line| line["instead_of"].is_null());
    let compared = first.iter().zip(&best).zip(kept).filter(|(_, kept)| *kept).map(|(both, _)| both);
    assert!(compared.clone().count() >= 8);
    for ((one, image), (of_four, chosen)) in compared {
        // the first try is one of the four, unless its mechanism was refused: another try may have had room for that
        assert!(of_four >= one && (of_four > one || image == chosen), "{one} {of_four}");
    }
    // the built-in estimator is the one that is taken where none is given
    made("named", &["--keep-best", "0.25", "--quality-model", file]);
    assert_eq!(tree(&folder.path().join("best")), tree(&folder.path().join("named")));
    run(synth(&normals, &folder.path().join("best"), 20).args(["--keep-best", "0.25", "--resume"]));
    let output = synth(&normals, &folder.path().join("best"), 20).arg("--resume").output().unwrap();
    assert!(output.status.code() == Some(2) && stderr(&output).contains("keep-best"), "{output:?}");
}

/// A file of the estimator of before says what to do, and without a scorer lines are as they were.
#[test]
fn an_estimator_of_before_is_refused_and_no_estimator_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 1);
    let (old, out) = (folder.path().join("old.safetensors"), folder.path().join("out"));
    let net = EfficientNetLite0::pretrained().unwrap();
    Sqe::new(&net, Head::default(), 3).unwrap().save(&old).unwrap();
    let output = synth(&normals, &out, 2).arg("--quality-model").arg(&old).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = stderr(&output);
    assert!(said.contains("old.safetensors") && said.contains("train again") && said.lines().count() == 1, "{said}");
    assert!(!out.exists());
    run(&mut synth(&normals, &out, 2));
    let text = fs::read_to_string(out.join("manifest/000000.jsonl")).unwrap();
    assert!(text.contains("\"quality\":null") && !text.contains("faults"), "{text}");
}
