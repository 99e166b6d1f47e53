//! Loss of the discriminator.

/// Binary cross-entropy of a logit against a soft target in \[0, 1\]: max(z, 0) - z y + log(1 + exp(-|z|)). Finite for
/// every finite logit.
pub(crate) fn cross_entropy(z: f32, y: f32) -> f32 {
    z.max(0.0) - z * y + (-z.abs()).exp().ln_1p()
}

/// 1 / (1 + exp(-z)); less `y` it is the slope of [`cross_entropy`].
pub(crate) fn sigmoid(z: f32) -> f32 {
    1.0 / (1.0 + (-z).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_the_sigmoid_less_the_target() {
        for (z, y) in [(0.7f32, 1.0f32), (-3.0, 0.25), (4.0, 0.0), (0.0, 0.5)] {
            let difference = (cross_entropy(z + 0.01, y) - cross_entropy(z - 0.01, y)) / 0.02;
            assert!((sigmoid(z) - y - difference).abs() < 1e-4, "{z} {y}: {difference}");
        }
    }

    #[test]
    fn far_logits_stay_finite() {
        assert_eq!((cross_entropy(-800.0, 1.0), cross_entropy(800.0, 1.0)), (800.0, 0.0));
        assert_eq!((sigmoid(-800.0), sigmoid(800.0)), (0.0, 1.0));
        assert!((cross_entropy(0.0, 1.0) - 2f32.ln()).abs() < 1e-7);
    }
}
