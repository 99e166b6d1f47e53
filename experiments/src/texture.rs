//! Made-up good images, for timing.

use ndarray::Array3;

/// Bricks with noise, `side` x `side` RGB; another one for each seed.
pub fn texture(side: usize, seed: usize) -> Array3<f32> {
    Array3::from_shape_fn((side, side, 3), |(y, x, c)| {
        let noise = ((y * 7919 + x * 104_729 + seed * 611_953 + c * 31) % 1009) as f32 / 1009.0;
        0.4 + 0.1 * ((y / 6 + x / 9 + seed) % 3) as f32 + 0.05 * noise
    })
}
