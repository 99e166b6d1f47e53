//! Several processes that write to one folder, and kills at any moment: each test repeats itself, `MAPHC2F_REPEAT`
//! times if that is set.
#![allow(clippy::unwrap_used)] // a test may panic

mod factory_common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use factory_common::{json, maphc2f, photos, repetitions, run, stderr, synth, temporaries, tree};

const FORMATS: [&str; 2] = ["--format", "mvtec,coco,webdataset"];
const FAST: [&str; 2] = ["--mechanisms", "cutpaste"];

fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn assert_whole(out: &Path) {
    assert_eq!(json(&run(maphc2f("verify").arg("--data").arg(out)))["whole"], true);
    assert_eq!(temporaries(out), [""; 0]);
}

/// Waits for processes that write to one folder: all succeed, and it holds `expected`. Then it is removed.
fn all_make(children: Vec<Child>, out: &Path, expected: &BTreeMap<String, (usize, u64)>) {
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    }
    assert_eq!(tree(out), *expected);
    assert_whole(out);
    fs::remove_dir_all(out).unwrap();
}

#[test]
fn eight_processes_at_once_two_or_three_on_a_shard_make_the_single_run() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 3);
    let make = |out: &Path| {
        let mut command = synth(&normals, out, 600);
        command.args(FORMATS).args(FAST).args(["--threads", "1"]);
        command
    };
    let single = folder.path().join("single");
    run(&mut make(&single));
    let expected = tree(&single);
    for round in 0..repetitions(2) {
        let out = folder.path().join(format!("out{round}"));
        let shard = |i: usize| start(make(&out).args(["--shard", &format!("{}/3", i % 3), "--resume"]));
        let children: Vec<Child> = (0..8).map(shard).collect();
        all_make(children, &out, &expected);
    }
}

/// As in containers, where every process is number 1.
#[test]
fn processes_of_one_number_do_not_touch_each_other() {
    let separate = |program: &str| {
        let mut command = Command::new("unshare");
        command.args(["--fork", "--pid", "--kill-child", program]);
        command
    };
    let permitted = separate("true").status().is_ok_and(|status| status.success());
    if !permitted {
        println!("skipped: pid namespaces are not permitted here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 2);
    let single = folder.path().join("single");
    run(synth(&normals, &single, 200).args(FORMATS).args(FAST));
    let expected = tree(&single);
    for round in 0..repetitions(4) {
        let out = folder.path().join(format!("out{round}"));
        let make = |_: usize| {
            let mut command = separate(env!("CARGO_BIN_EXE_maphc2f"));
            command.args(synth(&normals, &out, 200).args(FORMATS).args(FAST).arg("--resume").get_args());
            start(&mut command)
        };
        let children: Vec<Child> = (0..4).map(make).collect();
        all_make(children, &out, &expected);
    }
}

#[test]
fn of_two_settings_at_once_one_is_made_and_the_other_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 2);
    let make = |out: &Path, seed: &str| {
        let mut command = maphc2f("synth");
        command.arg("--normals").arg(&normals).arg("--out").arg(out).args(["--count", "40", "--seed", seed]);
        command.args(FORMATS).args(FAST);
        command
    };
    let expected = ["1", "2"].map(|seed| {
        let single = folder.path().join(seed);
        run(&mut make(&single, seed));
        tree(&single)
    });
    let mut winners = [0; 2];
    for round in 0..repetitions(6) {
        let out = folder.path().join(format!("out{round}"));
        let order = if round % 2 == 0 { ["1", "2"] } else { ["2", "1"] };
        let children = order.map(|seed| start(&mut make(&out, seed)));
        let outputs = children.map(|child| child.wait_with_output().unwrap());
        let refused: Vec<_> = outputs.iter().filter(|output| !output.status.success()).collect();
        assert_eq!(refused.len(), 1, "{outputs:?}");
        assert_eq!(refused[0].status.code(), Some(2), "{}", stderr(refused[0]));
        assert!(stderr(refused[0]).contains("other settings") && stderr(refused[0]).contains("seed"), "{outputs:?}");
        let made = tree(&out);
        let winner = expected.iter().position(|tree| *tree == made);
        winners[winner.expect("a mixture of both")] += 1;
        assert_whole(&out);
    }
    println!("won: {winners:?}");
}

#[test]
fn killed_at_any_moment_a_run_leaves_whole_files_only_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let normals = photos(folder.path(), 3);
    let make = |out: &Path| {
        let mut command = synth(&normals, out, 560);
        command.args(FORMATS).args(FAST).arg("--resume");
        command
    };
    let whole = folder.path().join("whole");
    let begun = std::time::Instant::now();
    run(&mut make(&whole));
    let (expected, mut long) = (tree(&whole), begun.elapsed().as_millis() as u64);
    let mut state = 7_u64;
    let mut kills = 0;
    let mut out = folder.path().join("killed");
    let wanted = repetitions(8);
    for round in 0.. {
        if kills == wanted {
            break;
        }
        assert!(round < 20 * wanted, "the runs are too short to be killed");
        let mut child = start(&mut make(&out));
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_millis((state >> 33) % long.max(1)));
        child.kill().unwrap();
        match child.wait().unwrap().success() {
            true => long = long * 3 / 4 + 1, // too late: the machine was busier at first
            false => kills += 1,
        }
        for (name, bytes) in tree(&out) {
            assert_eq!(expected.get(&name), Some(&bytes), "{name} has its final name, but not its content");
        }
        if round % 4 == 3 {
            run(&mut make(&out));
            assert_eq!(tree(&out), expected);
            assert_whole(&out);
            out = folder.path().join(format!("killed{round}"));
        }
    }
}
