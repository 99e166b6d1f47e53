//! Splitting of a mask into boxes that can be worked on independently.

use ndarray::ArrayView2;

use crate::Rect;

/// Whether fewer than [`GAP`] rows and columns lie between the two.
fn touch(a: Rect, b: Rect) -> bool {
    let near = |a: usize, b: usize| a < b + GAP;
    near(a.top, b.bottom) && near(b.top, a.bottom) && near(a.left, b.right) && near(b.left, a.right)
}

/// Rows or columns that must lie between two boxes: a stencil of four pixels across one's edge reaches two beyond it.
const GAP: usize = 2;

/// Side of the tiles that group mask pixels.
const TILE: usize = 16;

/// Grows a box by `margin` pixels within a frame of `dim`, its corner on the grid that [`separate`] groups pixels by:
/// in a crop to it a mask inside the box falls into the same groups as in the whole frame.
///
/// ```
/// use imgkit::{Rect, boxes};
///
/// let around = boxes::window(Rect { top: 40, left: 9, bottom: 60, right: 30 }, 4, (100, 32));
/// assert_eq!(around, Rect { top: 32, left: 0, bottom: 64, right: 32 });
/// ```
#[must_use]
pub fn window(inner: Rect, margin: usize, dim: (usize, usize)) -> Rect {
    let wide = inner.grow(margin, dim);
    Rect { top: wide.top / TILE * TILE, left: wide.left / TILE * TILE, ..wide }
}

/// Finds bounding boxes of groups of mask pixels that keep two rows or columns apart, in row-major order of their
/// corners: each
/// pixel of the mask lies in exactly one of them and has no neighbor in another.
#[must_use]
pub fn separate(mask: ArrayView2<'_, bool>) -> Vec<Rect> {
    let (h, w) = mask.dim();
    let (th, tw) = (h.div_ceil(TILE), w.div_ceil(TILE));
    // the box of the pixels in each tile
    let mut tiles: Vec<Option<Rect>> = vec![None; th * tw];
    for (y, row) in mask.outer_iter().enumerate() {
        // most rows are empty, and finding that out is fast
        if !row.fold(false, |any, &m| any | m) {
            continue;
        }
        let row = row.as_standard_layout();
        let tiles = tiles[(y / TILE) * tw..].iter_mut();
        for (k, (tile, marks)) in tiles.zip(row.as_slice().unwrap_or_default().chunks(TILE)).enumerate() {
            let Some(first) = marks.iter().position(|&m| m) else { continue };
            let last = marks.iter().rposition(|&m| m).unwrap_or(first);
            let part = Rect { top: y, left: k * TILE + first, bottom: y + 1, right: k * TILE + last + 1 };
            *tile = Some(tile.map_or(part, |t| t.union(part)));
        }
    }
    // flood over neighboring occupied tiles
    let mut groups: Vec<Rect> = Vec::new();
    let mut stack = Vec::new();
    for start in 0..tiles.len() {
        let Some(mut group) = tiles[start].take() else { continue };
        stack.push(start);
        while let Some(t) = stack.pop() {
            let (ty, tx) = (t / tw, t % tw);
            for ny in ty.saturating_sub(1)..(ty + 2).min(th) {
                for nx in tx.saturating_sub(1)..(tx + 2).min(tw) {
                    if let Some(pixels) = tiles[ny * tw + nx].take() {
                        group = group.union(pixels);
                        stack.push(ny * tw + nx);
                    }
                }
            }
        }
        groups.push(group);
    }
    merge(groups)
}

/// Unites boxes until none touch.
fn merge(mut groups: Vec<Rect>) -> Vec<Rect> {
    let mut merged: Vec<Rect> = Vec::new();
    while let Some(mut group) = groups.pop() {
        let mut k = 0;
        while k < merged.len() {
            if touch(merged[k], group) {
                group = group.union(merged.swap_remove(k));
                k = 0;
            } else {
                k += 1;
            }
        }
        merged.push(group);
    }
    merged.sort_by_key(|r| (r.top, r.left));
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn every_pixel_lies_in_one_box_and_boxes_keep_apart() {
        let mut state = 1u64;
        for density in [1, 3, 10, 60] {
            let mask = Array2::from_shape_fn((97, 131), |_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 33) % 1000 < density
            });
            let rects = separate(mask.view());
            for ((y, x), _) in mask.indexed_iter().filter(|(_, m)| **m) {
                let holds = |r: &&Rect| (r.top..r.bottom).contains(&y) && (r.left..r.right).contains(&x);
                assert_eq!(rects.iter().filter(holds).count(), 1);
            }
            for (k, a) in rects.iter().enumerate() {
                let gap = |low: usize, high: usize| high as isize - low as isize;
                for b in &rects[k + 1..] {
                    let rows = gap(a.bottom, b.top).max(gap(b.bottom, a.top));
                    let columns = gap(a.right, b.left).max(gap(b.right, a.left));
                    assert!(rows >= 2 || columns >= 2, "{a:?} {b:?}");
                }
            }
        }
        let two = Array2::from_shape_fn((100, 100), |i| i == (5, 5) || i == (80, 80));
        assert_eq!(separate(two.view()).len(), 2);
    }
}
