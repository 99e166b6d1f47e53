//! The undecimated wavelet transform: reconstruction, kernel and spread of white noise.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

use imgkit::wavelet::Atrous;
use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[test]
fn wavelets_reconstruct_and_split_as_their_kernel_says() {
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let image = Array2::from_shape_fn((37, 53), |_| rng.random::<f32>());
    for levels in [1, 3, 6] {
        let bands = Atrous::decompose(image.view(), levels).unwrap();
        assert_eq!(bands.details.len(), levels);
        let worst = (&bands.reconstruct() - &image).mapv(f32::abs).into_iter().fold(0.0, f32::max);
        assert!(worst <= 1e-6, "{levels}: {worst}");
    }
    // one smoothing of a unit impulse is the outer product of [1, 4, 6, 4, 1] / 16
    let mut impulse = Array2::zeros((15, 15));
    impulse[(7, 7)] = 1.0;
    let smooth = Atrous::decompose(impulse.view(), 1).unwrap().smooth;
    let tap = |k: usize| [1.0, 4.0, 6.0, 4.0, 1.0f32].get(k.wrapping_sub(5)).map_or(0.0, |t| t / 16.0);
    for ((y, x), &v) in smooth.indexed_iter() {
        assert!((v - tap(y) * tap(x)).abs() < 1e-7);
    }
    // the spread of white noise over the bands: 0.889, 0.200, 0.086 (Starck and Murtagh, table for the B3 spline)
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    let noise = Array2::from_shape_fn((512, 512), |_| (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0);
    let bands = Atrous::decompose(noise.view(), 3).unwrap();
    for (band, sigma) in bands.details.iter().zip([0.889, 0.200, 0.086]) {
        let std = band.mapv(|v| v * v).mean().unwrap().sqrt();
        assert!((std - sigma).abs() < 0.02 * sigma + 0.001, "{std} {sigma}");
    }
}
