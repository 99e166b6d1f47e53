//! What a data set does where a surface cannot show a defect, and how it tells what the surface is made of.
#![allow(clippy::unwrap_used)] // a test may panic

mod factory_common;

use std::path::Path;

use factory_common::{json, manifest, maphc2f, run, stderr};

/// Folder of photographs that ship with the repository.
fn product(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/photos").join(name)
}

#[test]
fn what_a_surface_cannot_show_is_drawn_otherwise_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut command = maphc2f("synth");
    command.arg("--normals").arg(product("felt")).arg("--out").arg(&out);
    // Dents on matte felt: most of them nobody would see.
    command.args(["--count", "16", "--seed", "3", "--side", "128", "--materials", "fabric"]);
    command.args(["--mechanisms", "plastic-warpage,pitting-loss", "--visibility", "3..8"]);
    let made = json(&run(&mut command));
    assert_eq!((made["images"].as_u64(), made["failed"].as_u64()), (Some(16), Some(0)));
    let lines = manifest(&out);
    let mut replaced = 0;
    for line in &lines {
        let visibility = line["visibility"].as_f64().unwrap();
        assert!((2.7..8.9).contains(&visibility), "{line}");
        if !line["instead_of"].is_null() {
            assert_eq!(line["instead_of"]["mechanism"], "plastic-warpage", "{line}");
            assert_eq!(line["mechanism"], "pitting-loss", "{line}");
            assert!(line["instead_of"]["reason"].as_str().unwrap().contains("visib"), "{line}");
            replaced += 1;
        }
    }
    assert!((2..16).contains(&replaced), "{replaced} of {}", lines.len());
    // Each is made again, to the last bit, from its own record.
    assert_eq!(json(&run(maphc2f("verify").arg("--data").arg(&out)))["whole"], true);
    let index = lines.iter().position(|line| !line["instead_of"].is_null()).unwrap();
    let mut replay = maphc2f("replay");
    replay.arg("--data").arg(&out).arg("--normals").arg(product("felt")).args(["--index", &index.to_string()]);
    assert_eq!(json(&run(&mut replay))["equal"], true);
}

#[test]
fn auto_names_the_materials_that_the_surface_looks_like() {
    let folder = tempfile::tempdir().unwrap();
    for (name, expected) in [("wood", "wood,matte,leather"), ("circuit_board", "circuit-board,painted,matte")] {
        let out = folder.path().join(name);
        let mut command = maphc2f("synth");
        command.arg("--normals").arg(product(name)).arg("--out").arg(&out);
        command.args(["--count", "2", "--side", "160", "--mechanisms", "cutpaste", "--materials", "auto"]);
        let output = run(&mut command);
        assert!(stderr(&output).contains(&format!("auto chose {expected} (saturation ")), "{}", stderr(&output));
        let written: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(out.join("run.json")).unwrap()).unwrap();
        assert!(written.to_string().contains(expected), "{written}");
    }
}
