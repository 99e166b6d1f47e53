//! Files and flags that lead elsewhere, lie or have no end: what the factory does with them.
#![allow(clippy::unwrap_used)] // a test may panic

mod factory_common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use factory_common::{json, maphc2f, photos, run, stderr, synth, tree};

/// Runs a command that must end within seconds and may have 4 GB of address space.
fn bounded(command: &Command) -> Output {
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -v 4000000; exec \"$0\" \"$@\""]).arg(command.get_program()).args(command.get_args());
    let mut child = limited.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("{command:?} does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

/// One line on standard error with these words, exit code 2.
fn refuses(command: &Command, words: &[&str]) {
    let output = bounded(command);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{command:?}: {output:?}");
    let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("error:")).collect();
    assert!(errors.len() == 1 && words.iter().all(|word| text.contains(word)), "{command:?}: {words:?} in {text}");
}

fn verify(out: &Path) -> Command {
    let mut command = maphc2f("verify");
    command.arg("--data").arg(out);
    command
}

fn replay(out: &Path, normals: &Path) -> Command {
    let mut command = maphc2f("replay");
    command.arg("--data").arg(out).arg("--normals").arg(normals).args(["--index", "0"]);
    command
}

fn link(to: impl AsRef<Path>, at: &Path) {
    fs::remove_file(at).ok();
    std::os::unix::fs::symlink(to, at).unwrap();
}

fn pipe(at: &Path) {
    fs::remove_file(at).ok();
    assert!(Command::new("mkfifo").arg(at).status().unwrap().success());
}

#[test]
fn the_list_of_checksums_is_proved_too() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 2);
    let out = folder.path().join("out");
    run(synth(&normals, &out, 20).args([
        "--mechanisms",
        "cutpaste",
        "--format",
        "mvtec,yolo,yolo-joined,coco,webdataset",
    ]));
    assert_eq!(json(&run(&mut verify(&out)))["whole"], true);
    let sums = out.join("manifest/000000.sums");
    let text = fs::read_to_string(&sums).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    // shortened, emptied, and with every image gone
    let damage = |kept: &dyn Fn(&str) -> bool| {
        let rest: String = lines.iter().filter(|line| kept(line)).map(|line| format!("{line}\n")).collect();
        fs::write(&sums, rest).unwrap();
        let output = verify(&out).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        json(&output)
    };
    for part in [".png", ".txt", ".tar", "coco/blocks", ".jsonl"] {
        let found = damage(&|line| !line.contains(part));
        assert_eq!(found["differing"], serde_json::json!(["manifest/000000.sums"]), "{part}");
    }
    assert_eq!(damage(&|_| false)["differing"], serde_json::json!(["manifest/000000.sums"]));
    // one that lists what the run does not have, outside of the folder
    fs::write(&sums, format!("{text}{}  ../../../../dev/zero\n{}  /dev/zero\n", "0".repeat(64), "0".repeat(64)))
        .unwrap();
    let output = bounded(&verify(&out));
    assert_eq!(json(&output)["differing"], serde_json::json!(["manifest/000000.sums"]));
    // an image and the list changed together: the manifest knows better
    let name = tree(&out).into_keys().find(|name| name.starts_with("mvtec/test/")).unwrap();
    let sound = fs::read(out.join(&name)).unwrap();
    fs::write(out.join(&name), "other").unwrap();
    let hash = Command::new("sha256sum").arg(out.join(&name)).output().unwrap().stdout;
    let hash = String::from_utf8(hash).unwrap()[..64].to_owned();
    let forged =
        lines.iter().map(|line| if line.ends_with(&name) { format!("{hash}  {name}\n") } else { format!("{line}\n") });
    fs::write(&sums, forged.collect::<String>()).unwrap();
    assert_eq!(json(&verify(&out).output().unwrap())["differing"], serde_json::json!([name]));
    fs::write(out.join(&name), sound).unwrap();
    fs::write(&sums, &text).unwrap();
    // all images and all lists gone, each manifest left
    for (name, _) in tree(&out).iter().filter(|(name, _)| name.ends_with(".png")) {
        fs::remove_file(out.join(name)).unwrap();
    }
    fs::write(&sums, "").unwrap();
    let found = json(&verify(&out).output().unwrap());
    assert_eq!(found["counts"]["missing"], 20 * 5 + 2, "{found}");
}

#[test]
fn verify_follows_no_link_waits_for_no_pipe_and_lists_with_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 1);
    let out = folder.path().join("out");
    run(synth(&normals, &out, 4).args(["--mechanisms", "cutpaste"]));
    let images = out.join("mvtec/test/cutpaste");
    let sound = fs::read(images.join("00000000.png")).unwrap();
    fs::write(folder.path().join("copy.png"), &sound).unwrap();
    link(folder.path().join("copy.png"), &images.join("00000000.png"));
    pipe(&images.join("00000001.png"));
    link("/dev/zero", &images.join("00000002.png"));
    link("..", &out.join("mvtec/loop"));
    pipe(&out.join("mvtec/pipe"));
    for i in 0..1200 {
        fs::write(out.join(format!("mvtec/extra{i:04}.png")), "").unwrap();
    }
    let output = bounded(&verify(&out));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let found = json(&output);
    let name = |i: usize| format!("mvtec/test/cutpaste/{i:08}.png");
    assert_eq!(found["differing"], serde_json::json!([name(0), name(1), name(2)]));
    assert_eq!(found["counts"]["unknown"], 1202);
    assert_eq!(found["unknown"].as_array().unwrap().len(), 1000);
    assert!(stderr(&output).contains("and 202 more"));
    // a folder of the run that is a link
    for i in 0..1200 {
        fs::remove_file(out.join(format!("mvtec/extra{i:04}.png"))).unwrap();
    }
    fs::rename(&images, folder.path().join("elsewhere")).unwrap();
    link(folder.path().join("elsewhere"), &images);
    let found = json(&bounded(&verify(&out)));
    assert_eq!(found["counts"]["differing"], 4, "{found}");
    // descriptions and manifests without end
    for (name, words) in
        [("run.json", "regular file"), ("manifest/000000.sums", "differs"), ("manifest/000000.jsonl", "differs")]
    {
        let sound = fs::read(out.join(name)).unwrap();
        for damage in [&(|at: &Path| link("/dev/zero", at)) as &dyn Fn(&Path), &|at: &Path| pipe(at)] {
            damage(&out.join(name));
            let output = bounded(&verify(&out));
            assert!(matches!(output.status.code(), Some(1 | 2)), "{output:?}");
            assert!(stderr(&output).contains(words), "{name}: {output:?}");
        }
        fs::remove_file(out.join(name)).unwrap();
        fs::write(out.join(name), sound).unwrap();
    }
}

#[test]
fn numbers_in_files_are_checked_as_flags_are() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 1);
    let out = folder.path().join("out");
    run(synth(&normals, &out, 4).args(["--mechanisms", "cutpaste"]));
    let (header, piece) = (out.join("run.json"), out.join("manifest/000000.jsonl"));
    let (sound, lines) = (fs::read_to_string(&header).unwrap(), fs::read_to_string(&piece).unwrap());
    for (from, to, word) in [
        ("\"count\": 4", "\"count\": 1099511627777", "count"),
        ("\"count\": 4", "\"count\": 0", "count"),
        ("\"side\": null", "\"side\": 1000000000", "side"),
        ("cutpaste=1@", "cutpaste=1e308@", "weight"),
        ("cutpaste=1@", "../cutpaste=1@", "mechanisms"),
        ("\"keep_best\": 1.0", "\"keep_best\": 1e-300", "keep_best"),
    ] {
        assert!(sound.contains(from), "{from} in {sound}");
        fs::write(&header, sound.replace(from, to)).unwrap();
        refuses(&verify(&out), &["run.json", word]);
        refuses(synth(&normals, &out, 4).arg("--resume"), &["run.json", word]);
    }
    // the largest run that may be: counted, not listed
    fs::write(&header, sound.replace("\"count\": 4", "\"count\": 1099511627776")).unwrap();
    refuses(&verify(&out), &["000000.jsonl", "does not list the samples"]);
    fs::rename(&piece, folder.path().join("piece")).unwrap();
    let found = json(&bounded(&verify(&out)));
    assert_eq!(
        (found["counts"]["unfinished"].as_u64(), found["unfinished"].as_array().unwrap().len()),
        (Some(1 << 32), 1000)
    );
    fs::rename(folder.path().join("piece"), &piece).unwrap();
    fs::write(&header, &sound).unwrap();
    for (from, to, word) in [
        ("\"side\":null", "\"side\":1000000000", "side"),
        ("\"mechanism\":\"cutpaste\"", "\"mechanism\":\"../cutpaste\"", "mechanism"),
        ("\"source\":\"0.png\"", "\"source\":\"/dev/zero\"", "/dev/zero"),
        ("\"source\":\"0.png\"", "\"source\":\"../normals/0.png\"", "../normals/0.png"),
    ] {
        assert!(lines.contains(from), "{from} in {lines}");
        fs::write(&piece, lines.replace(from, to)).unwrap();
        refuses(&replay(&out, &normals), &["000000.jsonl", word]);
    }
    fs::write(&piece, lines).unwrap();
    run(&mut replay(&out, &normals));
    // flags
    let none = folder.path().join("none");
    refuses(synth(&normals, &none, 4).args(["--threads", "1000000000"]), &["--threads"]);
    refuses(synth(&normals, &none, 4).args(["--mechanisms", "cutpaste=1e308,pitting-loss=1e308"]), &["weight"]);
    refuses(synth(&normals, &none, 4).args(["--category", "../normals"]), &["category"]);
    refuses(&synth(&normals, &none, (1 << 40) + 1), &["count"]);
    let mut preview = maphc2f("preview");
    preview.arg("--normals").arg(&normals).arg("--out").arg(folder.path().join("s.png"));
    refuses(preview.args(["--count", "1099511627776"]), &["--count"]);
    let largest = json(&bounded(synth(&normals, &none, 1 << 40).arg("--dry-run")));
    assert_eq!(largest["parts"][0]["here"].as_u64(), Some(1 << 40), "{largest}");
    assert!(!none.exists());
}

#[test]
fn a_recipe_cannot_name_a_folder_outside() {
    let folder = tempfile::tempdir().unwrap();
    photos(folder.path(), 1);
    let good = folder.path().join("data/mvtec/bottle/train");
    fs::create_dir_all(&good).unwrap();
    fs::rename(folder.path().join("normals"), good.join("good")).unwrap();
    fs::create_dir_all(folder.path().join("data/x")).unwrap();
    let recipe = folder.path().join("recipe.toml");
    let before = tree(folder.path());
    let absolute = folder.path().join("data/mvtec/bottle").display().to_string();
    for name in ["../mvtec/bottle", "../../data/mvtec/bottle", &absolute, "..", "."] {
        fs::write(&recipe, format!("[mvtec]\n{name:?} = 2\n")).unwrap();
        let mut command = maphc2f("synth");
        command.arg("--recipe").arg(&recipe).arg("--data").arg(folder.path().join("data"));
        refuses(command.arg("--out").arg(folder.path().join("out")), &["recipe.toml", "category"]);
    }
    fs::remove_file(&recipe).unwrap();
    assert_eq!(tree(folder.path()), before);
}

#[test]
fn outputs_among_the_inputs_and_in_place_of_devices_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 2);
    let before = tree(&normals);
    for out in [normals.clone(), normals.join("out"), normals.join("a/b")] {
        refuses(&synth(&normals, &out, 2), &["inputs", "normals"]);
    }
    let mut preview = maphc2f("preview");
    preview.arg("--normals").arg(&normals).arg("--out").arg(normals.join("0.png"));
    refuses(&preview, &["inputs", "normals"]);
    assert_eq!(tree(&normals), before);
    // photos where the data set has its good ones
    let own = folder.path().join("own");
    fs::create_dir_all(own.join("mvtec/train")).unwrap();
    fs::rename(&normals, own.join("mvtec/train/good")).unwrap();
    refuses(&synth(&own.join("mvtec/train/good"), &own, 2), &["inputs"]);
    fs::rename(own.join("mvtec/train/good"), &normals).unwrap();
    // what stands in a file's place stays
    let out = folder.path().join("out");
    let target = folder.path().join("target");
    fs::write(&target, "precious").unwrap();
    for name in ["run.json", "mvtec/test/cutpaste/00000001.png", "coco/annotations.json", "manifest/000000.sums"] {
        let place = out.join(name);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        for damage in [&(|at: &Path| link(&target, at)) as &dyn Fn(&Path), &|at: &Path| pipe(at)] {
            damage(&place);
            let kind = fs::symlink_metadata(&place).unwrap().file_type();
            let mut command = synth(&normals, &out, 2);
            refuses(command.args(["--mechanisms", "cutpaste", "--format", "mvtec,coco", "--resume"]), &[name]);
            assert_eq!(fs::symlink_metadata(&place).unwrap().file_type(), kind, "{name} was replaced");
            assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
        }
        fs::remove_dir_all(&out).unwrap();
    }
    let sheet = folder.path().join("sheet.png");
    link(&target, &sheet);
    let mut preview = maphc2f("preview");
    preview.arg("--normals").arg(&normals).arg("--out").arg(&sheet).args(["--count", "1"]);
    refuses(&preview, &["sheet.png", "symbolic link"]);
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
}

#[test]
fn a_closed_pipe_is_no_panic_and_a_full_one_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 1);
    let out = folder.path().join("out");
    run(synth(&normals, &out, 4).args(["--mechanisms", "cutpaste"]));
    for args in
        [vec!["verify", "--data", out.to_str().unwrap()], vec!["verify", "--json", "--data", "nowhere"], vec!["--help"]]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_maphc2f"));
        let mut child = command.args(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        drop(child.stderr.take());
        let code = child.wait().unwrap().code();
        assert_eq!(code, Some(if args.contains(&"nowhere") { 2 } else { 0 }), "{args:?}");
    }
    if Path::new("/dev/full").exists() {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = verify(&out).stdout(full).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(stderr(&output).contains("standard output: cannot be written"), "{output:?}");
    }
}

#[test]
fn names_cannot_command_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 1);
    fs::write(normals.join("a\u{1b}[2J\u{9b}31m.png"), "no picture").unwrap();
    let output = synth(&normals, &folder.path().join("out"), 4).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let strict = synth(&normals, &folder.path().join("strict"), 4).arg("--strict").output().unwrap();
    for bytes in [&output.stdout, &output.stderr, &strict.stdout, &strict.stderr] {
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    }
    assert!(BufReader::new(&output.stderr[..]).lines().any(|line| line.unwrap().contains("\\u{1b}[2J")));
}
