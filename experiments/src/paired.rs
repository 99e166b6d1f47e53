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

/// Two-sided p value of Student's paired t test against a mean of 0; NaN for fewer than two values.
///
/// With t = sqrt(v) tan u the density of t at v degrees of freedom is that of cos(u)^(v - 1), which is summed.
#[must_use]
pub fn p_value(differences: &[f64]) -> f64 {
    const PARTS: usize = 20_000;
    let n = differences.len() as f64;
    let t = (mean(differences) * n.sqrt() / standard_deviation(differences)).abs();
    if t.is_nan() {
        return f64::NAN;
    }
    let area = |from: f64| -> f64 {
        let width = (std::f64::consts::FRAC_PI_2 - from) / PARTS as f64;
        (0..PARTS).map(|k| (from + (k as f64 + 0.5) * width).cos().powf(n - 2.0) * width).sum()
    };
    area((t / (n - 1.0).sqrt()).atan()) / area(0.0)
}

/// Corrects the p values of a family of claims for their number: S. Holm, Scandinavian Journal of Statistics 6 (1979)
/// 65. In the order given.
#[must_use]
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let (mut corrected, mut least) = (vec![f64::NAN; p.len()], 0.0f64);
    for (rank, &i) in order.iter().enumerate() {
        if !p[i].is_nan() {
            least = least.max(((p.len() - rank) as f64 * p[i]).min(1.0));
            corrected[i] = least;
        }
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_are_those_of_tables() {
        // Student's sleep data: t = 4.0621 at 9 degrees of freedom, p = 0.002833 (any statistics program)
        let sleep = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4];
        assert!((p_value(&sleep) - 0.002_833).abs() < 1e-6, "{}", p_value(&sleep));
        // 1 and 3: t = 2 at one degree of freedom, where p = 1 - 2/pi atan 2
        assert!((p_value(&[1.0, 3.0]) - (1.0 - 2.0f64.atan() / std::f64::consts::FRAC_PI_2)).abs() < 1e-6);
        assert!(p_value(&[1.0]).is_nan());
    }

    #[test]
    fn holm_multiplies_the_least_by_all() {
        // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
        let found = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, expected) in found.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - expected).abs() < 1e-12, "{found}");
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
    }

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
