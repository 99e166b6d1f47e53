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
/// let found = imgkit::components::label_components(mask.view());
/// assert_eq!(found.sizes, [2, 1, 1]);
/// ```
#[must_use]
pub fn label_components(mask: ArrayView2<'_, bool>) -> Components {
    let mut sizes = Vec::new();
    let labels = visit_components(mask, |pixels| sizes.push(pixels.len()));
    Components { labels, sizes }
}

/// Lists the pixels (row, column) of each 8-connected component of a mask, the components in row-major order of their
/// first pixel, the pixels in order of their distance from it in steps.
///
/// ```
/// use ndarray::arr2;
/// let mask = arr2(&[[true, false, false], [false, true, false], [false, false, false], [true, false, true]]);
/// let found = imgkit::components::component_pixels(mask.view());
/// assert_eq!(found, [vec![(0, 0), (1, 1)], vec![(3, 0)], vec![(3, 2)]]);
/// ```
#[must_use]
pub fn component_pixels(mask: ArrayView2<'_, bool>) -> Vec<Vec<(usize, usize)>> {
    let mut all = Vec::new();
    let _labels = visit_components(mask, |pixels| all.push(pixels.to_vec()));
    all
}

/// Labels the components and shows the pixels of each.
fn visit_components(mask: ArrayView2<'_, bool>, mut visit: impl FnMut(&[(usize, usize)])) -> Array2<u32> {
    let (height, width) = mask.dim();
    let mut labels = Array2::zeros((height, width));
    let (mut number, mut queue) = (0, Vec::new());
    for (row, pixels) in mask.outer_iter().enumerate() {
        // Most rows are empty, and finding that out is fast.
        if !pixels.fold(false, |any, &m| any | m) {
            continue;
        }
        for column in 0..width {
            if !mask[(row, column)] || labels[(row, column)] != 0 {
                continue;
            }
            number += 1;
            labels[(row, column)] = number;
            queue.clear();
            queue.push((row, column));
            let mut next = 0;
            while let Some(&(y, x)) = queue.get(next) {
                next += 1;
                for ny in y.saturating_sub(1)..(y + 2).min(height) {
                    for nx in x.saturating_sub(1)..(x + 2).min(width) {
                        if mask[(ny, nx)] && labels[(ny, nx)] == 0 {
                            labels[(ny, nx)] = number;
                            queue.push((ny, nx));
                        }
                    }
                }
            }
            visit(&queue);
        }
    }
    labels
}
