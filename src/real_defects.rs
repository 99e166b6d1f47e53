//! Marked real defects for training: as they are, and as synthetic ones that follow them.

use bisqad::{FewShotSet, LabeledDefect};
use ndarray::Array3;
use physdefect::appearance::{Appearance, Material};
use physdefect::calibration::Calibration;
use physdefect::registry::Registry;

use crate::error::Error;
use crate::factory::{MarkedSet, measure_kind};
use crate::foreground::SetForeground;
use crate::photo::{shrink_mask, shrink_to_side};
use crate::synthesis::Pipeline;

/// Marked real defects of some kinds, at the size that a detector trains at.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RealDefects {
    /// The defects, each with the name of its kind.
    pub set: FewShotSet,
    /// Kinds, in the order of their folders.
    pub kinds: Vec<RealKind>,
}

/// A kind of real defects.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RealKind {
    /// Name.
    pub name: String,
    /// Number of its defects.
    pub defects: usize,
    /// Photos of it without a mask, which are left out.
    pub unmarked: usize,
    /// Priors of the mechanism that draws such defects; `None` where none does, or where they cannot be measured.
    pub calibration: Option<Calibration>,
    /// Why they cannot be measured.
    pub unmeasured: Option<String>,
}

impl RealKind {
    /// Name of the mechanism that draws such defects.
    #[must_use]
    pub fn mechanism(&self) -> Option<&'static str> {
        let kind = self.calibration.as_ref()?.mechanism;
        Registry::standard().calibrated_entry(kind).ok().map(|entry| entry.name())
    }
}

impl RealDefects {
    /// Shrinks marked photos to a shorter side of `side`, as the normal `photos` were shrunk, and measures each kind of
    /// three photos or more.
    ///
    /// # Errors
    /// [`Error::Detector`] with [`bisqad::Error::UnusableDefect`] for an empty mask or a photo that is there twice;
    /// [`Error::Resize`]; [`Error::Defect`] for photos that show no product.
    pub fn prepare(sets: Vec<MarkedSet>, photos: &[Array3<f32>], side: usize) -> Result<Self, Error> {
        let foreground = SetForeground::fit(photos.iter().map(|photo| photo.view()))?;
        let (mut defects, mut kinds) = (Vec::new(), Vec::new());
        for mut set in sets {
            for marked in &mut set.photos {
                marked.photo = shrink_to_side(marked.photo.view(), side)?;
                marked.mask = shrink_mask(marked.mask.view(), (marked.photo.dim().0, marked.photo.dim().1))?;
            }
            // what cannot be measured is learned as it is
            let (calibration, unmeasured) = match measure_kind(&set, &foreground, None) {
                Ok(measured) => (measured.calibration, None),
                Err(error) => (None, Some(error.to_string())),
            };
            kinds.push(RealKind {
                name: set.kind.clone(),
                defects: set.photos.len(),
                unmarked: set.unmarked.len(),
                calibration,
                unmeasured,
            });
            defects.extend(set.photos.into_iter().map(|marked| LabeledDefect {
                name: marked.path.display().to_string(),
                kind: set.kind.clone(),
                image: marked.photo,
                mask: marked.mask,
            }));
        }
        Ok(Self { set: FewShotSet::new(defects)?, kinds })
    }

    /// Adds a group to `pipeline` for each kind that was measured, called like the kind, in every one of `materials`:
    /// its synthetic defects follow the real ones.
    ///
    /// # Errors
    /// [`Error::Defect`] for a material or a prior out of range.
    pub fn extend(&self, pipeline: &mut Pipeline, materials: &[Material]) -> Result<(), Error> {
        for kind in &self.kinds {
            let Some(calibration) = &kind.calibration else { continue };
            let build = |&material: &Material| calibration.synthesizer(Appearance::new(material));
            pipeline.push_named(&kind.name, materials.iter().map(build).collect::<Result<_, _>>()?);
        }
        Ok(())
    }
}
