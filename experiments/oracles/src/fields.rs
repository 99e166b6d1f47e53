//! Spectra of random fields, estimated by brute force.

use std::f64::consts::TAU;

/// Power of a square map at a wave vector (row, column), radians a px: |sum w f e^(-i k p)|^2 / sum w^2 with a Hann
/// window w, an estimate of the density whose mean over the plane is (2 pi)^2 times the variance per px^2.
#[must_use]
pub fn windowed_power(map: &[f64], side: usize, (ky, kx): (f64, f64)) -> f64 {
    let hann = |i: usize| 0.5 - 0.5 * (TAU * (i as f64 + 0.5) / side as f64).cos();
    let wave = |k: f64| -> Vec<(f64, f64)> {
        let turned = |i: usize| (hann(i) * (k * i as f64).cos(), hann(i) * (k * i as f64).sin());
        (0..side).map(turned).collect()
    };
    let (down, right) = (wave(ky), wave(kx));
    let (mut re, mut im) = (0.0, 0.0);
    for (row, (cy, sy)) in map.chunks(side.max(1)).zip(&down) {
        let (mut c, mut s) = (0.0, 0.0);
        for (v, (cx, sx)) in row.iter().zip(&right) {
            c += v * cx;
            s += v * sx;
        }
        re += c * cy - s * sy;
        im += c * sy + s * cy;
    }
    let norm = (0..side).map(|i| hann(i).powi(2)).sum::<f64>().powi(2);
    (re * re + im * im) / norm
}

/// Distribution function of the standard normal, to 1e-7 (Abramowitz and Stegun 26.2.17).
#[must_use]
pub fn normal_distribution(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let poly =
        t * (0.319_381_530 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let upper = (-0.5 * x * x).exp() / TAU.sqrt() * poly;
    if x >= 0.0 { 1.0 - upper } else { upper }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_has_its_power_at_its_own_wave_number() {
        let (side, k) = (64, TAU / 8.0);
        let wave: Vec<f64> = (0..side * side).map(|i| 2f64.sqrt() * (k * (i / side) as f64).cos()).collect();
        // |sum w / sqrt 2|^2 / sum w^2 = side^2 / 2 (mean w)^2 / mean w^2, and these are 1/4 and 9/64
        let exact = (side * side) as f64 / 2.0 * (1.0 / 16.0) / (9.0 / 64.0);
        assert!((windowed_power(&wave, side, (k, 0.0)) / exact - 1.0).abs() < 1e-6);
        assert!(windowed_power(&wave, side, (0.0, k)) < 1e-6 * exact);
    }

    #[test]
    fn the_normal_law_is_the_tables() {
        for (x, p) in [(0.0, 0.5), (1.0, 0.841_344_746), (-1.959_963_985, 0.025), (3.0, 0.998_650_102)] {
            assert!((normal_distribution(x) - p).abs() < 1e-7, "{x}");
        }
    }
}
