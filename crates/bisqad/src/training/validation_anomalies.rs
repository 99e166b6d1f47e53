//! Validation anomalies of the upper level, guarded so that no test image can be among them unnoticed.

use std::sync::Arc;

use imgkit::Size;
use ndarray::{Array2, Array3};

use crate::detectors::provenance::image_hash;
use crate::error::{DefectError, Error};

/// Origin of the validation anomalies of the upper level. Validation normals always belong to them.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub enum ValidationAnomalies {
    /// Anomalies of the mechanism that is left out of the round, in turn: no labeled defect is needed.
    #[default]
    HeldOutMechanism,
    /// Labeled defects alone; no mechanism is left out.
    RealDefects(FewShotSet),
    /// Half of each batch from the mechanism that is left out, half labeled defects.
    Mixed(FewShotSet),
}

impl ValidationAnomalies {
    /// Labeled defects, if there are any.
    #[must_use]
    pub fn few_shot(&self) -> Option<&FewShotSet> {
        match self {
            Self::HeldOutMechanism => None,
            Self::RealDefects(few) | Self::Mixed(few) => Some(few),
        }
    }
}

/// Real defect with its mask, used for validation: it must never be tested on.
#[derive(Debug, Clone, PartialEq)]
pub struct LabeledDefect {
    /// Name, for error messages.
    pub name: String,
    /// Kind of the defect, such as "scratch". The evidence detector joins it to the mechanism of its source that has
    /// this name, or gives it a head of its own.
    pub kind: String,
    /// Image `(H, W, C)`, f32 in \[0, 1\], at the scale of the normal images.
    pub image: Array3<f32>,
    /// Mask of its defective pixels `(H, W)`.
    pub mask: Array2<bool>,
}

/// Checked set of labeled defects and the hashes of their images. [`fit`](crate::fit) refuses them among the normal
/// images and records them in the [`Provenance`](crate::Provenance) of the detector, so that a test can refuse them
/// too.
#[derive(Debug, Clone, PartialEq)]
pub struct FewShotSet {
    defects: Arc<[LabeledDefect]>,
    hashes: Vec<u64>,
}

impl FewShotSet {
    /// Checks labeled defects.
    ///
    /// ```
    /// use bisqad::{Error, FewShotSet, LabeledDefect};
    /// use ndarray::{Array2, Array3};
    ///
    /// let mask = Array2::from_shape_fn((64, 64), |(y, x)| y < 9 && x < 9); let scratch = LabeledDefect { name:
    /// "1".into(), kind: "scratch".into(), image: Array3::zeros((64, 64, 3)), mask };
    /// assert_eq!(FewShotSet::new(vec![scratch])?.defects().len(), 1); assert!(matches!(FewShotSet::new(vec![]),
    /// Err(Error::EmptyFewShotSet)));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::EmptyFewShotSet`] for none; [`Error::UnusableDefect`] with the name of the first whose mask is empty or
    /// of another size, whose values are not finite, or whose image is that of an earlier one.
    pub fn new(defects: Vec<LabeledDefect>) -> Result<Self, Error> {
        if defects.is_empty() {
            return Err(Error::EmptyFewShotSet);
        }
        let mut hashes: Vec<u64> = Vec::with_capacity(defects.len());
        for defect in &defects {
            let fail = |source| Err(Error::UnusableDefect { name: defect.name.clone(), source });
            let (height, width, _) = defect.image.dim();
            let (rows, columns) = defect.mask.dim();
            if (rows, columns) != (height, width) {
                let (mask, image) = (Size { height: rows, width: columns }, Size { height, width });
                return fail(DefectError::MaskSize { mask, image });
            }
            if !defect.mask.iter().any(|&m| m) {
                return fail(DefectError::EmptyMask);
            }
            if defect.image.iter().any(|v| !v.is_finite()) {
                return fail(DefectError::NotFinite);
            }
            let hash = image_hash(defect.image.view());
            if let Some(same) = hashes.iter().position(|&c| c == hash) {
                return fail(DefectError::Duplicate { other: defects[same].name.clone() });
            }
            hashes.push(hash);
        }
        Ok(Self { defects: defects.into(), hashes })
    }

    /// Defects of the set.
    #[must_use]
    pub fn defects(&self) -> &[LabeledDefect] {
        &self.defects
    }

    /// [`image_hash`] of each defect.
    #[must_use]
    pub fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// Refuses normal images that are also defects.
    pub(crate) fn check_apart(&self, normals: &[Array3<f32>]) -> Result<(), Error> {
        for (i, normal) in normals.iter().enumerate() {
            let hash = image_hash(normal.view());
            if let Some(k) = self.hashes.iter().position(|&c| c == hash) {
                return Err(Error::TestLeak { name: self.defects[k].name.clone(), place: format!("normal image {i}") });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defect(name: &str, seed: usize) -> LabeledDefect {
        let image = Array3::from_shape_fn((40, 30, 3), |(y, x, c)| ((y * 7 + x * 3 + c + seed) % 17) as f32 / 16.0);
        let mask = Array2::from_shape_fn((40, 30), |(y, x)| y < 5 && x < 5);
        LabeledDefect { name: name.to_owned(), kind: "scratch".to_owned(), image, mask }
    }

    #[test]
    fn a_picture_is_known_again_after_eight_bits_and_no_other_is() {
        let one = defect("one", 0).image;
        let saved = one.mapv(|v| (v * 255.0).round() / 255.0);
        assert_eq!(image_hash(one.view()), image_hash(saved.view()));
        let mut other = one.clone();
        other[[20, 20, 1]] = 1.0 - other[[20, 20, 1]];
        assert_ne!(image_hash(one.view()), image_hash(other.view()));
        let turned = one.clone().into_shape_with_order((30, 40, 3)).unwrap();
        assert_ne!(image_hash(one.view()), image_hash(turned.view()));
    }

    #[test]
    fn unusable_defects_are_refused_by_name() {
        let refused = |bad: LabeledDefect| match FewShotSet::new(vec![defect("good", 1), bad]).unwrap_err() {
            Error::UnusableDefect { name, source } => format!("{name}: {source}"),
            other => other.to_string(),
        };
        let size = LabeledDefect { mask: Array2::from_elem((30, 40), true), ..defect("size", 2) };
        assert!(refused(size).starts_with("size: its mask is 30x40"));
        let empty = LabeledDefect { mask: Array2::from_elem((40, 30), false), ..defect("empty", 2) };
        assert!(refused(empty).starts_with("empty: its mask marks no pixel"));
        let mut torn = defect("torn", 2);
        torn.image[[1, 2, 0]] = f32::NAN;
        assert!(refused(torn).contains("not finite"));
        assert!(refused(defect("twin", 1)).contains("same picture as `good`"));
    }

    #[test]
    fn a_defect_among_the_normals_is_refused() {
        let few = FewShotSet::new(vec![defect("a", 1), defect("b", 2)]).unwrap();
        let normals = [defect("n", 5).image, defect("b", 2).image];
        let error = few.check_apart(&normals).unwrap_err();
        assert!(
            matches!(&error, Error::TestLeak { name, place } if name == "b" && place == "normal image 1"),
            "{error}"
        );
        assert!(few.check_apart(&normals[..1]).is_ok());
    }
}
