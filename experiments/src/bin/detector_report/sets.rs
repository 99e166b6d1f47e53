//! The image sets, and how one is read.

use std::path::Path;

use maphc2f::adbench::dataset::Policy;
use maphc2f::adbench::loaders::Mvtec;
use maphc2f::{TestImage, load_photo, shrink_to_side};
use ndarray::Array3;

use crate::Result;
use experiments::console::say;

/// A set and where it lies.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) folder: &'static str,
}

const fn place(name: &'static str, folder: &'static str) -> Place {
    Place { name, folder }
}

/// In the order of the table.
pub(crate) const SETS: [Place; 5] = [
    place("bottle", "mvtec/bottle"),
    place("pill", "mvtec/pill"),
    place("magnetic_tile", "magnetic_tile/tile"),
    place("kolektor", "kolektor_sdd/commutator"),
    place("hazelnut_toy", "hazelnut_toy/hazelnut"),
];

/// A set in memory.
pub(crate) struct Set {
    pub(crate) name: &'static str,
    /// Shrunk, aspect kept.
    pub(crate) normals: Vec<Array3<f32>>,
    pub(crate) names: Vec<String>,
    pub(crate) tests: Vec<TestImage>,
}

pub(crate) fn read(place: &Place, root: &Path, side: usize) -> Result<Set> {
    // four masks of the magnetic tiles are empty as published: left out, and said
    let dataset = Mvtec::index_with(root, Policy::Skip)?.validate()?;
    for finding in dataset.findings() {
        say(&format!("note: {finding}"));
    }
    let paths: Vec<_> = dataset.train().samples().iter().map(|s| s.image_path().to_owned()).collect();
    let normals: Vec<Array3<f32>> =
        paths.iter().map(|p| shrink_to_side(load_photo(p)?.view(), side)).collect::<std::result::Result<_, _>>()?;
    let names = paths.iter().map(|p| p.display().to_string()).collect();
    let tests = dataset.test().samples().iter().map(TestImage::read).collect::<std::result::Result<_, _>>()?;
    Ok(Set { name: place.name, normals, names, tests })
}
