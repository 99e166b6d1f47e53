//! Mean and spread of a figure over several runs.

use imgkit::ensure;

use super::error::MetricError;

/// Mean and spread of a figure over training runs with different seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OverSeeds {
    /// Number of runs.
    pub runs: usize,
    /// Mean.
    pub mean: f64,
    /// Standard deviation of a single run, with `runs - 1` in the denominator; 0 for one run.
    pub deviation: f64,
    /// The lowest run.
    pub low: f64,
    /// The highest run.
    pub high: f64,
}

/// Mean and spread of one figure over runs that differ in their seed only. Report both; the best run is no result.
///
/// # Errors
/// [`MetricError::Parameter`] without a run, [`MetricError::NotFinite`].
///
/// ```
/// let runs = adbench::metrics::over_seeds(&[0.9, 0.92, 0.94])?;
/// assert!((runs.mean - 0.92).abs() < 1e-12 && (runs.deviation - 0.02).abs() < 1e-12);
/// # Ok::<(), adbench::metrics::MetricError>(())
/// ```
pub fn over_seeds(figures: &[f64]) -> Result<OverSeeds, MetricError> {
    ensure(!figures.is_empty(), "over_seeds", "figures", "empty", "at least one figure")?;
    if let Some(index) = figures.iter().position(|f| !f.is_finite()) {
        return Err(MetricError::NotFinite { index, value: figures[index] });
    }
    let runs = figures.len();
    let mean = figures.iter().sum::<f64>() / runs as f64;
    let squares: f64 = figures.iter().map(|f| (f - mean).powi(2)).sum();
    let deviation = if runs > 1 { (squares / (runs - 1) as f64).sqrt() } else { 0.0 };
    let low = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let high = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Ok(OverSeeds { runs, mean, deviation, low, high })
}
