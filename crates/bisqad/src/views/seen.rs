//! An image as a detector sees it: at its size, perhaps aligned, as features.

use frozen_backbone::Backbone;
use imgkit::resize::{Kernel, resize};
use ndarray::{Array3, ArrayView3};

use super::motion::Motion;
use super::registration::Registration;
use crate::error::Error;
use crate::features::patches::{self, Patches};

/// Features of an image, and where they lie in it.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Height and width at which it is seen.
    pub(crate) size: (usize, usize),
    /// Motion that brought it to the reference.
    pub(crate) motion: Motion,
    /// By level of the pyramid, in the frame of the reference.
    pub(crate) levels: Vec<Patches>,
}

impl Seen {
    /// Reads `image` `(H, W, C)` at a shorter side of `side`, aligned if there is a registration.
    pub(crate) fn read(
        backbone: &dyn Backbone,
        registration: Option<&Registration>,
        side: usize,
        image: ArrayView3<'_, f32>,
    ) -> Result<Self, Error> {
        let mut seen = at_side(image, side)?;
        let motion = registration.map_or(Motion::NONE, |registration| registration.motion(image));
        if motion != Motion::NONE {
            seen = motion.warp(seen.view());
        }
        let levels = patches::read_levels(backbone, seen.view())?;
        Ok(Self { size: (seen.dim().0, seen.dim().1), motion, levels })
    }

    /// Grid of stride 8, which maps have.
    pub(crate) fn grid(&self) -> (usize, usize) {
        self.levels.iter().map(|level| level.grid).max().unwrap_or_default()
    }
}

/// Height and width of an image whose shorter side becomes `side`, and the kernel that resizes it; `None` for an empty
/// image.
pub(super) fn scaled((h, w): (usize, usize), side: usize) -> Option<((usize, usize), Kernel)> {
    let shorter = h.min(w);
    if shorter == 0 {
        return None;
    }
    let scaled = |n: usize| ((n * side + shorter / 2) / shorter).max(1);
    Some(((scaled(h), scaled(w)), if shorter > side { Kernel::Area } else { Kernel::Bilinear }))
}

/// Scales an image so that its shorter side is `side`, enlarging smaller ones.
pub(crate) fn at_side(image: ArrayView3<'_, f32>, side: usize) -> Result<Array3<f32>, Error> {
    let (h, w, _) = image.dim();
    let Some((size, kernel)) = scaled((h, w), side).filter(|_| h.min(w) != side) else { return Ok(image.to_owned()) };
    resize(image, size, kernel).map_err(|_| Error::Length {
        what: "pixels of the image",
        found: h * w,
        expected: side * side,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_keep_their_aspect() {
        let image = Array3::from_elem((100, 150, 3), 0.5);
        assert_eq!(at_side(image.view(), 60).unwrap().dim(), (60, 90, 3));
        assert_eq!(at_side(image.view(), 200).unwrap().dim(), (200, 300, 3));
    }
}
