//! The `DefectType`: what a gray value in masks stands for, and how much of such a defect must be found.

use super::sample::Sample;

/// Type of defect that a gray value in masks stands for, with its saturation: the area that is enough to be found.
///
/// A missing part may lie anywhere in a large region, and finding as much of the region as the part would cover is
/// finding it. Source: P. Bergmann et al., "Beyond Dents and Scratches: Logical Constraints in Unsupervised Anomaly
/// Detection and Localization", IJCV 130, 2022, section 4.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DefectType {
    /// Its name, such as `missing_pushpin`.
    pub name: String,
    /// Its gray value in masks, 1 to 255.
    pub pixel_value: u8,
    /// Area that is enough: pixels, or a share of the defect's area if `is_relative`.
    pub saturation_threshold: f64,
    /// Whether the threshold is a share in \[0, 1\].
    pub is_relative: bool,
}

impl DefectType {
    /// Creates a type of defect.
    #[must_use]
    pub fn new(name: impl Into<String>, pixel_value: u8, saturation_threshold: f64, is_relative: bool) -> Self {
        Self { name: name.into(), pixel_value, saturation_threshold, is_relative }
    }

    /// Pixels that are enough of a defect of this area, at least 1 and at most all: the whole number of pixels below a
    /// share, or the threshold, as in the evaluation code of the dataset's authors.
    ///
    /// ```
    /// use adbench::dataset::DefectType;
    /// assert_eq!(DefectType::new("scratch", 255, 0.25, true).saturation(50), 12.0);
    /// let pin = DefectType::new("missing_pushpin", 254, 6300.0, false);
    /// assert_eq!((pin.saturation(10_000), pin.saturation(50)), (6300.0, 50.0));
    /// ```
    #[must_use]
    pub fn saturation(&self, area: usize) -> f64 {
        let all = area as f64;
        let enough =
            if self.is_relative { (self.saturation_threshold * all).floor() } else { self.saturation_threshold };
        enough.max(1.0).min(all.max(1.0))
    }
}

/// The names of a sample's gray values, joined by `+`; `class 3` for one without a name.
pub(super) fn names_of(types: &[DefectType], ids: &[u8]) -> String {
    if types.is_empty() {
        let ids: Vec<String> = ids.iter().map(u8::to_string).collect();
        return format!("class {}", ids.join("+"));
    }
    let name =
        |id: &u8| types.iter().find(|t| t.pixel_value == *id).map_or_else(|| format!("class {id}"), |t| t.name.clone());
    ids.iter().map(name).collect::<Vec<_>>().join("+")
}

/// The gray values among these that no type has; none where nothing is known of types or the masks hold no ids.
pub(super) fn unknown(types: &[DefectType], sample: &Sample, ids: &[u8]) -> Vec<u8> {
    let is_unknown = |id: &&u8| types.iter().all(|t| t.pixel_value != **id);
    if types.is_empty() || !sample.has_class_ids() {
        Vec::new()
    } else {
        ids.iter().filter(is_unknown).copied().collect()
    }
}
