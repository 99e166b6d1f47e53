//! The interface of every refinement stage.

use crate::error::{Error, check_shape};
use crate::parallel;
use crate::poisson::SolveStats;
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

/// Refuses NaN and infinities in a box of each of these images, which are named.
pub(crate) fn check_finite<const N: usize>(
    rect: Rect,
    images: [(&'static str, &ArrayView3<'_, f32>); N],
) -> Result<(), Error> {
    let pixels = (rect.bottom - rect.top) * (rect.right - rect.left);
    let one = |i: usize| {
        let (what, image) = images[i];
        let crop = rect.crop(*image);
        // A sum is finite if every term is, and passes without a branch are cheap.
        let sum = |row: &[f32]| {
            let (groups, rest) = row.as_chunks::<16>();
            let mut sums = [0.0f32; 16];
            for group in groups {
                for (sum, v) in sums.iter_mut().zip(group) {
                    *sum += v * 0.0;
                }
            }
            sums.iter().sum::<f32>() + rest.iter().map(|v| v * 0.0).sum::<f32>()
        };
        let finite = crop.outer_iter().all(|row| {
            let sum = row.as_slice().map_or_else(|| row.iter().map(|v| v * 0.0).sum(), sum);
            sum == 0.0
        });
        if finite {
            return Ok(());
        }
        match crop.indexed_iter().find(|(_, v)| !v.is_finite()) {
            Some(((y, x, _), _)) => Err(Error::NonFinite { what, row: rect.top + y, column: rect.left + x }),
            None => Ok(()),
        }
    };
    parallel::map(N, pixels, one).into_iter().collect()
}
