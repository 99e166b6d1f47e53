//! Parameters of the choice of evidence.

use imgkit::ensure;

use crate::error::Error;
use crate::parameters::{moderate_count, parameters, shrinkage};

/// Shorter sides, px, at which images can be seen.
const SIDES: [usize; 4] = [288, 384, 448, 512];
const MIN_SIDE: usize = 32;

parameters! {
    /// Parameters of [`EvidenceDetector::fit`](crate::EvidenceDetector::fit).
    ///
    /// ```
    /// use bisqad::EvidenceParams;
    ///
    /// let params = EvidenceParams::default().with_seed(7).with_max_side(288);
    /// params.check()?;
    /// assert!(params.with_max_side(100).check().is_err());
    /// # Ok::<(), bisqad::Error>(())
    /// ```
    pub struct EvidenceParams {
        /// Seed of every random number (default 0).
        seed, with_seed: u64 = 0;
        /// Smallest shorter side at which images are seen, px, 32 to 4096 (default 288).
        min_side, with_min_side: usize = 288;
        /// Largest shorter side at which images are seen, px, 32 to 4096 (default 448): of 288, 384, 448 and 512 the
        /// smallest and the largest between both limits are tried that do not enlarge the images. Of smaller images
        /// their own size is tried, and where that enlarges them by half at most, `min_side`. Time of training and of
        /// each prediction, and memory, grow with its square.
        max_side, with_max_side: usize = 448;
        /// Largest time that the features of a photo and the evidence on them may take, ms, positive: larger sides are
        /// left out. It is measured on this machine as the fit runs, so that the choice may differ between machines. By
        /// default there is no limit.
        predict_ms, with_predict_ms: Option<f64> = None;
        /// Largest memory of the features that the fit holds, MiB, at least 1: larger sides are left out. By default
        /// there is no limit.
        memory_mib, with_memory_mib: Option<usize> = None;
        /// Largest number of normal images whose features are held, 2 to 100 000 (default 320): more are thinned out
        /// evenly.
        images, with_images: usize = 320;
        /// Synthetic defects of each mechanism that train its head, 1 to 100 000 (default 40).
        head_defects, with_head_defects: usize = 40;
        /// Synthetic defects of each mechanism that choose, 1 to 100 000 (default 24).
        validation_defects, with_validation_defects: usize = 24;
        /// Weight of the heads beside the evidence, in \[0, 100\]. By default the one of 0, 0.25, 0.5 and 1 that
        /// defects of left-out mechanisms justify.
        head_weight, with_head_weight: Option<f64> = None;
        /// Ridge penalty of the heads, positive (default 0.003).
        ridge, with_ridge: f64 = 3e-3;
        /// Largest number of principal components of each level, 1 to 100 000 (default 80).
        dimensions, with_dimensions: usize = 80;
        /// Share of the pooled covariance in that of each place, in (0, 1] (default 0.1).
        shrinkage, with_shrinkage: f64 = 0.1;
        /// Normal patches in the bank of a level, 1 to 100 000 (default 2048).
        bank, with_bank: usize = 2048;
        /// Whether one to eight normal images are multiplied (default true): copies by those flips and quarter turns
        /// that the product is seen to allow join the fit, and where there are fewer than four images even so, copies
        /// turned by 2 degrees and shifted by 1 % of the shorter side, so that one normal image is enough. Of fewer
        /// than four photos, copies of one photo help to judge each other: held-out scores and the threshold are then
        /// too low.
        copies, with_copies: bool = true;
        /// Whether photos may be aligned, for products that lie freely before a still background (default false): each
        /// side is chosen with alignment, too, which stays if it is better by more than the standard error. Every photo
        /// is then brought to the mean of the normal ones by a rotation and a shift of up to half the frame, and maps
        /// come back. Training takes about twice as long.
        alignment, with_alignment: bool = false;
        /// Whether the light may vary between photos (default false): half of the held-out images and defects that
        /// choose are then seen in another light (exposure and contrast by up to a fifth, and a slope of the exposure
        /// across the frame), and each side is tried with copies of the normal images in other light, too, which join
        /// the fit if it is better by more than the standard error. Training takes about three times as long.
        lighting, with_lighting: bool = false;
    }
}

impl EvidenceParams {
    /// Checks all ranges. [`EvidenceDetector::fit`](crate::EvidenceDetector::fit) does so too.
    ///
    /// # Errors
    /// [`Error::Parameter`] with the first bad field and its range.
    pub fn check(&self) -> Result<(), Error> {
        const WHAT: &str = "choice of evidence";
        for (name, value) in [("min_side", self.min_side), ("max_side", self.max_side)] {
            ensure((MIN_SIDE..=4096).contains(&value), WHAT, name, value, "in 32 to 4096 px")?;
        }
        ensure(self.max_side >= self.min_side, WHAT, "max_side", self.max_side, "at least min_side")?;
        ensure((2..=100_000).contains(&self.images), WHAT, "images", self.images, "in 2 to 100 000")?;
        for (name, value) in [
            ("head_defects", self.head_defects),
            ("validation_defects", self.validation_defects),
            ("dimensions", self.dimensions),
            ("bank", self.bank),
        ] {
            moderate_count(WHAT, name, value)?;
        }
        ensure(self.ridge > 0.0 && self.ridge.is_finite(), WHAT, "ridge", self.ridge, "positive and finite")?;
        if let Some(ms) = self.predict_ms {
            ensure(ms > 0.0 && ms.is_finite(), WHAT, "predict_ms", ms, "positive and finite")?;
        }
        if let Some(mib) = self.memory_mib {
            ensure(mib > 0, WHAT, "memory_mib", mib, "at least 1")?;
        }
        if let Some(weight) = self.head_weight {
            ensure((0.0..=100.0).contains(&weight), WHAT, "head_weight", weight, "in [0, 100]")?;
        }
        shrinkage(WHAT, self.shrinkage)?;
        Ok(())
    }

    /// Shorter sides to try for images of a shorter side of `own`, the smallest first.
    pub(crate) fn sides(&self, own: usize) -> Vec<usize> {
        let is_within = |side: &usize| *side <= own && (self.min_side..=self.max_side).contains(side);
        let within: Vec<usize> = SIDES.into_iter().filter(is_within).collect();
        match within[..] {
            [] if own < self.min_side && 2 * self.min_side <= 3 * own => vec![own, self.min_side],
            [] => vec![own.min(self.max_side).max(MIN_SIDE)],
            [one] => vec![one],
            [smallest, .., largest] => vec![smallest, largest],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_lie_between_the_limits() {
        let sides = |min, max, own| EvidenceParams::default().with_min_side(min).with_max_side(max).sides(own);
        assert_eq!(sides(288, 448, 1000), [288, 448]);
        assert_eq!(sides(384, 512, 1000), [384, 512]);
        assert_eq!(sides(288, 448, 400), [288, 384]);
        assert_eq!(sides(32, 300, 300), [288]);
        assert_eq!(sides(200, 256, 1000), [256]);
        assert_eq!(sides(288, 448, 224), [224, 288], "small images are also enlarged a little");
        assert_eq!(sides(288, 448, 191), [191], "but not by more than half");
        assert_eq!(sides(150, 150, 224), [150]);
    }

    #[test]
    fn what_lies_outside_the_ranges_is_refused() {
        let ok = EvidenceParams::default();
        ok.check().unwrap();
        for bad in [
            ok.with_max_side(31),
            ok.with_min_side(450),
            ok.with_images(1),
            ok.with_head_defects(0),
            ok.with_validation_defects(0),
            ok.with_dimensions(0),
            ok.with_bank(0),
            ok.with_ridge(0.0),
            ok.with_ridge(f64::NAN),
            ok.with_shrinkage(0.0),
            ok.with_head_weight(Some(-1.0)),
            ok.with_predict_ms(Some(0.0)),
            ok.with_predict_ms(Some(f64::NAN)),
            ok.with_memory_mib(Some(0)),
        ] {
            assert!(matches!(bad.check(), Err(Error::Parameter(_))), "{bad:?}");
        }
    }
}
