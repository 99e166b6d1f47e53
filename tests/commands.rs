//! `maphc2f train`, `evaluate`, `inspect` and `preview` as processes: exit codes, outputs, files.
#![allow(clippy::unwrap_used)] // a test may panic

mod factory_common;

use std::fs;
use std::path::{Path, PathBuf};

use factory_common::{damaged, json, maphc2f, photos, run, texture};
use image::{GrayImage, Luma};

/// A category with eight good photos, three good test images and two with a defect.
fn category(folder: &Path) -> PathBuf {
    let root = folder.join("part");
    for sub in ["train/good", "test/good", "test/spot", "ground_truth/spot"] {
        fs::create_dir_all(root.join(sub)).unwrap();
    }
    (0..8).for_each(|i| texture(i).save(root.join(format!("train/good/{i}.png"))).unwrap());
    (0..3).for_each(|i| texture(20 + i).save(root.join(format!("test/good/{i}.png"))).unwrap());
    let inside = |x: u32, y: u32| (20..36).contains(&x) && (28..44).contains(&y);
    let mask = GrayImage::from_fn(64, 64, |x, y| Luma([if inside(x, y) { 255 } else { 0 }]));
    for i in 0..2 {
        damaged(30 + i).save(root.join(format!("test/spot/{i}.png"))).unwrap();
        mask.save(root.join(format!("ground_truth/spot/{i}_mask.png"))).unwrap();
    }
    root
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

const RESULTS: [&str; 6] = ["hardest.png", "results.csv", "results.html", "results.json", "results.md", "results.tex"];

#[test]
fn a_detector_is_trained_measured_and_used() {
    let folder = tempfile::tempdir().unwrap();
    let root = category(folder.path());
    let model = folder.path().join("model");
    let mut train = maphc2f("train");
    train.args(["--preset", "bilevel-2026-11", "--epochs", "2", "--seed", "3", "--report", "--ablations"]);
    let trained = json(&run(train.arg("--normals").arg(&root).arg("--out").arg(&model)));
    assert_eq!((trained["images"].as_u64(), trained["seed"].as_u64()), (Some(8), Some(3)), "{trained}");
    let report = &trained["report"];
    assert_eq!(report["test_images"], 5);
    assert!(report["image_auroc"].as_f64().unwrap() > 0.9, "a bright square is found: {trained}");
    for half in ["discriminator", "distance"] {
        assert!(report["ablations"][half]["pixel_auroc"].is_f64(), "{half}: {trained}");
    }
    let expected: Vec<&str> = ["detector.safetensors", "hardest.png", "quality.safetensors"]
        .into_iter()
        .chain(RESULTS[1..].iter().copied())
        .collect();
    assert_eq!(names(&model), expected);
    maphc2f::sqe::FaultEstimator::load(&model.join("quality.safetensors")).unwrap();

    // the same figures from the file, with and without a report
    let detector = model.join("detector.safetensors");
    let evaluate = || {
        let mut command = maphc2f("evaluate");
        command.arg("--model").arg(&detector).arg("--data").arg(&root);
        command
    };
    let measured = json(&run(&mut evaluate()));
    for figure in ["image_auroc", "pixel_auroc"] {
        assert_eq!(measured[figure], report[figure], "{figure}");
    }
    let results = folder.path().join("results");
    run(evaluate().arg("--out").arg(&results));
    assert_eq!(names(&results), RESULTS);

    // good photos alone: 0; with a defect: 1; with a file that is no photo: 3
    let inspect = |images: &Path| {
        let mut command = maphc2f("inspect");
        command.arg("--model").arg(&detector).arg("--images").arg(images).arg("--out").arg(folder.path().join("seen"));
        command
    };
    let threshold = json(&inspect(&root.join("test/spot")).output().unwrap())["threshold"].as_f64().unwrap();
    let output = inspect(&root.join("test/spot")).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let seen = json(&output);
    assert_eq!((seen["images"].as_u64(), seen["anomalous"].as_u64()), (Some(2), Some(2)), "{seen}");
    assert!(seen["images_per_second"].as_f64().unwrap() > 0.0);
    let table = fs::read_to_string(folder.path().join("seen/scores.csv")).unwrap();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0], ["file", "score", "threshold", "anomalous", "error"]);
    for row in &rows[1..] {
        assert!(row[1].parse::<f64>().unwrap() > threshold && row[3] == "1", "{row:?}");
        assert!(folder.path().join(format!("seen/heat/{}.png", row[0])).is_file());
    }
    let high = ["--threshold", "1e9"];
    assert_eq!(inspect(&root.join("test/good")).args(high).output().unwrap().status.code(), Some(0));
    fs::write(root.join("test/good/broken.png"), "no picture").unwrap();
    let output = inspect(&root.join("test/good")).args(high).output().unwrap();
    assert_eq!((output.status.code(), json(&output)["unreadable"].as_u64()), (Some(3), Some(1)), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("broken.png"));
    fs::create_dir(folder.path().join("none")).unwrap();
    assert_eq!(inspect(&folder.path().join("none")).output().unwrap().status.code(), Some(2));

    // a file that is no detector
    fs::remove_file(root.join("test/good/broken.png")).unwrap();
    let output =
        maphc2f("evaluate").arg("--model").arg(root.join("train/good/0.png")).arg("--data").arg(&root).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(json(&output)["error"].as_str().unwrap().contains("0.png"), "{output:?}");
}

#[test]
fn a_run_that_was_broken_off_resumes_to_the_same_detector_and_another_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let root = category(folder.path());
    let train = |out: &Path, seed: &str| {
        let mut command = maphc2f("train");
        command.args(["--preset", "bilevel-2026-11", "--epochs", "3", "--seed", seed, "--resume"]);
        command.arg("--normals").arg(root.join("train/good")).arg("--out").arg(out);
        command
    };
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    run(&mut train(&whole, "1"));
    let mut child =
        train(&killed, "1").stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let checkpoint = killed.join("run.checkpoint");
    while !checkpoint.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(checkpoint.exists(), "the run was too short to be broken off");
    let output = train(&killed, "2").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "a checkpoint of another run: {output:?}");
    // a photo that was replaced is named
    let photo = root.join("train/good/3.png");
    let kept = fs::read(&photo).unwrap();
    texture(77).save(&photo).unwrap();
    let output = train(&killed, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "a photo was replaced: {said}");
    assert!(said.contains("another run") && said.contains("3.png") && said.contains("--resume"), "{said}");
    fs::write(&photo, kept).unwrap();
    run(&mut train(&killed, "1"));
    assert_eq!(names(&killed), ["detector.safetensors", "quality.safetensors"]);
    for name in names(&whole) {
        assert!(fs::read(whole.join(&name)).unwrap() == fs::read(killed.join(&name)).unwrap(), "{name}");
    }
}

#[test]
fn a_sheet_of_samples_is_drawn_and_samples_that_cannot_be_made_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 2);
    let sheet = folder.path().join("sheet.png");
    let preview = |count: &str| {
        let mut command = maphc2f("preview");
        command.arg("--normals").arg(&normals).arg("--out").arg(&sheet).args([
            "--count",
            count,
            "--seed",
            "1",
            "--mechanisms",
            "cutpaste",
        ]);
        command
    };
    let made = json(&run(&mut preview("6")));
    assert_eq!((made["images"].as_u64(), made["failed"].as_u64()), (Some(6), Some(0)), "{made}");
    // two samples of four pictures across, three rows with two lines of text below
    let (width, height) = image::open(&sheet).unwrap().into_rgb8().dimensions();
    assert!((8 * 224..9 * 224).contains(&width), "{width}");
    assert!((3 * (224 + 30)..3 * (224 + 70)).contains(&height), "{height}");
    let page = fs::read_to_string(folder.path().join("sheet.html")).unwrap();
    assert_eq!(page.matches("<li data-index").count(), 6);
    fs::write(normals.join("1.png"), "no picture").unwrap();
    let output = preview("6").output().unwrap();
    assert_eq!((output.status.code(), json(&output)["failed"].as_u64()), (Some(3), Some(3)), "{output:?}");
    fs::write(normals.join("0.png"), "no picture").unwrap();
    assert_eq!(preview("6").output().unwrap().status.code(), Some(2));
    assert_eq!(preview("0").output().unwrap().status.code(), Some(2));
}

#[test]
fn the_page_of_a_preview_goes_where_it_is_told_and_its_commands_draw_one_sample_again() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 2);
    let preview = |out: &str, more: &[&str]| {
        let mut command = maphc2f("preview");
        command
            .arg("--normals")
            .arg(&normals)
            .args(["--out", out, "--count", "3", "--mechanisms", "cutpaste"])
            .args(more);
        command.current_dir(folder.path());
        command
    };
    let made = json(&run(&mut preview("a.png", &[])));
    assert_eq!((made["file"].as_str(), made["page"].as_str()), (Some("a.png"), Some("a.html")), "{made}");
    let made = json(&run(&mut preview("b.png", &["--html", "pages.html"])));
    assert_eq!(made["page"], "pages.html");
    let made = json(&run(&mut preview("c.png", &["--no-html"])));
    assert!(made["page"].is_null(), "{made}");
    let files = ["a.html", "a.png", "b.png", "c.png", "normals", "pages.html"];
    assert_eq!(names(folder.path()), files, "no temporary is left, and --no-html writes no page");
    // equal runs, equal sheets; the pages differ in the command
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert!(read("a.png") == read("b.png") && read("a.png") == read("c.png"));

    // the command on the last card, run by a shell: the same picture of the same sample
    let page = String::from_utf8(read("a.html")).unwrap();
    let card = page.rsplit("<li data-index=\"2\"").next().unwrap();
    let code = card.split("<code tabindex=\"0\">").nth(1).unwrap().split("</code>").next().unwrap();
    let line = code.replace("&amp;", "&").replacen("maphc2f", "\"$MAPHC2F\"", 1);
    let mut shell = std::process::Command::new("sh");
    shell.arg("-c").arg(&line).env("MAPHC2F", env!("CARGO_BIN_EXE_maphc2f")).current_dir(folder.path());
    run(&mut shell);
    let again = String::from_utf8(read("sample-2.html")).unwrap();
    assert_eq!(again.matches("<li data-index").count(), 1);
    let pictures = |text: &str| -> Vec<String> {
        text.split("src=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    };
    assert_eq!(pictures(card), pictures(&again), "{line}");
    assert_eq!(pictures(card).len(), 3);
}

#[test]
fn outputs_of_a_preview_that_cannot_be_written_are_refused_before_drawing() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 1);
    fs::create_dir(folder.path().join("sub.html")).unwrap();
    fs::write(folder.path().join("kept.png"), "kept").unwrap();
    let before = names(folder.path());
    for (args, word) in [
        (&["--out", "none/a.png"] as &[&str], "no such folder"),
        (&["--out", "a.png", "--html", "none/a.html"], "no such folder"),
        (&["--out", "sub.png"], "sub.html"),
        (&["--out", "a.png", "--html", "sub.html"], "it is a folder"),
        (&["--out", "a.png", "--html", "normals/a.html"], "inputs"),
        (&["--out", "a.html"], "sheet and the page"),
        (&["--out", "kept.png", "--html", "kept.png"], "sheet and the page"),
        (&["--out", "a.png", "--html", "b.html", "--no-html"], "cannot be used with"),
        (&["--out", "a.png", "--count", "3", "--index", "3"], "--index 3"),
    ] {
        let mut command = maphc2f("preview");
        command.arg("--normals").arg(&normals).args(args).current_dir(folder.path());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(word) && !said.contains("skipped"), "{args:?}: {said}");
        assert_eq!(names(folder.path()), before, "{args:?}");
    }
    assert_eq!(fs::read(folder.path().join("kept.png")).unwrap(), b"kept");
    // a folder in place of the default page does not matter where there is none to write
    run(maphc2f("preview")
        .arg("--normals")
        .arg(&normals)
        .args(["--out", "sub.png", "--no-html", "--count", "1", "--mechanisms", "cutpaste"])
        .current_dir(folder.path()));
}

#[test]
fn what_cannot_be_done_is_one_line_on_standard_error_and_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let root = category(folder.path());
    let at = |path: &Path| path.to_str().unwrap().to_owned();
    let (data, none, out) = (at(&root), at(&folder.path().join("none")), folder.path().join("out"));
    let (photo, normals) = (at(&root.join("train/good/0.png")), at(&root.join("train/good")));
    fs::write(folder.path().join("taken"), "a file where a folder should go").unwrap();
    let (taken, to) = (at(&folder.path().join("taken/out")), at(&out));
    let cases: [(&[&str], &str); 10] = [
        (&["train", "--normals", &none, "--out", &to], "none"),
        (&["train", "--normals", &normals, "--out", &taken], "taken"),
        (&["evaluate", "--model", &none, "--data", &data], "none"),
        (&["evaluate", "--model", &photo, "--data", &data, "--out", &to], "0.png"),
        (&["inspect", "--model", &none, "--images", &normals, "--out", &to], "none"),
        (&["inspect", "--model", &photo, "--images", &normals, "--out", &to], "0.png"),
        (&["preview", "--normals", &none, "--out", &to], "none"),
        (&["preview", "--normals", &normals, "--out", &to, "--materials", "gold"], "gold"),
        (&["verify", "--data", &data], "part"),
        (&["replay", "--data", &none, "--normals", &normals, "--index", "0"], "none"),
    ];
    for (args, word) in cases {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_maphc2f")).args(args).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(output.stdout.is_empty(), "{args:?}");
        let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("error:")).collect();
        assert!(errors.len() == 1 && errors[0].contains(word), "{args:?}: {text}");
        assert!(!out.exists(), "{args:?}: nothing may be written");
    }
}
