//! `maphc2f inspect` as a process: lines of JSON, regions, and a folder that fills.
#![allow(clippy::unwrap_used)] // a test may panic

mod factory_common;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use factory_common::{damaged, json, maphc2f, run, stderr, texture};
use image::{GrayImage, Luma};
use maphc2f::{Decision, InspectionLine, scaled_margin, sha256_of_file};

/// A detector of one round, trained once for all tests.
fn detector() -> &'static Path {
    static DETECTOR: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = DETECTOR.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let (normals, out) = (folder.path().join("normals"), folder.path().join("model"));
        fs::create_dir(&normals).unwrap();
        (0..8).for_each(|i| texture(i).save(normals.join(format!("{i}.png"))).unwrap());
        let mut train = maphc2f("train");
        run(train.args(["--seed", "3"]).arg("--normals").arg(&normals).arg("--out").arg(&out));
        (folder, out.join("detector.safetensors"))
    });
    path
}

fn inspect() -> Command {
    let mut command = maphc2f("inspect");
    command.arg("--model").arg(detector());
    command
}

fn lines(text: &str) -> Vec<InspectionLine> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

fn lines_of(path: &Path) -> Vec<InspectionLine> {
    let text = fs::read_to_string(path).unwrap_or_default();
    lines(&text[..text.rfind('\n').map_or(0, |end| end + 1)]) // one may be in writing, or cut off
}

fn name(line: &InspectionLine) -> &str {
    line.photo.rsplit('/').next().unwrap()
}

/// Waits until `is_so`, for at most a minute.
fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what} did not happen");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn lines_say_what_the_table_says_and_where_the_defects_are() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("in")).unwrap();
    texture(20).save(at("in/good.png")).unwrap();
    damaged(30).save(at("in/spot.png")).unwrap();
    fs::write(at("in/torn.png"), "no photo").unwrap();
    fs::write(at("lines.jsonl"), "an earlier file").unwrap();
    let batch = |more: &[&str]| {
        let mut command = inspect();
        command.arg("--images").arg(at("in")).arg("--out").arg(at("out")).args(more);
        command.output().unwrap()
    };
    let file = at("lines.jsonl");
    let output = batch(&["--json-lines", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let summary = json(&output);
    assert_eq!((summary["images"].as_u64(), summary["anomalous"].as_u64()), (Some(3), Some(1)), "{summary}");
    let mut found = lines_of(&file);
    found.sort_by(|a, b| a.photo.cmp(&b.photo));
    assert_eq!(found.iter().map(name).collect::<Vec<_>>(), ["good.png", "spot.png", "torn.png"]);
    let table = fs::read_to_string(at("out/scores.csv")).unwrap();
    let model = sha256_of_file(detector()).unwrap();
    for (line, row) in found.iter().zip(table.lines().skip(1)) {
        let row: Vec<&str> = row.split(',').collect();
        assert_eq!((name(line), line.score.map(|s| s.to_string()).unwrap_or_default().as_str()), (row[0], row[1]));
        assert_eq!(Some(line.threshold), summary["threshold"].as_f64());
        assert_eq!(line.model_sha256.as_ref(), Some(&model));
        assert_eq!(line.photo_sha256, sha256_of_file(Path::new(&line.photo)).ok());
        let Some(score) = line.score else { continue };
        assert_eq!(line.margin, Some(score - line.threshold));
        assert_eq!(line.scaled_margin, Some(scaled_margin(score, line.threshold)));
        assert_eq!(line.decision == Some(Decision::Anomalous), row[3] == "1");
        assert!(line.milliseconds > 0.0 && line.height == Some(64), "{line:?}");
    }
    assert_eq!((found[0].decision, found[1].decision), (Some(Decision::Good), Some(Decision::Anomalous)));
    assert!(found[2].error.as_ref().is_some_and(|e| e.contains("torn.png")) && found[2].decision.is_none());
    // the square in columns 20..36 and rows 28..44
    let defect = &found[1].defects[0];
    assert!((defect.centroid.0 - 28.0).hypot(defect.centroid.1 - 36.0) < 6.0, "{defect:?}");
    assert!(f64::from(defect.peak) > found[1].pixel_threshold && defect.mean > found[1].pixel_threshold);

    // standard output holds lines alone, and behind them the summary where it is asked for
    let output = batch(&["--json-lines", "-", "--least-area", "4097"]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let (rows, last) = text.trim_end().rsplit_once('\n').unwrap();
    assert_eq!(lines(rows).len(), 3);
    assert!(lines(rows).iter().all(|line| line.defects.is_empty()), "{rows}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(last).unwrap()["images"], 3);
    let mut command = Command::new(env!("CARGO_BIN_EXE_maphc2f"));
    command.args(["inspect", "--json-lines", "-", "--model"]).arg(detector());
    let output = command.arg("--images").arg(at("in")).arg("--out").arg(at("out")).output().unwrap();
    assert_eq!(lines(std::str::from_utf8(&output.stdout).unwrap()).len(), 3, "{output:?}");
    assert!(stderr(&output).contains("1 of 3 photos above"), "{output:?}");
}

#[test]
fn a_region_is_heeded_and_what_does_not_fit_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("in")).unwrap();
    damaged(30).save(at("in/spot.png")).unwrap();
    let mask = |name: &str, is_white: &dyn Fn(u32, u32) -> bool| {
        let level = |x, y| Luma([if is_white(x, y) { 255 } else { 0 }]);
        GrayImage::from_fn(64, 64, level).save(at(name)).unwrap();
    };
    mask("all.png", &|_, _| true);
    mask("top.png", &|_, y| y < 8);
    mask("square.png", &|x, y| (12..44).contains(&x) && (20..52).contains(&y));
    let batch = |more: &[(&str, &str)]| {
        let mut command = inspect();
        command.arg("--images").arg(at("in")).arg("--out").arg(at("out")).arg("--json-lines").arg(at("lines.jsonl"));
        more.iter().for_each(|(flag, file)| _ = command.arg(flag).arg(at(file)));
        command.output().unwrap()
    };
    for (more, word) in [
        (vec![("--ignore", "all.png")], "all.png leaves nothing"),
        (vec![("--region", "top.png"), ("--ignore", "top.png")], "top.png leaves nothing"),
        (vec![("--region", "none.png")], "none.png"),
    ] {
        let output = batch(&more);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(stderr(&output).contains(word), "{word}: {output:?}");
        assert!(!at("out").exists() && !at("lines.jsonl").exists(), "nothing is written");
    }
    let nowhere = at("none/lines.jsonl");
    let mut command = inspect();
    command.arg("--images").arg(at("in")).arg("--out").arg(at("out")).arg("--json-lines").arg(&nowhere);
    assert!(command.output().unwrap().status.code() == Some(2) && !at("out").exists());
    let score = |more: &[(&str, &str)]| {
        assert!(matches!(batch(more).status.code(), Some(0 | 1)));
        lines_of(&at("lines.jsonl")).pop().unwrap()
    };
    let whole = score(&[]);
    assert_eq!(score(&[("--region", "all.png")]).score, whole.score);
    let beside = score(&[("--ignore", "square.png")]);
    assert!(beside.score < whole.score, "{beside:?}");
    let top = score(&[("--region", "top.png")]);
    assert!(top.score < whole.score && top.defects.iter().all(|d| d.bounds.bottom <= 8), "{top:?}");
}

/// A process that ends with its test, however that ends.
struct Watch(Option<Child>);

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            _ = child.kill();
            _ = child.wait();
        }
    }
}

impl Watch {
    /// Waits for its end.
    fn output(mut self) -> Output {
        self.0.take().unwrap().wait_with_output().unwrap()
    }

    /// Ends it by a signal.
    #[cfg(unix)]
    fn end(self, signal: &str) -> Output {
        let id = self.0.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        self.output()
    }
}

/// Starts to watch `folder/in`, with lines in `folder/lines.jsonl`.
fn watching(folder: &Path, more: &[&str]) -> Watch {
    let mut command = inspect();
    command.arg("--watch").arg(folder.join("in")).arg("--json-lines").arg(folder.join("lines.jsonl"));
    command.args(["--poll", "200"]).args(more).stdout(Stdio::piped()).stderr(Stdio::piped());
    Watch(Some(command.spawn().unwrap()))
}

#[cfg(unix)]
#[test]
fn a_folder_that_fills_is_inspected_photo_by_photo_until_a_signal_and_no_photo_twice() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("in")).unwrap();
    let names = || lines_of(&at("lines.jsonl")).iter().map(|line| name(line).to_owned()).collect::<Vec<_>>();
    texture(20).save(at("early.png")).unwrap();
    fs::copy(at("early.png"), at("in/early.png")).unwrap();
    let child = watching(folder.path(), &["--threshold", "1e9"]);
    wait_for("the photo that was there", || names() == ["early.png"]);

    // a photo in two halves with a pause of several looks between, another that comes meanwhile, and one that is none
    damaged(30).save(at("slow.png")).unwrap();
    let bytes = fs::read(at("slow.png")).unwrap();
    let mut slow = File::create(at("in/slow.png")).unwrap();
    slow.write_all(&bytes[..bytes.len() / 2]).unwrap();
    slow.flush().unwrap();
    thread::sleep(Duration::from_millis(200));
    texture(21).save(at("late.png")).unwrap();
    fs::rename(at("late.png"), at("in/late.png")).unwrap();
    wait_for("the photo behind", || names() == ["early.png", "late.png"]);
    slow.write_all(&bytes[bytes.len() / 2..]).unwrap();
    drop(slow);
    wait_for("the slow photo", || names() == ["early.png", "late.png", "slow.png"]);
    fs::write(at("in/torn.png"), &bytes[..bytes.len() / 2]).unwrap();
    wait_for("the torn photo", || names().len() == 4);
    thread::sleep(Duration::from_millis(700));

    let output = child.end("-TERM");
    assert_eq!(output.status.code(), Some(3), "as a finished run with an unreadable photo: {output:?}");
    let summary = json(&output);
    assert_eq!((summary["images"].as_u64(), summary["unreadable"].as_u64()), (Some(4), Some(1)), "{summary}");
    assert_eq!(stderr(&output).matches("torn.png").count(), 1, "{output:?}");
    let found = lines_of(&at("lines.jsonl"));
    assert_eq!(found.len(), 4, "each once");
    assert!(found[..3].iter().all(|line| line.decision == Some(Decision::Good) && line.error.is_none()), "{found:?}");
    assert!(found[3].error.as_ref().is_some_and(|e| e.contains("torn.png")), "{found:?}");
    assert_eq!(found[2].photo_sha256, sha256_of_file(&at("slow.png")).ok());

    // a restart: what has a line is known, a last line that was cut off is made again, a new photo and a replaced one
    // are inspected
    let text = fs::read_to_string(at("lines.jsonl")).unwrap();
    let cut = text.trim_end().rfind('\n').unwrap() + 21;
    fs::write(at("lines.jsonl"), &text[..cut]).unwrap();
    texture(22).save(at("in/late.png")).unwrap();
    damaged(31).save(at("in/new.png")).unwrap();
    let child = watching(folder.path(), &["--out", at("out").to_str().unwrap()]);
    wait_for("the rest", || names().len() == 6);
    thread::sleep(Duration::from_millis(700));
    let output = child.end("-INT");
    assert_eq!(output.status.code(), Some(1), "as a finished run with an anomalous photo: {output:?}");
    assert_eq!((json(&output)["known"].as_u64(), json(&output)["images"].as_u64()), (Some(2), Some(3)), "{output:?}");
    assert!(stderr(&output).contains("Ctrl-C ends"), "{output:?}");
    let mut again = names().split_off(3);
    again.sort();
    assert_eq!(again, ["late.png", "new.png", "torn.png"]);
    let heat: Vec<_> = fs::read_dir(at("out/heat")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(heat.len(), 2, "{heat:?}");
}

#[cfg(unix)]
#[test]
fn a_watch_ends_with_its_reader_and_is_refused_where_lines_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("in")).unwrap();
    // a folder that is not there leaves no file behind
    fs::rename(at("in"), at("elsewhere")).unwrap();
    let output = watching(folder.path(), &[]).output();
    assert!(output.status.code() == Some(2) && !at("lines.jsonl").exists(), "{output:?}");
    fs::rename(at("elsewhere"), at("in")).unwrap();
    fs::write(at("lines.jsonl"), "my notes\n").unwrap();
    let output = watching(folder.path(), &[]).output();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(stderr(&output).contains("line 1") && stderr(&output).contains("lines.jsonl"), "{output:?}");
    assert_eq!(fs::read_to_string(at("lines.jsonl")).unwrap(), "my notes\n");
    for (more, word) in [(&["--poll", "0"] as &[&str], "--poll"), (&["--strict"], "--strict")] {
        let output = watching(folder.path(), more).output();
        assert!(output.status.code() == Some(2) && stderr(&output).contains(word), "{output:?}");
    }
    // an empty folder is no error
    fs::remove_file(at("lines.jsonl")).unwrap();
    let child = watching(folder.path(), &[]);
    wait_for("the file of lines", || at("lines.jsonl").exists());
    assert_eq!(child.end("-TERM").status.code(), Some(0));
    // nobody reads on
    let mut command = inspect();
    command.arg("--watch").arg(at("in")).args(["--json-lines", "-", "--poll", "50", "--threshold", "1e9"]);
    let mut child = Watch(Some(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()));
    drop(child.0.as_mut().unwrap().stdout.take());
    texture(20).save(at("in/a.png")).unwrap();
    wait_for("the end", || child.0.as_mut().unwrap().try_wait().unwrap().is_some());
    assert_eq!(child.output().status.code(), Some(0));
}
