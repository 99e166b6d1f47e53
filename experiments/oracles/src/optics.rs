//! Fronts that meet a jump of their speed at a straight vertical interface.

/// Least time from a point to another beyond the interface at abscissa `interface`, with `speeds` before and behind it,
/// by brute force over the height of the crossing, 0 to 200 in steps of 0.005. Points are `(y, x)`.
#[must_use]
pub fn least_time(from: (f64, f64), to: (f64, f64), interface: f64, speeds: (f64, f64)) -> f64 {
    let time =
        |c: f64| (c - from.0).hypot(interface - from.1) / speeds.0 + (to.0 - c).hypot(to.1 - interface) / speeds.1;
    (0..=40_000).map(|k| time(f64::from(k) * 0.005)).fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_time_obeys_snell() {
        assert!((least_time((100.0, 20.0), (100.0, 180.0), 60.0, (1.0, 1.0)) - 160.0).abs() < 1e-9);
        // the path of refraction angles a and b with sin a / 1 = sin b / 2
        let (a, b) = (0.3f64, (2.0 * 0.3f64.sin()).asin());
        let to = (50.0 + 40.0 * a.tan() + 30.0 * b.tan(), 90.0);
        let exact = 40.0 / a.cos() + 30.0 / b.cos() / 2.0;
        assert!((least_time((50.0, 20.0), to, 60.0, (1.0, 2.0)) - exact).abs() < 1e-5);
    }
}
