//! The MVTec loader on folders made for each finding, each with both policies.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use adbench::dataset::{DatasetError, Finding, Policy, Severity};
use adbench::loaders::{Layout, Mvtec};
use common::{mask, photo, save};
use image::GrayImage;
use imgkit::Size;
use imgkit::image_io::MaskRule;
use tempfile::TempDir;

/// A category without fault: two training images, a good one and two cracked ones to test.
fn category() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("widget");
    for name in ["train/good/000", "train/good/001", "test/good/000", "test/crack/000", "test/crack/001"] {
        save(&root.join(name).with_extension("png"), photo(8));
    }
    save(&root.join("ground_truth/crack/000_mask.png"), mask(8, 255));
    save(&root.join("ground_truth/crack/001_mask.png"), mask(8, 255));
    (folder, root)
}

/// What both policies say of a category that is expected to have exactly one error: strict lists it, skipping leaves
/// `left` test samples.
fn only_finding(root: &Path, left: usize, validate: bool) -> Finding {
    let finish = |d: adbench::dataset::Dataset| if validate { d.validate() } else { Ok(d) };
    let strict = Mvtec.index(root, None, Policy::Strict).and_then(finish).unwrap_err();
    let text = strict.to_string();
    let DatasetError::Findings(list) = strict else { panic!("{strict:?}") };
    let [finding] = list.as_slice() else { panic!("{list}") };
    assert_eq!(finding.severity(), Severity::Error);
    assert_eq!(text.lines().count(), 2, "{text}");
    let skipped = Mvtec.index(root, None, Policy::Skip).and_then(finish).unwrap();
    assert_eq!(skipped.findings(), std::slice::from_ref(finding));
    assert_eq!(skipped.test().len(), left);
    finding.clone()
}

#[test]
fn a_sound_category_is_indexed_in_order() {
    let (_folder, root) = category();
    // None of these belongs to the layout, and none is in the way.
    fs::write(root.join("license.txt"), "text").unwrap();
    fs::write(root.join("test/readme.txt"), "text").unwrap();
    fs::write(root.join("test/crack/.DS_Store"), "text").unwrap();
    fs::create_dir(root.join("test/.hidden")).unwrap();
    let data = Mvtec.index(&root, None, Policy::Strict).unwrap().validate().unwrap();
    assert_eq!(data.category(), "widget");
    assert_eq!(data.findings(), []);
    let ids: Vec<&str> = data.test().samples().iter().map(|s| s.id()).collect();
    assert_eq!(ids, ["test/crack/000.png", "test/crack/001.png", "test/good/000.png"]);
    let kinds: Vec<_> = data.test().samples().iter().map(|s| s.kind()).collect();
    assert_eq!(kinds, [Some("crack"), Some("crack"), None]);
    assert_eq!(data.train().len(), 2);
    let crack = data.test().samples()[1].read_mask(MaskRule::NonZero).unwrap().mask;
    assert_eq!(crack.indexed_iter().filter(|x| *x.1).map(|x| x.0).collect::<Vec<_>>(), [(2, 1)]);
    let good = data.test().samples()[2].read_mask(MaskRule::NonZero).unwrap().mask;
    assert_eq!((good.dim(), good.iter().any(|&m| m)), ((8, 8), false));
    assert_eq!(Mvtec.categories(root.parent().unwrap()).unwrap(), ["widget"]);
}

#[test]
fn a_missing_mask_does_not_shift_the_others() {
    let (_folder, root) = category();
    fs::remove_file(root.join("ground_truth/crack/000_mask.png")).unwrap();
    let finding = only_finding(&root, 2, false);
    assert!(matches!(&finding, Finding::MissingMask { image, .. } if image.ends_with("test/crack/000.png")));
    let data = Mvtec.index(&root, None, Policy::Skip).unwrap();
    let crack = &data.test().samples()[0];
    assert_eq!(crack.id(), "test/crack/001.png");
    assert!(crack.mask_path().unwrap().ends_with("001_mask.png"));
}

#[test]
fn a_mask_may_lack_the_suffix_and_have_another_format() {
    let (_folder, root) = category();
    let folder = root.join("ground_truth/crack");
    fs::rename(folder.join("000_mask.png"), folder.join("000.png")).unwrap();
    fs::remove_file(folder.join("001_mask.png")).unwrap();
    save(&folder.join("001_mask.BMP"), mask(8, 255));
    assert!(Mvtec.index(&root, None, Policy::Strict).unwrap().validate().is_ok());
}

#[test]
fn a_missing_folder_of_masks_is_one_finding() {
    let (_folder, root) = category();
    fs::remove_dir_all(root.join("ground_truth")).unwrap();
    // the images stay, without masks
    let data = Mvtec.index(&root, None, Policy::Strict).unwrap().validate().unwrap();
    let [finding @ Finding::MissingMaskFolder { images: 2, .. }] = data.findings() else {
        panic!("{:?}", data.findings())
    };
    assert_eq!(finding.severity(), Severity::Warning);
    assert_eq!((data.test().len(), data.test().anomalous()), (3, 2));
    assert!(data.test().samples().iter().all(|sample| sample.mask_path().is_none()));
    // an empty folder is like none
    fs::create_dir_all(root.join("ground_truth/crack")).unwrap();
    let data = Mvtec.index(&root, None, Policy::Strict).unwrap();
    assert!(matches!(data.findings(), [Finding::MissingMaskFolder { images: 2, .. }]), "{:?}", data.findings());
}

#[test]
fn an_orphan_mask_is_found() {
    let (_folder, root) = category();
    save(&root.join("ground_truth/crack/007_mask.png"), mask(8, 255));
    assert!(matches!(only_finding(&root, 3, false), Finding::OrphanMask { mask } if mask.ends_with("007_mask.png")));
    fs::remove_file(root.join("ground_truth/crack/007_mask.png")).unwrap();
    save(&root.join("ground_truth/scratch/000_mask.png"), mask(8, 255));
    assert!(matches!(only_finding(&root, 3, false), Finding::OrphanMask { .. }));
}

#[test]
fn two_files_of_one_stem_are_ambiguous() {
    let (_folder, root) = category();
    save(&root.join("test/crack/000.bmp"), photo(8));
    assert!(matches!(only_finding(&root, 2, false), Finding::AmbiguousStem { .. }));

    let (_folder, root) = category();
    save(&root.join("ground_truth/crack/000.png"), mask(8, 255));
    assert!(matches!(only_finding(&root, 2, false), Finding::AmbiguousStem { .. }));

    let (_folder, root) = category();
    save(&root.join("ground_truth/crack/000_mask.bmp"), mask(8, 255));
    assert!(matches!(only_finding(&root, 2, false), Finding::AmbiguousStem { .. }));
}

#[test]
fn masks_beside_the_images_are_no_images_and_no_image_is_its_own_mask() {
    use adbench::loaders::Folder;
    let (_folder, root) = category();
    save(&root.join("test/crack/000_mask.png"), mask(8, 255));
    save(&root.join("train/good/000_mask.png"), mask(8, 255));
    let data = Mvtec.index(&root, None, Policy::Strict).unwrap().validate().unwrap();
    assert_eq!((data.train().len(), data.test().len()), (2, 3));
    assert!(data.findings().is_empty(), "{:?}", data.findings());
    // one without its image may be a photo
    save(&root.join("test/crack/009_mask.png"), photo(8));
    assert!(matches!(only_finding(&root, 3, false), Finding::NotRead { path, .. } if path.ends_with("009_mask.png")));
    fs::remove_file(root.join("test/crack/009_mask.png")).unwrap();
    // images and masks in one folder, one image without a mask
    save(&root.join("test/crack/001_mask.png"), mask(8, 255));
    let folder = |root: &Path| Folder::new("w", root).with_train("train/good").with_good("test/good");
    let crack = |root: &Path| folder(root).with_defect("crack", "test/crack", Some("test/crack".as_ref()));
    let data = crack(&root).index(Policy::Strict).unwrap().validate().unwrap();
    let masks: Vec<&Path> = data.test().samples().iter().filter_map(|s| s.mask_path()).collect();
    assert_eq!(masks.len(), 2);
    assert!(masks.iter().all(|mask| mask.to_str().unwrap().ends_with("_mask.png")), "{masks:?}");
    fs::remove_file(root.join("test/crack/001_mask.png")).unwrap();
    let error = crack(&root).index(Policy::Strict).unwrap_err().to_string();
    assert!(error.contains("001.png: no mask"), "{error}");
}

#[test]
fn masks_that_mark_everything_or_a_frame_are_found() {
    let (_folder, root) = category();
    let path = root.join("ground_truth/crack/000_mask.png");
    let findings = || Mvtec.index(&root, None, Policy::Strict).unwrap().validate().unwrap().findings().to_vec();
    save(&path, GrayImage::from_pixel(8, 8, image::Luma([255])));
    assert!(matches!(&findings()[..], [Finding::FullMask { mask }] if *mask == path), "{:?}", findings());
    let edge = |x: u32, y: u32| x == 0 || y == 0 || x == 7 || y == 7;
    let frame = |inside: u8| GrayImage::from_fn(8, 8, |x, y| image::Luma([if edge(x, y) { 255 } else { inside }]));
    save(&path, frame(0));
    assert!(matches!(&findings()[..], [Finding::FrameMask { .. }]), "{:?}", findings());
    // a frame around a defect, and black and white exchanged
    let mut around = frame(0);
    around.put_pixel(4, 4, image::Luma([255]));
    save(&path, around);
    assert!(matches!(&findings()[..], [Finding::FrameMask { .. }]), "{:?}", findings());
    let mut exchanged = GrayImage::from_pixel(8, 8, image::Luma([255]));
    exchanged.put_pixel(4, 4, image::Luma([0]));
    save(&path, exchanged);
    assert!(matches!(&findings()[..], [Finding::FrameMask { .. }]), "{:?}", findings());
    // a defect that touches the border is none
    save(&path, GrayImage::from_fn(8, 8, |x, _| image::Luma([if x < 3 { 255 } else { 0 }])));
    assert_eq!(findings(), []);
}

#[test]
fn images_that_are_not_read_are_found_and_odd_ones_noted() {
    let (folder, root) = category();
    for (sub, left) in [("test/crack", 3), ("train/good", 3), ("ground_truth/crack", 3)] {
        let path = root.join(sub).join("009.webp");
        fs::write(&path, "RIFF....WEBP").unwrap();
        assert!(matches!(only_finding(&root, left, true), Finding::NotRead { path: found, .. } if found == path));
        fs::remove_file(&path).unwrap();
    }
    let deep = image::ImageBuffer::<image::Luma<u16>, Vec<u16>>::from_pixel(8, 8, image::Luma([4000]));
    save(&root.join("test/good/000.png"), deep);
    // endings that training takes are taken here, too
    fs::rename(root.join("train/good/000.png"), root.join("train/good/000.jfif")).unwrap();
    let data = Mvtec.index(&root, None, Policy::Strict).unwrap().validate().unwrap();
    assert_eq!((data.train().len(), data.test().len()), (2, 3));
    let [Finding::Oddity { note, .. }] = data.findings() else { panic!("{:?}", data.findings()) };
    assert!(note.contains("window"), "{note}");
    let list = Mvtec.training_images(&root, None).unwrap();
    assert_eq!(list.photos.len(), 2);
    assert_eq!(Mvtec.training_images(folder.path(), Some("widget")).unwrap(), list);
}

#[test]
fn a_mask_of_another_size_is_found() {
    let (_folder, root) = category();
    save(&root.join("ground_truth/crack/000_mask.png"), mask(9, 255));
    let finding = only_finding(&root, 2, true);
    assert!(matches!(
        finding,
        Finding::SizeMismatch { image_size: Size { height: 8, width: 8 }, mask_size: Size { height: 9, width: 9 }, .. }
    ));
}

#[test]
fn masks_that_contradict_their_label_are_found() {
    let (_folder, root) = category();
    save(&root.join("ground_truth/crack/000_mask.png"), GrayImage::new(8, 8));
    assert!(matches!(only_finding(&root, 2, true), Finding::EmptyMaskForAnomalous { .. }));

    let (_folder, root) = category();
    save(&root.join("ground_truth/good/000_mask.png"), mask(8, 255));
    assert!(matches!(only_finding(&root, 2, true), Finding::NonEmptyMaskForNormal { pixels: 1, .. }));
}

#[test]
fn broken_files_are_found() {
    let (_folder, root) = category();
    fs::write(root.join("test/good/000.png"), "no image").unwrap();
    assert!(matches!(only_finding(&root, 2, true), Finding::Undecodable { .. }));

    let (_folder, root) = category();
    let path = root.join("train/good/001.png");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
    assert!(matches!(only_finding(&root, 3, true), Finding::Undecodable { .. }));
    let skipped = Mvtec.index(&root, None, Policy::Skip).unwrap().validate().unwrap();
    assert_eq!(skipped.train().len(), 1);
}

#[test]
fn anomalies_in_training_are_found() {
    let (_folder, root) = category();
    save(&root.join("train/crack/000.png"), photo(8));
    assert!(matches!(only_finding(&root, 3, false), Finding::AnomalyInTrain { images: 1, .. }));
}

#[test]
fn an_empty_kind_is_found() {
    let (_folder, root) = category();
    fs::create_dir_all(root.join("test/stain")).unwrap();
    fs::create_dir_all(root.join("train/lost+found")).unwrap();
    let data = Mvtec.index(&root, None, Policy::Strict).unwrap().validate().unwrap();
    let is_passed_over = |f: &Finding| matches!(f, Finding::EmptyFolder { .. }) && f.severity() == Severity::Warning;
    assert!(data.findings().len() == 2 && data.findings().iter().all(is_passed_over), "{:?}", data.findings());
}

#[test]
fn an_image_in_both_splits_or_under_both_labels_is_found_with_both_paths() {
    let (_folder, root) = category();
    fs::copy(root.join("train/good/001.png"), root.join("test/good/001.png")).unwrap();
    // the same pixels in another file
    image::open(root.join("test/good/000.png")).unwrap().save(root.join("test/crack/002.bmp")).unwrap();
    save(&root.join("ground_truth/crack/002_mask.png"), mask(8, 255));
    let data = Mvtec.index(&root, None, Policy::Strict).unwrap().validate().unwrap();
    let mut found: Vec<(&Path, &Path)> = Vec::new();
    for finding in data.findings() {
        let Finding::SharedImage { first, second, .. } = finding else { panic!("{finding}") };
        assert_eq!(finding.severity(), Severity::Warning);
        found.push((first.strip_prefix(&root).unwrap(), second.strip_prefix(&root).unwrap()));
    }
    let pair = |a, b| (Path::new(a), Path::new(b));
    found.sort();
    assert_eq!(
        found,
        [pair("test/crack/002.bmp", "test/good/000.png"), pair("train/good/001.png", "test/good/001.png")]
    );
    // copies within a split and a label are no leak
    fs::copy(root.join("train/good/000.png"), root.join("train/good/009.png")).unwrap();
    assert_eq!(Mvtec.index(&root, None, Policy::Strict).unwrap().validate().unwrap().findings().len(), 2);
}

#[test]
fn warnings_refuse_nothing() {
    let (_folder, root) = category();
    save(&root.join("ground_truth/crack/000_mask.png"), mask(8, 7));
    fs::write(root.join("test/crack/notes.txt"), "text").unwrap();
    let data = Mvtec.index(&root, None, Policy::Strict).unwrap().validate().unwrap();
    assert_eq!(data.test().len(), 3);
    let [Finding::IgnoredFile { .. }, Finding::GrayMask { pixels: 1, .. }] = data.findings() else {
        panic!("{:?}", data.findings())
    };
}

#[test]
fn all_findings_are_listed_at_once() {
    let (_folder, root) = category();
    fs::remove_file(root.join("ground_truth/crack/000_mask.png")).unwrap();
    save(&root.join("ground_truth/crack/008_mask.png"), mask(8, 255));
    save(&root.join("train/crack/000.png"), photo(8));
    let error = Mvtec.index(&root, None, Policy::Strict).unwrap_err();
    assert_eq!(error.to_string().lines().count(), 4, "{error}");
    assert!(error.to_string().contains("3 errors and 0 warnings"));
}

#[test]
fn missing_and_empty_folders_say_what_to_do() {
    let (_folder, root) = category();
    let message = |root: &Path| {
        let error = Mvtec.index(root, None, Policy::Strict).unwrap_err();
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
        error
    };
    let absent = message(&root.join("absent"));
    assert!(matches!(absent, DatasetError::MissingFolder { .. }));
    // The root of all categories instead of one.
    let parent = message(root.parent().unwrap());
    assert!(parent.to_string().contains("give one of them"), "{parent}");

    fs::remove_dir_all(root.join("train/good")).unwrap();
    assert!(matches!(message(&root), DatasetError::MissingFolder { path, .. } if path.ends_with("train/good")));
    fs::create_dir(root.join("train/good")).unwrap();
    assert!(matches!(message(&root), DatasetError::EmptyFolder { path, .. } if path.ends_with("train/good")));
    save(&root.join("train/good/000.png"), photo(8));
    fs::remove_dir_all(root.join("test")).unwrap();
    assert!(matches!(message(&root), DatasetError::MissingFolder { path, .. } if path.ends_with("test")));
    fs::create_dir(root.join("test")).unwrap();
    fs::remove_dir_all(root.join("ground_truth")).unwrap();
    assert!(matches!(message(&root), DatasetError::EmptyFolder { path, .. } if path.ends_with("test")));
}
