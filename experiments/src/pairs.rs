//! Means, spreads and intervals of paired differences.

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Standard deviation; NaN for fewer than two.
pub fn spread(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0)).sqrt()
}

/// 97.5 % points of Student's t for 1 to 30 degrees of freedom (any table); the last serves for more.
const T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/// Mean and 95 % interval of differences, as text.
pub fn paired(differences: &[f64]) -> String {
    let n = differences.len();
    if n < 2 {
        return format!("{:+.4} (one pair)", mean(differences));
    }
    let half = T[(n - 2).min(29)] * spread(differences) / (n as f64).sqrt();
    format!("{:+.4} [{:+.4}, {:+.4}]", mean(differences), mean(differences) - half, mean(differences) + half)
}
