//! The report's figures against hand-derived ones, its table and its file.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

use std::fs;

use adbench::file::write_atomic;
use adbench::{MetricError, Report, ReportBuilder};
use ndarray::{Array2, arr2};

fn report() -> Report {
    let mut builder = ReportBuilder::new("widget");
    for score in [0.1, 0.2, 0.3, 0.4] {
        builder.push_image(None, score).unwrap();
    }
    builder.push_image(Some("stain"), 0.25).unwrap();
    builder.push_image(Some("crack, deep"), 0.35).unwrap();
    builder.push_image(Some("crack, deep"), 0.9).unwrap();
    builder.push_map(None, arr2(&[[0.0, 0.5]]).view(), Array2::from_elem((1, 2), false).view()).unwrap();
    builder.push_map(Some("stain"), arr2(&[[0.1, 0.4]]).view(), arr2(&[[false, true]]).view()).unwrap();
    builder.push_map(Some("crack, deep"), arr2(&[[0.9, 0.1]]).view(), arr2(&[[true, false]]).view()).unwrap();
    builder.finish().unwrap()
}

#[test]
fn each_kind_is_compared_with_all_good_images() {
    let report = report();
    let [crack, stain] = report.kinds.as_slice() else { panic!("{report}") };
    assert_eq!((crack.name.as_str(), crack.normal, crack.anomalous), ("crack, deep", 4, 2));
    assert_eq!(crack.image_auroc, 7.0 / 8.0);
    assert_eq!((stain.normal, stain.anomalous, stain.image_auroc), (4, 1, 0.5));
    assert_eq!(report.overall.image_auroc, 9.0 / 12.0);
    assert_eq!(report.mean_of_kinds(|r| Some(r.image_auroc)), Some((7.0 / 8.0 + 0.5) / 2.0));
    assert_eq!(stain.prevalence(), 0.2);
    // Pixels of the stain's own image and of the good one only: 0.4 against 0.1, 0.0 and 0.5.
    assert_eq!(stain.pixels.unwrap().auroc, 2.0 / 3.0);
    assert_eq!(crack.pixels.unwrap().auroc, 1.0);
    assert_eq!(report.overall.pixels.unwrap().auroc, 7.0 / 8.0);
    assert_eq!(report.overall.pixels.unwrap().prevalence, 2.0 / 6.0);
}

#[test]
fn the_table_is_aligned_and_the_csv_quoted() {
    let report = report();
    let table = report.to_string();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 5);
    assert!(lines.iter().all(|l| l.len() == lines[0].len()), "{table}");
    assert!(lines[1].starts_with("crack, deep ") && lines[1].contains("0.8750"), "{table}");
    let csv = report.to_csv();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let columns = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let names: Vec<&str> = rows.iter().map(|r| &r[1]).collect();
    assert_eq!(names, ["crack, deep", "stain", "mean of kinds", "overall"]);
    let auroc = columns.iter().position(|c| c == "pixel_auroc").unwrap();
    assert_eq!(rows[1][auroc].parse::<f64>().unwrap(), 2.0 / 3.0);
}

#[test]
fn without_maps_there_are_no_pixel_figures() {
    let mut builder = ReportBuilder::new("widget");
    builder.push_image(None, 0.0).unwrap();
    builder.push_image(Some("crack"), 1.0).unwrap();
    let report = builder.finish().unwrap();
    assert_eq!(report.overall.pixels, None);
    assert_eq!(report.mean_of_kinds(|r| r.pixels.map(|p| p.auroc)), None);
}

#[test]
fn a_missing_class_is_an_error() {
    let mut builder = ReportBuilder::new("widget");
    builder.push_image(None, 0.0).unwrap();
    assert_eq!(builder.clone().finish(), Err(MetricError::MissingClass { class: "anomalous", count: 1 }));
    assert!(builder.push_image(Some("crack"), f32::NAN).is_err());
    let mut builder = ReportBuilder::new("widget");
    builder.push_image(Some("crack"), 0.0).unwrap();
    assert_eq!(builder.finish(), Err(MetricError::MissingClass { class: "normal", count: 1 }));
}

#[test]
fn a_file_is_replaced_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.csv");
    fs::write(&path, "old").unwrap();
    report().write_csv(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), report().to_csv());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    let absent = folder.path().join("absent/report.csv");
    assert!(write_atomic(&absent, "text").unwrap_err().to_string().contains("absent"));
    // A folder in the file's place cannot be replaced; it stays, and the temporary file goes.
    let taken = folder.path().join("taken");
    fs::create_dir_all(taken.join("inner")).unwrap();
    assert!(write_atomic(&taken, "text").is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}
