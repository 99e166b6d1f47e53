//! Per-region-overlap curve and the area under it.

use imgkit::ensure;

use super::error::MetricError;
use super::ranking::Ranked;
use super::regions::Regions;

/// The area up to `limit`, divided by it. The regions' pixels must be sorted.
pub(super) fn area(ranked: &Ranked<u32>, regions: &Regions, limit: f64) -> Result<f64, MetricError> {
    check_limit(limit)?;
    let mut curve = Curve::new(limit * ranked.normal() as f64);
    let mut rest = regions.pixels.as_slice();
    let mut overlap = 0.0;
    let mut carry = 0.0;
    for group in ranked.descending() {
        // Down to this score only normal pixels are added: the overlap stays.
        let false_positives = ranked.normal_from(&group);
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
        if curve.is_full() {
            break;
        }
    }
    curve.line_to(ranked.normal() as f64, overlap);
    Ok(curve.mean_over(regions.count()))
}

/// # Errors
/// [`MetricError::Parameter`] when `limit` is outside `(0, 1]`.
pub(super) fn check_limit(limit: f64) -> Result<(), MetricError> {
    Ok(ensure(limit > 0.0 && limit <= 1.0, "au_pro", "limit", limit, "above 0 and at most 1")?)
}

/// A polyline under which the area up to `end` is summed; false positives are pixels, overlaps sums over regions.
pub(super) struct Curve {
    end: f64,
    false_positives: f64,
    overlap: f64,
    area: f64,
}

impl Curve {
    pub(super) fn new(end: f64) -> Self {
        Self { end, false_positives: 0.0, overlap: 0.0, area: 0.0 }
    }

    /// Whether more of the curve would not change the area.
    pub(super) fn is_full(&self) -> bool {
        self.false_positives >= self.end
    }

    /// The area divided by that of a curve of overlap 1 of all these regions.
    pub(super) fn mean_over(&self, regions: usize) -> f64 {
        self.area / (regions as f64 * self.end)
    }

    pub(super) fn line_to(&mut self, false_positives: f64, overlap: f64) {
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
