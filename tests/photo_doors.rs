//! Photos that are not plain, at every door of the program.
#![allow(clippy::unwrap_used)] // a test may panic

mod factory_common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use factory_common::{damaged, json, maphc2f, run, stderr, texture, tree};
use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};

fn normals(folder: &Path, count: u32) -> PathBuf {
    let normals = folder.join("normals");
    fs::create_dir_all(&normals).unwrap();
    (0..count).for_each(|i| texture(i).save(normals.join(format!("{i}.png"))).unwrap());
    normals
}

/// A detector of one round, trained once for all tests.
fn detector() -> &'static Path {
    static DETECTOR: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = DETECTOR.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("model");
        run(train(&normals(folder.path(), 8), &out).args(["--seed", "3"]));
        (folder, out.join("detector.safetensors"))
    });
    path
}

fn train(normals: &Path, out: &Path) -> Command {
    let mut command = maphc2f("train");
    command.arg("--normals").arg(normals).arg("--out").arg(out);
    command
}

fn inspect(images: &Path, out: &Path) -> Command {
    let mut command = maphc2f("inspect");
    command.arg("--model").arg(detector()).arg("--images").arg(images).arg("--out").arg(out);
    command
}

fn synth(normals: &Path, out: &Path) -> Command {
    let mut command = maphc2f("synth");
    command.arg("--normals").arg(normals).arg("--out").arg(out).args(["--count", "6", "--seed", "1"]);
    command
}

fn preview(normals: &Path, out: &Path) -> Command {
    let mut command = maphc2f("preview");
    command.arg("--normals").arg(normals).arg("--out").arg(out).args(["--count", "4", "--seed", "1"]);
    command
}

fn rows(out: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(out.join("scores.csv")).unwrap();
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn jpeg(image: &RgbImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
    bytes.into_inner()
}

#[test]
fn a_cut_photo_is_named_at_every_door_and_counted_as_no_photo() {
    let folder = tempfile::tempdir().unwrap();
    let normals = normals(folder.path(), 3);
    let bytes = jpeg(&texture(9));
    fs::write(normals.join("9.jpg"), &bytes[..bytes.len() * 4 / 5]).unwrap();
    let out = |name: &str| folder.path().join(name);
    let cases = [
        (synth(&normals, &out("synth")), 3),
        (preview(&normals, &out("sheet.png")), 3),
        (inspect(&normals, &out("seen")), 3),
        (train(&normals, &out("model")), 2),
    ];
    for (mut command, code) in cases {
        if code == 3 && command.get_args().any(|arg| arg == "inspect") {
            command.args(["--threshold", "1e9"]);
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{command:?}: {output:?}");
        assert!(stderr(&output).contains("9.jpg") && stderr(&output).contains("cannot be decoded"), "{output:?}");
        let written = out("refused");
        for strict in [synth(&normals, &written), inspect(&normals, &written)].iter_mut() {
            let output = strict.arg("--strict").output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{output:?}");
            assert!(!written.exists(), "nothing may be written");
        }
    }
    let set = folder.path().join("set");
    for sub in ["train/good", "test/good", "test/spot", "ground_truth/spot"] {
        fs::create_dir_all(set.join(sub)).unwrap();
    }
    for i in 0..2 {
        texture(i).save(set.join(format!("train/good/{i}.png"))).unwrap();
        texture(i).save(set.join(format!("test/good/{i}.png"))).unwrap();
    }
    fs::copy(normals.join("9.jpg"), set.join("test/spot/9.jpg")).unwrap();
    let stripe = GrayImage::from_fn(64, 64, |x, _| Luma([if x < 9 { 255 } else { 0 }]));
    stripe.save(set.join("ground_truth/spot/9.png")).unwrap();
    let output = maphc2f("verify").arg("--data").arg(&set).args(["--layout", "mvtec"]).output().unwrap();
    assert_eq!((output.status.code(), json(&output)["faults"].as_u64()), (Some(1), Some(1)), "{output:?}");
    let mut evaluate = maphc2f("evaluate");
    let output = evaluate.arg("--model").arg(detector()).arg("--data").arg(&set).output().unwrap();
    assert!(output.status.code() == Some(2) && stderr(&output).contains("9.jpg"), "{output:?}");
}

#[test]
fn every_ending_is_looked_at_and_what_is_not_is_named_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    texture(40).save(images.join("good.png")).unwrap();
    let defect = DynamicImage::from(damaged(41));
    use ImageFormat::{Bmp, Jpeg, Png};
    for (name, format) in [("a.jfif", Jpeg), ("b.jpe", Jpeg), ("c.dib", Bmp), ("d.PNG", Png)] {
        defect.save_with_format(images.join(name), format).unwrap();
    }
    let mut tiff = std::io::Cursor::new(Vec::new());
    let mut pixels = Vec::new();
    damaged(42).pixels().for_each(|p| pixels.extend_from_slice(&p.0));
    tiff_rgb(&mut tiff, &pixels);
    fs::write(images.join("e.tif"), tiff.into_inner()).unwrap();
    let out = folder.path().join("seen");
    let output = inspect(&images, &out).output().unwrap();
    assert_eq!((output.status.code(), json(&output)["images"].as_u64()), (Some(1), Some(6)), "{output:?}");
    let found = rows(&out);
    assert_eq!(found.len(), 6);
    assert!(found.iter().all(|row| (row[3] == "1") == (row[0] != "good.png")), "{found:?}");

    // the same folder with what is not read: named, counted, in the table, exit code 3 where nothing is anomalous
    fs::write(images.join("f.webp"), "RIFF....WEBPVP8 ").unwrap();
    fs::write(images.join("g.heic"), "").unwrap();
    let output = inspect(&images, &out).args(["--threshold", "1e9"]).output().unwrap();
    assert_eq!((output.status.code(), json(&output)["not_read"].as_u64()), (Some(3), Some(2)), "{output:?}");
    assert!(stderr(&output).contains("f.webp") && stderr(&output).contains("g.heic"), "{output:?}");
    assert_eq!(rows(&out).iter().filter(|row| row[1].is_empty() && row[4].contains("save as")).count(), 2);
    assert!(!out.join("scores.csv.part").exists());
    // and for all that take good photos
    for mut command in [synth(&images, &folder.path().join("made")), preview(&images, &folder.path().join("s.png"))] {
        let output = command.output().unwrap();
        assert_eq!((output.status.code(), json(&output)["not_read"].as_u64()), (Some(3), Some(2)), "{output:?}");
        assert!(stderr(&output).contains("f.webp"), "{output:?}");
    }
    let output = train(&images, &folder.path().join("model")).output().unwrap();
    assert_eq!((output.status.code(), json(&output)["not_read"].as_u64()), (Some(3), Some(2)), "{output:?}");
    let none = folder.path().join("none");
    for mut command in [synth(&images, &none), preview(&images, &none), train(&images, &none), inspect(&images, &none)]
    {
        let output = command.arg("--strict").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{command:?} {output:?}");
        assert!(stderr(&output).contains("not read") && !none.exists(), "{command:?} {output:?}");
    }
}

/// A TIFF of 64 x 64 RGB without compression.
fn tiff_rgb(to: &mut impl std::io::Write, pixels: &[u8]) {
    let tags = [(256, 64), (257, 64), (258, 8), (259, 1), (262, 2), (273, 122), (277, 3), (278, 64), (279, 12288)];
    to.write_all(b"II*\0\x08\0\0\0\x09\0").unwrap();
    for (tag, value) in tags {
        let entry = [&u16::to_le_bytes(tag)[..], &[4, 0, 1, 0, 0, 0], &u32::to_le_bytes(value)].concat();
        to.write_all(&entry).unwrap();
    }
    to.write_all(&[0; 4]).unwrap();
    to.write_all(pixels).unwrap();
}

#[cfg(unix)]
#[test]
fn dotfiles_pipes_devices_and_dangling_links_stop_nothing_and_change_no_sample() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let normals = normals(folder.path(), 4);
    run(&mut synth(&normals, &folder.path().join("plain")));
    fs::write(normals.join("._0.png"), "resource fork").unwrap();
    run(&mut synth(&normals, &folder.path().join("dots")));
    assert_eq!(tree(&folder.path().join("plain")), tree(&folder.path().join("dots")));
    run(&mut preview(&normals, &folder.path().join("sheet.png")));
    run(inspect(&normals, &folder.path().join("seen")).args(["--threshold", "1e9"]));
    assert_eq!(json(&run(&mut train(&normals, &folder.path().join("model"))))["images"], 4);

    assert!(Command::new("mkfifo").arg(normals.join("0a.png")).status().unwrap().success());
    symlink("/dev/zero", normals.join("0b.png")).unwrap();
    symlink("nowhere", normals.join("0c.png")).unwrap();
    fs::create_dir(normals.join("0d.png")).unwrap();
    let mut commands = [
        synth(&normals, &folder.path().join("odd")),
        preview(&normals, &folder.path().join("sheet.png")),
        inspect(&normals, &folder.path().join("seen")),
        train(&normals, &folder.path().join("model")),
    ];
    commands[2].args(["--threshold", "1e9"]);
    for mut command in commands {
        let output = command.output().unwrap();
        assert_eq!((output.status.code(), json(&output)["not_read"].as_u64()), (Some(3), Some(3)), "{output:?}");
        assert!(["0a.png", "0b.png", "0c.png"].iter().all(|name| stderr(&output).contains(name)), "{output:?}");
    }
    assert_eq!(tree(&folder.path().join("plain")), tree(&folder.path().join("odd")));
}

#[test]
fn masks_beside_the_photos_are_their_masks_and_no_photos() {
    let folder = tempfile::tempdir().unwrap();
    let normals = normals(folder.path(), 2);
    let inside = |x: u32, y: u32| (12..52).contains(&x) && (12..52).contains(&y);
    let mask = GrayImage::from_fn(64, 64, |x, y| Luma([if inside(x, y) { 255 } else { 0 }]));
    (0..2).for_each(|i| mask.save(normals.join(format!("{i}_mask.png"))).unwrap());
    let out = folder.path().join("out");
    run(synth(&normals, &out).arg("--masks").arg(&normals));
    let manifest = fs::read_to_string(out.join("manifest/000000.jsonl")).unwrap();
    let sources: std::collections::BTreeSet<String> = manifest
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["source"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(sources.into_iter().collect::<Vec<_>>(), ["0.png", "1.png"]);
    let mut marked = 0;
    for (name, _) in tree(&out).iter().filter(|(name, _)| name.contains("ground_truth")) {
        let mask = image::open(out.join(name)).unwrap().into_luma8();
        for (x, y, _) in mask.enumerate_pixels().filter(|(.., p)| p.0[0] > 0) {
            assert!(inside(x, y), "{name}: {x}, {y}");
            marked += 1;
        }
    }
    assert!(marked > 0);
    // without its mask, a photo is not taken for it: neither itself nor its copy elsewhere
    fs::remove_file(normals.join("1_mask.png")).unwrap();
    let output = synth(&normals, &folder.path().join("one")).arg("--masks").arg(&normals).output().unwrap();
    assert_eq!((output.status.code(), json(&output)["failed"].as_u64()), (Some(3), Some(3)), "{output:?}");
    let copies = folder.path().join("copies");
    fs::create_dir(&copies).unwrap();
    for name in ["0.png", "1.png"] {
        fs::copy(normals.join(name), copies.join(name)).unwrap();
    }
    let output = synth(&normals, &folder.path().join("two")).arg("--masks").arg(&copies).output().unwrap();
    assert!(stderr(&output).contains("the photo itself"), "{output:?}");
}

#[test]
fn masks_and_photos_are_turned_alike() {
    let folder = tempfile::tempdir().unwrap();
    let normals = folder.path().join("normals");
    fs::create_dir(&normals).unwrap();
    // upright, the product is at 8..32; the file holds it turned by 180 degrees with EXIF orientation 3
    let inside = |x: u32, y: u32| (8..32).contains(&x) && (8..32).contains(&y);
    let product = texture(3);
    let upright = RgbImage::from_fn(64, 64, |x, y| if inside(x, y) { *product.get_pixel(x, y) } else { Rgb([20; 3]) });
    let stored = jpeg(&image::imageops::rotate180(&upright));
    let exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0";
    let app1 = [b"\xff\xe1".as_slice(), &(exif.len() as u16 + 2).to_be_bytes(), exif].concat();
    fs::write(normals.join("0.jpg"), [&stored[..2], &app1, &stored[2..]].concat()).unwrap();
    let masks = folder.path().join("masks");
    fs::create_dir(&masks).unwrap();
    let mask = GrayImage::from_fn(64, 64, |x, y| Luma([if inside(x, y) { 255 } else { 0 }]));
    mask.save(masks.join("0.png")).unwrap();
    let out = folder.path().join("out");
    run(synth(&normals, &out).arg("--masks").arg(&masks));
    let good = tree(&out).into_keys().find(|name| name.contains("train/good")).unwrap();
    let shown = image::open(out.join(good)).unwrap().into_rgb8();
    assert!(shown.get_pixel(20, 20).0[0] > 60 && shown.get_pixel(50, 50).0[0] < 60, "written upright");
    for name in tree(&out).into_keys().filter(|name| name.contains("ground_truth")) {
        let mask = image::open(out.join(&name)).unwrap().into_luma8();
        assert!(mask.enumerate_pixels().all(|(x, y, p)| p.0[0] == 0 || inside(x, y)), "{name}");
    }
}

#[test]
fn one_photo_of_too_many_pixels_ends_no_batch() {
    let folder = tempfile::tempdir().unwrap();
    let images = normals(folder.path(), 2);
    // 32 x 1 450 000 px in few bytes, and one that is small and long
    GrayImage::new(32, 1_450_000).save(images.join("tall.png")).unwrap();
    let out = folder.path().join("seen");
    let output = inspect(&images, &out).args(["--threshold", "1e9"]).output().unwrap();
    assert_eq!((output.status.code(), json(&output)["unreadable"].as_u64()), (Some(3), Some(1)), "{output:?}");
    let found = rows(&out);
    assert_eq!(found.iter().filter(|row| !row[1].is_empty()).count(), 2, "{found:?}");
    assert!(found.iter().any(|row| row[0] == "tall.png" && row[1].is_empty()), "{found:?}");
    let output = synth(&images, &folder.path().join("made")).output().unwrap();
    assert_eq!((output.status.code(), json(&output)["failed"].as_u64()), (Some(3), Some(2)), "{output:?}");
    let output = train(&images, &folder.path().join("model")).output().unwrap();
    assert!(output.status.code() == Some(2) && stderr(&output).contains("tall.png"), "{output:?}");
}

#[test]
fn a_heat_map_that_cannot_be_written_loses_no_score() {
    let folder = tempfile::tempdir().unwrap();
    let images = normals(folder.path(), 3);
    let out = folder.path().join("seen");
    fs::create_dir_all(out.join("heat/1.png.png/in the way")).unwrap();
    let output = inspect(&images, &out).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(rows(&out).iter().filter(|row| !row[1].is_empty()).count(), 3);
}

#[test]
fn no_heat_map_of_an_earlier_inspection_lies_beside_a_new_table() {
    let folder = tempfile::tempdir().unwrap();
    let (images, out) = (normals(folder.path(), 3), folder.path().join("seen"));
    let maps = || {
        let mut names: Vec<_> = fs::read_dir(out.join("heat")).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    run(inspect(&images, &out).args(["--threshold", "1e9"]));
    assert_eq!(maps(), ["0.png.png", "1.png.png", "2.png.png"]);
    // one is gone, one is a photo no longer, and something of the user's lies there
    fs::remove_file(images.join("0.png")).unwrap();
    fs::write(images.join("1.png"), "no photo").unwrap();
    fs::write(out.join("heat/notes.txt"), "mine").unwrap();
    let output = inspect(&images, &out).args(["--threshold", "1e9"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(maps(), ["2.png.png", "notes.txt"]);
    // what a killed run leaves is not followed where it is a link, and is taken over otherwise
    let part = out.join("scores.csv.part");
    fs::write(&part, "half a li").unwrap();
    assert_eq!(inspect(&images, &out).args(["--threshold", "1e9"]).output().unwrap().status.code(), Some(3));
    assert!(!part.exists() && rows(&out).len() == 2);
    #[cfg(unix)]
    {
        let other = folder.path().join("other.txt");
        fs::write(&other, "untouched").unwrap();
        std::os::unix::fs::symlink(&other, &part).unwrap();
        let output = inspect(&images, &out).args(["--threshold", "1e9"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert_eq!(fs::read_to_string(&other).unwrap(), "untouched");
        fs::remove_file(&part).unwrap();
    }
    // two at once would mix their heat maps
    let living = fs::File::create(&part).unwrap();
    living.lock().unwrap();
    let output = inspect(&images, &out).args(["--threshold", "1e9"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("another inspection"), "{output:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_utf8_are_read_escaped_and_never_share_an_output() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let normals = folder.path().join(OsStr::from_bytes(b"norm\xffals"));
    fs::create_dir(&normals).unwrap();
    let names: [&[u8]; 4] = [b"a\xff.png", b"a\xfe.png", b"a\\xff.png", b"b\x1b[31m.png"];
    for (seed, name) in (0..).zip(names) {
        texture(seed).save_with_format(normals.join(OsStr::from_bytes(name)), ImageFormat::Png).unwrap();
    }
    let out = folder.path().join(OsStr::from_bytes(b"out\xff"));
    let output = run(inspect(&normals, &out).args(["--threshold", "1e9"]));
    assert_eq!(json(&output)["images"], 4);
    assert_eq!((rows(&out).len(), fs::read_dir(out.join("heat")).unwrap().count()), (4, 4));
    let table = fs::read_to_string(out.join("scores.csv")).unwrap();
    assert!(table.contains("a\\xff.png") && table.contains("a\\xfe.png") && !table.contains('\x1b'), "{table}");
    let made = folder.path().join(OsStr::from_bytes(b"made\xff"));
    run(&mut synth(&normals, &made));
    let manifest = fs::read_to_string(made.join("manifest/000000.jsonl")).unwrap();
    let source = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["source"].to_string();
    assert_eq!(manifest.lines().map(source).collect::<std::collections::BTreeSet<_>>().len(), 4, "{manifest}");
    let mut replay = maphc2f("replay");
    replay.arg("--data").arg(&made).arg("--normals").arg(&normals).args(["--index", "0"]);
    assert_eq!(json(&run(&mut replay))["equal"], true);
    run(&mut preview(&normals, &folder.path().join(OsStr::from_bytes(b"sheet\xff.png"))));
    let model = folder.path().join(OsStr::from_bytes(b"model\xff"));
    assert_eq!(json(&run(&mut train(&normals, &model)))["images"], 4);
}

#[test]
fn twelve_bits_are_noted_and_spread_by_a_window_that_the_detector_remembers() {
    type Deep = image::ImageBuffer<Luma<u16>, Vec<u16>>;
    let folder = tempfile::tempdir().unwrap();
    let (twelve, eight) = (folder.path().join("twelve"), folder.path().join("eight"));
    let deep = |image: &RgbImage| Deep::from_fn(64, 64, |x, y| Luma([u16::from(image.get_pixel(x, y).0[0]) * 16]));
    for folder in [&twelve, &eight] {
        fs::create_dir(folder).unwrap();
    }
    for i in 0..8 {
        deep(&texture(i)).save(twelve.join(format!("{i}.png"))).unwrap();
        DynamicImage::from(texture(i)).into_luma8().save(eight.join(format!("{i}.png"))).unwrap();
    }
    let window = ["--window", "0..4080"]; // 255 * 16: the same pictures
    let made = |name: &str| folder.path().join(name);
    let output = synth(&twelve, &made("plain")).output().unwrap();
    let notes = stderr(&output);
    assert!(notes.contains("% of the range") && notes.contains("rounded to the 8"), "{notes}");
    assert!(notes.contains("(and 7 more such files)"), "once a kind: {notes}");
    let output = run(synth(&twelve, &made("spread")).args(window));
    assert!(!stderr(&output).contains("of the range"), "{output:?}");
    run(&mut synth(&eight, &made("eight bits")));
    let pixels = |run: &str, name: &str| image::open(made(run).join(name)).unwrap().into_luma8();
    let images: Vec<String> = tree(&made("spread")).into_keys().filter(|name| name.ends_with(".png")).collect();
    assert!(images.len() > 12);
    for name in &images {
        assert!(pixels("spread", name) == pixels("eight bits", name), "{name}");
    }
    // another window is another run
    let output = synth(&twelve, &made("spread")).arg("--resume").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");

    let model = made("model");
    run(train(&twelve, &model).args(window).args(["--seed", "3"]));
    DynamicImage::from(damaged(50)).into_luma8().save(eight.join("bad.png")).unwrap();
    deep(&damaged(50)).save(twelve.join("bad.png")).unwrap();
    let mut scores = Vec::new();
    for images in [&twelve, &eight] {
        let out = made("seen");
        let mut inspect = maphc2f("inspect");
        inspect.arg("--model").arg(model.join("detector.safetensors"));
        inspect.arg("--images").arg(images).arg("--out").arg(&out);
        let output = inspect.output().unwrap();
        assert_eq!((output.status.code(), json(&output)["anomalous"].as_u64()), (Some(1), Some(1)), "{output:?}");
        scores.push(rows(&out).into_iter().map(|row| row[1].clone()).collect::<Vec<_>>());
    }
    assert_eq!(scores[0], scores[1], "the window is in the detector's file");
}
