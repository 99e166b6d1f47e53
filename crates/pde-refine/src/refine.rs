//! The interface of every refinement stage.

use crate::coarse::SolveStats;
use crate::error::{Error, check_shape};
use crate::region::Rect;
use ndarray::{Array3, ArrayView2, ArrayView3};

/// A stage that makes a composite coherent with the normal image around it.
///
/// `normal` and `composite` are (H, W, C) images in `[0, 1]`, `mask` is (H, W). The image returned equals `normal` bit
/// for bit outside the mask, whatever `composite` holds there.
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

/// The result of a stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Refined {
    /// The refined image (H, W, C), equal to the normal image outside the mask.
    pub image: Array3<f32>,
    /// What was done to get it.
    pub stats: RefineStats,
}

/// What a stage did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RefineStats {
    /// Boxes the mask was split into; each is worked on by itself.
    pub boxes: usize,
    /// The coarse stage's solves, the worst over boxes and channels; all zero for the fine stage.
    pub solve: SolveStats,
    /// Share of the fine stage's change that was kept, the least over boxes: 1 unless the full change would have
    /// raised the seam. 1 for the coarse stage.
    pub strength: f32,
}

/// Refuses images and masks that do not fit together.
pub(crate) fn check_inputs(
    normal: &ArrayView3<'_, f32>,
    composite: &ArrayView3<'_, f32>,
    mask: &ArrayView2<'_, bool>,
) -> Result<(), Error> {
    check_shape("composite", normal.shape(), composite.shape())?;
    check_shape("mask", &normal.shape()[..2], mask.shape())
}

/// Refuses NaN and infinities in a box.
pub(crate) fn check_finite(what: &'static str, image: &ArrayView3<'_, f32>, rect: Rect) -> Result<(), Error> {
    let crop = rect.crop(*image);
    let clean = crop.outer_iter().all(|row| {
        // one pass without a branch is cheap
        let row = row.as_standard_layout();
        row.as_slice().is_some_and(|row| !row.iter().fold(false, |any, v| any | !v.is_finite()))
    });
    if clean {
        return Ok(());
    }
    match crop.indexed_iter().find(|(_, v)| !v.is_finite()) {
        Some(((y, x, _), _)) => Err(Error::NonFinite { what, row: rect.top + y, column: rect.left + x }),
        None => Ok(()),
    }
}
