//! Linear elastic fracture mechanics and the statistics of fracture profiles.

use crate::statistics::slope;

/// Kink angle of the maximum tangential stress in the closed form 2 atan[(K1 - sqrt(K1^2 + 8 K2^2)) / 4 K2], in
/// radians, for K2 other than 0.
#[must_use]
pub fn kink_angle(k1: f64, k2: f64) -> f64 {
    2.0 * ((k1 - (k1 * k1 + 8.0 * k2 * k2).sqrt()) / (4.0 * k2)).atan()
}

/// Height of a crack `(y, x)` over each whole abscissa from its start on, by linear interpolation.
#[must_use]
pub fn profile(points: &[[f64; 2]]) -> Vec<f64> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    let sign = (last[1] - first[1]).signum();
    let mut heights = Vec::new();
    for p in points.windows(2) {
        let (a, b) = ((p[0][1] - first[1]) * sign, (p[1][1] - first[1]) * sign);
        while (heights.len() as f64) < b {
            let t = ((heights.len() as f64 - a) / (b - a).max(1e-9)).clamp(0.0, 1.0);
            heights.push(p[0][0] + t * (p[1][0] - p[0][0]));
        }
    }
    heights
}

/// Hurst (roughness) exponent of profiles: the slope of the logarithm of the rms height difference over that of the
/// lag, at lags of 4, 8 .. 64 px. About 2/3 for fracture in plane problems, 1/2 for a random walk.
#[must_use]
pub fn hurst_exponent(profiles: &[Vec<f64>]) -> f64 {
    let lags = [4usize, 8, 16, 32, 64];
    let mut moments = [(0.0f64, 0.0f64); 5];
    for profile in profiles {
        for (lag, m) in lags.iter().zip(&mut moments) {
            for i in 0..profile.len().saturating_sub(*lag) {
                m.0 += (profile[i + lag] - profile[i]).powi(2);
                m.1 += 1.0;
            }
        }
    }
    let points: Vec<(f64, f64)> =
        lags.iter().zip(&moments).map(|(l, m)| ((*l as f64).ln(), 0.5 * (m.0 / m.1).ln())).collect();
    slope(&points)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Xorshift;

    #[test]
    fn pure_shear_kinks_by_the_published_angle() {
        // 70.53 degrees = acos(1/3), Erdogan and Sih 1963
        assert!((kink_angle(0.0, 1.0).abs() - (1.0f64 / 3.0).acos()).abs() < 1e-12);
        assert!(kink_angle(1.0, 1e-6).abs() < 1e-5);
    }

    #[test]
    fn a_profile_is_read_off_the_line_in_either_direction() {
        let line = [[1.0, 10.0], [3.0, 14.0], [3.0, 16.5]];
        assert_eq!(profile(&line), [1.0, 1.5, 2.0, 2.5, 3.0, 3.0, 3.0]);
        let mirrored = line.map(|[y, x]| [y, -x]);
        assert_eq!(profile(&mirrored), profile(&line));
        assert!(profile(&[]).is_empty());
    }

    #[test]
    fn a_random_walk_has_one_half_and_a_ramp_has_one() {
        let mut random = Xorshift::new(1);
        let walks: Vec<Vec<f64>> = (0..50)
            .map(|_| {
                let mut height = 0.0;
                (0..2000)
                    .map(|_| {
                        height += f64::from(random.uniform()) - 0.5;
                        height
                    })
                    .collect()
            })
            .collect();
        assert!((hurst_exponent(&walks) - 0.5).abs() < 0.05, "{}", hurst_exponent(&walks));
        let ramp: Vec<f64> = (0..500).map(f64::from).collect();
        assert!((hurst_exponent(&[ramp]) - 1.0).abs() < 1e-9);
    }
}
