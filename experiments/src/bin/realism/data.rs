//! Real photos: test photos with features and masks, and good ones to draw on.

use std::path::Path;

use experiments::program::Result;
use experiments::realism::features::{FeatureStore, Features};
use maphc2f::factory::PhotoSet;
use maphc2f::imgkit::image_io::{MaskRule, read_mask};
use maphc2f::imgkit::resize::{Kernel, resize_map};
use maphc2f::{list_photos, load_photo, shrink_to_side};
use ndarray::{Array2, Array3, ArrayView2};
use rayon::prelude::*;

use crate::rows::Row;

/// A photo at the size of evaluation with its mask.
#[derive(Debug, Clone)]
pub(crate) struct Marked {
    /// `(H, W, 1 or 3)`, decoded from 8 bits and shrunk to the row's side.
    pub(crate) image: Array3<f32>,
    pub(crate) mask: Array2<bool>,
}

/// A test photo.
#[derive(Debug)]
pub(crate) struct Real {
    pub(crate) shown: Marked,
    /// Features of the shrunk photo.
    pub(crate) features: Features,
    /// The photo and its mask at their own size.
    pub(crate) own: Marked,
}

/// Everything real of one row.
#[derive(Debug)]
pub(crate) struct RowData {
    /// Defective test photos of the kind, by folder and name.
    pub(crate) defects: Vec<Real>,
    /// `test/good`.
    pub(crate) good: Vec<Real>,
    /// `train/good`.
    pub(crate) photos: PhotoSet,
    /// Features of `train/good`, in the order of `photos`.
    pub(crate) normals: Vec<Features>,
}

impl RowData {
    /// Reads a row; masks that are empty as published are left out with their photos.
    pub(crate) fn load(row: &Row, data: &Path, store: &FeatureStore) -> Result<Self> {
        let root = row.root(data);
        let photos = PhotoSet::find(&root.join("train/good"), None, None)?;
        let normal = |path: &std::path::PathBuf| -> std::result::Result<Features, String> {
            let image = load_photo(path).and_then(|p| shrink_to_side(p.view(), row.side));
            image.map_err(|e| e.to_string()).and_then(|p| store.get(p.view()).map_err(|e| e.to_string()))
        };
        let normals = photos.paths().par_iter().map(normal).collect::<std::result::Result<_, _>>()?;
        let mut defects = Vec::new();
        for folder in row.folders {
            defects.extend(read(&root, folder, row.side, store)?);
        }
        Ok(Self { defects, good: read(&root, "good", row.side, store)?, photos, normals })
    }
}

/// Test photos of one folder.
fn read(root: &Path, folder: &str, side: usize, store: &FeatureStore) -> Result<Vec<Real>> {
    let photos = list_photos(&root.join("test").join(folder))?.photos;
    let one = |path: &std::path::PathBuf| -> std::result::Result<Option<Real>, String> {
        let image = load_photo(path).map_err(|e| e.to_string())?;
        let (h, w, _) = image.dim();
        let mask = if folder == "good" {
            Array2::from_elem((h, w), false)
        } else {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let file = root.join("ground_truth").join(folder).join(format!("{stem}_mask.png"));
            let mask = read_mask(file, MaskRule::NonZero).map_err(|e| e.to_string())?.mask;
            if mask.dim() != (h, w) || !mask.iter().any(|m| *m) {
                return Ok(None);
            }
            mask
        };
        let own = Marked { image, mask };
        let shown = own.shrunk(side).map_err(|e| e.to_string())?;
        let features = store.get(shown.image.view()).map_err(|e| e.to_string())?;
        Ok(Some(Real { shown, features, own }))
    };
    let read: Vec<Option<Real>> = photos.par_iter().map(one).collect::<std::result::Result<_, _>>()?;
    Ok(read.into_iter().flatten().collect())
}

impl Marked {
    /// Shrinks photo and mask to a shorter side.
    pub(crate) fn shrunk(&self, side: usize) -> Result<Self> {
        let image = shrink_to_side(self.image.view(), side)?;
        let mask = shrink_mask(self.mask.view(), (image.dim().0, image.dim().1))?;
        Ok(Self { image, mask })
    }
}

/// Shrinks a mask by area: pixels that are half marked, or any marked ones where that would empty it.
fn shrink_mask(mask: ArrayView2<'_, bool>, to: (usize, usize)) -> Result<Array2<bool>> {
    if mask.dim() == to {
        return Ok(mask.to_owned());
    }
    let share = resize_map(mask.mapv(|m| f32::from(u8::from(m))).view(), to, Kernel::Area)?;
    let half = share.mapv(|v| v >= 0.5);
    Ok(if half.iter().any(|m| *m) { half } else { share.mapv(|v| v > 0.0) })
}
