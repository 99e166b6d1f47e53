//! VisA: the raw dataset with its tables, and the reorganized copies.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use adbench::dataset::{DatasetError, Finding, Policy};
use adbench::loaders::{Counts, Layout, Visa, VisaSplit, by_name};
use common::{ids, mask, only_finding, photo, save};
use imgkit::image_io::MaskRule;
use tempfile::TempDir;

const HEADER: &str = "object,split,label,image,mask\r\n";

fn write(root: &Path, split: &str, text: &str) {
    fs::create_dir_all(root.join("split_csv")).unwrap();
    fs::write(root.join("split_csv").join(split).with_extension("csv"), text).unwrap();
}

fn line(object: &str, split: &str, anomalous: bool, number: usize) -> String {
    let (label, folder) = if anomalous { ("anomaly", "Anomaly") } else { ("normal", "Normal") };
    let mask = if anomalous { format!("{object}/Data/Masks/Anomaly/{number:03}.png") } else { String::new() };
    format!("{object},{split},{label},{object}/Data/Images/{folder}/{number:03}.JPG,{mask}\r\n")
}

/// The raw layout of one object: CRLF table, upper-case extensions, equal names in Normal and Anomaly, ids in masks.
fn raw() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("VisA");
    let data = root.join("bolt/Data");
    for i in 0..4 {
        save(&data.join(format!("Images/Normal/{i:03}.JPG")), photo(8));
    }
    for i in 0..2 {
        save(&data.join(format!("Images/Anomaly/{i:03}.JPG")), photo(8));
    }
    let mut ids = mask(8, 3);
    ids.put_pixel(5, 5, image::Luma([9]));
    save(&data.join("Masks/Anomaly/000.png"), ids);
    save(&data.join("Masks/Anomaly/001.png"), mask(8, 1));
    let mut text = HEADER.to_owned();
    for (split, anomalous, number) in [
        ("train", false, 2),
        ("train", false, 3),
        ("test", false, 0),
        ("test", false, 1),
        ("test", true, 0),
        ("test", true, 1),
    ] {
        text += &line("bolt", split, anomalous, number);
    }
    text += "nut,test,normal,nut/Data/Images/Normal/000.JPG,\r\n";
    write(&root, "1cls", &text);
    (folder, root)
}

fn index(root: &Path, policy: Policy) -> Result<adbench::dataset::Dataset, DatasetError> {
    Visa::default().index(root, Some("bolt"), policy)
}

/// Replaces a text in the table.
fn edit(root: &Path, from: &str, to: &str) {
    let path = root.join("split_csv/1cls.csv");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn the_raw_dataset_is_read() {
    let (_folder, root) = raw();
    assert_eq!(Visa::default().categories(&root).unwrap(), ["bolt", "nut"]);
    let data = index(&root, Policy::Strict).unwrap().validate().unwrap();
    // Small ids are no gray levels, and equal base names are two images.
    assert_eq!(data.findings(), []);
    let expected = ["Anomaly/000", "Anomaly/001", "Normal/000", "Normal/001"];
    assert_eq!(ids(&data), expected.map(|name| format!("bolt/Data/Images/{name}.JPG")));
    assert_eq!((data.train().len(), data.test().anomalous(), data.kinds()), (2, 2, vec!["anomaly"]));
    let mask = data.test().samples()[0].read_mask(MaskRule::NonZero).unwrap().mask;
    assert_eq!(mask.indexed_iter().filter(|x| *x.1).map(|x| x.0).collect::<Vec<_>>(), [(2, 1), (5, 5)]);
    assert_eq!(data.kinds_from_class_ids().unwrap().kinds(), ["class 1", "class 3+9"]);
}

#[test]
fn a_table_may_have_a_byte_order_mark_and_other_line_ends() {
    for end in ["\n", "\r\n"] {
        let (_folder, root) = raw();
        let path = root.join("split_csv/1cls.csv");
        let text = fs::read_to_string(&path).unwrap().replace("\r\n", end);
        fs::write(&path, format!("\u{feff}{text}")).unwrap();
        assert_eq!(index(&root, Policy::Strict).unwrap().validate().unwrap().test().len(), 4);
        edit(&root, "bolt,test,normal", "bolt,test,perhaps");
        assert!(matches!(only_finding(|p| index(&root, p), 3), Finding::BadRow { line: 4, .. }), "{end:?}");
    }
}

#[test]
fn paths_that_leave_the_root_are_refused() {
    let (folder, root) = raw();
    save(&folder.path().join("outside.png"), photo(8));
    let outside = folder.path().join("outside.png");
    for bad in [outside.to_str().unwrap(), "../outside.png", "bolt/../../outside.png"] {
        let (_keep, root) = raw();
        edit(&root, "bolt/Data/Images/Normal/001.JPG", bad);
        let finding = only_finding(|p| index(&root, p), 3);
        assert!(matches!(&finding, Finding::PathEscapesRoot { path, .. } if path == Path::new(bad)), "{finding}");
    }
    #[cfg(unix)]
    {
        // A file that is a link out of the root, and a folder that is one.
        let image = root.join("bolt/Data/Images/Normal/001.JPG");
        fs::remove_file(&image).unwrap();
        std::os::unix::fs::symlink(&outside, &image).unwrap();
        assert!(matches!(only_finding(|p| index(&root, p), 3), Finding::PathEscapesRoot { .. }));
        std::os::unix::fs::symlink(folder.path(), root.join("door")).unwrap();
        edit(&root, "bolt/Data/Images/Normal/001.JPG", "door/outside.png");
        assert!(matches!(only_finding(|p| index(&root, p), 3), Finding::PathEscapesRoot { .. }));
        // A link that stays inside is fine.
        edit(&root, "door/outside.png", "inside.JPG");
        std::os::unix::fs::symlink(root.join("bolt/Data/Images/Normal/000.JPG"), root.join("inside.JPG")).unwrap();
        assert_eq!(index(&root, Policy::Strict).unwrap().validate().unwrap().test().len(), 4);
    }
}

#[test]
fn bad_lines_are_found_with_their_numbers() {
    let at = |from: &str, to: &str, left: usize| {
        let (_folder, root) = raw();
        edit(&root, from, to);
        only_finding(|p| index(&root, p), left)
    };
    let finding = at("bolt,test,normal", "bolt,validation,normal", 3);
    assert!(matches!(&finding, Finding::BadRow { line: 4, reason, .. } if reason.contains("validation")), "{finding}");
    assert!(matches!(at("bolt,test,normal", "bolt,test,perhaps", 3), Finding::BadRow { line: 4, .. }));
    let extra = at("bolt,test,normal", "bolt,test,extra,normal", 3);
    assert!(matches!(extra, Finding::BadRow { line: 4, .. }), "{extra}");
    assert!(matches!(at("Images/Normal/001.JPG", "Images/Normal/777.JPG", 3), Finding::MissingImage { line: 5, .. }));
    // The same image in training and test.
    let twice = at("Images/Normal/001.JPG", "Images/Normal/002.JPG", 3);
    assert!(matches!(twice, Finding::DuplicateImage { first: 2, second: 5, .. }), "{twice}");
    assert!(matches!(at("bolt/Data/Masks/Anomaly/001.png", "", 3), Finding::MissingMask { .. }));
    assert!(matches!(at("Masks/Anomaly/001.png", "Masks/Anomaly/009.png", 3), Finding::MissingMask { .. }));
    assert!(matches!(at("bolt/Data/Images/Normal/001.JPG", ".", 3), Finding::BadRow { line: 5, .. }));
    let train = at("bolt,test,anomaly", "bolt,train,anomaly", 3);
    assert!(matches!(train, Finding::AnomalyInTrain { images: 1, .. }), "{train}");
}

#[test]
fn text_that_is_not_utf8_is_found() {
    let (_folder, root) = raw();
    let path = root.join("split_csv/1cls.csv");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(10).position(|w| w == b"Normal/001").unwrap();
    bytes[at] = 0xff;
    fs::write(&path, bytes).unwrap();
    assert!(matches!(only_finding(|p| index(&root, p), 3), Finding::BadRow { line: 5, .. }));
}

#[test]
fn a_table_without_the_category_or_a_column_is_refused() {
    let (_folder, root) = raw();
    let error = Visa::default().index(&root, Some("screw"), Policy::Strict).unwrap_err();
    assert!(matches!(&error, DatasetError::EmptyTable { category: Some(name), .. } if name == "screw"), "{error}");
    let error = Visa::new(VisaSplit::TwoClassFewShot).index(&root, Some("bolt"), Policy::Strict).unwrap_err();
    assert!(matches!(&error, DatasetError::Io { path, .. } if path.ends_with("2cls_fewshot.csv")), "{error}");
    edit(&root, "split,", "part,");
    let error = index(&root, Policy::Skip).unwrap_err();
    assert!(matches!(&error, DatasetError::MissingColumn { column: "split", .. }), "{error}");
}

#[test]
fn supervised_splits_have_anomalies_in_training() {
    let (_folder, root) = raw();
    let text =
        [line("bolt", "train", true, 0), line("bolt", "train", false, 0), line("bolt", "test", true, 1)].concat();
    write(&root, "2cls_highshot", &format!("{HEADER}{text}{}", line("bolt", "test", false, 1)));
    let data =
        Visa::new(VisaSplit::TwoClassHighShot).index(&root, Some("bolt"), Policy::Strict).unwrap().validate().unwrap();
    assert_eq!((data.train().len(), data.train().anomalous(), data.test().len()), (2, 1, 2));
}

#[test]
fn reorganized_copies_are_read() {
    for (top, good, bad) in [("1cls", "good", "bad"), ("", "good", "bad"), ("", "ok", "ko")] {
        let folder = TempDir::new().unwrap();
        let object = folder.path().join(top).join("bolt");
        for name in [format!("train/{good}/000.JPG"), format!("test/{good}/000.JPG"), format!("test/{bad}/000.JPG")] {
            save(&object.join(name), photo(8));
        }
        // No `_mask`, and ids instead of 255.
        save(&object.join(format!("ground_truth/{bad}/000.png")), mask(8, 2));
        assert_eq!(Visa::default().categories(folder.path()).unwrap(), ["bolt"]);
        let data = Visa::default().index(folder.path(), Some("bolt"), Policy::Strict).unwrap().validate().unwrap();
        assert_eq!((data.findings(), data.kinds(), data.test().len()), ([].as_slice(), vec![bad], 2));
        let error =
            Visa::new(VisaSplit::TwoClassHighShot).index(folder.path(), Some("bolt"), Policy::Strict).unwrap_err();
        assert!(error.to_string().contains("2cls_highshot"), "{error}");
    }
}

#[test]
fn other_numbers_than_the_published_ones_are_warned_of() {
    let folder = TempDir::new().unwrap();
    let object = folder.path().join("pcb3");
    for name in ["train/good/000.JPG", "test/good/000.JPG", "test/bad/000.JPG"] {
        save(&object.join(name), photo(8));
    }
    save(&object.join("ground_truth/bad/000.png"), mask(8, 2));
    let data = Visa::default().index(folder.path(), Some("pcb3"), Policy::Strict).unwrap();
    let numbers = data.findings().iter().map(|f| match f {
        Finding::CountMismatch { what, found: 1, published, .. } => (*what, *published),
        other => panic!("{other}"),
    });
    assert_eq!(numbers.collect::<Vec<_>>(), [("train", 905), ("good test", 101), ("anomalous test", 100)]);
    // A strict refusal lists them beside what it refuses for.
    fs::rename(object.join("ground_truth/bad/000.png"), object.join("ground_truth/bad/001.png")).unwrap();
    save(&object.join("test/bad/001.JPG"), photo(8));
    let error = Visa::default().index(folder.path(), Some("pcb3"), Policy::Strict).unwrap_err().to_string();
    assert!(error.contains("1 errors and 3 warnings") && error.contains("905 were published"), "{error}");
}

#[test]
fn the_published_numbers_add_up() {
    let sum = |layout: &str| {
        let add = |(t, g, a), (_, c): &(&str, Counts)| (t + c.train, g + c.test_good, a + c.test_anomalous);
        by_name(layout).unwrap().published().iter().fold((0, 0, 0), add)
    };
    assert_eq!(sum("mvtec"), (3629, 467, 1258));
    assert_eq!(sum("visa"), (8659, 962, 1200));
    assert_eq!(sum("btad"), (1799, 451, 290));
}
