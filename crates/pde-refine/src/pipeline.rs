//! Both stages in a row.

use crate::coarse::Npcf;
use crate::error::Error;
use crate::fine::NpcfPlus;
use crate::refine::{Refine, Refined};
use ndarray::{ArrayView2, ArrayView3};

/// npcF, then npcF++.
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
    /// The coarse stage.
    pub coarse: Npcf,
    /// The fine stage.
    pub fine: NpcfPlus,
}

/// The results of both stages.
#[derive(Debug, Clone, PartialEq)]
pub struct Stages {
    /// After npcF.
    pub coarse: Refined,
    /// After npcF++.
    pub fine: Refined,
}

impl CoarseToFine {
    /// Both stages' results.
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
    /// The fine stage's image, with the coarse stage's solve in the statistics.
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
