//! BTAD, folders named one by one, other tables, and files that are not what they seem.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use adbench::dataset::{DatasetError, Finding, Policy};
use adbench::loaders::{Btad, Folder, LAYOUTS, Layout, Mvtec, Table, by_name, detect};
use common::{huge_png, ids, mask, only_finding, photo, save};
use imgkit::image_io::{MaskRule, ReadError};
use tempfile::TempDir;

/// Product 01 with .bmp images and .png masks and a gap in the names, product 03 with .bmp masks, not square.
fn btad() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let top = folder.path().join("BTech_Dataset_transformed");
    let wide = || {
        let mut wide = image::RgbImage::new(12, 5);
        image::imageops::replace(&mut wide, &photo(5), 0, 0); // no two alike
        wide
    };
    for (product, mask_extension) in [("09", "png"), ("08", "bmp")] {
        let root = top.join(product);
        for name in ["train/ok/0000", "train/ok/0002", "test/ok/0000", "test/ko/0000", "test/ko/0002"] {
            save(&root.join(name).with_extension("bmp"), wide());
        }
        for name in ["0000", "0002"] {
            let mut truth = image::GrayImage::new(12, 5);
            truth.put_pixel(11, 4, image::Luma([255]));
            save(&root.join("ground_truth/ko").join(name).with_extension(mask_extension), truth);
        }
    }
    (folder, top)
}

#[test]
fn btad_is_read_from_its_root_above_or_below() {
    let (folder, top) = btad();
    for (root, products) in [(folder.path(), 2), (top.as_path(), 2), (top.join("08").as_path(), 1)] {
        assert_eq!(Btad.categories(root).unwrap().len(), products);
        let data = Btad.index(root, Some("08"), Policy::Strict).unwrap().validate().unwrap();
        assert_eq!((data.category(), data.kinds(), data.findings()), ("08", vec!["ko"], [].as_slice()));
        assert_eq!(ids(&data), ["test/ko/0000.bmp", "test/ko/0002.bmp", "test/ok/0000.bmp"]);
        assert_eq!(data.test().samples()[0].read_mask(MaskRule::NonZero).unwrap().mask.dim(), (5, 12));
    }
    assert_eq!(Btad.index(&top, Some("09"), Policy::Strict).unwrap().validate().unwrap().test().len(), 3);
    assert!(matches!(Btad.index(&top, Some("07"), Policy::Strict), Err(DatasetError::MissingFolder { .. })));
}

#[test]
fn the_layout_is_found_by_what_lies_at_the_root() {
    let (folder, top) = btad();
    let name = |root: &Path| detect(root).unwrap().name();
    for root in [folder.path(), top.as_path(), top.join("08").as_path()] {
        assert_eq!(name(root), "btad", "{}", root.display());
    }
    let other = tempfile::tempdir().unwrap();
    let root = other.path();
    assert!(matches!(detect(root), Err(DatasetError::UnknownLayout { .. })));
    assert!(matches!(detect(&root.join("absent")), Err(DatasetError::MissingFolder { .. })));
    fs::write(root.join("list.csv"), "image,split,label").unwrap();
    assert_eq!(name(&root.join("list.csv")), "table");
    fs::create_dir_all(root.join("candle/train/good")).unwrap();
    assert_eq!((name(root), name(&root.join("candle"))), ("visa", "visa"));
    fs::create_dir_all(root.join("bottle/train/good")).unwrap();
    assert_eq!((name(root), name(&root.join("bottle"))), ("mvtec", "mvtec"));
    fs::create_dir(root.join("split_csv")).unwrap();
    assert_eq!(name(root), "visa");
    // Every name leads back to its layout.
    assert!(LAYOUTS.iter().all(|layout| by_name(layout.name()).unwrap().name() == layout.name()));
}

#[test]
fn a_root_that_is_a_category_has_its_own_name() {
    let root = tempfile::tempdir().unwrap();
    let category = root.path().join("bolt");
    for name in ["train/good/0.png", "test/good/0.png"] {
        save(&category.join(name), photo(8));
    }
    let here = category.join("train/..");
    assert_eq!(Mvtec.categories(&here).unwrap(), ["bolt"]);
    for (root, name) in [(root.path(), Some("bolt")), (&category, Some("bolt")), (&category, None), (&here, None)] {
        let data = Mvtec.index(root, name, Policy::Strict).unwrap();
        assert_eq!((data.category(), data.test().len()), ("bolt", 1));
    }
    // Another category is not silently replaced by the one at the root.
    assert!(matches!(Mvtec.index(&category, Some("nut"), Policy::Strict), Err(DatasetError::MissingFolder { .. })));
}

#[test]
fn btad_copies_left_by_a_converter_are_ambiguous() {
    let (_folder, top) = btad();
    // The original and its converted copy side by side.
    save(&top.join("08/test/ko/0000.png"), image::RgbImage::new(12, 5));
    assert!(matches!(only_finding(|p| Btad.index(&top, Some("08"), p), 2), Finding::AmbiguousStem { .. }));
}

#[test]
fn loading_writes_nothing() {
    let (_folder, top) = btad();
    let state = || {
        let mut list: Vec<(PathBuf, std::time::SystemTime)> = Vec::new();
        let mut open = vec![top.clone()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                list.push((path.clone(), fs::metadata(&path).unwrap().modified().unwrap()));
                open.extend(path.is_dir().then_some(path));
            }
        }
        list.sort();
        list
    };
    let before = state();
    Btad.index(&top, Some("09"), Policy::Strict).unwrap().validate().unwrap();
    assert_eq!(state(), before);
}

fn folders() -> (TempDir, Folder) {
    let temporary = TempDir::new().unwrap();
    let root = temporary.path();
    for name in ["a/1.png", "b/1.png", "new/1.png", "dent/1.png", "smear/1.png"] {
        save(&root.join(name), photo(8));
    }
    save(&root.join("dent_masks/1.png"), mask(8, 255));
    let folder = Folder::new("caps", root).with_train("a").with_train("b").with_good("new");
    (temporary, folder.with_defect("dent", "dent", Some("dent_masks".as_ref())).with_defect("smear", "smear", None))
}

#[test]
fn folders_named_one_by_one_are_read() {
    let (temporary, folder) = folders();
    let data = folder.index(Policy::Strict).unwrap().validate().unwrap();
    assert_eq!((data.category(), data.train().len(), data.kinds()), ("caps", 2, vec!["dent", "smear"]));
    assert_eq!(ids(&data), ["dent/1.png", "new/1.png", "smear/1.png"]);
    // Without a mask there is no ground truth, which is not the same as an empty one.
    let smear = &data.test().samples()[2];
    assert!(matches!(smear.read_mask(MaskRule::NonZero), Err(DatasetError::NoMask { .. })));
    save(&temporary.path().join("dent/2.png"), photo(8));
    assert!(matches!(only_finding(|p| folder.index(p), 3), Finding::MissingMask { .. }));
    // without any mask of its kind there are figures of images alone
    fs::remove_file(temporary.path().join("dent_masks/1.png")).unwrap();
    let data = folder.index(Policy::Strict).unwrap().validate().unwrap();
    assert!(matches!(data.findings(), [Finding::MissingMaskFolder { images: 2, .. }]), "{:?}", data.findings());
    assert_eq!(data.test().len(), 4);
    let error = folder.clone().with_good("absent").index(Policy::Strict).unwrap_err();
    assert!(matches!(error, DatasetError::MissingFolder { path, .. } if path.ends_with("absent")));
}

#[test]
fn a_table_of_any_column_order_is_read() {
    let temporary = TempDir::new().unwrap();
    let root = temporary.path();
    for name in ["x/1.png", "x/2.png", "y/1.png"] {
        save(&root.join(name), photo(8));
    }
    let text = "kind,label,split,image\n,ok,train,x/1.png\n,0,test,./x/2.png\nchip,1,test,y/1.png\n";
    fs::write(root.join("list.csv"), text).unwrap();
    let data = Table::new(root.join("list.csv")).index(Policy::Strict).unwrap().validate().unwrap();
    assert_eq!((ids(&data), data.kinds()), (vec!["x/2.png", "y/1.png"], vec!["chip"]));
    assert!(Table::new(root.join("list.csv")).categories().unwrap().is_empty());
    fs::write(root.join("list.csv"), "kind,label,split,image\n").unwrap();
    let error = Table::new(root.join("list.csv")).index(Policy::Strict).unwrap_err();
    assert!(error.to_string().contains("no line below the header"), "{error}");
    assert!(matches!(Table::new(root.join("absent.csv")).index(Policy::Strict), Err(DatasetError::Io { .. })));
}

/// Found by fuzzing: a line break in a quoted name broke the line of its finding.
#[test]
fn names_with_line_breaks_are_escaped_in_findings() {
    let temporary = TempDir::new().unwrap();
    let root = temporary.path();
    save(&root.join("a.png"), photo(8));
    fs::write(root.join("list.csv"), "image,split,label,mask\na.png,train,0,\n\"b\nc.png\",test,1,\n").unwrap();
    let finding = Table::new(root.join("list.csv")).index(Policy::Strict).unwrap_err().to_string();
    assert!(finding.contains("b\\u{a}c.png"), "{finding}");
}

fn category() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("widget");
    for name in ["train/good/000", "test/good/000", "test/crack/000", "test/crack/001"] {
        save(&root.join(name).with_extension("png"), photo(8));
    }
    save(&root.join("ground_truth/crack/000_mask.png"), mask(8, 255));
    save(&root.join("ground_truth/crack/001_mask.png"), mask(8, 255));
    (folder, root)
}

#[cfg(unix)]
#[test]
fn links_out_of_a_category_are_refused() {
    use std::os::unix::fs::symlink;
    let (folder, root) = category();
    save(&folder.path().join("other/000.png"), photo(8));
    let index = |p: Policy| Mvtec.index(&root, None, p);
    symlink(folder.path().join("other/000.png"), root.join("test/good/001.png")).unwrap();
    assert!(matches!(only_finding(index, 3), Finding::PathEscapesRoot { path, .. } if path.ends_with("001.png")));
    fs::remove_file(root.join("test/good/001.png")).unwrap();
    symlink(folder.path().join("other"), root.join("test/stain")).unwrap();
    assert!(matches!(only_finding(index, 3), Finding::PathEscapesRoot { path, .. } if path.ends_with("stain")));
    fs::remove_file(root.join("test/stain")).unwrap();
    // A link within the category is fine; one to nowhere is a file that cannot be read.
    symlink(root.join("test/good/000.png"), root.join("test/good/002.png")).unwrap();
    assert_eq!(index(Policy::Strict).unwrap().validate().unwrap().test().len(), 4);
    symlink(root.join("nowhere.png"), root.join("test/good/003.png")).unwrap();
    assert!(matches!(only_finding(index, 4), Finding::NotRead { path, .. } if path.ends_with("003.png")));
}

/// Found by fuzzing: the folder was noted, and yet read.
#[cfg(unix)]
#[test]
fn folders_that_links_lead_out_are_not_read() {
    use std::os::unix::fs::symlink;
    for linked in ["train/good", "test/good", "ground_truth/crack"] {
        let (folder, root) = category();
        let outside = folder.path().join("outside");
        fs::rename(root.join(linked), &outside).unwrap();
        symlink(&outside, root.join(linked)).unwrap();
        let index = |policy| Mvtec.index(&root, None, policy);
        let error = index(Policy::Strict).unwrap_err().to_string();
        if linked == "train/good" {
            assert!(error.contains("train/good: no image in the folder"), "{error}");
            continue;
        }
        assert_eq!(error.matches("leads out of the dataset").count(), 1, "{error}");
        let data = index(Policy::Skip).unwrap();
        let samples = data.test().samples();
        if linked == "test/good" {
            assert!(samples.len() == 2 && samples.iter().all(|s| s.image_path().starts_with(root.join("test/crack"))));
        } else {
            assert!(samples.len() == 3 && samples.iter().all(|s| s.mask_path().is_none()), "{samples:?}");
        }
    }
}

#[test]
fn a_header_that_claims_gigabytes_is_refused_at_once() {
    let (_folder, root) = category();
    fs::write(root.join("test/good/000.png"), huge_png()).unwrap();
    let before = std::time::Instant::now();
    let finding = only_finding(|p| Mvtec.index(&root, None, p), 2);
    assert!(matches!(&finding, Finding::Undecodable { .. }), "{finding}");
    // Nor does its size alone make an empty mask of 3.6 GB.
    let sample = adbench::dataset::Sample::new("a".into(), root.join("test/good/000.png"), None, None);
    assert!(matches!(sample.read_mask(MaskRule::NonZero), Err(DatasetError::Read(ReadError::TooLarge { .. }))));
    assert!(before.elapsed().as_secs() < 5);
}
