//! Texture of a photo: the direction of its grain, as of ground, turned or brushed surfaces, wood and fabric.

use ndarray::ArrayView3;

use crate::Domain;

/// Most gradients that are looked at.
const SAMPLES: usize = 20_000;
/// Coherence from which a surface has a grain.
const COHERENT: f64 = 0.3;

/// Direction along the grain of a photo `(H, W, C)` within the domain, radians in (-pi/2, pi/2\] from +x (right)
/// towards +y (down); `None` if no direction stands out.
///
/// The structure tensor, the mean of g g^T over the gradients g (Bigun and Granlund 1987); each counts by its length,
/// so that a few strong edges do not decide. The grain runs across the tensor's first axis; the coherence
/// (l1 - l2) / (l1 + l2) of its eigenvalues says whether there is one: from 0.3.
#[must_use]
pub(crate) fn grain(photo: ArrayView3<'_, f32>, domain: &Domain) -> Option<f64> {
    let (h, w, channels) = photo.dim();
    if (h, w) != domain.dim() || h < 3 || w < 3 || channels == 0 {
        return None;
    }
    let (bbox, mask) = (domain.bbox(), domain.mask());
    // Whole rows, so that neighbors lie together.
    let step = (bbox.area() / SAMPLES).max(1);
    let (mut xx, mut yy, mut xy) = (0.0f64, 0.0f64, 0.0f64);
    for y in (bbox.top.max(1)..bbox.bottom.min(h - 1)).step_by(step) {
        for x in bbox.left.max(1)..bbox.right.min(w - 1) {
            if !(mask[[y, x]] && mask[[y - 1, x]] && mask[[y + 1, x]] && mask[[y, x - 1]] && mask[[y, x + 1]]) {
                continue;
            }
            let gx = f64::from(photo[[y, x + 1, 0]] - photo[[y, x - 1, 0]]);
            let gy = f64::from(photo[[y + 1, x, 0]] - photo[[y - 1, x, 0]]);
            let length = (gx * gx + gy * gy).sqrt();
            if length > 0.0 && length.is_finite() {
                (xx, yy, xy) = (xx + gx * gx / length, yy + gy * gy / length, xy + gx * gy / length);
            }
        }
    }
    let (sum, difference) = (xx + yy, (xx - yy).hypot(2.0 * xy));
    if !(sum > 0.0 && difference >= COHERENT * sum) {
        return None;
    }
    let across = 0.5 * (2.0 * xy).atan2(xx - yy);
    let along = across + std::f64::consts::FRAC_PI_2;
    Some(if along > std::f64::consts::FRAC_PI_2 { along - std::f64::consts::PI } else { along })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;
    use rand::{Rng, SeedableRng};

    #[test]
    fn stripes_have_their_direction_and_noise_has_none() {
        let domain = Domain::full(90, 120).unwrap();
        for angle in [-1.2, -0.4, 0.0, 0.7, 1.5f64] {
            let (s, c) = angle.sin_cos();
            let photo = Array3::from_shape_fn((90, 120, 1), |(y, x, _)| {
                0.5 + 0.2 * ((y as f64 * c - x as f64 * s) * 0.3).sin() as f32
            });
            let found = grain(photo.view(), &domain).unwrap();
            let off = (found - angle).rem_euclid(std::f64::consts::PI);
            assert!(off.min(std::f64::consts::PI - off) < 0.02, "{found} for {angle}");
        }
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let noise = Array3::from_shape_fn((90, 120, 1), |_| rng.random::<f32>());
        assert_eq!(grain(noise.view(), &domain), None);
        assert_eq!(grain(Array3::from_elem((90, 120, 3), 0.5).view(), &domain), None);
    }
}
