//! The coarse-to-fine pipeline: npcF, then npcF++.

use crate::coarse::Npcf;
use crate::error::Error;
use crate::fine::NpcfPlus;
use crate::refine::{Refine, Refined};
use imgkit::{Rect, boxes};
use ndarray::{ArrayView2, ArrayView3};

/// Coarse-to-fine refinement: npcF, then npcF++.
///
/// ```
/// use ndarray::{Array2, Array3};
/// use pde_refine::{CoarseToFine, Refine};
/// let normal = Array3::from_elem((32, 32, 3), 0.5f32);
/// let empty = Array2::from_elem((32, 32), false);
/// let refined = CoarseToFine::default().refine(normal.view(), normal.view(), empty.view())?;
/// assert_eq!(refined.image, normal);
/// # Ok::<(), pde_refine::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct CoarseToFine {
    /// Coarse stage.
    pub coarse: Npcf,
    /// Fine stage.
    pub fine: NpcfPlus,
}

/// Results of both stages.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Stages {
    /// Result of npcF.
    pub coarse: Refined,
    /// Result of npcF++.
    pub fine: Refined,
}

impl CoarseToFine {
    /// Part of a photo of `dim` rows and columns that a mask within the box `inner` is refined by: crops of photo,
    /// composite and mask to it give the same values, bit for bit, without touching the rest of a large photo.
    ///
    /// ```
    /// use ndarray::{Array2, Array3};
    /// use pde_refine::imgkit::Rect;
    /// use pde_refine::{CoarseToFine, Refine};
    ///
    /// let photo = Array3::from_shape_fn((200, 300, 3), |(y, x, _)| 0.5 + 0.1 * ((y * 7 + x * 5) % 11) as f32 / 11.0);
    /// let inner = Rect { top: 90, left: 120, bottom: 110, right: 150 };
    /// let mask = Array2::from_shape_fn((200, 300), |at| inner.contains(at));
    /// let darker = photo.mapv(|v| 0.8 * v);
    /// let refiner = CoarseToFine::default();
    /// let whole = refiner.refine(photo.view(), darker.view(), mask.view())?;
    /// let near = refiner.window(inner, (200, 300));
    /// let part = refiner.refine(near.crop(photo.view()), near.crop(darker.view()), near.crop(mask.view()))?;
    /// assert!(near.area() < 200 * 300 / 4);
    /// assert_eq!(part.image, near.crop(whole.image.view()));
    /// # Ok::<(), pde_refine::Error>(())
    /// ```
    #[must_use]
    pub fn window(&self, inner: Rect, dim: (usize, usize)) -> Rect {
        boxes::window(inner, self.coarse.reach().max(self.fine.reach()), dim)
    }

    /// Runs both stages and returns both results.
    ///
    /// # Errors
    /// As [`Refine::refine`].
    pub fn stages(
        &self,
        normal: ArrayView3<'_, f32>,
        composite: ArrayView3<'_, f32>,
        mask: ArrayView2<'_, bool>,
    ) -> Result<Stages, Error> {
        let coarse = self.coarse.refine(normal, composite, mask)?;
        let fine = self.fine.refine(normal, coarse.image.view(), mask)?;
        Ok(Stages { coarse, fine })
    }
}

impl Refine for CoarseToFine {
    /// Runs both stages; the result is the fine stage's image, with the coarse stage's solve in the statistics.
    fn refine(
        &self,
        normal: ArrayView3<'_, f32>,
        composite: ArrayView3<'_, f32>,
        mask: ArrayView2<'_, bool>,
    ) -> Result<Refined, Error> {
        let coarse = self.coarse.refine(normal, composite, mask)?;
        let mut fine = self.fine.refine_into(coarse.image, normal, None, mask)?;
        fine.stats.solve = coarse.stats.solve;
        Ok(fine)
    }
}
