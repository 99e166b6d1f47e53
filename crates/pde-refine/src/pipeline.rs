//! The coarse-to-fine pipeline: npcF, then npcF++.

use crate::coarse::Npcf;
use crate::error::Error;
use crate::fine::NpcfPlus;
use crate::refine::{Refine, Refined};
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
