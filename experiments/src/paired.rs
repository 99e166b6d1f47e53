//! Means, standard deviations and confidence intervals of paired differences.

/// Mean; NaN for no values.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Sample standard deviation (n - 1); NaN for fewer than two values.
#[must_use]
pub fn standard_deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0)).sqrt()
}

/// 97.5 % points of Student's t for 1 to 30 degrees of freedom (any table); the last serves for more.
const T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/// Half the 95 % t interval of the mean; NaN for fewer than two values.
#[must_use]
pub fn half_interval(values: &[f64]) -> f64 {
    let n = values.len();
    match n.checked_sub(2) {
        Some(i) => T[i.min(T.len() - 1)] * standard_deviation(values) / (n as f64).sqrt(),
        None => f64::NAN,
    }
}

/// Formats the mean of paired differences and its 95 % t interval: `+0.0005 [-0.0009, +0.0018]`.
#[must_use]
pub fn interval_text(differences: &[f64]) -> String {
    let (mean, half) = (mean(differences), half_interval(differences));
    if differences.len() < 2 {
        return format!("{mean:+.4} (one pair)");
    }
    format!("{mean:+.4} [{:+.4}, {:+.4}]", mean - half, mean + half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interval_is_that_of_the_sleep_data() {
        // Differences of Student's sleep data (Biometrika 6 (1908) 1): mean 1.58, 95 % interval 0.70 to 2.46.
        let sleep = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4];
        assert!((mean(&sleep) - 1.58).abs() < 1e-12);
        assert!((standard_deviation(&sleep) - 1.229_995).abs() < 1e-6);
        assert!((half_interval(&sleep) - 0.879_886).abs() < 1e-4);
        assert_eq!(interval_text(&sleep), "+1.5800 [+0.7002, +2.4598]");
    }

    #[test]
    fn too_few_values_have_no_interval() {
        assert!(mean(&[]).is_nan());
        assert!(half_interval(&[1.0]).is_nan());
        assert_eq!(interval_text(&[0.5]), "+0.5000 (one pair)");
    }
}
