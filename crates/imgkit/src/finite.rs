//! Search for values that are not finite.

use ndarray::ArrayView3;

/// Finds the first value of an image `(H, W, C)` that is not finite: its row, column and channel.
///
/// ```
/// let mut image = ndarray::Array3::<f32>::zeros((4, 5, 3));
/// assert_eq!(imgkit::first_non_finite(image.view()), None);
/// image[(2, 3, 1)] = f32::NAN;
/// assert_eq!(imgkit::first_non_finite(image.view()), Some((2, 3, 1)));
/// ```
#[must_use]
pub fn first_non_finite(image: ArrayView3<'_, f32>) -> Option<(usize, usize, usize)> {
    // A sum is finite if every term is, and passes without a branch are cheap.
    let sum = |row: &[f32]| {
        let (groups, rest) = row.as_chunks::<16>();
        let mut sums = [0.0f32; 16];
        for group in groups {
            for (sum, v) in sums.iter_mut().zip(group) {
                *sum += v * 0.0;
            }
        }
        sums.iter().sum::<f32>() + rest.iter().map(|v| v * 0.0).sum::<f32>()
    };
    let finite = image.outer_iter().all(|row| {
        let sum = row.as_slice().map_or_else(|| row.iter().map(|v| v * 0.0).sum(), sum);
        sum == 0.0
    });
    if finite { None } else { image.indexed_iter().find(|(_, v)| !v.is_finite()).map(|(at, _)| at) }
}
