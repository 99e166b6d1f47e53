//! Images whose pixels cannot be used are findings.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

use std::fs::{self, File};
use std::path::Path;

use adbench::dataset::{DatasetError, Finding, Policy};
use adbench::loaders::{Layout, Mvtec};
use tiff::encoder::{TiffEncoder, colortype};

fn write<C: colortype::ColorType>(path: &Path, values: &[C::Inner])
where
    [C::Inner]: tiff::encoder::TiffValue,
{
    TiffEncoder::new(File::create(path).unwrap()).unwrap().write_image::<C>(2, 1, values).unwrap();
}

#[test]
fn unsupported_pixels_are_a_finding() {
    let root = tempfile::tempdir().unwrap();
    let category = root.path().join("caps");
    for folder in ["train/good", "test/good", "test/dent", "ground_truth/dent"] {
        fs::create_dir_all(category.join(folder)).unwrap();
    }
    let images = ["train/good/0.tiff", "test/good/0.tiff", "test/dent/0.tiff", "ground_truth/dent/0_mask.tiff"];
    for (image, value) in images.into_iter().zip([97, 98, 99, 0]) {
        write::<colortype::Gray8>(&category.join(image), &[value, 255]);
    }
    Mvtec.index(&category, None, Policy::Strict).unwrap().validate().unwrap();
    let bad = category.join("train/good/1.tiff");
    write::<colortype::Gray32>(&bad, &[1, 2]);
    let refused = Mvtec.index(&category, None, Policy::Strict).unwrap().validate();
    let Err(DatasetError::Findings(list)) = refused else { panic!("{refused:?}") };
    assert!(matches!(&list.as_slice(), [Finding::UnsupportedPixel { path, .. }] if *path == bad), "{list}");
    let kept = Mvtec.index(&category, None, Policy::Skip).unwrap().validate().unwrap();
    assert_eq!((kept.train().len(), kept.test().len(), kept.findings().len()), (1, 2, 1));
}
