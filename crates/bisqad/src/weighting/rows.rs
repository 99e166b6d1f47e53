//! Patch features of an image, and those of a defect among them.

use frozen_backbone::Backbone;
use ndarray::{Array2, ArrayView2, ArrayView3, Axis};

use crate::detectors::provenance::image_hash;
use crate::error::Error;
use crate::evidence::heads::by_coverage;
use crate::features::patches;
use crate::selection::images::coverage;
use crate::views::seen::Seen;

/// Patch features of one image: all levels of a backbone side by side, one row for each patch of 8 px.
///
/// ```
/// use bisqad::PatchRows;
/// use bisqad::frozen_backbone::EfficientNetLite0;
/// use ndarray::{Array2, Array3};
///
/// let net = EfficientNetLite0::pretrained_s32()?;
/// let photo = Array3::from_shape_fn((64, 96, 3), |(y, x, _)| ((y * 7 + x * 3) % 11) as f32 / 11.0);
/// let rows = PatchRows::read(&net, 64, photo.view())?;
/// assert_eq!((rows.grid(), rows.features().nrows()), ((8, 12), 96));
/// let mask = Array2::from_shape_fn((64, 96), |(y, x)| y < 16 && x < 16);
/// let defect = rows.defect(mask.view(), (50, 20), 0, 0).unwrap();
/// assert_eq!((defect.marked.nrows(), defect.unmarked.nrows()), (4, 20));
/// # Ok::<(), bisqad::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PatchRows {
    grid: (usize, usize),
    features: Array2<f32>,
    hash: u64,
}

/// Patches of a defect and of what is around it.
#[derive(Debug, Clone, PartialEq)]
pub struct DefectPatches {
    /// Patches with three tenths in the mask at least; of a thin defect the one with most. `(N, features)`.
    pub marked: Array2<f32>,
    /// Patches without a pixel of the mask `(M, features)`.
    pub unmarked: Array2<f32>,
    /// [`image_hash`] of the image with the defect.
    pub image: u64,
}

impl PatchRows {
    /// Reads an image `(H, W, 1 or 3)` at a shorter side of `side` px.
    ///
    /// # Errors
    /// [`Error::Backbone`], [`Error::Length`] for an image without pixels.
    pub fn read(backbone: &dyn Backbone, side: usize, image: ArrayView3<'_, f32>) -> Result<Self, Error> {
        let seen = Seen::read(backbone, None, side, image)?;
        let all = patches::concatenate(&seen.levels);
        Ok(Self { grid: all.grid, features: all.features, hash: image_hash(image) })
    }

    /// Rows and columns of patches.
    #[must_use]
    pub fn grid(&self) -> (usize, usize) {
        self.grid
    }

    /// Features `(patches, features)`, row by row of the grid.
    #[must_use]
    pub fn features(&self) -> ArrayView2<'_, f32> {
        self.features.view()
    }

    /// Share of each patch in a mask of the image, in \[0, 1\].
    #[must_use]
    pub fn coverage(&self, mask: ArrayView2<'_, bool>) -> Vec<f32> {
        coverage(mask, self.grid)
    }

    /// Patches of the defect that `mask` marks, at most `most` marked and unmarked ones, which are chosen by `seed` and
    /// `index`; `None` for an empty mask.
    #[must_use]
    pub fn defect(
        &self,
        mask: ArrayView2<'_, bool>,
        most: (usize, usize),
        seed: u64,
        index: usize,
    ) -> Option<DefectPatches> {
        let [marked, unmarked] = by_coverage(&self.coverage(mask), most, seed, index)?;
        let rows = |chosen: &[usize]| self.features.select(Axis(0), chosen);
        Some(DefectPatches { marked: rows(&marked), unmarked: rows(&unmarked), image: self.hash })
    }
}
