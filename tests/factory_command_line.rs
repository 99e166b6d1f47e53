//! What the command line refuses and explains.
#![allow(clippy::unwrap_used)] // a test may panic

mod factory_common;

use std::fs;

use factory_common::{json, maphc2f, photos, run, synth, tree};
use maphc2f::physdefect::appearance::Material;
use maphc2f::physdefect::registry::Registry;

#[test]
fn a_wrong_flag_and_a_wrong_key_name_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 1);
    let out = folder.path().join("out");
    let output = synth(&normals, &out, 1).arg("--formt").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("'--format'"), "{output:?}");
    let config = folder.path().join("run.toml");
    fs::write(&config, "mechanism = \"fracture-line\"\n").unwrap();
    let output = synth(&normals, &out, 1).arg("--config").arg(&config).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("run.toml") && text.contains("did you mean `mechanisms`?"), "{text}");
    for (flag, value, word) in
        [("--mechanisms", "crack", "fracture-line"), ("--format", "tfrecord", "webdataset"), ("--shard", "4/4", "0/4")]
    {
        let output = synth(&normals, &out, 1).args([flag, value]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains(word), "{output:?}");
    }
    assert!(!out.exists(), "nothing may be written");
}

#[test]
fn the_help_lists_every_mechanism_and_material_of_the_registry() {
    for command in ["synth", "preview"] {
        let mut maphc2f = std::process::Command::new(env!("CARGO_BIN_EXE_maphc2f"));
        let help = String::from_utf8(run(maphc2f.args([command, "--help"])).stdout).unwrap();
        let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for entry in Registry::standard().entries() {
            let line = format!("{} {}", entry.name(), entry.description());
            assert!(words.contains(&line), "{command}: no `{line}` in {help}");
        }
        assert!(Material::names().all(|name| words.contains(name)), "{help}");
    }
}

#[test]
fn a_file_gives_the_same_run_as_flags() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 1);
    let (flags, file) = (folder.path().join("flags"), folder.path().join("file"));
    run(synth(&normals, &flags, 3).args(["--mechanisms", "cutpaste,fracture-line=2", "--side", "48"]));
    let config = folder.path().join("run.toml");
    let text = format!(
        "normals = {normals:?}\nout = {file:?}\ncount = 3\nseed = 9\nside = 48\njson = true\n\
         mechanisms = [\"cutpaste\", \"fracture-line=2\"]\n"
    );
    fs::write(&config, text).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_maphc2f"));
    let output = run(command.arg("synth").arg("--config").arg(&config).args(["--seed", "1"]));
    assert_eq!(json(&output)["images"], 3);
    assert_eq!(tree(&flags), tree(&file));
}

#[test]
fn every_help_ends_with_an_example_that_parses_its_own_flags() {
    let help = maphc2f("help").output().unwrap();
    assert!(!help.status.success(), "`help --json` is no command");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_maphc2f"));
    let text = String::from_utf8(run(command.arg("--help")).stdout).unwrap();
    let commands: Vec<&str> = text
        .lines()
        .skip_while(|l| !l.starts_with("Commands:"))
        .skip(1)
        .take_while(|l| l.starts_with("  "))
        .filter_map(|l| l.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.contains(&"synth") && commands.contains(&"verify"), "{commands:?}");
    for name in commands {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_maphc2f"));
        let text = String::from_utf8(run(command.args([name, "--help"])).stdout).unwrap();
        let (_, examples) = text.rsplit_once("\nExample").unwrap();
        let examples: Vec<Vec<&str>> = examples.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
        assert!(examples.iter().any(|words| words.starts_with(&["maphc2f", name])), "{text}");
        for words in examples {
            // a later step may be another command's
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_maphc2f"));
            let text = String::from_utf8(run(command.args([words[1], "--help"])).stdout).unwrap();
            for flag in words.iter().filter(|w| w.starts_with("--")) {
                let flags = [format!("{flag} "), format!("{flag}\n")];
                assert!(flags.iter().any(|flag| text.contains(flag)), "{name}: {flag}");
            }
            // the flags fit together: what fails is the missing folder, not the command line
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_maphc2f"));
            let output = command.args(&words[1..]).current_dir(tempfile::tempdir().unwrap().path()).output().unwrap();
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!error.contains("Usage:") && error.starts_with("error:"), "{name}: {error}");
        }
    }
}

#[test]
fn a_datasets_layout_is_understood_and_categories_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 2);
    for (category, good) in [("cap", "good"), ("01", "ok")] {
        let to = folder.path().join("root").join(category).join("train").join(good);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        let copied = std::process::Command::new("cp").arg("-r").arg(&normals).arg(&to).status().unwrap();
        assert!(copied.success());
    }
    let root = folder.path().join("root");
    let output = synth(&root, &folder.path().join("none"), 2).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("01, cap"), "{output:?}");
    for category in ["cap", "01"] {
        let out = folder.path().join(category);
        run(synth(&root, &out, 2).args(["--category", category]));
        let line = fs::read_to_string(out.join("manifest/000000.jsonl")).unwrap();
        assert!(line.contains(&format!("\"source\":\"{category}/train/")), "{line}");
    }
}

#[test]
fn given_masks_bound_the_defects() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 1);
    let masks = folder.path().join("masks");
    fs::create_dir(&masks).unwrap();
    let left = image::GrayImage::from_fn(64, 64, |x, _| image::Luma([if x < 32 { 255 } else { 0 }]));
    left.save(masks.join("0.png")).unwrap();
    let out = folder.path().join("out");
    run(synth(&normals, &out, 20).args(["--mechanisms", "cutpaste,pitting-loss"]).arg("--masks").arg(&masks));
    let text = fs::read_to_string(out.join("manifest/000000.jsonl")).unwrap();
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let [left, _, width, _]: [usize; 4] = serde_json::from_value(line["mask"]["box"].clone()).unwrap();
        assert!(left + width <= 32 && line["region"] == "given-mask", "{line}");
    }
    fs::remove_file(masks.join("0.png")).unwrap();
    let output = synth(&normals, &folder.path().join("none"), 2).arg("--masks").arg(&masks).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("no such mask"), "{output:?}");
}

#[test]
fn a_dry_run_of_the_recipe_says_what_is_missing_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 2);
    let good = folder.path().join("data/mvtec/bottle/train");
    fs::create_dir_all(&good).unwrap();
    fs::rename(normals, good.join("good")).unwrap();
    let out = folder.path().join("out");
    let recipe = concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/maphc2f-115987.toml");
    let command = |extra: &[&str]| {
        let mut command = maphc2f("synth");
        command.args(["--recipe", recipe]).args(extra).arg("--data").arg(folder.path().join("data"));
        command.arg("--out").arg(&out).output().unwrap()
    };
    let output = command(&["--dry-run"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let plan = json(&output);
    assert_eq!(plan["missing"].as_array().unwrap().len(), 29);
    assert_eq!(
        (plan["parts"][0]["name"].as_str(), plan["parts"][0]["photos"].as_u64()),
        (Some("mvtec/bottle"), Some(2))
    );
    assert_eq!(command(&[]).status.code(), Some(2));
    assert!(!out.exists());
}
