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
    let (height, width) = mask.dim();
    let mut labels = vec![0u32; height * width];
    let (runs, mut parents) = joined_runs(mask);
    // A parent comes before its children: roots get their numbers first.
    let mut sizes = Vec::new();
    let mut numbers = vec![0usize; parents.len()];
    for i in 0..parents.len() {
        numbers[i] = match root(&mut parents, i) {
            root if root == i => {
                sizes.push(0);
                sizes.len()
            }
            root => numbers[root],
        };
    }
    for (&Run { row, from, to }, &number) in runs.iter().zip(&numbers) {
        sizes[number - 1] += to - from;
        labels[row * width..][from..to].fill(number as u32);
    }
    Components { labels: Array2::from_shape_vec((height, width), labels).unwrap_or_default(), sizes }
}

/// Adjacent set pixels of one row.
struct Run {
    row: usize,
    from: usize,
    to: usize,
}

/// All runs of a mask in row-major order, and for each an earlier one of its component, or itself for the first.
fn joined_runs(mask: ArrayView2<'_, bool>) -> (Vec<Run>, Vec<usize>) {
    let (mut runs, mut parents): (Vec<Run>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut above = 0..0;
    for (row, pixels) in mask.outer_iter().enumerate() {
        let first = runs.len();
        // Most rows are empty, and finding that out is fast.
        if pixels.fold(false, |any, &m| any | m) {
            let mut start = None;
            for (column, m) in pixels.iter().copied().chain([false]).enumerate() {
                match start {
                    None if m => start = Some(column),
                    Some(from) if !m => {
                        runs.push(Run { row, from, to: column });
                        start = None;
                    }
                    _ => {}
                }
            }
        }
        let mut next = above.start;
        for i in first..runs.len() {
            parents.push(i);
            // Runs touch by a corner too.
            while next < above.end && runs[next].to < runs[i].from {
                next += 1;
            }
            for j in (next..above.end).take_while(|&j| runs[j].from <= runs[i].to) {
                let (a, b) = (root(&mut parents, i), root(&mut parents, j));
                parents[a.max(b)] = a.min(b);
            }
        }
        above = first..runs.len();
    }
    (runs, parents)
}

/// The first run of a component; the way to it gets shorter.
fn root(parents: &mut [usize], mut i: usize) -> usize {
    while parents[i] != i {
        parents[i] = parents[parents[i]];
        i = parents[i];
    }
    i
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
    let (height, width) = mask.dim();
    let mut seen = Array2::from_elem((height, width), false);
    let mut all = Vec::new();
    for (row, pixels) in mask.outer_iter().enumerate() {
        // Most rows are empty, and finding that out is fast.
        if !pixels.fold(false, |any, &m| any | m) {
            continue;
        }
        for column in 0..width {
            if !mask[(row, column)] || seen[(row, column)] {
                continue;
            }
            seen[(row, column)] = true;
            let mut queue = vec![(row, column)];
            let mut next = 0;
            while let Some(&(y, x)) = queue.get(next) {
                next += 1;
                for ny in y.saturating_sub(1)..(y + 2).min(height) {
                    for nx in x.saturating_sub(1)..(x + 2).min(width) {
                        if mask[(ny, nx)] && !seen[(ny, nx)] {
                            seen[(ny, nx)] = true;
                            queue.push((ny, nx));
                        }
                    }
                }
            }
            all.push(queue);
        }
    }
    all
}
