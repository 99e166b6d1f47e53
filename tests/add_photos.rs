//! `train --add-to` as a process: photos that are unlike the known good ones are named, or refused.
#![allow(clippy::unwrap_used)] // a test may panic

mod factory_common;

use std::fs;
use std::path::Path;

use factory_common::{json, maphc2f, run, texture};
use image::{Rgb, RgbImage};

#[test]
fn photos_of_another_product_are_named_beside_the_known_scores_and_refused_by_strict() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for sub in ["normals", "alike", "mixed"] {
        fs::create_dir(at(sub)).unwrap();
    }
    // eight textures differ
    (0..6).for_each(|i| texture(i).save(at(&format!("normals/{i}.png"))).unwrap());
    texture(6).save(at("alike/6.png")).unwrap();
    texture(7).save(at("mixed/a.png")).unwrap();
    // large checks, black and white
    let other = |side: u32| {
        RgbImage::from_fn(64, 64, |x, y| Rgb([if (x / side + y / side).is_multiple_of(2) { 0 } else { 255 }; 3]))
    };
    other(8).save(at("mixed/b.png")).unwrap();
    other(16).save(at("mixed/c.png")).unwrap();
    run(maphc2f("train").arg("--normals").arg(at("normals")).arg("--out").arg(at("model")));
    let detector = at("model/detector.safetensors");
    let add = |photos: &Path, out: &Path| {
        let mut command = maphc2f("train");
        command.arg("--add-to").arg(&detector).arg("--normals").arg(photos).arg("--out").arg(out);
        command
    };

    let added = json(&run(add(&at("alike"), &at("more")).arg("--strict")));
    assert_eq!((added["added"].as_u64(), added["images"].as_u64()), (Some(1), Some(7)), "{added}");
    assert_eq!((added["unlike"].as_array().unwrap().len(), added["warnings"].as_array().unwrap().len()), (0, 0));

    let output = add(&at("mixed"), &at("strict")).arg("--strict").output().unwrap();
    let said = json(&output)["error"].as_str().unwrap().to_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("b.png") && said.contains("2 such photos") && said.contains("without --strict"), "{said}");
    assert!(!at("strict").exists(), "refused after something was written");

    let output = run(&mut add(&at("mixed"), &at("warned")));
    let added = json(&output);
    assert_eq!((added["added"].as_u64(), added["images"].as_u64()), (Some(3), Some(9)), "{added}");
    let warnings = added["warnings"].as_array().unwrap();
    assert_eq!((added["unlike"].as_array().unwrap().len(), warnings.len()), (2, 2), "{added}");
    let printed = String::from_utf8_lossy(&output.stderr);
    for (warning, name) in warnings.iter().map(|warning| warning.as_str().unwrap()).zip(["b.png", "c.png"]) {
        // its score, then the largest of the known ones
        let numbers: Vec<f64> =
            warning.split([' ', ',']).filter_map(|word| word.parse().ok()).filter(|v: &f64| v.is_finite()).collect();
        assert!(warning.contains(name) && printed.contains(warning), "{warning}");
        assert!(numbers.len() == 2 && numbers[0] > numbers[1], "{warning}");
    }

    // what was added is removed without a word
    let mut remove = maphc2f("train");
    remove.arg("--remove-from").arg(at("warned/detector.safetensors")).arg("--normals").arg(at("mixed"));
    let removed = json(&run(remove.arg("--out").arg(at("removed")).arg("--strict")));
    assert_eq!((removed["removed"].as_u64(), removed["images"].as_u64()), (Some(3), Some(6)), "{removed}");
    assert_eq!(removed["unlike"].as_array().unwrap().len(), 0, "{removed}");
}
