//! Figures that a dataset's own protocol adds, and `evaluate` on the layouts that have them.
#![allow(clippy::unwrap_used)] // a test may panic

mod factory_common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use factory_common::{damaged, json, maphc2f, run, stderr, texture};
use image::{GrayImage, Luma};
use maphc2f::adbench::dataset::{Dataset, Policy};
use maphc2f::adbench::loaders::{Ad2Split, Layout, MvtecAd2, MvtecLoco, RealIad};
use maphc2f::bisqad::{self, Detector, Prediction};
use maphc2f::imgkit::image_io::tiff::read_map;
use maphc2f::ndarray::{ArrayView3, Axis};
use maphc2f::{DatasetFigures, Error, Evaluation, PhotoReader, TestImage, evaluate, write_maps};

/// A detector whose map is the photo's first channel, and its score the brightest pixel.
#[derive(Debug)]
struct Mirror;

impl Detector for Mirror {
    fn name(&self) -> &'static str {
        "mirror"
    }

    fn predict(&self, image: ArrayView3<'_, f32>) -> Result<Prediction, bisqad::Error> {
        let map = image.index_axis(Axis(2), 0).to_owned();
        let score = map.iter().fold(0.0, |a: f32, b| a.max(*b));
        let mut prediction = Prediction::of_map(map);
        prediction.score = f64::from(score);
        Ok(prediction)
    }
}

fn save(path: &Path, level: impl Fn(u32, u32) -> u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    GrayImage::from_fn(40, 32, |x, y| Luma([level(x, y)])).save(path).unwrap();
}

fn figures(data: &Dataset, pixel_threshold: Option<f64>) -> Result<(Evaluation, DatasetFigures), Error> {
    let reader = PhotoReader::default();
    let tests: Vec<TestImage> = data.test().samples().iter().map(|s| TestImage::read(s).unwrap()).collect();
    let evaluation = evaluate(&Mirror, data.category(), &tests, &|_| ())?;
    let figures = DatasetFigures::of(&Mirror, &reader, data, &tests, &evaluation, pixel_threshold)?;
    Ok((evaluation, figures))
}

#[test]
fn saturated_overlap_and_f1_at_the_threshold_of_validation_images_are_those_of_the_construction() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    save(&root.join("train/good/0.png"), |x, _| x as u8);
    // a share of 0.00135 of 1280 pixels are 1.7 of them: one may exceed the threshold
    save(&root.join("validation/good/0.png"), |x, y| if (x, y) == (3, 4) { 90 } else { 50 + (x == 9) as u8 });
    save(&root.join("test/good/0.png"), |_, _| 10);
    // rows 5 to 14 are a defect, and 5 to 9 are bright; 20 pixels beside it are a little brighter than the validation
    save(&root.join("test/logical_anomalies/0.png"), |_, y| match y {
        5..10 => 200,
        20 => 60,
        _ => 20,
    });
    save(&root.join("ground_truth/logical_anomalies/0/000.png"), |_, y| if (5..15).contains(&y) { 254 } else { 0 });
    save(&root.join("test/structural_anomalies/0.png"), |x, _| if x < 4 { 180 } else { 21 });
    save(&root.join("ground_truth/structural_anomalies/0/000.png"), |x, _| if x < 4 { 255 } else { 0 });
    let types = r#"[
        {"defect_name": "missing", "pixel_value": 254, "saturation_threshold": 250, "relative_saturation": false},
        {"defect_name": "broken", "pixel_value": 255, "saturation_threshold": 1, "relative_saturation": true}]"#;
    fs::write(root.join("defects_config.json"), types).unwrap();
    let data = MvtecLoco.index(root, None, Policy::Strict).unwrap().validate().unwrap();
    let (evaluation, found) = figures(&data, None).unwrap();
    assert!(evaluation.report.overall.image_auroc.is_some_and(|f| f.value == 1.0));
    let of = |name: &str| found.au_spro.iter().find(|(n, _)| n == name).unwrap().1;
    assert_eq!(found.au_spro.len(), 3);
    assert_eq!(of("structural_anomalies"), 1.0);
    // Good and logical images have 2160 normal pixels, 108 of them up to the rate 0.05. Before any of them 200 of the
    // 250 pixels that are enough are found, and no more until the 40 of row 20; the other 840 come together with all
    // the rest.
    let expected = (40.0 * 0.8 + 68.0 * (0.8 + 0.2 * (68.0 / 840.0) / 2.0)) / 108.0;
    assert!((of("logical_anomalies") - expected).abs() < 1e-12, "{:?} {expected}", found.au_spro);
    // overall the rate 0.05 is reached before the rest
    assert!((of("overall") - 0.9).abs() < 1e-12, "{:?}", found.au_spro);
    let seg = found.seg_f1.unwrap();
    assert!((seg.threshold - 51.0 / 255.0).abs() < 1e-6 && seg.validation_images == Some(1), "{seg:?}");
    // found: 200 + 128 of 400 + 128, and 40 that are none
    assert!((seg.f1 - 2.0 * 328.0 / (368.0 + 528.0)).abs() < 1e-12, "{seg:?}");
    let (_, given) = figures(&data, Some(100.0 / 255.0)).unwrap();
    let seg = given.seg_f1.unwrap();
    assert!((seg.f1 - 2.0 * 328.0 / (328.0 + 528.0)).abs() < 1e-12 && seg.validation_images.is_none(), "{seg:?}");
    assert_eq!(found.lines().len(), 4);
    assert!(matches!(figures(&data, Some(f64::NAN)), Err(Error::Parameter(_))));
}

#[test]
fn an_object_has_the_highest_score_of_its_views() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mut listed = Vec::new();
    for (object, view, level, class) in
        [("S1", 1, 40, "OK"), ("S1", 2, 120, "OK"), ("S2", 1, 50, "OK"), ("S3", 1, 60, "BX"), ("S3", 2, 130, "OK")]
    {
        let name = format!("{object}/jack_C{view}_1.png");
        save(&root.join("realiad_256/jack").join(&name), |x, _| level + (x == 3) as u8 * (view as u8));
        let mask = (class != "OK").then(|| format!("{object}/jack_C{view}_1_mask.png"));
        if let Some(mask) = &mask {
            save(&root.join("realiad_256/jack").join(mask), |x, y| u8::from((x, y) == (3, 3)) * 255);
        }
        listed.push(serde_json::json!({ "anomaly_class": class, "image_path": name, "mask_path": mask }));
    }
    fs::create_dir_all(root.join("realiad_jsons")).unwrap();
    let all = serde_json::json!({ "meta": { "prefix": "jack", "normal_class": "OK" }, "train": [], "test": listed });
    fs::write(root.join("realiad_jsons/jack.json"), all.to_string()).unwrap();
    let data = RealIad.index(root, None, Policy::Strict).unwrap();
    let (evaluation, found) = figures(&data, None).unwrap();
    // images: 60 is above 40 and 50, below 120 and 130; objects: 130 is above 120 and 50
    assert!(evaluation.report.overall.image_auroc.is_some_and(|f| f.value == 0.5));
    let objects = found.objects.unwrap();
    assert_eq!((objects.objects, objects.anomalous, objects.auroc), (3, 1, Some(1.0)));
    assert_eq!((found.au_spro.len(), found.seg_f1), (0, None));
}

/// A category in the layout of MVTec AD 2.
fn ad2(root: &Path) -> PathBuf {
    let root = root.join("can");
    let at = |name: &str| {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    };
    (0..2).for_each(|i| texture(40 + i).save(at(&format!("train/good/00{i}_regular.png"))).unwrap());
    texture(42).save(at("validation/good/000_regular.png")).unwrap();
    texture(43).save(at("test_public/good/000_regular.png")).unwrap();
    damaged(44).save(at("test_public/bad/000_overexposed.png")).unwrap();
    let square = |x, y| (20..36).contains(&x) && (28..44).contains(&y);
    let mask = GrayImage::from_fn(64, 64, |x, y| Luma([if square(x, y) { 255 } else { 0 }]));
    mask.save(at("test_public/ground_truth/bad/000_overexposed_mask.png")).unwrap();
    texture(45).save(at("test_private/000.png")).unwrap();
    damaged(46).save(at("test_private/001.png")).unwrap();
    root
}

#[test]
fn images_without_labels_give_maps_and_no_figures() {
    let folder = tempfile::tempdir().unwrap();
    let root = ad2(folder.path());
    let data = MvtecAd2::new(Ad2Split::Private).index(&root, None, Policy::Strict).unwrap();
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    assert_eq!(write_maps(&Mirror, &PhotoReader::default(), &data, &out, &|| ()).unwrap(), 2);
    let map = read_map(out.join("maps/can/test_private/001.tiff")).unwrap();
    assert!(map.dim() == (64, 64) && (map[(30, 30)] - 250.0 / 255.0).abs() < 1e-6, "{:?}", map.dim());
    let table = fs::read_to_string(out.join("scores.csv")).unwrap();
    assert_eq!(table.lines().count(), 3);
    assert!(table.starts_with("image,score\ntest_private/000.png,0."), "{table}");
    // without a label there is no mask to compare with
    assert!(TestImage::read(&data.test().samples()[0]).unwrap().mask.is_none());
}

#[test]
fn evaluate_says_which_layout_it_found_and_why_or_what_each_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("normals")).unwrap();
    (0..8).for_each(|i| texture(i).save(at("normals").join(format!("{i}.png"))).unwrap());
    let mut train = maphc2f("train");
    run(train.args(["--seed", "3"]).arg("--normals").arg(at("normals")).arg("--out").arg(at("model")));
    let root = ad2(folder.path());
    let evaluate = |data: &Path, more: &[&str]| -> Output {
        let mut command = maphc2f("evaluate");
        command.arg("--model").arg(at("model/detector.safetensors")).arg("--data").arg(data).args(more);
        command.output().unwrap()
    };
    let output = evaluate(&root, &[]);
    assert!(output.status.success(), "{output:?}");
    assert!(stderr(&output).contains("layout mvtec-ad2: can has test_public"), "{output:?}");
    let found = json(&output);
    assert_eq!((found["layout"].as_str(), found["images"].as_u64()), (Some("mvtec-ad2"), Some(2)), "{found}");
    assert_eq!(found["seg_f1"]["validation_images"], 1, "{found}");
    // of one kind of defect the figures are those of all
    assert!(found["au_pro_0.05"].is_f64() && found["au_pro_0.05"] == found["kinds"]["bad"]["au_pro_0.05"], "{found}");
    assert_eq!(
        (found["image_auroc"].as_f64(), found["kinds"]["bad"]["images"].as_u64()),
        (Some(1.0), Some(1)),
        "{found}"
    );
    let given =
        json(&evaluate(folder.path(), &["--category", "can", "--layout", "mvtec-ad2", "--pixel-threshold=-1e9"]));
    // everything is called anomalous: 256 of 2 x 4096 pixels are
    let f1 = given["seg_f1"]["f1"].as_f64().unwrap();
    assert!((f1 - 2.0 * 256.0 / (8192.0 + 256.0)).abs() < 1e-12, "{given}");

    // images without labels
    let output = evaluate(&root, &["--layout", "mvtec-ad2-private"]);
    assert!(output.status.code() == Some(2) && stderr(&output).contains("--out"), "{output:?}");
    let out = at("private");
    let output = evaluate(&root, &["--layout", "mvtec-ad2-private", "--out", out.to_str().unwrap()]);
    let found = json(&output);
    assert!(found["images"] == 2 && found.get("image_auroc").is_none(), "{output:?}");
    assert!(out.join("maps/can/test_private/000.tiff").is_file());

    // none fits, or none has that name
    let output = evaluate(&at("normals"), &[]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    for lack in ["mvtec: no folder with train/good", "real-iad: no JSON file", "btad: neither", "table: the root"] {
        assert!(stderr(&output).contains(lack), "{lack}: {output:?}");
    }
    let output = evaluate(&root, &["--layout", "mvtec-lco"]);
    assert!(output.status.code() == Some(2) && stderr(&output).contains("did you mean `mvtec-loco`"), "{output:?}");
}
