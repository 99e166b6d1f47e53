//! Connected components of a mask.

use ndarray::{Array2, ArrayView2};

/// The 8-connected components of a mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Components {
    /// 0 for the background, else the component's number from 1 in row-major order of its first pixel; height x width.
    pub labels: Array2<u32>,
    /// Pixels of each component: `sizes[i]` is that of number `i + 1`.
    pub sizes: Vec<usize>,
}

/// Labels the 8-connected components of a mask.
///
/// ```
/// use ndarray::arr2;
/// let mask = arr2(&[[true, false, false], [false, true, false], [false, false, false], [true, false, true]]);
/// let found = adbench::metrics::label_components(mask.view());
/// assert_eq!(found.sizes, [2, 1, 1]);
/// ```
#[must_use]
pub fn label_components(mask: ArrayView2<'_, bool>) -> Components {
    let (height, width) = mask.dim();
    let mut labels = Array2::zeros((height, width));
    let mut sizes = Vec::new();
    for (y, row) in mask.outer_iter().enumerate() {
        // Most rows are empty, and finding that out is fast.
        if !row.fold(false, |any, &m| any | m) {
            continue;
        }
        for x in 0..width {
            if mask[(y, x)] && labels[(y, x)] == 0 {
                let number = sizes.len() as u32 + 1;
                sizes.push(fill(mask, &mut labels, (y, x), number));
            }
        }
    }
    Components { labels, sizes }
}

/// Gives the unlabeled component at `start` its number; returns its size.
fn fill(mask: ArrayView2<'_, bool>, labels: &mut Array2<u32>, start: (usize, usize), number: u32) -> usize {
    let (height, width) = mask.dim();
    let mut stack = vec![start];
    let mut size = 0;
    labels[start] = number;
    while let Some((y, x)) = stack.pop() {
        size += 1;
        for ny in y.saturating_sub(1)..(y + 2).min(height) {
            for nx in x.saturating_sub(1)..(x + 2).min(width) {
                if mask[(ny, nx)] && labels[(ny, nx)] == 0 {
                    labels[(ny, nx)] = number;
                    stack.push((ny, nx));
                }
            }
        }
    }
    size
}
