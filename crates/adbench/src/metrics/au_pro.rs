//! Area under the per-region-overlap curve.

use ndarray::ArrayView2;

use super::MetricError;
use super::pixels::PixelPool;
use super::rank::Ranked;

/// The area under the per-region-overlap curve up to the false-positive rate `limit` (0.3 is customary), divided by it.
///
/// At a threshold, the overlap of a region is the share of its pixels with `score >= threshold`; regions are the
/// 8-connected components of the masks of all images, and every one weighs the same, large or small. The
/// false-positive rate is over all normal pixels of all images. The curve has one point for each distinct score; it
/// starts at (0, 0), ends at (1, 1), and is integrated by the trapezoidal rule with linear interpolation at `limit`.
///
/// Source: P. Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 129, 2021, section 4.
///
/// # Errors
/// [`MetricError::LengthMismatch`] when there is not one mask a map, [`MetricError::ShapeMismatch`],
/// [`MetricError::NonFinite`], [`MetricError::MissingClass`], and [`MetricError::InvalidParameter`] when `limit` is
/// outside `(0, 1]`.
///
/// ```
/// use ndarray::arr2;
/// let map = arr2(&[[3.0, 1.0, 2.0, 0.0]]);
/// let mask = arr2(&[[true, false, true, false]]);
/// // Both regions are found before the first false positive.
/// assert_eq!(adbench::metrics::au_pro(&[map.view()], &[mask.view()], 0.3), Ok(1.0));
/// ```
pub fn au_pro(maps: &[ArrayView2<'_, f32>], masks: &[ArrayView2<'_, bool>], limit: f64) -> Result<f64, MetricError> {
    if maps.len() != masks.len() {
        return Err(MetricError::LengthMismatch { scores: maps.len(), labels: masks.len() });
    }
    let mut pool = PixelPool::new();
    for (map, mask) in maps.iter().zip(masks) {
        pool.push(map.view(), mask.view())?;
    }
    pool.rank()?.au_pro(limit)
}

/// An anomalous pixel: its score and its region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RegionPixel {
    pub(super) key: u32,
    pub(super) region: u32,
}

/// The anomalous pixels of all images, and the sizes of their regions.
#[derive(Debug, Clone, Default)]
pub(super) struct Regions {
    pub(super) pixels: Vec<RegionPixel>,
    sizes: Vec<usize>,
}

impl Regions {
    /// Adds a pixel of the current image's region `region`.
    pub(super) fn push(&mut self, key: u32, region: u32) {
        self.pixels.push(RegionPixel { key, region: self.sizes.len() as u32 + region });
    }

    /// Ends the current image, whose regions have these sizes.
    pub(super) fn close_image(&mut self, sizes: Vec<usize>) {
        self.sizes.extend(sizes);
    }

    pub(super) fn append(&mut self, other: &Self) {
        let shift = self.sizes.len() as u32;
        self.pixels.extend(other.pixels.iter().map(|p| RegionPixel { key: p.key, region: p.region + shift }));
        self.sizes.extend_from_slice(&other.sizes);
    }

    pub(super) fn count(&self) -> usize {
        self.sizes.len()
    }
}

/// The area up to `limit`, divided by it. The regions' pixels must be sorted.
pub(super) fn area(ranked: &Ranked, regions: &Regions, limit: f64) -> Result<f64, MetricError> {
    if !(limit > 0.0 && limit <= 1.0) {
        return Err(MetricError::InvalidParameter { name: "limit", value: limit, allowed: "above 0 and at most 1" });
    }
    let mut curve = Curve { end: limit * ranked.normal() as f64, false_positives: 0.0, overlap: 0.0, area: 0.0 };
    let mut rest = regions.pixels.as_slice();
    let mut overlap = 0.0;
    let mut carry = 0.0;
    for group in ranked.groups().iter().rev() {
        // Down to this score only normal pixels are added: the overlap stays.
        let false_positives = ranked.normal_from(group);
        curve.line_to((false_positives - group.normal_equal) as f64, overlap);
        let (lower, same) = rest.split_at(rest.len() - group.anomalous);
        rest = lower;
        for pixel in same {
            // Kahan's sum: millions of small terms would otherwise cost digits.
            let term = 1.0 / regions.sizes[pixel.region as usize] as f64 - carry;
            let sum = overlap + term;
            carry = (sum - overlap) - term;
            overlap = sum;
        }
        curve.line_to(false_positives as f64, overlap);
        if curve.false_positives >= curve.end {
            break;
        }
    }
    curve.line_to(ranked.normal() as f64, overlap);
    Ok(curve.area / (regions.count() as f64 * curve.end))
}

/// A polyline under which the area up to `end` is summed; false positives are pixels, overlaps sums over regions.
struct Curve {
    end: f64,
    false_positives: f64,
    overlap: f64,
    area: f64,
}

impl Curve {
    fn line_to(&mut self, false_positives: f64, overlap: f64) {
        let width = false_positives - self.false_positives;
        if width > 0.0 && self.false_positives < self.end {
            let inside = width.min(self.end - self.false_positives);
            let last = self.overlap + (overlap - self.overlap) * (inside / width);
            self.area += inside * (self.overlap + last) / 2.0;
        }
        self.false_positives = false_positives;
        self.overlap = overlap;
    }
}
