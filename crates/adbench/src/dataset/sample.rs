//! The `Sample`: the paths of one image and its masks, and reading them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use imgkit::image_io::{MaskFile, MaskRule, Photo, ReadError, read_class_ids, read_mask, read_photo, read_size};
use ndarray::Array2;

use super::error::DatasetError;

/// One image of a dataset with its ground truth. Holds paths only: nothing is decoded until asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    id: String,
    image: PathBuf,
    masks: Vec<PathBuf>,
    kind: Option<String>,
    has_class_ids: bool,
    is_labeled: bool,
    condition: Option<String>,
    object: Option<String>,
}

impl Sample {
    /// Creates a sample. `id` is the path of the image relative to the root of the dataset, with `/`; `kind` is the
    /// kind of defect and `None` for a good image.
    #[must_use]
    pub fn new(id: String, image: PathBuf, mask: Option<PathBuf>, kind: Option<String>) -> Self {
        let masks = mask.into_iter().collect();
        Self { id, image, masks, kind, has_class_ids: false, is_labeled: true, condition: None, object: None }
    }

    /// Sets the mask files, one a defect: a pixel is anomalous where any of them marks it.
    #[must_use]
    pub fn with_masks(self, masks: Vec<PathBuf>) -> Self {
        Self { masks, ..self }
    }

    /// Declares that the mask holds class ids instead of black and white.
    #[must_use]
    pub fn with_class_ids(self) -> Self {
        Self { has_class_ids: true, ..self }
    }

    /// Declares that it is not known whether the image is good, as in test sets whose ground truth is kept back.
    #[must_use]
    pub fn without_label(self) -> Self {
        Self { kind: None, is_labeled: false, ..self }
    }

    /// Sets the condition under which the photo was taken, such as the lighting.
    #[must_use]
    pub fn with_condition(self, condition: Option<String>) -> Self {
        Self { condition, ..self }
    }

    /// Sets the object that the photo shows, where several photos show one.
    #[must_use]
    pub fn with_object(self, object: String) -> Self {
        Self { object: Some(object), ..self }
    }

    pub(crate) fn with_kind(self, kind: String) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// Path of the image relative to the root of the dataset, with `/` on every platform.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Path of the image file.
    #[must_use]
    pub fn image_path(&self) -> &Path {
        &self.image
    }

    /// Path of the mask file, or of the first one; `None` where there is none.
    #[must_use]
    pub fn mask_path(&self) -> Option<&Path> {
        self.masks.first().map(PathBuf::as_path)
    }

    /// Paths of all mask files, one a defect.
    #[must_use]
    pub fn mask_paths(&self) -> &[PathBuf] {
        &self.masks
    }

    /// Kind of defect, or `None` for a good image and for one without a label.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// Whether the image shows a defect; `false` where it is not known.
    #[must_use]
    pub fn is_anomalous(&self) -> bool {
        self.kind.is_some()
    }

    /// Whether it is known if the image is good.
    #[must_use]
    pub fn is_labeled(&self) -> bool {
        self.is_labeled
    }

    /// Condition under which the photo was taken, such as `overexposed`, where the dataset tells.
    #[must_use]
    pub fn condition(&self) -> Option<&str> {
        self.condition.as_deref()
    }

    /// Object that the photo shows, where the dataset has several photos of each.
    #[must_use]
    pub fn object(&self) -> Option<&str> {
        self.object.as_deref()
    }

    pub(super) fn has_class_ids(&self) -> bool {
        self.has_class_ids
    }

    /// Decodes the image.
    ///
    /// # Errors
    /// As [`read_photo`].
    pub fn read_image(&self) -> Result<Photo, ReadError> {
        read_photo(&self.image)
    }

    /// Decodes the mask by the given rule, or makes an all-`false` one of the image's size. Several masks become one
    /// that marks what any of them does.
    ///
    /// # Errors
    /// [`DatasetError::Read`] as [`read_mask`]; [`DatasetError::NoMask`] for an anomalous image without a mask file and
    /// for one without a label; [`DatasetError::UnequalMasks`] if masks of one image differ in size. For a good image
    /// without a mask file, the image's header is read and must be readable.
    pub fn read_mask(&self, rule: MaskRule) -> Result<MaskFile, DatasetError> {
        let mut paths = self.masks.iter();
        let Some(first) = paths.next() else {
            if self.is_anomalous() || !self.is_labeled {
                return Err(DatasetError::NoMask { image: self.image.clone() });
            }
            let size = read_size(&self.image)?;
            return Ok(MaskFile::new(Array2::from_elem((size.height, size.width), false)));
        };
        let mut merged = read_mask(first, rule)?;
        for path in paths {
            let MaskFile { mask, gray_pixels, .. } = read_mask(path, rule)?;
            self.check_equal(merged.mask.dim(), path, mask.dim())?;
            merged.mask.zip_mut_with(&mask, |all, one| *all |= one);
            merged.gray_pixels += gray_pixels;
        }
        // Ids are no gray levels: nothing to warn of.
        Ok(if self.has_class_ids { MaskFile::new(merged.mask) } else { merged })
    }

    /// Decodes the mask files one by one: the gray value of each, and its pixels that are not black `(H, W)`. A file of
    /// several gray values gives a mask for each, the lowest first; one that is all black gives none.
    ///
    /// # Errors
    /// As [`read_class_ids`] and [`Sample::read_mask`].
    pub fn read_defects(&self) -> Result<Vec<(u8, Array2<bool>)>, DatasetError> {
        let mut defects: Vec<(u8, Array2<bool>)> = Vec::new();
        for path in &self.masks {
            let ids = read_class_ids(path)?;
            if let Some((_, first)) = defects.first() {
                self.check_equal(first.dim(), path, ids.dim())?;
            }
            for id in distinct(&ids) {
                defects.push((id, ids.mapv(|v| v == id)));
            }
        }
        Ok(defects)
    }

    fn check_equal(&self, first: (usize, usize), path: &Path, other: (usize, usize)) -> Result<(), DatasetError> {
        if first == other {
            return Ok(());
        }
        let (mask, mask_size, first_size) = (path.to_owned(), other.into(), first.into());
        Err(DatasetError::UnequalMasks { image: self.image.clone(), mask, mask_size, first_size })
    }
}

/// The values of a mask that are not black, ascending.
fn distinct(ids: &Array2<u8>) -> BTreeSet<u8> {
    ids.iter().copied().filter(|&id| id != 0).collect()
}

/// Reads the class ids of a sample's masks: ascending, without the background's 0; empty where the masks hold no ids.
///
/// # Errors
/// As [`read_class_ids`].
pub fn class_ids(sample: &Sample) -> Result<Vec<u8>, ReadError> {
    let paths: &[PathBuf] = if sample.has_class_ids { &sample.masks } else { &[] };
    let mut ids = BTreeSet::new();
    for path in paths {
        ids.extend(distinct(&read_class_ids(path)?));
    }
    Ok(ids.into_iter().collect())
}
