//! Deliberately corrupted samples, to see what a training makes of them.

use maphc2f::bisqad::{Anomaly, AnomalySource, SourceError};
use maphc2f::imgkit::rng::keyed_stream;
use maphc2f::sqe::Degradation;
use ndarray::{Array2, ArrayView3};
use rand::Rng;

/// Keeps the corruption's random stream apart from that of the sample, which has the same seed and index and whose
/// first value is its severity.
const SALT: u64 = 0x7370_6f69_6c74;

/// A source whose anomalies are corrupted with a probability `rate`, each in one of three ways:
///
/// - wrong mask: the mask lies half an image away from the defect;
/// - seam: a clear outline in the mask's rim, 0.3 darker or brighter;
/// - wrong place: the defect's pixels are pasted elsewhere, on the background too, and the mask with them.
///
/// It sets their severity to `None`, so that corrupted samples can be told apart in the weight log. The mechanism that
/// is left out for validation is corrupted as well, for it comes from the same source.
#[derive(Debug)]
pub struct Corrupted<'a, S> {
    source: &'a S,
    rate: f64,
    seed: u64,
}

impl<'a, S: AnomalySource> Corrupted<'a, S> {
    /// Corrupts the anomalies of `source` with probability `rate` in \[0, 1\].
    pub fn new(source: &'a S, rate: f64, seed: u64) -> Self {
        Self { source, rate, seed }
    }
}

impl<S: AnomalySource> AnomalySource for Corrupted<'_, S> {
    fn mechanisms(&self) -> usize {
        self.source.mechanisms()
    }

    fn anomaly(
        &self,
        normal: ArrayView3<'_, f32>,
        image: usize,
        group: usize,
        index: u64,
    ) -> Result<Anomaly, SourceError> {
        let anomaly = self.source.anomaly(normal, image, group, index)?;
        corrupt(anomaly, normal, self.rate, self.seed, index)
    }
}

/// Corrupts an anomaly on `normal` with probability `rate`. A pure function of its arguments.
fn corrupt(
    anomaly: Anomaly,
    normal: ArrayView3<'_, f32>,
    rate: f64,
    seed: u64,
    stream: u64,
) -> Result<Anomaly, SourceError> {
    let mut rng = keyed_stream(seed ^ SALT, stream);
    if rng.random::<f64>() >= rate {
        return Ok(anomaly);
    }
    let (h, w) = anomaly.mask.dim();
    let moved = |mask: &Array2<bool>, down: usize, right: usize| {
        Array2::from_shape_fn((h, w), |(y, x)| mask[[(y + h - down) % h, (x + w - right) % w]])
    };
    Ok(match rng.random_range(0..3) {
        0 => Anomaly { mask: moved(&anomaly.mask, h / 2, w / 2), severity: None, ..anomaly },
        1 => {
            let image = Degradation::SeamStrength.apply(anomaly.image.view(), anomaly.mask.view(), 1.0);
            Anomaly { image: image?, severity: None, ..anomaly }
        }
        _ => {
            let (down, right) = (rng.random_range(h / 4..h - h / 4), rng.random_range(w / 4..w - w / 4));
            let mask = moved(&anomaly.mask, down, right);
            let mut image = normal.to_owned();
            for ((y, x, c), v) in image.indexed_iter_mut() {
                if mask[[y, x]] {
                    *v = anomaly.image[[(y + h - down) % h, (x + w - right) % w, c]];
                }
            }
            Anomaly { image, mask, severity: None }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    fn made() -> (Array3<f32>, Anomaly) {
        let normal = Array3::from_shape_fn((40, 60, 3), |(y, x, c)| ((y * 7 + x * 3 + c) % 11) as f32 / 20.0);
        let mask = Array2::from_shape_fn((40, 60), |(y, x)| (5..12).contains(&y) && (8..20).contains(&x));
        let mut image = normal.clone();
        image.indexed_iter_mut().filter(|((y, x, _), _)| mask[[*y, *x]]).for_each(|(_, v)| *v += 0.4);
        (normal, Anomaly { image, mask, severity: Some(0.5) })
    }

    /// The sample's own generator has the same seed and stream: whom it gives a low severity must not be whom this
    /// corrupts.
    #[test]
    fn who_is_corrupted_has_nothing_to_do_with_the_samples_own_draws() {
        let (normal, good) = made();
        let corrupted =
            |stream: &u64| corrupt(good.clone(), normal.view(), 0.3, 9, *stream).unwrap().severity.is_none();
        let low = |stream: &u64| keyed_stream(9, *stream).random::<f64>() < 0.3;
        let low: Vec<u64> = (0..1000).filter(low).collect();
        let share = low.iter().filter(|s| corrupted(s)).count() as f64 / low.len() as f64;
        assert!((0.2..0.4).contains(&share), "{share}");
    }

    #[test]
    fn a_share_is_corrupted_in_three_ways_and_the_rest_left_alone() {
        let (normal, good) = made();
        let mut kinds = [0; 4];
        for stream in 0..400 {
            let bad = corrupt(good.clone(), normal.view(), 0.3, 9, stream).unwrap();
            let again = corrupt(good.clone(), normal.view(), 0.3, 9, stream).unwrap();
            assert_eq!((&bad.image, &bad.mask), (&again.image, &again.mask));
            let (same_image, same_mask) = (bad.image == good.image, bad.mask == good.mask);
            assert_eq!(bad.severity.is_some(), same_image && same_mask);
            let area = |m: &Array2<bool>| m.iter().filter(|m| **m).count();
            assert_eq!(area(&bad.mask), area(&good.mask));
            let honest = bad.image.indexed_iter().all(|((y, x, c), v)| bad.mask[[y, x]] || *v == normal[[y, x, c]]);
            let kind = match (same_image, same_mask) {
                (true, true) => 0,
                (true, false) => 1,
                (false, true) => 2,
                (false, false) => 3,
            };
            assert_eq!(honest, kind != 1, "only a wrong mask leaves a change outside it");
            kinds[kind] += 1;
        }
        assert!((250..310).contains(&kinds[0]), "{kinds:?}");
        assert!(kinds[1..].iter().all(|&n| n > 20), "{kinds:?}");
    }
}
