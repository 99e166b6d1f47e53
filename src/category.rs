//! A category of a dataset in memory: good photos to train on and labeled images to test on.

use std::path::{Path, PathBuf};

use adbench::dataset::{Finding, Policy};
use adbench::loaders::Layout;
use ndarray::Array3;
use rayon::prelude::*;

use crate::error::Error;
use crate::evaluate::TestImage;
use crate::photo::PhotoReader;

/// Category of a dataset in memory: good photos for training, shrunk, and test images at their own sizes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Category {
    /// Name of the category.
    pub name: String,
    /// Good photos `(H, W, 1 or 3)` in \[0, 1\], shorter side at most the one asked for.
    pub normals: Vec<Array3<f32>>,
    /// File of each good photo, for error messages.
    pub names: Vec<String>,
    /// Test images with their ground truth.
    pub tests: Vec<TestImage>,
    /// Warnings about the files, and under [`Policy::Skip`] what was left out.
    pub findings: Vec<Finding>,
}

impl Category {
    /// Reads a category in a layout, checks every file of it, and shrinks the good photos to a shorter side of `side`
    /// px. `category` is one of [`Layout::categories`], or `None` where `root` is itself one category; `policy` says
    /// what becomes of faulty files.
    ///
    /// # Errors
    /// [`Error::Dataset`] with everything that is wrong with the files; [`Error::Read`], [`Error::TooSmall`],
    /// [`Error::Resize`] for a side of 0.
    pub fn load(
        layout: &dyn Layout,
        root: &Path,
        category: Option<&str>,
        side: usize,
        policy: Policy,
    ) -> Result<Self, Error> {
        Self::load_with(&PhotoReader::default(), layout, root, category, side, policy)
    }

    /// Reads a category as [`Category::load`] does, with a reader that knows the window.
    ///
    /// # Errors
    /// As [`Category::load`].
    pub fn load_with(
        reader: &PhotoReader,
        layout: &dyn Layout,
        root: &Path,
        category: Option<&str>,
        side: usize,
        policy: Policy,
    ) -> Result<Self, Error> {
        let data = layout.index(root, category, policy)?.validate()?;
        let paths: Vec<PathBuf> = data.train().samples().iter().map(|s| s.image_path().to_owned()).collect();
        let tests = data.test().samples().par_iter();
        let tests = tests.map(|sample| TestImage::read_with(reader, sample)).collect::<Result<_, _>>()?;
        Ok(Self {
            name: data.category().to_owned(),
            normals: load_normals_with(reader, &paths, side)?,
            names: paths.iter().map(|path| path.display().to_string()).collect(),
            tests,
            findings: data.findings().to_vec(),
        })
    }
}

/// Reads photos and shrinks each to a shorter side of `side` px.
///
/// # Errors
/// For the first bad one as [`PhotoReader::load_shrunk`].
pub fn load_normals(paths: &[PathBuf], side: usize) -> Result<Vec<Array3<f32>>, Error> {
    load_normals_with(&PhotoReader::default(), paths, side)
}

/// Reads photos as [`load_normals`] does, with a reader that knows the window and remembers notes.
///
/// # Errors
/// As [`load_normals`].
pub fn load_normals_with(reader: &PhotoReader, paths: &[PathBuf], side: usize) -> Result<Vec<Array3<f32>>, Error> {
    paths.par_iter().map(|path| reader.load_shrunk(path, side)).collect()
}
