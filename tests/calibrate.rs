//! `maphc2f calibrate`, and `synth`, `preview` and `replay` with what it writes, as processes.
#![allow(clippy::unwrap_used)] // a test may panic

mod factory_common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use factory_common::{json, manifest, maphc2f, run, stderr};
use image::{GrayImage, Luma};
use maphc2f::factory::Plant;
use maphc2f::imgkit::convert::to_rgb_image;
use maphc2f::physdefect::appearance::{Appearance, Material};
use maphc2f::physdefect::registry::Registry;
use maphc2f::physdefect::{Domain, MechanismKind, SampleKey};
use ndarray::Array3;

const SIDE: usize = 160;

/// An even surface with a fine grain, another one for each seed.
fn surface(seed: usize) -> Array3<f32> {
    Array3::from_shape_fn((SIDE, SIDE, 3), |(y, x, _)| {
        0.52 + ((x * 7 + y * 13 + (x * y) % 11 + seed * 5) % 17) as f32 / 500.0
    })
}

fn png(folder: &Path, name: &str, photo: &Array3<f32>) {
    fs::create_dir_all(folder).unwrap();
    to_rgb_image(photo.view()).save(folder.join(name)).unwrap();
}

fn mask_png(folder: &Path, name: &str, inside: impl Fn(u32, u32) -> bool) {
    fs::create_dir_all(folder).unwrap();
    let side = SIDE as u32;
    GrayImage::from_fn(side, side, |x, y| Luma([if inside(x, y) { 255 } else { 0 }])).save(folder.join(name)).unwrap();
}

/// Photos with drawn defects of a mechanism and their masks.
fn draw(mechanism: &str, photos: &Path, masks: &Path, count: u64) {
    let entry = Registry::standard().by_name(mechanism).unwrap();
    let synthesizer = entry.synthesizer(Appearance::new(Material::MATTE), (0.3, 1.0)).unwrap();
    let domain = Domain::full(SIDE, SIDE).unwrap();
    let mut made = 0;
    for index in 0..40 {
        let photo = surface(index as usize);
        let Ok(sample) = synthesizer.synthesize(photo.view(), &domain, SampleKey { seed: 4, index }) else { continue };
        png(photos, &format!("{made}.png"), &sample.paste(photo.view()).unwrap());
        let mask = sample.full_mask(SIDE, SIDE).unwrap();
        mask_png(masks, &format!("{made}_mask.png"), |x, y| mask[[y as usize, x as usize]]);
        made += 1;
        if made == count {
            return;
        }
    }
    panic!("{mechanism}: {made} of {count}");
}

fn normals(folder: &Path) -> PathBuf {
    let root = folder.join("normals");
    (0..3).for_each(|i| png(&root, &format!("{i}.png"), &surface(100 + i)));
    root
}

fn calibrate(defects: &Path, out: &Path) -> Command {
    let mut command = maphc2f("calibrate");
    command.arg("--defects").arg(defects).arg("--out").arg(out);
    command
}

/// Runs a command that must be refused; what it says.
fn refused(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{command:?}: {output:?}");
    stderr(&output)
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[test]
fn a_plant_is_measured_drawn_and_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let (root, out) = (folder.path().join("part"), folder.path().join("plant.toml"));
    for (kind, mechanism, count) in [("split", "fracture-line", 5), ("scar", "abrasion", 4)] {
        draw(mechanism, &root.join("test").join(kind), &root.join("ground_truth").join(kind), count);
    }
    fs::create_dir_all(root.join("test/good")).unwrap();
    png(&root.join("test/good"), "0.png", &surface(50));
    let good = normals(folder.path());
    let sheet = folder.path().join("sheet.png");
    let done = run(calibrate(&root, &out).arg("--normals").arg(&good).arg("--sheet").arg(&sheet));
    let said = json(&done);
    let kinds = said["kinds"].as_array().unwrap();
    assert_eq!(kinds.len(), 2, "{said}");
    assert_eq!((&kinds[0]["name"], &kinds[0]["looks_like"]), (&"scar".into(), &"abrasion".into()), "{said}");
    assert_eq!((&kinds[1]["name"], &kinds[1]["looks_like"]), (&"split".into(), &"fracture-line".into()), "{said}");
    assert!(stderr(&done).contains("only 4 photos"), "{}", stderr(&done));
    let size = image::open(&sheet).unwrap();
    assert!(size.width() > 4 * 160 && size.height() > 4 * 160, "{} {}", size.width(), size.height());

    // The file is one for people, and reads back to what it says.
    let plant = Plant::read(&out).unwrap();
    assert_eq!(plant.kinds().iter().map(|k| k.name()).collect::<Vec<_>>(), ["scar", "split"]);
    assert!((plant.kinds()[1].frequency() - 5.0 / 9.0).abs() < 1e-3);
    assert_eq!(plant.kinds()[1].calibration().mechanism, MechanismKind::FractureLine);
    let text = fs::read_to_string(&out).unwrap();
    assert!(text.starts_with('#') && text.contains("# just noticeable contrasts"), "{text}");
    assert_eq!(Plant::read(&out).unwrap().to_toml(), text, "written again it is the same");

    // Its kinds are the classes of a data set, which replays to the last bit.
    let data = folder.path().join("data");
    let synth = || {
        let mut command = maphc2f("synth");
        command.arg("--normals").arg(&good).arg("--out").arg(&data).arg("--calibration").arg(&out);
        command.args(["--count", "8", "--seed", "2", "--format", "mvtec,coco"]);
        command
    };
    let made = json(&run(&mut synth()));
    assert_eq!(made["images"], 8, "{made}");
    let lines = manifest(&data);
    let named = |name: &str| lines.iter().filter(|line| line["mechanism"] == name).count();
    assert!(named("split") + named("scar") == 8 && named("split") > 0 && named("scar") > 0, "{lines:?}");
    assert!(lines.iter().all(|line| line["model"]["calibration"].is_object() && line["visibility"].is_number()));
    assert!(data.join("mvtec/ground_truth/split").is_dir());
    run(maphc2f("verify").arg("--data").arg(&data));
    for index in ["0", "7"] {
        run(maphc2f("replay").arg("--data").arg(&data).args(["--index", index]).arg("--normals").arg(&good));
    }
    // The run is its own only with the same priors.
    fs::write(&out, text.replacen("frequency = ", "frequency = 1", 1)).unwrap();
    assert!(refused(synth().arg("--resume")).contains("calibration"));

    let drawn = folder.path().join("preview.png");
    let mut preview = maphc2f("preview");
    preview.arg("--normals").arg(&good).arg("--out").arg(&drawn).args(["--count", "4"]);
    run(preview.arg("--calibration").arg(&out));
    assert!(drawn.is_file());
    let mut both = synth();
    assert!(refused(both.args(["--mechanisms", "cutpaste"])).contains("cannot be used with"));
}

#[test]
fn masks_beside_photos_and_in_folders_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let beside = folder.path().join("beside");
    draw("fracture-line", &beside, &beside, 3);
    let below = folder.path().join("kinds");
    draw("fracture-line", &below.join("split"), &below.join("split/masks"), 3);
    for (root, kind) in [(&beside, "beside"), (&below, "split")] {
        // A photo without a mask is left out and counted.
        png(&if kind == "split" { root.join(kind) } else { root.clone() }, "9.png", &surface(9));
        let out = folder.path().join(format!("{kind}.toml"));
        let said = json(&run(&mut calibrate(root, &out)));
        assert_eq!((&said["kinds"][0]["name"], &said["kinds"][0]["photos"]), (&kind.into(), &3.into()), "{said}");
        assert_eq!(said["kinds"][0]["unmarked"], 1, "{said}");
    }
}

#[test]
fn bad_masks_are_refused_with_the_photo() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("plant.toml");
    let fresh = |name: &str, count: u64| {
        let root = folder.path().join(name);
        draw("fracture-line", &root, &root, count);
        root
    };
    assert!(refused(&mut calibrate(&folder.path().join("nowhere"), &out)).contains("no such folder"));
    let root = folder.path().join("unmarked");
    png(&root, "0.png", &surface(0));
    assert!(refused(&mut calibrate(&root, &out)).contains("no photo has a mask"));
    assert!(refused(&mut calibrate(&fresh("two", 2), &out)).contains("at least 3 images"));
    for (name, what, inside) in [("empty", "marks no part", 0u32), ("whole", "leaves no surround", 1000)] {
        let root = fresh(name, 3);
        mask_png(&root, "1_mask.png", |x, _| x < inside);
        let said = refused(&mut calibrate(&root, &out));
        assert!(said.contains("1.png") && said.contains(what), "{said}");
    }
    let root = fresh("size", 3);
    GrayImage::from_pixel(50, 40, Luma([255])).save(root.join("2_mask.png")).unwrap();
    let said = refused(&mut calibrate(&root, &out));
    assert!(said.contains("2_mask.png") && said.contains("50 x 40") && said.contains("160 x 160"), "{said}");
    let root = fresh("broken", 3);
    fs::write(root.join("0_mask.png"), b"no image").unwrap();
    assert!(refused(&mut calibrate(&root, &out)).contains("0_mask.png"));
    let root = fresh("named", 3);
    let said = refused(calibrate(&root, &out).args(["--mechanism", "other=abrasion"]));
    assert!(said.contains("other") && said.contains("named"), "{said}");
    assert!(refused(calibrate(&root, &out).args(["--mechanism", "named=fracture"])).contains("fracture-line"));
    assert!(refused(calibrate(&root, &out).args(["--mechanism", "named=cutpaste"])).contains("cannot be calibrated"));
    assert!(refused(calibrate(&root, &out).args(["--mechanism", "named"])).contains("KIND=NAME"));
    assert!(!out.exists());
}

#[test]
fn tiny_defects_are_refused_or_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("plant.toml");
    let root = folder.path().join("tiny");
    draw("fracture-line", &root, &root, 5);
    let dot = |k: u32| mask_png(&root, &format!("{k}_mask.png"), |x, y| x / 3 == 10 + k && y / 2 == 20 + 5 * k);
    // Six pixels of one among others say nothing and are left out; of all, they are refused.
    dot(1);
    let output = run(&mut calibrate(&root, &out));
    assert_eq!(json(&output)["kinds"][0]["tiny"], 1, "{output:?}");
    assert_eq!(json(&output)["kinds"][0]["photos"], 4, "{output:?}");
    let said = stderr(&output);
    assert!(said.contains("1 photos are left out") && said.contains("1.png"), "{said}");
    fs::remove_file(&out).unwrap();
    (0..5).for_each(dot);
    let said = refused(&mut calibrate(&root, &out));
    assert!(
        said.contains("0.png") && said.contains("6 px, at least 10") && said.contains("higher resolution"),
        "{said}"
    );
    assert!(!out.exists(), "nothing may be written");
}

#[test]
fn a_photo_or_a_mask_given_twice_is_refused_with_both_names() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("plant.toml");
    for what in ["photo", "mask"] {
        let root = folder.path().join(what);
        draw("fracture-line", &root, &root, 4);
        let name = |k: u32| if what == "photo" { format!("{k}.png") } else { format!("{k}_mask.png") };
        // Read and written again, the file has other bytes and the same pixels.
        image::open(root.join(name(1))).unwrap().to_rgb8().save(root.join(name(3))).unwrap();
        let said = refused(&mut calibrate(&root, &out));
        assert!(
            said.contains("1.png") && said.contains("3.png") && said.contains(&format!("the same {what}")),
            "{said}"
        );
        assert!(said.contains("remove one"), "{said}");
    }
    assert!(!out.exists(), "nothing may be written");
}

/// What no mechanism draws is left out, unless a mechanism is named.
#[test]
fn what_fits_none_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("combs");
    for i in 0..4u32 {
        png(&root, &format!("{i}.png"), &surface(i as usize));
        mask_png(&root, &format!("{i}_mask.png"), |x, y| {
            (30..120).contains(&y) && (40..100 + 10 * i).contains(&x) && (y % 4 == 0 || x == 40)
        });
    }
    let out = folder.path().join("plant.toml");
    let said = refused(&mut calibrate(&root, &out));
    assert!(said.contains("no mechanism fits") && said.contains("--mechanism"), "{said}");
    let output = calibrate(&root, &out).args(["--mechanism", "combs=surface-unevenness"]).output().unwrap();
    assert_eq!(code(&output), 0, "{output:?}");
    assert!(stderr(&output).contains("looks otherwise"), "{}", stderr(&output));
}

#[test]
fn damaged_files_of_priors_are_refused_with_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let (root, out) = (folder.path().join("split"), folder.path().join("plant.toml"));
    draw("fracture-line", &root, &root, 4);
    run(&mut calibrate(&root, &out));
    let (text, good) = (fs::read_to_string(&out).unwrap(), normals(folder.path()));
    let bad = folder.path().join("bad.toml");
    let with = |file: &Path| {
        let mut command = maphc2f("preview");
        command.arg("--normals").arg(&good).arg("--out").arg(folder.path().join("p.png")).args(["--count", "1"]);
        command.arg("--calibration").arg(file);
        command
    };
    for (from, to, what) in [
        ("version = 1", "version = 7", "version 7"),
        ("[[kind]]", "[[kin]]", "kin"),
        ("mechanism = \"fracture-line\"", "mechanism = \"fracture\"", "fracture-line"),
        ("mechanism = \"fracture-line\"", "mechanism = \"cutpaste\"", "cannot be calibrated"),
        ("name = \"split\"", "name = \"../split\"", "one folder's name"),
        ("size = { median = ", "size = { median = -", "size"),
        ("seen = ", "seen = 7", "seen"),
        ("darker = { value = ", "darker = { value = 5", "darker"),
        ("frequency = 1.0", "frequency = 0.0", "weight"),
        ("count = { mean = ", "count = { mean = 1e3, meen = ", "meen"),
    ] {
        assert!(text.contains(from), "{from}");
        fs::write(&bad, text.replacen(from, to, 1)).unwrap();
        let said = refused(&mut with(&bad));
        assert!(said.contains("bad.toml") && said.contains(what), "{to}: {said}");
    }
    fs::write(&bad, "not toml at all [").unwrap();
    assert!(refused(&mut with(&bad)).contains("bad.toml"));
    assert!(refused(&mut with(&folder.path().join("none.toml"))).contains("none.toml"));
}

#[test]
fn a_mix_is_learned_from_marked_defects_and_synth_takes_it() {
    let folder = tempfile::tempdir().unwrap();
    let defects = folder.path().join("defects");
    draw("pitting-loss", &defects.join("pits"), &defects.join("pits"), 5);
    let normals = normals(folder.path());
    let output =
        run(calibrate(&defects, &folder.path().join("plant.toml")).arg("--normals").arg(&normals).arg("--mix"));
    let mix = json(&output)["mix"].clone();
    let text = mix["mechanisms"].as_str().unwrap();
    assert!(text.contains("fracture-line=") && text.contains("pitting-loss="), "{text}");
    assert!(mix["loss"][1].as_f64() < mix["loss"][0].as_f64(), "{mix}");
    let out = folder.path().join("out");
    let mut synth = maphc2f("synth");
    synth.arg("--normals").arg(&normals).arg("--out").arg(&out).args(["--count", "4", "--mechanisms", text]);
    run(&mut synth);
    assert_eq!(manifest(&out).len(), 4);

    let alone = calibrate(&defects, &folder.path().join("other.toml")).arg("--mix").output().unwrap();
    assert!(!alone.status.success() && stderr(&alone).contains("--normals"), "{}", stderr(&alone));
}
