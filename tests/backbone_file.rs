//! `--backbone FILE` as a process, from training to inspection, with DINOv2 and DINOv3 files of made-up numbers.
#![allow(clippy::unwrap_used)] // a test may panic

mod factory_common;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use factory_common::{damaged, json, maphc2f, run, texture};
use image::{GrayImage, Luma};

const ID: &str = "dinov2-small-v1@3+6+9+12";

/// A safetensors file of the tensors that PyTorch lists for DINO-small of a version, with numbers by a formula.
fn write_dino(path: &Path, version: &str, seed: u64) {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/frozen-backbone/tests/golden");
    let list = fs::read_to_string(list.join(format!("dino{version}_small.txt"))).unwrap();
    let (mut header, mut end, mut values) = (Vec::new(), 0, Vec::new());
    for line in list.lines() {
        let (name, shape) = line.split_once(' ').unwrap();
        let shape: Vec<usize> = shape.split(' ').map(|n| n.parse().unwrap()).collect();
        let count: usize = shape.iter().product();
        let next = end + 4 * count;
        header.push(format!("\"{name}\":{{\"dtype\":\"F32\",\"shape\":{shape:?},\"data_offsets\":[{end},{next}]}}"));
        end = next;
        // norms and layer scales about 1, the others so small that nothing grows from layer to layer
        let (middle, spread) = match name {
            _ if shape.len() > 1 => (0.0, (3.0 / shape[1..].iter().product::<usize>() as f64).sqrt()),
            _ if name.contains("norm") && name.ends_with("weight") || name.contains("lambda") => (1.0, 0.2),
            _ => (0.0, 0.1),
        };
        values.push((count, middle, spread));
    }
    let header = format!("{{{}}}", header.join(","));
    let mut file = BufWriter::new(File::create(path).unwrap());
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    let mut state = seed;
    for (count, middle, spread) in values {
        for _ in 0..count {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let value = middle + spread * ((state >> 40) as f64 / f64::from(1 << 23) - 1.0);
            file.write_all(&(value as f32).to_le_bytes()).unwrap();
        }
    }
    file.flush().unwrap();
}

fn error(command: &mut Command) -> String {
    let output: Output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{command:?}: {output:?}");
    json(&output)["error"].as_str().unwrap().to_owned()
}

#[test]
fn a_detector_on_weights_of_the_users_own_is_trained_changed_measured_and_used() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let root = at("part");
    for sub in ["train/good", "test/good", "test/spot", "ground_truth/spot", "also"] {
        fs::create_dir_all(root.join(sub)).unwrap();
    }
    (0..4).for_each(|i| texture(i).save(root.join(format!("train/good/{i}.png"))).unwrap());
    texture(5).save(root.join("also/5.png")).unwrap();
    texture(20).save(root.join("test/good/20.png")).unwrap();
    damaged(30).save(root.join("test/spot/30.png")).unwrap();
    let inside = |x: u32, y: u32| (20..36).contains(&x) && (28..44).contains(&y);
    let mask = GrayImage::from_fn(64, 64, |x, y| Luma([if inside(x, y) { 255 } else { 0 }]));
    mask.save(root.join("ground_truth/spot/30_mask.png")).unwrap();
    let (dino, other) = (at("dino.safetensors"), at("other.safetensors"));
    write_dino(&dino, "v2", 1);
    write_dino(&other, "v2", 2);

    let train = |out: &Path, backbone: Option<&Path>| {
        let mut command = maphc2f("train");
        command.arg("--normals").arg(root.join("train/good")).arg("--out").arg(out);
        backbone.map(|file| command.arg("--backbone").arg(file));
        command
    };
    let trained = json(&run(&mut train(&at("model"), Some(&dino))));
    assert_eq!((trained["backbone"].as_str(), trained["images"].as_u64()), (Some(ID), Some(4)), "{trained}");
    let hash = trained["backbone_hash"].as_str().unwrap();
    assert_eq!(hash, format!("{:016x}", maphc2f::frozen_backbone::Weights::open(&dino).unwrap().hash()));
    let model = at("model/detector.safetensors");

    let with = |subcommand: &str, backbone: Option<&Path>| {
        let mut command = maphc2f(subcommand);
        command.arg(if subcommand == "train" { "--add-to" } else { "--model" }).arg(&model);
        match subcommand {
            "inspect" => command.arg("--images").arg(root.join("test/spot")).arg("--out").arg(at("seen")),
            "evaluate" => command.arg("--data").arg(&root),
            _ => command.arg("--normals").arg(root.join("also")).arg("--out").arg(at("changed")),
        };
        backbone.map(|file| command.arg("--backbone").arg(file));
        command
    };
    for subcommand in ["inspect", "evaluate", "train"] {
        let said = error(&mut with(subcommand, None));
        assert!(said.contains(ID) && said.contains(hash) && said.contains("(--backbone FILE)"), "{subcommand}: {said}");
        let said = error(&mut with(subcommand, Some(&other)));
        assert!(
            said.contains(hash) && said.contains("the same file of weights as in training"),
            "{subcommand}: {said}"
        );
    }
    assert!(!at("seen").exists() && !at("changed").exists(), "refused after something was written");

    let measured = json(&run(&mut with("evaluate", Some(&dino))));
    assert_eq!(measured["image_auroc"], 1.0, "a bright square is found: {measured}");
    let output = with("inspect", Some(&dino)).output().unwrap();
    assert_eq!((output.status.code(), json(&output)["anomalous"].as_u64()), (Some(1), Some(1)), "{output:?}");
    let changed = json(&run(&mut with("train", Some(&dino))));
    assert_eq!(changed["images"], 5, "{changed}");

    // DINOv3 through the same family
    let third = at("third.safetensors");
    write_dino(&third, "v3", 3);
    let trained = json(&run(&mut train(&at("third"), Some(&third))));
    assert_eq!(trained["backbone"], "dinov3-small-v1@3+6+9+12", "{trained}");
    let model = at("third/detector.safetensors");
    let measured = json(&run(maphc2f("evaluate")
        .arg("--model")
        .arg(model)
        .arg("--data")
        .arg(&root)
        .arg("--backbone")
        .arg(&third)));
    assert_eq!(measured["image_auroc"], 1.0, "a bright square is found: {measured}");

    // a detector of the standard weights needs no file, and says so
    run(&mut train(&at("standard"), None));
    let said = error(
        maphc2f("inspect")
            .arg("--model")
            .arg(at("standard/detector.safetensors"))
            .arg("--images")
            .arg(root.join("test/spot"))
            .arg("--out")
            .arg(at("none"))
            .arg("--backbone")
            .arg(&dino),
    );
    assert!(said.contains("efficientnet-lite0-s32-v1") && said.contains("leave --backbone out"), "{said}");
}

#[test]
fn files_that_are_no_backbone_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("good")).unwrap();
    (0..2).for_each(|i| texture(i).save(at(&format!("good/{i}.png"))).unwrap());
    let tensor = |name: &str, shape: &str, bytes: usize| -> PathBuf {
        let header = format!("{{\"{name}\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":[0,{bytes}]}}}}");
        let path = at("net.safetensors");
        let content = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; bytes]].concat();
        fs::write(&path, content).unwrap();
        path
    };
    let train = |backbone: &Path| {
        let mut command = maphc2f("train");
        command.arg("--normals").arg(at("good")).arg("--out").arg(at("model")).arg("--backbone").arg(backbone);
        command
    };
    let refuse = |backbone: &Path, words: &[&str]| {
        let said = error(&mut train(backbone));
        let name = backbone.file_name().unwrap().to_str().unwrap();
        assert!(said.contains(name) && words.iter().all(|word| said.contains(word)), "{said}");
    };
    refuse(&at("nowhere.safetensors"), &["cannot be read"]);
    refuse(&at("good/0.png"), &["safetensors"]);
    fs::write(at("net.pth"), b"PK\x03\x04and so on").unwrap();
    refuse(&at("net.pth"), &["PyTorch", "save_file"]);
    refuse(&tensor("counts", "[3]", 12), &["none of the networks", "DINOv2", "WideResNet-50-2"]);
    refuse(&tensor("embeddings.patch_embeddings.projection.weight", "[384,3,14,14]", 903_168), &["tensor", "DINOv2"]);
    let said = error(train(&at("net.pth")).args(["--preset", "bilevel-2026-11"]));
    assert!(said.contains("--backbone is of the evidence detector"), "{said}");
    assert!(!at("model").exists());
}
