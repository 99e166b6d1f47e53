//! `--place` and `--regions` of `synth`, `preview`, `replay` and recipes, as processes.
#![allow(clippy::unwrap_used)] // a test may panic

mod factory_common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use factory_common::{json, manifest, maphc2f, run, stderr, synth, tree};
use image::{GrayImage, Luma, Rgb, RgbImage};

const SIDE: u32 = 128;
/// A disc on a ground: center (row and column) and radius, px.
const DISC: (f64, f64) = (64.0, 50.0);

fn far(x: u32, y: u32) -> f64 {
    (f64::from(y) - DISC.0).hypot(f64::from(x) - DISC.0)
}

/// Photos of a disc, with some grain.
fn discs(folder: &Path) -> PathBuf {
    let normals = folder.join("normals");
    fs::create_dir_all(&normals).unwrap();
    for k in 0..3u32 {
        let photo = RgbImage::from_fn(SIDE, SIDE, |x, y| {
            let grain = ((x * 7 + y * 13 + (x * y) % 11 + 5 * k) % 9) as u8;
            Rgb([if far(x, y) < DISC.1 { 140 } else { 60 } + grain; 3])
        });
        photo.save(normals.join(format!("{k}.png"))).unwrap();
    }
    normals
}

/// Textures, on which no object is found.
fn textures(folder: &Path) -> PathBuf {
    let normals = folder.join("textures");
    fs::create_dir_all(&normals).unwrap();
    (0..3).for_each(|k| factory_common::texture(k).save(normals.join(format!("{k}.png"))).unwrap());
    normals
}

fn white(file: &Path, inside: impl Fn(u32, u32) -> bool) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    GrayImage::from_fn(SIDE, SIDE, |x, y| Luma([if inside(x, y) { 255 } else { 0 }])).save(file).unwrap();
}

/// White pixels of the masks of a run, one list a sample.
fn marked(out: &Path) -> Vec<Vec<(u32, u32)>> {
    let mut found = Vec::new();
    for kind in fs::read_dir(out.join("mvtec/ground_truth")).unwrap() {
        for file in fs::read_dir(kind.unwrap().path()).unwrap() {
            let mask = image::open(file.unwrap().path()).unwrap().to_luma8();
            found.push(mask.enumerate_pixels().filter(|(_, _, v)| v.0[0] > 0).map(|(x, y, _)| (x, y)).collect());
        }
    }
    found
}

/// Runs a command that must be refused; what it says.
fn refused(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{command:?}: {output:?}");
    stderr(&output)
}

fn replay(data: &Path, normals: &Path, index: u64) -> Command {
    let mut command = maphc2f("replay");
    command.arg("--data").arg(data).arg("--normals").arg(normals).args(["--index", &index.to_string()]);
    command
}

#[test]
fn defects_lie_at_the_place_and_replay_to_the_last_bit() {
    let folder = tempfile::tempdir().unwrap();
    let normals = discs(folder.path());
    for place in ["inside", "edge"] {
        let out = folder.path().join(place);
        let made = json(&run(synth(&normals, &out, 24).args(["--place", place])));
        assert_eq!(made["images"], 24, "{made}");
        let lines = manifest(&out);
        assert!(lines.iter().all(|line| line["place"] == place), "{:?}", lines[0]);
        assert!(lines.iter().all(|line| line["region"] == "estimated-foreground"));
        for pixels in marked(&out) {
            let radii = pixels.iter().map(|&(x, y)| far(x, y));
            let most = radii.fold(0.0, f64::max);
            if place == "inside" {
                assert!(most < DISC.1 - 0.5, "{most} touches the outline");
            } else {
                // The edge is 3 px wide here, and the mask comes within 5 px of it.
                assert!(most > DISC.1 - 9.0, "{most} is far from the outline");
            }
        }
        run(maphc2f("verify").arg("--data").arg(&out));
        for index in [0, 11, 23] {
            assert_eq!(json(&run(&mut replay(&out, &normals, index)))["equal"], true);
        }
        // In shards and in another place of the file the bytes are the same; at another place it is another run.
        let parts = folder.path().join(format!("{place}-parts"));
        for part in ["1/2", "0/2"] {
            run(synth(&normals, &parts, 24).args(["--place", place, "--shard", part, "--resume"]));
        }
        assert_eq!(tree(&parts), tree(&out));
        let said = refused(synth(&normals, &out, 24).arg("--resume"));
        assert!(said.contains(&format!("place {place} instead of anywhere")), "{said}");
        let sheet = folder.path().join(format!("{place}.png"));
        run(maphc2f("preview")
            .arg("--normals")
            .arg(&normals)
            .arg("--out")
            .arg(&sheet)
            .args(["--count", "3", "--place", place]));
        assert!(sheet.is_file());
    }
    // What is not asked for leaves no trace.
    let out = folder.path().join("anywhere");
    run(synth(&normals, &out, 4).args(["--place", "anywhere"]));
    assert!(manifest(&out).iter().all(|line| line["place"].is_null() && line["painted_sha256"].is_null()));
    assert!(!fs::read_to_string(out.join("run.json")).unwrap().contains("place"));
}

#[test]
fn pieces_broken_off_are_drawn_at_the_edge_and_give_way_inside() {
    let folder = tempfile::tempdir().unwrap();
    let normals = discs(folder.path());
    let out = folder.path().join("out");
    let said = refused(synth(&normals, &out, 4).args(["--mechanisms", "edge-loss", "--place", "inside"]));
    assert!(said.contains("place") && said.contains("broken off the edge"), "{said}");
    assert!(!out.exists(), "nothing may be written");
    let mixed = ["--mechanisms", "edge-loss,pitting-loss", "--place", "inside"];
    assert_eq!(json(&run(synth(&normals, &out, 12).args(mixed)))["images"], 12);
    let lines = manifest(&out);
    assert!(lines.iter().all(|line| line["mechanism"] == "pitting-loss"));
    assert!(lines.iter().any(|line| line["instead_of"]["mechanism"] == "edge-loss"), "{lines:?}");
    let (edge, free) = (folder.path().join("edge"), folder.path().join("free"));
    run(synth(&normals, &edge, 6).args(["--mechanisms", "edge-loss", "--place", "edge"]));
    run(synth(&normals, &free, 6).args(["--mechanisms", "edge-loss"]));
    let images = |out: &Path| manifest(out).iter().map(|l| l["image_sha256"].clone()).collect::<Vec<_>>();
    assert_eq!(images(&edge), images(&free), "the edge is where they are anyway");
}

#[test]
fn a_product_that_fills_the_frame_has_no_edge() {
    let folder = tempfile::tempdir().unwrap();
    let (normals, out) = (textures(folder.path()), folder.path().join("out"));
    let said = refused(synth(&normals, &out, 4).args(["--place", "edge"]));
    assert!(said.contains("0.png") && said.contains("fills the frame") && said.contains("give a mask"), "{said}");
    assert!(!out.exists(), "nothing may be written");
    assert_eq!(json(&run(synth(&normals, &out, 4).args(["--place", "inside"])))["images"], 4);
    let said = refused(synth(&normals, &out, 4).args(["--place", "rim"]));
    assert!(said.contains("anywhere, inside or edge"), "{said}");
}

#[test]
fn painted_regions_bound_where_defects_start() {
    let folder = tempfile::tempdir().unwrap();
    let normals = discs(folder.path());
    let (each, all) = (folder.path().join("each"), folder.path().join("all"));
    let painted = |x: u32, y: u32| x < 64 && y < 64;
    for k in 0..3 {
        white(&each.join(format!("{k}_mask.png")), painted);
    }
    white(&all.join("all.png"), painted);
    let made = |name: &str, regions: &Path| {
        let out = folder.path().join(name);
        assert_eq!(json(&run(synth(&normals, &out, 16).arg("--regions").arg(regions)))["images"], 16);
        out
    };
    let (a, b, c) = (made("a", &each), made("b", &all), made("c", &all.join("all.png")));
    // The three ways say the same.
    let images = |out: &Path| manifest(out).iter().map(|l| l["image_sha256"].clone()).collect::<Vec<_>>();
    assert_eq!(images(&a), images(&b));
    assert_eq!(tree(&b), tree(&c));
    for pixels in marked(&a) {
        let away = |&(x, y): &(u32, u32)| f64::from(x.saturating_sub(63)).hypot(f64::from(y.saturating_sub(63)));
        assert!(pixels.iter().map(away).fold(f64::INFINITY, f64::min) <= 5.0, "{pixels:?}");
        assert!(pixels.iter().all(|&(x, y)| far(x, y) < DISC.1 + 2.0), "beside the product");
    }
    let lines = manifest(&a);
    // The foreground is the product's all the same, and the file is known again.
    assert!(lines.iter().all(|line| line["region"] == "estimated-foreground"));
    assert!(lines.iter().all(|line| line["painted_sha256"].as_str().is_some_and(|hash| hash.len() == 64)));
    run(maphc2f("verify").arg("--data").arg(&a));
    for index in [0, 15] {
        assert_eq!(json(&run(replay(&a, &normals, index).arg("--regions").arg(&all)))["equal"], true);
    }
    assert!(refused(&mut replay(&a, &normals, 0)).contains("name the regions"));
    let said = refused(synth(&normals, &a, 16).arg("--resume"));
    assert!(said.contains("regions given instead of none"), "{said}");
    white(&all.join("all.png"), |x, y| x < 64 && y < 60);
    let other = replay(&a, &normals, 0).arg("--regions").arg(&all).output().unwrap();
    assert_eq!((other.status.code(), json(&other)["differing"][0].as_str()), (Some(1), Some("painted region")));
    let said = refused(synth(&normals, &b, 16).arg("--resume").arg("--regions").arg(&all));
    assert!(said.contains("replaced: 0.png"), "{said}");
    // Beside a place both hold.
    let both = folder.path().join("both");
    run(synth(&normals, &both, 6).args(["--place", "inside"]).arg("--regions").arg(&all));
    for pixels in marked(&both) {
        assert!(pixels.iter().any(|&(x, y)| x < 64 && y < 60) && pixels.iter().all(|&(x, y)| far(x, y) < DISC.1 - 0.5));
    }
    let sheet = folder.path().join("sheet.png");
    let mut preview = maphc2f("preview");
    run(preview
        .arg("--normals")
        .arg(&normals)
        .arg("--out")
        .arg(&sheet)
        .args(["--count", "2"])
        .arg("--regions")
        .arg(&all));
}

#[test]
fn regions_that_miss_the_product_are_refused_with_the_photo() {
    let folder = tempfile::tempdir().unwrap();
    let normals = discs(folder.path());
    let (regions, out) = (folder.path().join("regions"), folder.path().join("out"));
    let with = |path: &Path| {
        let mut command = synth(&normals, &out, 6);
        command.arg("--regions").arg(path);
        command
    };
    assert!(refused(&mut with(&folder.path().join("nowhere"))).contains("no such folder"));
    white(&regions.join("all.png"), |x, y| x < 8 && y < 8);
    let said = refused(&mut with(&regions));
    for word in ["0.png", "all.png", "holds no pixel of the object", "paint it"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    fs::remove_file(regions.join("all.png")).unwrap();
    white(&regions.join("1.png"), |_, _| true);
    GrayImage::from_pixel(50, 40, Luma([255])).save(regions.join("0.png")).unwrap();
    assert!(!out.exists(), "nothing may be written");
    // One that fits is enough to begin; the others are named, and what is lacking counts.
    let output = with(&regions).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(json(&output)["unusable_photos"], 2);
    let said = stderr(&output);
    assert!(said.contains("0.png: mask of 50x40") && said.contains("2_mask.png: no such mask"), "{said}");
}

#[test]
fn a_recipe_says_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data/mvtec/bottle/train");
    fs::create_dir_all(&root).unwrap();
    fs::rename(discs(folder.path()), root.join("good")).unwrap();
    let recipe = folder.path().join("recipe.toml");
    fs::write(&recipe, "seed = 1\nplace = \"edge\"\n[mvtec]\nbottle = 5\n").unwrap();
    let out = folder.path().join("out");
    let mut command = maphc2f("synth");
    command.arg("--recipe").arg(&recipe).arg("--data").arg(folder.path().join("data")).arg("--out").arg(&out);
    run(&mut command);
    let lines = manifest(&out.join("mvtec/bottle"));
    assert!(lines.len() == 5 && lines.iter().all(|line| line["place"] == "edge"));
    fs::write(&recipe, "place = \"rim\"\n[mvtec]\nbottle = 5\n").unwrap();
    let said = refused(&mut command);
    assert!(said.contains("recipe.toml") && said.contains("rim"), "{said}");
}

#[test]
fn sets_and_masks_that_show_no_product_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let said = refused(&mut synth(&empty, &out, 4));
    assert!(said.contains("holds no photo"), "{said}");
    let gray = folder.path().join("gray");
    fs::create_dir(&gray).unwrap();
    (0..3).for_each(|k| RgbImage::from_pixel(64, 64, Rgb([128; 3])).save(gray.join(format!("{k}.png"))).unwrap());
    let said = refused(&mut synth(&gray, &out, 4));
    assert!(said.contains("0.png") && said.contains("one color") && said.contains("give masks"), "{said}");
    let (normals, masks) = (discs(folder.path()), folder.path().join("masks"));
    (0..3).for_each(|k| white(&masks.join(format!("{k}.png")), |_, _| false));
    let said = refused(synth(&normals, &out, 4).arg("--masks").arg(&masks));
    assert!(said.contains("0.png") && said.contains("at least one true pixel"), "{said}");
    let said = refused(synth(&normals, &out, 4).args(["--visibility", "900..1000"]));
    assert!(said.contains("visibility") && said.contains("[0.2, 100]"), "{said}");
    assert!(!out.exists(), "nothing may be written");
    // Beside the object that would be found a mask says where the product is all the same.
    (0..3).for_each(|k| white(&masks.join(format!("{k}.png")), |_, y| y < 12));
    let output = synth(&normals, &out, 6).arg("--masks").arg(&masks).output().unwrap();
    assert!(json(&output)["images"].as_u64().is_some_and(|n| n > 0), "{output:?}");
    let made = marked(&out).concat();
    assert!(!made.is_empty() && made.iter().all(|&(_, y)| y < 12), "{made:?}");
    // What no defect reaches is said of each sample: no two pixels differ by a hundred thresholds of this surface.
    let faint = folder.path().join("faint");
    let output = synth(&normals, &faint, 3).args(["--visibility", "95..100"]).output().unwrap();
    assert_eq!((output.status.code(), json(&output)["images"].as_u64()), (Some(3), Some(0)), "{output:?}");
    let lines = manifest(&faint);
    let reach = |line: &serde_json::Value| line["failed"].as_str().is_some_and(|said| said.contains("out of reach"));
    assert!(lines.iter().all(reach), "{lines:?}");
}
