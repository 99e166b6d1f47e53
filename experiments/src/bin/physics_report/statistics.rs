//! Textbook statistics that the oracles need.

/// Least-squares slope of y over x.
pub(crate) fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let (mx, my) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    points.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum::<f64>() / points.iter().map(|p| (p.0 - mx).powi(2)).sum::<f64>()
}

/// sqrt(n) D of sorted values against a distribution function (Kolmogorov and Smirnov).
pub(crate) fn kolmogorov(sorted: &[f64], law: impl Fn(f64) -> f64) -> f64 {
    let n = sorted.len() as f64;
    let gap = |(i, &x): (usize, &f64)| (law(x) - i as f64 / n).abs().max((law(x) - (i + 1) as f64 / n).abs());
    sorted.iter().enumerate().map(gap).fold(0.0, f64::max) * n.sqrt()
}

/// sqrt(n) D against the Gumbel law fitted by maximum likelihood.
pub(crate) fn gumbel_departure(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let spread = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    let low = values[0];
    // Scale b solves b = mean - sum(x e^(-x/b)) / sum(e^(-x/b)): bisection, the difference rises with b.
    let excess = |b: f64| {
        let w = |x: f64| (-(x - low) / b).exp();
        b - mean + values.iter().map(|&x| x * w(x)).sum::<f64>() / values.iter().map(|&x| w(x)).sum::<f64>()
    };
    let (mut lo, mut hi) = (1e-3 * spread, 10.0 * spread);
    for _ in 0..100 {
        let mid = 0.5 * (lo + hi);
        if excess(mid) > 0.0 { hi = mid } else { lo = mid }
    }
    let b = 0.5 * (lo + hi);
    let place = low - b * (values.iter().map(|x| (-(x - low) / b).exp()).sum::<f64>() / n).ln();
    kolmogorov(&values, |x| (-(-(x - place) / b).exp()).exp())
}

/// L(r) - r of Ripley's K at r = 2, 4 .. 40 px, without edge correction: the envelope is simulated with the same edges.
pub(crate) fn ripley(points: &[(f64, f64)], side: f64) -> Vec<f64> {
    let n = points.len() as f64;
    let mut pairs = [0usize; 20];
    for (i, p) in points.iter().enumerate() {
        for q in &points[..i] {
            // Smallest k with distance <= 2 k.
            let k = ((p.0 - q.0).hypot(p.1 - q.1) / 2.0).ceil() as usize;
            if k <= 20 {
                pairs[k.saturating_sub(1)] += 1;
            }
        }
    }
    let mut within = 0;
    pairs
        .iter()
        .zip(1u32..)
        .map(|(n_k, k)| {
            within += n_k;
            let ripley_k = side * side * 2.0 * within as f64 / (n * (n - 1.0));
            (ripley_k / std::f64::consts::PI).sqrt() - 2.0 * f64::from(k)
        })
        .collect()
}
