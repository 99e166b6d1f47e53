//! Made-up normal images: what a detector says of them is worth nothing, what it takes is real.

use ndarray::Array3;

/// Makes bricks with noise, `(side, side, 3)` in [0, 1]; another image for each seed.
#[must_use]
pub fn brick_texture(side: usize, seed: usize) -> Array3<f32> {
    Array3::from_shape_fn((side, side, 3), |(y, x, c)| {
        let noise = ((y * 7919 + x * 104_729 + seed * 611_953 + c * 31) % 1009) as f32 / 1009.0;
        0.4 + 0.1 * ((y / 6 + x / 9 + seed) % 3) as f32 + 0.05 * noise
    })
}
