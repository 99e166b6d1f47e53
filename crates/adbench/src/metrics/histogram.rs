//! **Approximate** pixel metrics from histograms, with a bound of their error.

use imgkit::components::label_components;
use imgkit::ensure;
use ndarray::ArrayView2;

use super::check::check_map;
use super::error::MetricError;
use super::overlap::check_limit;
use super::ranking::{check_classes, key};

/// Approximate figure: the exact one is within `value - error` and `value + error`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Approximate {
    /// The figure.
    pub value: f64,
    /// Bound of its error, computed from the scores at hand.
    pub error: f64,
}

/// Approximate AUROC and AU-PRO in one pass and fixed memory (24 bytes a bin), each with a bound of its error.
///
/// A bin holds the scores that agree in sign, exponent and the leading bits of the mantissa, so that no range has to be
/// known and only the order of scores counts. Within a bin nothing is known of the order, which is what the bound
/// covers. For exact figures see [`PixelPool`](super::PixelPool) and [`AnomalousPixels`](super::AnomalousPixels).
///
/// ```
/// use adbench::metrics::HistogramPixels;
/// use ndarray::arr2;
/// let mut pixels = HistogramPixels::new(16)?;
/// pixels.push(arr2(&[[0.1, 0.9, 0.2]]).view(), arr2(&[[false, true, false]]).view())?;
/// let auroc = pixels.auroc()?;
/// assert_eq!((auroc.value, auroc.error), (1.0, 0.0));
/// # Ok::<(), adbench::metrics::MetricError>(())
/// ```
#[derive(Debug, Clone)]
pub struct HistogramPixels {
    shift: u32,
    normal: Vec<u64>,
    anomalous: Vec<u64>,
    /// Sum over regions of the share of their pixels.
    overlap: Vec<f64>,
    regions: usize,
}

impl HistogramPixels {
    /// Creates histograms of `2^bits` bins; 10 bits tell signs and powers of two apart, each further bit halves them.
    ///
    /// # Errors
    /// [`MetricError::Parameter`] when `bits` is outside 9 to 24.
    pub fn new(bits: u32) -> Result<Self, MetricError> {
        ensure((9..=24).contains(&bits), "histogram", "bits", bits, "9 to 24")?;
        let bins = 1 << bits;
        let (normal, anomalous, overlap) = (vec![0; bins], vec![0; bins], vec![0.0; bins]);
        Ok(Self { shift: 32 - bits, normal, anomalous, overlap, regions: 0 })
    }

    /// Adds an image.
    ///
    /// # Errors
    /// [`MetricError::Shape`], [`MetricError::NotFinite`]; nothing is added then.
    pub fn push(&mut self, map: ArrayView2<'_, f32>, mask: ArrayView2<'_, bool>) -> Result<(), MetricError> {
        check_map(&map, &mask)?;
        let components = label_components(mask);
        for (&score, &label) in map.iter().zip(&components.labels) {
            let bin = (key(score) >> self.shift) as usize;
            match label {
                0 => self.normal[bin] += 1,
                number => {
                    self.anomalous[bin] += 1;
                    self.overlap[bin] += 1.0 / components.sizes[number as usize - 1] as f64;
                }
            }
        }
        self.regions += components.sizes.len();
        Ok(())
    }

    /// Adds the images of other histograms.
    ///
    /// # Errors
    /// [`MetricError::Length`] when the numbers of bins differ.
    pub fn merge(&mut self, other: &Self) -> Result<(), MetricError> {
        if self.normal.len() != other.normal.len() {
            return Err(MetricError::Length { what: "bins", expected: self.normal.len(), found: other.normal.len() });
        }
        for bin in 0..self.normal.len() {
            self.normal[bin] += other.normal[bin];
            self.anomalous[bin] += other.anomalous[bin];
            self.overlap[bin] += other.overlap[bin];
        }
        self.regions += other.regions;
        Ok(())
    }

    fn totals(&self) -> Result<(u64, u64), MetricError> {
        let (normal, anomalous) = (self.normal.iter().sum::<u64>(), self.anomalous.iter().sum::<u64>());
        check_classes(normal as usize, anomalous as usize)?;
        Ok((normal, anomalous))
    }

    /// AUROC: pairs within a bin count one half, and the bound is half their share.
    ///
    /// # Errors
    /// [`MetricError::MissingClass`].
    pub fn auroc(&self) -> Result<Approximate, MetricError> {
        let (normal, anomalous) = self.totals()?;
        let (mut won, mut unknown, mut below) = (0_u128, 0_u128, 0_u128);
        for (&n, &a) in self.normal.iter().zip(&self.anomalous) {
            won += u128::from(a) * (2 * below + u128::from(n));
            unknown += u128::from(a) * u128::from(n);
            below += u128::from(n);
        }
        let pairs = 2.0 * normal as f64 * anomalous as f64;
        Ok(Approximate { value: won as f64 / pairs, error: unknown as f64 / pairs })
    }

    /// AU-PRO up to a false-positive rate, divided by it: within a bin the curve may be anywhere between its corners.
    ///
    /// # Errors
    /// [`MetricError::MissingClass`]; [`MetricError::Parameter`] when `limit` is outside `(0, 1]`.
    pub fn au_pro(&self, limit: f64) -> Result<Approximate, MetricError> {
        check_limit(limit)?;
        let (normal, _) = self.totals()?;
        let end = limit * normal as f64;
        let (mut x, mut y, mut low, mut high) = (0.0, 0.0, 0.0, 0.0);
        for (&n, &overlap) in self.normal.iter().zip(&self.overlap).rev() {
            let inside = (n as f64).min(end - x).max(0.0);
            low += inside * y;
            high += inside * (y + overlap);
            x += n as f64;
            y += overlap;
        }
        let unit = end * self.regions as f64;
        Ok(Approximate { value: (low + high) / 2.0 / unit, error: (high - low) / 2.0 / unit })
    }
}
