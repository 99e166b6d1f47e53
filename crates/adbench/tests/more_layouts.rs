//! MVTec LOCO AD, MVTec AD 2, MPDD and Real-IAD on miniature trees, sound and broken, and how a layout is found.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use adbench::dataset::{Dataset, DatasetError, Finding, Policy, Sample, Severity};
use adbench::loaders::{
    Ad2Split, LAYOUTS, Layout, Mpdd, Mvtec, MvtecAd2, MvtecLoco, RealIad, detect, detect_with_reason,
};
use adbench::metrics::MetricError;
use common::{ids, mask, only_finding, photo, save};
use image::{GrayImage, Luma};
use imgkit::image_io::MaskRule;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The errors that a strict loader lists.
fn errors(index: Result<Dataset, DatasetError>) -> Vec<Finding> {
    match index.and_then(Dataset::validate).unwrap_err() {
        DatasetError::Findings(list) => {
            list.as_slice().iter().filter(|f| f.severity() == Severity::Error).cloned().collect()
        }
        other => panic!("{other}"),
    }
}

fn conditions(samples: &[Sample]) -> Vec<Option<&str>> {
    samples.iter().map(Sample::condition).collect()
}

/// A mask of one row in this gray value.
fn row(y: u32, level: u8) -> GrayImage {
    GrayImage::from_fn(8, 8, |x, row| Luma([if row == y && x > 0 && x < 7 { level } else { 0 }]))
}

fn loco() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("pins");
    for name in ["train/good/000", "train/good/001", "validation/good/000", "test/good/000"] {
        save(&root.join(name).with_extension("png"), photo(8));
    }
    for name in ["logical_anomalies/000", "logical_anomalies/001", "structural_anomalies/000"] {
        save(&root.join("test").join(name).with_extension("png"), photo(8));
    }
    let truth = root.join("ground_truth");
    save(&truth.join("logical_anomalies/000/000.png"), row(1, 254));
    save(&truth.join("logical_anomalies/000/001.png"), row(4, 236));
    save(&truth.join("logical_anomalies/001/000.png"), row(2, 254));
    save(&truth.join("structural_anomalies/000/000.png"), row(3, 255));
    let types = json!([
        { "defect_name": "broken", "pixel_value": 255, "saturation_threshold": 0.5, "relative_saturation": true },
        { "defect_name": "missing_pin", "pixel_value": 254, "saturation_threshold": 4, "relative_saturation": false },
        { "defect_name": "swapped", "pixel_value": 236, "saturation_threshold": 100.0, "relative_saturation": false },
    ]);
    fs::write(root.join("defects_config.json"), types.to_string()).unwrap();
    fs::write(root.join("license.txt"), "text").unwrap();
    (folder, root)
}

#[test]
fn loco_has_several_masks_an_image_validation_images_and_types_of_defects() {
    let (folder, root) = loco();
    assert_eq!(MvtecLoco.categories(folder.path()).unwrap(), ["pins"]);
    let data = MvtecLoco.index(folder.path(), Some("pins"), Policy::Strict).unwrap().validate().unwrap();
    assert_eq!((data.findings(), data.category()), ([].as_slice(), "pins"));
    assert_eq!((data.train().len(), data.validation().len(), data.test().len()), (2, 1, 4));
    assert_eq!(data.kinds(), ["logical_anomalies", "structural_anomalies"]);
    let first = &data.test().samples()[1];
    assert_eq!((first.id(), first.mask_paths().len()), ("test/logical_anomalies/000.png", 2));
    // whatever its gray value a pixel of any mask is anomalous, and gray values are nothing to warn of
    let merged = first.read_mask(MaskRule::NonZero).unwrap();
    let rows: Vec<usize> = (0..8).filter(|&y| merged.mask[(y, 1)]).collect();
    assert_eq!((rows, merged.mask.iter().filter(|m| **m).count(), merged.gray_pixels), (vec![1, 4], 12, 0));
    // one by one, with the saturation of their types: 4 px, and no more than the area of 6
    let saturations: Vec<(u8, usize, f64)> = first
        .read_defects()
        .unwrap()
        .into_iter()
        .map(|(value, mask)| {
            let area = mask.iter().filter(|m| **m).count();
            let of = data.defect_types().iter().find(|t| t.pixel_value == value).unwrap();
            (value, area, of.saturation(area))
        })
        .collect();
    assert_eq!(saturations, [(254, 6, 4.0), (236, 6, 6.0)]);
    let by_type = data.kinds_from_class_ids().unwrap();
    assert_eq!(by_type.kinds(), ["broken", "missing_pin", "swapped+missing_pin"]);

    // without the list of types every gray value is sound
    fs::remove_file(root.join("defects_config.json")).unwrap();
    let data = MvtecLoco.index(&root, None, Policy::Strict).unwrap().validate().unwrap();
    assert_eq!((data.findings(), data.defect_types()), ([].as_slice(), [].as_slice()));
    assert_eq!(data.kinds_from_class_ids().unwrap().kinds(), ["class 236+254", "class 254", "class 255"]);
}

#[test]
fn all_that_is_wrong_with_loco_is_listed_at_once() {
    let (_folder, root) = loco();
    let truth = root.join("ground_truth");
    fs::remove_dir_all(truth.join("logical_anomalies/001")).unwrap();
    save(&truth.join("structural_anomalies/777/000.png"), row(3, 255));
    save(&truth.join("structural_anomalies/loose.png"), row(3, 255));
    save(&truth.join("logical_anomalies/000/002.png"), mask(9, 254));
    fs::write(root.join("defects_config.json"), r#"[{"defect_name": "a", "pixel_value": 0}, 7]"#).unwrap();
    let list = |policy| MvtecLoco.index(&root, None, policy).map_err(|e| e.to_string());
    let text = list(Policy::Strict).unwrap_err();
    for part in [
        "logical_anomalies/001.png: no mask",
        "structural_anomalies/777/000.png: a mask without an image",
        "structural_anomalies/loose.png: a mask without an image",
        "defect types entry 1: pixel_value is not a whole number",
        "defect types entry 2: no defect_name",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let data = list(Policy::Skip).unwrap();
    assert_eq!(ids(&data).len(), 3);
    // the mask of another size is found when files are decoded, and its sample left out
    let data = data.validate().unwrap();
    let sizes = data.findings().iter().filter(|f| matches!(f, Finding::SizeMismatch { .. })).count();
    assert_eq!((sizes, ids(&data).len()), (1, 2));
    let unequal = Sample::new("x".into(), root.join("test/logical_anomalies/000.png"), None, Some("x".into()));
    let unequal = unequal
        .with_masks(vec![truth.join("logical_anomalies/000/000.png"), truth.join("logical_anomalies/000/002.png")]);
    assert!(matches!(unequal.read_mask(MaskRule::NonZero), Err(DatasetError::UnequalMasks { .. })));
    assert!(matches!(unequal.read_defects(), Err(DatasetError::UnequalMasks { .. })));
}

#[test]
fn each_fault_of_loco_alone_is_one_finding() {
    let (_folder, root) = loco();
    let index = |policy| MvtecLoco.index(&root, None, policy);
    let types = fs::read(root.join("defects_config.json")).unwrap();
    for (text, part) in [("{", "no JSON (EOF"), ("{}", "no list of defect types")] {
        fs::write(root.join("defects_config.json"), text).unwrap();
        assert!(only_finding(index, 4).to_string().contains(part));
    }
    fs::write(root.join("defects_config.json"), types).unwrap();
    let masks = root.join("ground_truth/structural_anomalies/000/000.png");
    save(&masks, GrayImage::new(8, 8));
    assert!(matches!(only_finding(index, 3), Finding::EmptyMaskForAnomalous { .. }));
    fs::write(&masks, "no image").unwrap();
    assert!(matches!(only_finding(index, 3), Finding::Undecodable { .. }));
    // a gray value that the list does not have is worth a warning
    save(&masks, row(3, 240));
    let data = index(Policy::Strict).unwrap().validate().unwrap();
    assert!(matches!(data.findings(), [Finding::UnknownDefectType { value: 240, .. }]), "{:?}", data.findings());
    // no masks of a kind at all: figures of images alone
    fs::remove_dir_all(root.join("ground_truth/structural_anomalies")).unwrap();
    let data = index(Policy::Strict).unwrap().validate().unwrap();
    assert!(matches!(data.findings(), [Finding::MissingMaskFolder { images: 1, .. }]), "{:?}", data.findings());
    assert_eq!(data.test().len(), 4);
}

#[cfg(unix)]
#[test]
fn links_out_of_loco_are_refused() {
    let (folder, root) = loco();
    let outside = folder.path().join("outside");
    save(&outside.join("000.png"), row(3, 255));
    let own = root.join("ground_truth/structural_anomalies/000");
    fs::remove_dir_all(&own).unwrap();
    std::os::unix::fs::symlink(&outside, &own).unwrap();
    let found = errors(MvtecLoco.index(&root, None, Policy::Strict));
    assert!(found.iter().any(|f| matches!(f, Finding::PathEscapesRoot { .. })), "{found:?}");
    fs::remove_file(root.join("defects_config.json")).unwrap();
    fs::write(folder.path().join("types.json"), "[]").unwrap();
    std::os::unix::fs::symlink(folder.path().join("types.json"), root.join("defects_config.json")).unwrap();
    let escapes =
        |f: &&Finding| matches!(f, Finding::PathEscapesRoot { path, .. } if path.ends_with("defects_config.json"));
    assert_eq!(errors(MvtecLoco.index(&root, None, Policy::Strict)).iter().filter(escapes).count(), 1);
}

fn ad2() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("can");
    for name in [
        "train/good/000_regular",
        "train/good/001_regular",
        "validation/good/000_regular",
        "test_public/good/000_regular",
        "test_public/good/000_overexposed",
        "test_public/bad/000_regular",
        "test_public/bad/000_shift_1",
        "test_private/000_regular",
        "test_private_mixed/000",
        "test_private_mixed/001",
    ] {
        save(&root.join(name).with_extension("png"), photo(8));
    }
    for name in ["000_regular_mask.png", "000_shift_1_mask.png"] {
        save(&root.join("test_public/ground_truth/bad").join(name), mask(8, 255));
    }
    (folder, root)
}

#[test]
fn ad2_has_light_in_the_name_and_test_sets_without_labels() {
    let (folder, root) = ad2();
    let public = MvtecAd2::new(Ad2Split::Public);
    for (root, name) in [(folder.path(), Some("can")), (&root, None)] {
        let data = public.index(root, name, Policy::Strict).unwrap().validate().unwrap();
        assert_eq!((data.findings(), data.kinds()), ([].as_slice(), vec!["bad"]));
        assert_eq!((data.train().len(), data.validation().len(), data.test().len()), (2, 1, 4));
        let lights = conditions(data.test().samples());
        assert_eq!(lights, [Some("regular"), Some("shift_1"), Some("overexposed"), Some("regular")]);
        assert_eq!(
            data.test().samples()[1].read_mask(MaskRule::NonZero).unwrap().mask.iter().filter(|m| **m).count(),
            1
        );
    }
    let mixed = MvtecAd2::new(Ad2Split::PrivateMixed).index(&root, None, Policy::Strict).unwrap().validate().unwrap();
    assert_eq!(
        (ids(&mixed), mixed.findings()),
        (vec!["test_private_mixed/000.png", "test_private_mixed/001.png"], [].as_slice())
    );
    let unknown = &mixed.test().samples()[0];
    assert!(!unknown.is_labeled() && !unknown.is_anomalous() && unknown.condition().is_none());
    // no ground truth is not an empty one, and there is no figure
    assert!(matches!(unknown.read_mask(MaskRule::NonZero), Err(DatasetError::NoMask { .. })));
    let scores = mixed.test().with_scores(vec![0.1, 0.2]).unwrap();
    assert!(matches!(scores.auroc(), Err(MetricError::MissingClass { .. })));
    let private = MvtecAd2::new(Ad2Split::Private).index(&root, None, Policy::Strict).unwrap();
    assert_eq!((private.test().len(), conditions(private.test().samples())), (1, vec![Some("regular")]));
}

#[test]
fn all_that_is_wrong_with_ad2_is_listed_at_once() {
    let (_folder, root) = ad2();
    let truth = root.join("test_public/ground_truth");
    fs::remove_file(truth.join("bad/000_regular_mask.png")).unwrap();
    save(&truth.join("bad/999_regular_mask.png"), mask(8, 255));
    save(&truth.join("dent/000_mask.png"), mask(8, 255));
    save(&root.join("train/bad/000_regular.png"), photo(8));
    let found = errors(MvtecAd2::default().index(&root, None, Policy::Strict));
    let count = |of: fn(&Finding) -> bool| found.iter().filter(|f| of(f)).count();
    assert_eq!(count(|f| matches!(f, Finding::MissingMask { .. })), 1, "{found:?}");
    assert_eq!(count(|f| matches!(f, Finding::OrphanMask { .. })), 2, "{found:?}");
    assert_eq!(count(|f| matches!(f, Finding::AnomalyInTrain { .. })), 1, "{found:?}");
    assert_eq!(found.len(), 4);
    fs::remove_dir_all(root.join("test_private")).unwrap();
    let error = MvtecAd2::new(Ad2Split::Private).index(&root, None, Policy::Strict).unwrap_err();
    assert!(matches!(error, DatasetError::MissingFolder { path, .. } if path.ends_with("test_private")));
}

#[test]
fn mpdd_is_mvtec_ad_with_numbers_of_its_own() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("tubes");
    for name in ["train/good/000.png", "test/good/000.png", "test/anomalous/000.png"] {
        save(&root.join(name), photo(8));
    }
    save(&root.join("ground_truth/anomalous/000_mask.png"), mask(8, 255));
    let data = Mpdd.index(folder.path(), Some("tubes"), Policy::Strict).unwrap().validate().unwrap();
    let counts = data.findings().iter().filter(|f| matches!(f, Finding::CountMismatch { .. })).count();
    assert_eq!((counts, data.findings().len(), data.test().len()), (3, 3, 2));
    // the totals that its authors give
    let sum = |of: fn(&adbench::loaders::Counts) -> usize| Mpdd.published().iter().map(|(_, c)| of(c)).sum::<usize>();
    assert_eq!((sum(|c| c.train), sum(|c| c.test_good), sum(|c| c.test_anomalous)), (888, 176, 282));
    fs::remove_file(root.join("ground_truth/anomalous/000_mask.png")).unwrap();
    save(&root.join("ground_truth/anomalous/001_mask.png"), mask(8, 255));
    let found = errors(Mpdd.index(&root, None, Policy::Strict));
    assert!(matches!(found.as_slice(), [Finding::MissingMask { .. }, Finding::OrphanMask { .. }]), "{found:?}");
}

#[test]
fn the_numbers_of_loco_are_those_of_its_files() {
    let sum =
        |of: fn(&adbench::loaders::Counts) -> usize| MvtecLoco.published().iter().map(|(_, c)| of(c)).sum::<usize>();
    // 561 logical and 432 structural ones
    assert_eq!((sum(|c| c.train), sum(|c| c.test_good), sum(|c| c.test_anomalous)), (1778, 575, 561 + 432));
}

fn entry(class: &str, image: &str, mask: Option<&str>) -> Value {
    json!({ "category": "jack", "anomaly_class": class, "image_path": image, "mask_path": mask })
}

/// Two objects to train on, a good one and a broken one to test; of the broken one a view shows nothing.
fn real_iad() -> (TempDir, PathBuf, Value) {
    let folder = TempDir::new().unwrap();
    let images = folder.path().join("realiad_512/jack");
    let path = |object: &str, view: u32| {
        let name = format!("{object}/jack_0001_C{view}_20231021133242.png");
        save(&images.join(&name), photo(8));
        name
    };
    let good = |object: &str, view: u32| entry("OK", &path(object, view), None);
    let train = json!([good("OK/S0001", 1), good("OK/S0001", 2), good("OK/S0002", 1)]);
    save(&images.join("NG/BX/S0004/jack_mask.png"), mask(8, 255));
    let bad = entry("BX", &path("NG/BX/S0004", 1), Some("NG/BX/S0004/jack_mask.png"));
    let test = json!([good("OK/S0003", 1), good("OK/S0003", 2), bad, good("NG/BX/S0004", 2)]);
    let meta = json!({ "prefix": "jack/", "normal_class": "OK", "pre_transform_size": 8 });
    let all = json!({ "meta": meta, "train": train, "test": test });
    write(folder.path(), &all);
    let root = folder.path().to_owned();
    (folder, root, all)
}

fn write(root: &Path, all: &Value) {
    fs::create_dir_all(root.join("realiad_jsons")).unwrap();
    fs::write(root.join("realiad_jsons/jack.json"), all.to_string()).unwrap();
}

#[test]
fn real_iad_is_read_from_its_json_and_an_object_has_the_highest_score_of_its_views() {
    let (_folder, root, _) = real_iad();
    assert_eq!(RealIad.categories(&root).unwrap(), ["jack"]);
    let list = root.join("realiad_jsons/jack.json");
    for (root, name) in [(&root, Some("jack")), (&root, None), (&list, None)] {
        let data = RealIad.index(root, name, Policy::Strict).unwrap().validate().unwrap();
        assert_eq!((data.category(), data.findings(), data.kinds()), ("jack", [].as_slice(), vec!["BX"]));
        assert_eq!((data.train().len(), data.test().len()), (3, 4));
        let samples = data.test().samples();
        let objects: Vec<_> = samples.iter().map(|s| s.object().unwrap()).collect();
        assert_eq!(objects, ["NG/BX/S0004", "NG/BX/S0004", "OK/S0003", "OK/S0003"]);
        assert_eq!(conditions(samples), [Some("C1"), Some("C2"), Some("C1"), Some("C2")]);
        // Images: (0.3 bad), 0.9 good, 0.5 good, 0.1 good: one of three pairs is right. Objects: 0.9 bad, 0.5 good.
        let scores = data.test().with_scores(vec![0.3, 0.9, 0.5, 0.1]).unwrap();
        assert!((scores.auroc().unwrap() - 1.0 / 3.0).abs() < 1e-12);
        let objects = scores.by_object();
        assert_eq!((objects.values(), objects.labels()), ([0.9, 0.5].as_slice(), [true, false].as_slice()));
        assert_eq!(objects.auroc(), Ok(1.0));
    }
    // as some copies have it, and the finer images where there are several
    fs::create_dir(root.join("realiad_jsons/realiad_jsons")).unwrap();
    fs::rename(&list, root.join("realiad_jsons/realiad_jsons/jack.json")).unwrap();
    assert_eq!(RealIad.index(&root, Some("jack"), Policy::Strict).unwrap().test().len(), 4);
    fs::create_dir_all(root.join("realiad_1024")).unwrap();
    let error = RealIad.index(&root, Some("jack"), Policy::Strict).unwrap_err();
    assert!(
        matches!(&error, DatasetError::MissingFolder { path, .. } if path.ends_with("realiad_1024/jack")),
        "{error}"
    );
}

#[test]
fn all_that_is_wrong_with_real_iad_is_listed_at_once() {
    let (_folder, root, mut all) = real_iad();
    let first = all["test"][0].clone();
    let good = first["image_path"].as_str().unwrap();
    let broken = all["test"][2]["image_path"].as_str().unwrap().to_owned();
    all["test"][2]["mask_path"] = "NG/gone_mask.png".into();
    let added = [
        first.clone(),
        entry("BX", "NG/none.png", Some("x.png")),
        entry("OK", "../../secret.png", None),
        entry("OK", "/etc/passwd", None),
        json!({ "anomaly_class": "OK" }),
        json!(7),
        json!({ "anomaly_class": "OK", "image_path": 3 }),
    ];
    all["test"].as_array_mut().unwrap().extend(added);
    all["train"].as_array_mut().unwrap().push(entry("BX", "NG/BX/S0004/jack_mask.png", Some(good)));
    write(&root, &all);
    let found = errors(RealIad.index(&root, None, Policy::Strict));
    let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    for part in [
        "C1_20231021133242.png is entry 1 of test, too",
        "test entry 6: no image",
        "../../secret.png: leads out",
        "/etc/passwd: leads out",
        "test entry 9: no text image_path",
        "test entry 10: no text anomaly_class",
        "test entry 11: no text image_path",
        "NG/gone_mask.png; add the mask",
        "1 anomalous images in the training split",
    ] {
        assert_eq!(texts.iter().filter(|text| text.contains(part)).count(), 1, "{part}: {texts:#?}");
    }
    assert_eq!(found.len(), 9, "{texts:#?}");
    let left = RealIad.index(&root, None, Policy::Skip).unwrap();
    assert!(left.train().len() == 3 && left.test().len() == 3 && !ids(&left).contains(&broken.as_str()));
    // an anomalous image without a mask
    all["test"] = json!([first, entry("BX", &broken, None)]);
    all["train"].as_array_mut().unwrap().truncate(3);
    write(&root, &all);
    assert!(matches!(only_finding(|p| RealIad.index(&root, None, p), 1), Finding::MissingMask { .. }));
}

#[test]
fn json_that_is_none_of_real_iad_is_an_error_with_its_reason() {
    let (_folder, root, all) = real_iad();
    let list = root.join("realiad_jsons/jack.json");
    let without = |key: &str| {
        let mut all = all.clone();
        all.as_object_mut().unwrap().remove(key);
        all.to_string()
    };
    for (text, part) in [
        ("{".to_owned(), "EOF"),
        ("[]".to_owned(), "meta.normal_class"),
        (without("meta"), "meta.normal_class"),
        (without("train"), "`train`"),
        (without("test"), "`test`"),
    ] {
        fs::write(&list, text).unwrap();
        let error = RealIad.index(&root, None, Policy::Skip).unwrap_err();
        assert!(matches!(&error, DatasetError::Listing { path, .. } if *path == list), "{error}");
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
    let mut out = all.clone();
    out["meta"]["prefix"] = "../..".into();
    write(&root, &out);
    assert!(matches!(RealIad.index(&root, None, Policy::Skip), Err(DatasetError::Findings(_))));
    let mut empty = all;
    (empty["train"], empty["test"]) = (json!([]), json!([]));
    write(&root, &empty);
    assert!(matches!(RealIad.index(&root, None, Policy::Skip), Err(DatasetError::EmptyTable { .. })));
    for name in ["../jack", "none"] {
        assert!(matches!(RealIad.index(&root, Some(name), Policy::Skip), Err(DatasetError::MissingFolder { .. })));
    }
    fs::write(root.join("realiad_jsons/mint.json"), "{}").unwrap();
    let error = RealIad.index(&root, None, Policy::Skip).unwrap_err();
    assert!(matches!(error, DatasetError::SeveralCategories { categories, .. } if categories == ["jack", "mint"]));
}

#[test]
fn the_layout_that_is_found_says_why_and_where_none_is_each_says_what_it_lacks() {
    let (loco, pins) = loco();
    let (ad2, can) = ad2();
    let (_real, iad, _) = real_iad();
    let found = |root: &Path| {
        let found = detect_with_reason(root).unwrap();
        assert_eq!(detect(root).unwrap().name(), found.layout.name());
        (found.layout.name(), found.reason)
    };
    assert_eq!(found(loco.path()), ("mvtec-loco", "pins has defects_config.json".to_owned()));
    fs::remove_file(pins.join("defects_config.json")).unwrap();
    assert_eq!(found(&pins), ("mvtec-loco", "pins has folders of masks in ground_truth/<kind>".to_owned()));
    fs::remove_dir_all(pins.join("ground_truth")).unwrap();
    assert_eq!(found(&pins), ("mvtec", "pins has train/good".to_owned()));
    for root in [ad2.path(), &can] {
        assert_eq!(found(root), ("mvtec-ad2", "can has test_public".to_owned()));
    }
    assert_eq!(found(&iad), ("real-iad", "there are JSON files in realiad_jsons".to_owned()));
    assert_eq!(found(&iad.join("realiad_jsons/jack.json")).0, "real-iad");
    let mpdd = TempDir::new().unwrap();
    let category = |name: &str| fs::create_dir_all(mpdd.path().join(name).join("train/good")).unwrap();
    category("tubes");
    assert_eq!(found(mpdd.path()).0, "mvtec", "a product of one's own may have that name");
    category("connector");
    assert_eq!(found(mpdd.path()), ("mpdd", "all categories are its own, such as connector".to_owned()));
    category("nut");
    assert_eq!(found(mpdd.path()).0, "mvtec");
    assert_eq!(Mvtec.categories(mpdd.path()).unwrap(), ["connector", "nut", "tubes"]);

    let empty = TempDir::new().unwrap();
    let error = detect(empty.path()).unwrap_err();
    let text = error.to_string();
    let DatasetError::UnknownLayout { lacks, .. } = error else { panic!("{text}") };
    // those that their names alone choose are not looked for
    let names: Vec<_> = lacks.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["table", "visa", "real-iad", "btad", "mvtec-ad2", "mvtec-loco", "mpdd", "mvtec"]);
    assert!(LAYOUTS.iter().filter(|layout| names.contains(&layout.name())).count() == names.len());
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(lacks.iter().all(|(name, lack)| !lack.is_empty() && text.contains(&format!("{name}: {lack}"))), "{text}");
}
