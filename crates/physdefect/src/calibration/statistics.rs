//! Priors and their intervals.

use rand::Rng;
use rand_distr::{Distribution, Poisson};

use crate::Error;
use crate::params::require;

const NAME: &str = "calibration";
/// Least standard deviation: of the logarithm of lengths and contrasts the repeatability of masks drawn by hand, of
/// shares less.
const LEAST_DEVIATION: f64 = 0.05;
const LEAST_OF_SHARES: f64 = 0.02;

/// Two-sided 95 % point of the normal distribution; samples are cut there.
pub(super) const Z95: f64 = 1.959_964;
/// Student's t, two-sided 95 %, 1 to 9 degrees of freedom (standard tables).
const T95: [f64; 9] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];

/// Scale on which a quantity is normally distributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Scale {
    /// The logarithm is normal: lengths.
    Log,
    /// The value itself is normal: log-contrast.
    Linear,
}

/// A normal or log-normal prior with the interval of its center.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Prior {
    /// Scale on which `mean` and `deviation` are taken.
    pub scale: Scale,
    /// Mean on that scale: over images, of each image's mean over its defects.
    pub mean: f64,
    /// Standard deviation on that scale, over all defects; at least 0.05, or 0.02 of values that are no logarithms,
    /// also where all were alike.
    pub deviation: f64,
    /// 95 % confidence interval of the median, in the quantity's own unit: Student t with images - 1 degrees of freedom
    /// on the scale (the image is the unit of replication; defects of one image resemble each other), widened in
    /// quadrature by what a pixel grid can resolve (0.25 px for lengths, 0.01 for log-contrast).
    pub interval: (f64, f64),
}

impl Prior {
    /// From each image's values; `resolution` in the quantity's unit.
    pub(super) fn estimate(scale: Scale, images: &[Vec<f64>], resolution: f64) -> Self {
        let on = |v: f64| if scale == Scale::Log { v.max(1e-9).ln() } else { v };
        let images: Vec<Vec<f64>> =
            images.iter().filter(|i| !i.is_empty()).map(|i| i.iter().map(|&v| on(v)).collect()).collect();
        let means: Vec<f64> = images.iter().map(|i| i.iter().sum::<f64>() / i.len() as f64).collect();
        let all: Vec<f64> = images.concat();
        let (mean, between) = moments(&means);
        let least = if scale == Scale::Log { LEAST_DEVIATION } else { LEAST_OF_SHARES };
        let (between, deviation) = (between.max(least), moments(&all).1.max(least));
        let grid = if scale == Scale::Log { resolution / mean.exp() } else { resolution };
        // Of a single image that has it, as if there were two.
        let sampling = t95(means.len().saturating_sub(1).max(1)) * between / (means.len().max(1) as f64).sqrt();
        let half = sampling.hypot(grid);
        let off = |v: f64| if scale == Scale::Log { v.exp() } else { v };
        Self { scale, mean, deviation, interval: (off(mean - half), off(mean + half)) }
    }

    /// Median in the quantity's own unit.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.quantile(0.0)
    }

    /// Value `z` standard deviations from the median.
    #[must_use]
    pub fn quantile(&self, z: f64) -> f64 {
        let v = self.mean + z * self.deviation;
        if self.scale == Scale::Log { v.exp() } else { v }
    }

    /// Samples a value within the central 95 % of what a new defect may have: single ones spread, and the median is
    /// uncertain.
    pub fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> f64 {
        self.predicted(central(rng.random()))
    }

    /// Value `z` standard deviations of a new defect from the median; its variance is that of single ones and that of
    /// the median.
    pub(super) fn predicted(&self, z: f64) -> f64 {
        let on = |v: f64| if self.scale == Scale::Log { v.max(1e-9).ln() } else { v };
        let uncertain = 0.5 * (on(self.interval.1) - on(self.interval.0)) / Z95;
        // Beyond twice the spread the interval says that nothing is known, not that defects differ.
        let uncertain = uncertain.clamp(0.0, 2.0 * self.deviation);
        Self { deviation: self.deviation.hypot(uncertain), ..*self }.quantile(z)
    }

    /// Whether all measured values were alike, as far as a hand can repeat a mask.
    #[must_use]
    pub fn is_alike(&self) -> bool {
        self.deviation <= LEAST_DEVIATION
    }

    /// Refuses values that are not numbers, and a negative deviation.
    pub(super) fn check(&self, name: &'static str) -> Result<(), Error> {
        require(self.mean.abs() <= 1e3, NAME, name, self.mean, "a prior with a mean within 1000")?;
        let d = self.deviation;
        require((0.0..=10.0).contains(&d), NAME, name, d, "a prior with a deviation in [0, 10]")?;
        let (low, high) = self.interval;
        require(low <= high && low.is_finite(), NAME, name, low, "a prior whose interval rises")?;
        require(high.is_finite(), NAME, name, high, "a prior with a finite interval")
    }
}

/// Standard normal number at the quantile `q` in \[0, 1\] of its central 95 %.
pub(super) fn central(q: f64) -> f64 {
    probit(0.025 + 0.95 * q.clamp(0.0, 1.0)).clamp(-Z95, Z95)
}

/// Inverse of the normal distribution function (P. J. Acklam's rational approximation, relative error 1.2e-9).
fn probit(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969683028665376e1,
        2.209460984245205e2,
        -2.759285104469687e2,
        1.38357751867269e2,
        -3.066479806614716e1,
        2.506628277459239,
    ];
    const B: [f64; 5] =
        [-5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1, -1.328068155288572e1];
    const C: [f64; 6] = [
        -7.784894002430293e-3,
        -3.223964580411365e-1,
        -2.400758277161838,
        -2.549732539343734,
        4.374664141464968,
        2.938163982698783,
    ];
    const D: [f64; 4] = [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416];
    let polynomial = |c: &[f64], x: f64| c.iter().fold(0.0, |sum, a| sum * x + a);
    let tail = |p: f64| {
        let q = (-2.0 * p.ln()).sqrt();
        polynomial(&C, q) / (polynomial(&D, q) * q + 1.0)
    };
    if p < 0.02425 {
        tail(p)
    } else if p > 1.0 - 0.02425 {
        -tail(1.0 - p)
    } else {
        let q = p - 0.5;
        let r = q * q;
        polynomial(&A, r) * q / (polynomial(&B, r) * r + 1.0)
    }
}

/// A share of defects with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Share {
    /// The share, in \[0, 1\].
    pub value: f64,
    /// 95 % confidence interval (Wilson's score, 1927).
    pub interval: (f64, f64),
}

impl Share {
    pub(super) fn of(hits: usize, all: usize) -> Self {
        let n = all.max(1) as f64;
        let value = hits as f64 / n;
        let square = Z95 * Z95;
        let middle = (value + square / (2.0 * n)) / (1.0 + square / n);
        let half = Z95 / (1.0 + square / n) * (value * (1.0 - value) / n + square / (4.0 * n * n)).sqrt();
        Self { value, interval: ((middle - half).max(0.0), (middle + half).min(1.0)) }
    }

    pub(super) fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> bool {
        rng.random::<f64>() < self.value
    }

    pub(super) fn check(&self, name: &'static str) -> Result<(), Error> {
        require((0.0..=1.0).contains(&self.value), NAME, name, self.value, "a share in [0, 1]")
    }
}

/// Number of defects on a defective image: one more than a Poisson number.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct CountPrior {
    /// Mean number.
    pub mean: f64,
    /// 95 % confidence interval of the mean: exact for a Poisson number (Garwood 1936).
    pub interval: (f64, f64),
    /// Variance over mean of the number less one: far above 1 says that the defects cluster and that the interval,
    /// which takes 1, is too narrow. NaN-free: 1 if every image has one defect.
    pub dispersion: f64,
}

impl CountPrior {
    pub(super) fn estimate(counts: &[usize]) -> Self {
        let n = counts.len().max(1) as f64;
        let more: Vec<f64> = counts.iter().map(|&c| c.saturating_sub(1) as f64).collect();
        let sum: f64 = more.iter().sum();
        let (mean, deviation) = moments(&more);
        let (low, high) = garwood(sum);
        let dispersion = if mean > 0.0 { deviation * deviation / mean } else { 1.0 };
        Self { mean: 1.0 + mean, interval: (1.0 + low / n, 1.0 + high / n), dispersion }
    }

    /// Samples a number, at least 1 and at most 64.
    pub fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> usize {
        let more = Poisson::new(self.mean - 1.0).map_or(0.0, |p| p.sample(rng));
        1 + more.min(63.0) as usize
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        require((1.0..=64.0).contains(&self.mean), NAME, "count", self.mean, "a mean number in [1, 64]")
    }
}

/// Mean and standard deviation (n - 1).
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    if values.is_empty() {
        return (0.0, 0.0);
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0).max(1.0)).sqrt())
}

/// Student's t, two-sided 95 %: the table, beyond it Cornish and Fisher's expansion (error below 0.002).
fn t95(freedom: usize) -> f64 {
    match freedom {
        0 => f64::INFINITY,
        1..=9 => T95[freedom - 1],
        _ => {
            let (z, v) = (Z95, freedom as f64);
            let first = (z.powi(3) + z) / 4.0;
            let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
            let third = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0;
            z + first / v + second / (v * v) + third / (v * v * v)
        }
    }
}

/// Exact 95 % interval of a Poisson mean from one observed number (Garwood 1936), by bisection on the distribution.
fn garwood(seen: f64) -> (f64, f64) {
    let root = |target: f64, upto: f64| {
        let (mut low, mut high) = (0.0, 4.0 * seen + 20.0);
        for _ in 0..80 {
            let mid = 0.5 * (low + high);
            if poisson_cdf(upto, mid) > target { low = mid } else { high = mid }
        }
        0.5 * (low + high)
    };
    let low = if seen > 0.0 { root(0.975, seen - 1.0) } else { 0.0 };
    (low, root(0.025, seen))
}

/// P(X <= k) for a Poisson mean.
fn poisson_cdf(k: f64, mean: f64) -> f64 {
    let (mut log_term, mut sum) = (-mean, (-mean).exp());
    let mut i = 1.0;
    while i <= k {
        log_term += (mean / i).ln();
        sum += log_term.exp();
        i += 1.0;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn students_t_continues_its_table() {
        // Published: t(10) = 2.228, t(15) = 2.131, t(30) = 2.042.
        for (v, t) in [(2, 4.303), (10, 2.228), (15, 2.131), (30, 2.042)] {
            assert!((t95(v) - t).abs() < 0.002, "{v}: {}", t95(v));
        }
    }

    #[test]
    fn exact_poisson_limits_are_the_published_ones() {
        // Garwood's table, 95 % two-sided: 0 -> (0, 3.689), 1 -> (0.0253, 5.572), 10 -> (4.795, 18.390), 50 -> (37.11,
        // 65.92).
        for (n, low, high) in [(0.0, 0.0, 3.689), (1.0, 0.0253, 5.572), (10.0, 4.795, 18.390), (50.0, 37.11, 65.92)] {
            let (a, b) = garwood(n);
            assert!((a - low).abs() < 0.006 && (b - high).abs() < 0.006, "{n}: {a} {b}");
        }
    }

    #[test]
    fn normal_quantiles_and_wilsons_limits_are_the_published_ones() {
        for (p, z) in [(0.5, 0.0), (0.975, 1.959_963_985), (0.9, 1.281_551_566), (0.001, -3.090_232_306)] {
            assert!((probit(p) - z).abs() < 1e-7, "{p}: {}", probit(p));
        }
        // Newcombe (1998), method 3: 81 of 263 -> (0.2553, 0.3662), 0 of 20 -> (0, 0.1611).
        for (hits, all, low, high) in [(81, 263, 0.2553, 0.3662), (0, 20, 0.0, 0.1611)] {
            let (a, b) = Share::of(hits, all).interval;
            assert!((a - low).abs() < 6e-5 && (b - high).abs() < 6e-5, "{hits} of {all}: {a} {b}");
        }
    }

    #[test]
    fn values_that_are_all_alike_keep_an_interval() {
        let prior = Prior::estimate(Scale::Log, &[vec![5.0], vec![5.0], vec![5.0]], 0.0);
        // Student's t of two degrees of freedom, 4.303, times 0.05 over sqrt 3.
        assert!((prior.interval.1 / 5.0 - (4.303 * 0.05 / 3f64.sqrt()).exp()).abs() < 1e-3 && prior.is_alike());
    }

    #[test]
    fn the_interval_is_students_by_hand() {
        // Image means of the logs 1, 2, 3: mean 2, s = 1, half-width 4.303 / sqrt(3) = 2.4843; no pixel term.
        let e = |v: f64| v.exp();
        let prior = Prior::estimate(Scale::Log, &[vec![e(0.5), e(1.5)], vec![e(2.0)], vec![e(3.0)]], 0.0);
        assert!((prior.interval.0.ln() - (2.0 - 2.4843)).abs() < 1e-3, "{prior:?}");
        assert!((prior.interval.1.ln() - (2.0 + 2.4843)).abs() < 1e-3 && (prior.median() - e(2.0)).abs() < 1e-9);
    }
}
