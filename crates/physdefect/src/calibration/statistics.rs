//! Priors and their intervals.

use rand::Rng;
use rand_distr::{Distribution, Poisson, StandardNormal};

/// Two-sided 95 % point of the normal distribution; samples are cut there.
pub(super) const Z95: f64 = 1.959_964;
/// Student's t, two-sided 95 %, 1 to 9 degrees of freedom (standard tables).
const T95: [f64; 9] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];

/// Scale on which a quantity is normally distributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Scale {
    /// The logarithm is normal: lengths.
    Log,
    /// The value itself is normal: log-contrast.
    Linear,
}

/// A normal or log-normal prior with the interval of its center.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Prior {
    /// Scale on which `mean` and `deviation` are taken.
    pub scale: Scale,
    /// Mean on that scale: over images, of each image's mean over its defects.
    pub mean: f64,
    /// Standard deviation on that scale, over all defects.
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
        let (_, deviation) = moments(&all);
        let grid = if scale == Scale::Log { resolution / mean.exp() } else { resolution };
        let sampling = t95(means.len().saturating_sub(1)) * between / (means.len().max(1) as f64).sqrt();
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

    /// Samples a value within the central 95 %.
    pub fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> f64 {
        self.quantile(cut_normal(rng))
    }
}

/// A standard normal number within +-[`Z95`], by rejection (a clamp after 64 tries, which never happens in practice).
pub(super) fn cut_normal<R: Rng + ?Sized>(rng: &mut R) -> f64 {
    let mut z: f64 = StandardNormal.sample(rng);
    for _ in 0..64 {
        if z.abs() <= Z95 {
            break;
        }
        z = StandardNormal.sample(rng);
    }
    z.clamp(-Z95, Z95)
}

/// Number of defects on a defective image: one more than a Poisson number.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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
    fn the_interval_is_students_by_hand() {
        // Image means of the logs 1, 2, 3: mean 2, s = 1, half-width 4.303 / sqrt(3) = 2.4843; no pixel term.
        let e = |v: f64| v.exp();
        let prior = Prior::estimate(Scale::Log, &[vec![e(0.5), e(1.5)], vec![e(2.0)], vec![e(3.0)]], 0.0);
        assert!((prior.interval.0.ln() - (2.0 - 2.4843)).abs() < 1e-3, "{prior:?}");
        assert!((prior.interval.1.ln() - (2.0 + 2.4843)).abs() < 1e-3 && (prior.median() - e(2.0)).abs() < 1e-9);
    }
}
