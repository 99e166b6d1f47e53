//! Image sets of real products, read for training and testing.

use std::path::{Path, PathBuf};

use maphc2f::adbench::dataset::Policy;
use maphc2f::adbench::loaders::{Layout, Mvtec};
use maphc2f::{TestImage, load_normals};
use ndarray::Array3;

use crate::program::{Result, say};

/// A category in memory: normal photos to train on, and test images.
#[derive(Debug)]
pub struct ImageSet {
    /// Normal photos, shrunk to the side asked for, aspect kept.
    pub normals: Vec<Array3<f32>>,
    /// Paths of the normal photos.
    pub names: Vec<String>,
    /// Test images at their own size.
    pub tests: Vec<TestImage>,
    /// Shorter side of the normal photos, px, where they were larger.
    pub side: usize,
}

impl ImageSet {
    /// Reads a category in MVTec AD layout. Images with faults are left out, each with a note.
    ///
    /// # Errors
    ///
    /// The folder cannot be indexed, or a file cannot be read.
    pub fn load(root: &Path, side: usize) -> Result<Self> {
        // four masks of the magnetic tiles are empty as published
        let dataset = Mvtec.index(root, None, Policy::Skip)?.validate()?;
        for finding in dataset.findings() {
            say(&format!("note: {finding}"));
        }
        let paths: Vec<PathBuf> = dataset.train().samples().iter().map(|s| s.image_path().to_owned()).collect();
        let normals = load_normals(&paths, side)?;
        let names = paths.iter().map(|path| path.display().to_string()).collect();
        let tests = dataset.test().samples().iter().map(TestImage::read).collect::<std::result::Result<_, _>>()?;
        Ok(Self { normals, names, tests, side })
    }
}
