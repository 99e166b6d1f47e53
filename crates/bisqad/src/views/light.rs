//! Light: images as another exposure, contrast and direction of the light would show them.

use imgkit::rng::keyed_stream;
use ndarray::Array3;
use rand::Rng;

/// Largest factor of the exposure and of the exponent, and its inverse the smallest.
const FACTOR: f32 = 1.2;
/// Largest change of the exposure from one side of the frame to the other.
const SLOPE: f32 = 0.2;
/// Stream of random numbers, apart from those of the order of images (0).
const STREAM: u64 = 1 << 44;

/// A change of light: value v at the relative place (y, x) in \[-1/2, 1/2\] becomes
/// `exposure (1 + down y + right x) v^exponent`, within \[0, 1\].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Light {
    exposure: f32,
    exponent: f32,
    down: f32,
    right: f32,
}

impl Light {
    /// Draws change number `number` of a seed.
    pub(crate) fn draw(seed: u64, number: u64) -> Self {
        let mut rng = keyed_stream(seed, STREAM | number);
        let mut factor = || FACTOR.powf(rng.random_range(-1.0..=1.0f32));
        let (exposure, exponent) = (factor(), factor());
        let mut slope = || SLOPE * rng.random_range(-1.0..=1.0f32);
        Self { exposure, exponent, down: slope(), right: slope() }
    }

    /// The image in this light.
    pub(crate) fn apply(self, mut image: Array3<f32>) -> Array3<f32> {
        let (h, w, _) = image.dim();
        let place = |i: usize, n: usize| (i as f32 + 0.5) / n as f32 - 0.5;
        for ((y, x, _), v) in image.indexed_iter_mut() {
            let field = self.exposure * (1.0 + self.down * place(y, h) + self.right * place(x, w));
            *v = (field * v.max(0.0).powf(self.exponent)).clamp(0.0, 1.0);
        }
        image
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_follow_exposure_exponent_and_slope() {
        let image = Array3::from_elem((2, 4, 1), 0.25);
        let light = Light { exposure: 1.2, exponent: 0.5, down: 0.4, right: 0.0 };
        let found = light.apply(image.clone());
        // the rows' middles lie at -1/4 and 1/4
        assert!((found[[0, 0, 0]] - 1.2 * 0.9 * 0.5).abs() < 1e-6 && (found[[1, 3, 0]] - 1.2 * 1.1 * 0.5).abs() < 1e-6);
        let dark = Light { exposure: 9.0, exponent: 1.0, down: 0.0, right: 0.0 };
        assert!(dark.apply(image).iter().all(|v| *v == 1.0), "it saturates");
    }

    #[test]
    fn changes_are_drawn_by_their_number_and_moderate() {
        assert_eq!(Light::draw(3, 5), Light::draw(3, 5));
        assert!(Light::draw(3, 5) != Light::draw(3, 6) && Light::draw(3, 5) != Light::draw(4, 5));
        let all: Vec<Light> = (0..200).map(|i| Light::draw(0, i)).collect();
        let range = |of: fn(&Light) -> f32| {
            let values = all.iter().map(of);
            (values.clone().fold(f32::INFINITY, f32::min), values.fold(f32::NEG_INFINITY, f32::max))
        };
        for (low, high) in [range(|l| l.exposure), range(|l| l.exponent)] {
            assert!((1.0 / 1.2001..0.87).contains(&low) && (1.15..1.2001).contains(&high), "{low} {high}");
        }
        for (low, high) in [range(|l| l.down), range(|l| l.right)] {
            assert!((-0.2..-0.15).contains(&low) && (0.15..=0.2).contains(&high), "{low} {high}");
        }
    }
}
