//! Pixel metrics, pooled over the images of a test set.

use imgkit::components::{Components, label_components};
use ndarray::ArrayView2;

use super::check::check_map;
use super::error::MetricError;
use super::overlap::area;
use super::precision::{F1Max, average_precision_from_ranked, f1_max_from_ranked};
use super::ranking::{Ranked, key};
use super::regions::Regions;

/// Collects score maps and masks of one image after another, for metrics over all their pixels.
///
/// Push **every** test image, the good ones (with an all-`false` mask) included: leaving them out, or averaging a
/// figure for each image, gives another quantity. Maps may differ in size. Memory: 4 bytes a normal pixel and 8 an
/// anomalous one; ranking adds up to 32 for each distinct anomalous score.
///
/// ```
/// use adbench::metrics::PixelPool;
/// use ndarray::arr2;
/// let mut pool = PixelPool::new();
/// pool.push(arr2(&[[0.1, 0.9], [0.2, 0.3]]).view(), arr2(&[[false, true], [false, false]]).view())?;
/// pool.push(arr2(&[[0.1, 0.2]]).view(), arr2(&[[false, false]]).view())?;
/// let ranked = pool.rank()?;
/// assert_eq!(ranked.auroc(), 1.0);
/// assert_eq!(ranked.au_pro(0.3)?, 1.0);
/// # Ok::<(), adbench::metrics::MetricError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct PixelPool {
    normal: Vec<u32>,
    regions: Regions,
}

impl PixelPool {
    /// Creates an empty pool.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reserves memory for this many more pixels, so that pushing them does not reallocate.
    pub fn reserve(&mut self, pixels: usize) {
        self.normal.reserve(pixels);
    }

    /// Normal pixels pushed so far.
    #[must_use]
    pub fn normal(&self) -> usize {
        self.normal.len()
    }

    /// Anomalous pixels pushed so far.
    #[must_use]
    pub fn anomalous(&self) -> usize {
        self.regions.pixels.len()
    }

    /// Adds an image: its score map and its mask (`true` where anomalous), both height x width.
    ///
    /// # Errors
    /// [`MetricError::Shape`], [`MetricError::NotFinite`]; the pool is then as it was.
    pub fn push(&mut self, map: ArrayView2<'_, f32>, mask: ArrayView2<'_, bool>) -> Result<(), MetricError> {
        check_map(&map, &mask)?;
        let components = label_components(mask);
        self.push_labeled(map, (!components.sizes.is_empty()).then_some(&components));
        Ok(())
    }

    /// Adds an image whose map has been checked and whose mask has been labeled; `None` when the mask is empty.
    pub(crate) fn push_labeled(&mut self, map: ArrayView2<'_, f32>, components: Option<&Components>) {
        self.normal.reserve(map.len());
        let Some(components) = components else {
            match map.as_slice() {
                Some(scores) => self.normal.extend(scores.iter().map(|&s| key(s))),
                None => self.normal.extend(map.iter().map(|&s| key(s))),
            }
            return;
        };
        for (row, labels) in map.outer_iter().zip(components.labels.outer_iter()) {
            for (&score, &label) in row.iter().zip(&labels) {
                match label {
                    0 => self.normal.push(key(score)),
                    number => self.regions.push(key(score), number - 1),
                }
            }
        }
        self.regions.close_image(&components.sizes);
    }

    /// Appends all pixels of another pool.
    pub fn append(&mut self, other: &Self) {
        self.normal.extend_from_slice(&other.normal);
        self.regions.append(&other.regions);
    }

    /// Sorts the pixels.
    ///
    /// # Errors
    /// [`MetricError::MissingClass`] when no pixel is anomalous or none is normal.
    pub fn rank(mut self) -> Result<RankedPixels, MetricError> {
        self.regions.sort();
        let ranked = Ranked::from_keys(self.normal, self.regions.pixels.iter().map(|p| p.key))?;
        Ok(RankedPixels { ranked, regions: self.regions })
    }
}

/// Ranked pixels of a test set, from [`PixelPool::rank`].
#[derive(Debug, Clone)]
pub struct RankedPixels {
    ranked: Ranked<u32>,
    regions: Regions,
}

impl RankedPixels {
    pub(super) fn new(ranked: Ranked<u32>, regions: Regions) -> Self {
        Self { ranked, regions }
    }

    /// Normal pixels.
    #[must_use]
    pub fn normal(&self) -> usize {
        self.ranked.normal()
    }

    /// Anomalous pixels.
    #[must_use]
    pub fn anomalous(&self) -> usize {
        self.ranked.anomalous()
    }

    /// Connected anomalous regions.
    #[must_use]
    pub fn regions(&self) -> usize {
        self.regions.count()
    }

    /// Share of anomalous pixels: what [`RankedPixels::average_precision`] of an uninformative detector tends to.
    #[must_use]
    pub fn prevalence(&self) -> f64 {
        self.anomalous() as f64 / (self.normal() + self.anomalous()) as f64
    }

    /// Exact area under the ROC curve of all pixels. See [`auroc`](super::auroc()).
    #[must_use]
    pub fn auroc(&self) -> f64 {
        self.ranked.auroc()
    }

    /// Average precision of all pixels. See [`average_precision`](super::average_precision).
    #[must_use]
    pub fn average_precision(&self) -> f64 {
        average_precision_from_ranked(&self.ranked)
    }

    /// Best F1 of all pixels. See [`f1_max`](super::f1_max).
    #[must_use]
    pub fn f1_max(&self) -> F1Max {
        f1_max_from_ranked(&self.ranked).unwrap_or(F1Max { f1: 0.0, threshold: f32::INFINITY })
    }

    /// Area under the per-region-overlap curve up to a false-positive rate, divided by it. See
    /// [`au_pro`](super::au_pro()).
    ///
    /// # Errors
    /// [`MetricError::Parameter`] when `limit` is outside `(0, 1]`.
    pub fn au_pro(&self, limit: f64) -> Result<f64, MetricError> {
        area(&self.ranked, &self.regions, limit)
    }
}

/// Pixel AUROC over the images whose mask marks a pixel, and no others: a **variant** that some papers report, on which
/// good images have no bearing. [`RankedPixels::auroc`] is over all test images.
///
/// # Errors
/// As [`au_pro`](super::au_pro()); [`MetricError::MissingClass`] when no mask marks a pixel.
///
/// ```
/// use adbench::metrics::pixel_auroc_of_anomalous_images;
/// use ndarray::{Array2, arr2};
/// let maps = [arr2(&[[0.1, 0.5]]), arr2(&[[0.9, 0.9]])];
/// let masks = [arr2(&[[false, true]]), Array2::from_elem((1, 2), false)];
/// let (maps, masks) = (maps.each_ref().map(|m| m.view()), masks.each_ref().map(|m| m.view()));
/// // Over both images it would be 1/3.
/// assert_eq!(pixel_auroc_of_anomalous_images(&maps, &masks), Ok(1.0));
/// ```
pub fn pixel_auroc_of_anomalous_images(
    maps: &[ArrayView2<'_, f32>],
    masks: &[ArrayView2<'_, bool>],
) -> Result<f64, MetricError> {
    if maps.len() != masks.len() {
        return Err(MetricError::masks(maps.len(), masks.len()));
    }
    let mut pool = PixelPool::new();
    for (map, mask) in maps.iter().zip(masks).filter(|(_, mask)| mask.iter().any(|&m| m)) {
        pool.push(*map, *mask)?;
    }
    Ok(pool.rank()?.auroc())
}
