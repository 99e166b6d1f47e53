//! The `Refine` trait of the refinement stages, its results, and the checks of its inputs.

use crate::error::{Error, check_shape};
use crate::parallel;
use crate::poisson::SolveStats;
use imgkit::{Rect, first_non_finite};
use ndarray::{Array3, ArrayView2, ArrayView3};

/// Refinement stage: makes a composite coherent with the normal image around it, inside a mask.
///
/// `normal` and `composite` are (H, W, C) images in `[0, 1]`, `mask` is (H, W). Outside the mask the returned image
/// equals `normal` bit for bit, whatever `composite` holds there.
pub trait Refine: std::fmt::Debug + Send + Sync {
    /// Refines `composite` inside `mask`.
    ///
    /// # Errors
    /// [`Error::Shape`] on mismatched shapes, [`Error::NonFinite`] if an image holds a NaN or an infinity in or near
    /// the mask, [`Error::NotConverged`] or [`Error::NoBoundary`] from the coarse stage's solver.
    fn refine(
        &self,
        normal: ArrayView3<'_, f32>,
        composite: ArrayView3<'_, f32>,
        mask: ArrayView2<'_, bool>,
    ) -> Result<Refined, Error>;
}

/// Result of a refinement or compositing step.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Refined {
    /// Refined image (H, W, C), equal to the normal image outside the mask.
    pub image: Array3<f32>,
    /// Statistics of the computation.
    pub stats: RefineStats,
}

/// Statistics of a refinement.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct RefineStats {
    /// Number of boxes that the mask was split into; each is processed independently.
    pub boxes: usize,
    /// Statistics of the coarse stage's solves, the worst over boxes and channels; all zero for the fine stage.
    pub solve: SolveStats,
    /// Fraction of the fine stage's change that was applied, the least over boxes: below 1 where the full change would
    /// have raised the seam. 1 for the coarse stage.
    pub strength: f32,
}

/// Checks that images and mask agree in size.
pub(crate) fn check_inputs(
    normal: &ArrayView3<'_, f32>,
    composite: &ArrayView3<'_, f32>,
    mask: &ArrayView2<'_, bool>,
) -> Result<(), Error> {
    check_shape("composite", normal.shape(), composite.shape())?;
    check_shape("mask", &normal.shape()[..2], mask.shape())
}

/// Checks that a box of each named image holds finite values only.
pub(crate) fn check_finite<const N: usize>(
    rect: Rect,
    images: [(&'static str, &ArrayView3<'_, f32>); N],
) -> Result<(), Error> {
    let pixels = rect.area();
    let one = |i: usize| {
        let (what, image) = images[i];
        match first_non_finite(rect.crop(*image)) {
            Some((y, x, _)) => Err(Error::NonFinite { what, row: rect.top + y, column: rect.left + x }),
            None => Ok(()),
        }
    };
    parallel::map(N, pixels, one).into_iter().collect()
}
