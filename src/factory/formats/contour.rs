//! Outlines of a mask's parts as polygons along pixel edges.

use ndarray::ArrayView2;

/// Steps to the right, down, left and up.
const STEPS: [(isize, isize); 4] = [(1, 0), (0, 1), (-1, 0), (0, -1)];

/// The outer outline of every 8-connected part as corners (x, y) in px: the pixels whose centers it encloses are the
/// part, its holes filled.
pub(super) fn outlines(mask: ArrayView2<'_, bool>) -> Vec<Vec<(usize, usize)>> {
    let (h, w) = mask.dim();
    let marked =
        |x: isize, y: isize| x >= 0 && y >= 0 && (x as usize) < w && (y as usize) < h && mask[[y as usize, x as usize]];
    // edges that leave each corner, one bit a direction, with the part on their right
    let mut edges = vec![0u8; (h + 1) * (w + 1)];
    for ((y, x), _) in mask.indexed_iter().filter(|(_, m)| **m) {
        let (i, j) = (x as isize, y as isize);
        let sides = [(i, j - 1, x, y), (i + 1, j, x + 1, y), (i, j + 1, x + 1, y + 1), (i - 1, j, x, y + 1)];
        for (direction, (nx, ny, cx, cy)) in sides.into_iter().enumerate() {
            if !marked(nx, ny) {
                edges[cy * (w + 1) + cx] |= 1 << direction;
            }
        }
    }
    let mut found = Vec::new();
    for start in 0..edges.len() {
        while let Some(first) = (0..4).find(|d| edges[start] & (1 << d) != 0) {
            let outline = walk(&mut edges, w + 1, start, first);
            // clockwise on the screen around a part, the other way round in a hole
            if doubled_area(&outline) > 0 {
                found.push(outline);
            }
        }
    }
    found
}

/// Follows edges from a corner back to it, using them up; keeps the corners where the direction changes.
fn walk(edges: &mut [u8], columns: usize, start: usize, first: usize) -> Vec<(usize, usize)> {
    let mut corners = Vec::new();
    let (mut at, mut direction) = (start, first);
    loop {
        edges[at] &= !(1 << direction);
        let (dx, dy) = STEPS[direction];
        at = at.wrapping_add_signed(dx + dy * columns as isize);
        if at == start {
            break;
        }
        // to the left first: pixels that touch at a corner belong together
        let Some(next) = [3, 0, 1].map(|turn| (direction + turn) % 4).into_iter().find(|d| edges[at] & (1 << d) != 0)
        else {
            break;
        };
        if next != direction {
            corners.push((at % columns, at / columns));
        }
        direction = next;
    }
    if direction != first {
        corners.push((start % columns, start / columns));
    }
    corners
}

fn doubled_area(corners: &[(usize, usize)]) -> i64 {
    let next = corners.iter().cycle().skip(1);
    corners.iter().zip(next).map(|(a, b)| a.0 as i64 * b.1 as i64 - b.0 as i64 * a.1 as i64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    /// Whether a point is inside, by the even-odd rule: the definition.
    fn encloses(corners: &[(usize, usize)], x: f64, y: f64) -> bool {
        let edges = corners.iter().zip(corners.iter().cycle().skip(1));
        let crossed = edges.filter(|(a, b)| {
            let (ay, by) = (a.1 as f64, b.1 as f64);
            (ay > y) != (by > y) && a.0 as f64 > x // all edges are upright or level
        });
        crossed.count() % 2 == 1
    }

    /// The mask with the pixels filled in that cannot reach the border through the background, step by step.
    fn filled(mask: &Array2<bool>) -> Array2<bool> {
        let (h, w) = mask.dim();
        let mut outside = Array2::from_elem((h + 2, w + 2), false);
        outside[[0, 0]] = true;
        let free = |y: usize, x: usize| y == 0 || x == 0 || y > h || x > w || !mask[[y - 1, x - 1]];
        loop {
            let before = outside.clone();
            for y in 0..h + 2 {
                for x in 0..w + 2 {
                    let near = (y > 0 && outside[[y - 1, x]])
                        || (x > 0 && outside[[y, x - 1]])
                        || (y <= h && outside[[y + 1, x]])
                        || (x <= w && outside[[y, x + 1]]);
                    outside[[y, x]] |= free(y, x) && near;
                }
            }
            if before == outside {
                return Array2::from_shape_fn((h, w), |(y, x)| !outside[[y + 1, x + 1]]);
            }
        }
    }

    #[test]
    fn polygons_enclose_the_mask_with_its_holes_filled() {
        let mut state = 12345u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 24
        };
        for density in [40, 128, 200] {
            for _ in 0..20 {
                let mask = Array2::from_shape_fn((13, 17), |_| random() < density);
                let polygons = outlines(mask.view());
                let drawn = Array2::from_shape_fn(mask.dim(), |(y, x)| {
                    polygons.iter().any(|p| encloses(p, x as f64 + 0.5, y as f64 + 0.5))
                });
                assert_eq!(drawn, filled(&mask));
            }
        }
    }

    #[test]
    fn corners_that_touch_join_parts_and_straight_runs_have_two_ends() {
        let pair = Array2::from_shape_fn((4, 4), |(y, x)| (y, x) == (1, 1) || (y, x) == (2, 2));
        assert_eq!(outlines(pair.view()).len(), 1);
        let bar = Array2::from_shape_fn((3, 9), |(y, x)| y == 1 && (2..7).contains(&x));
        let mut corners = outlines(bar.view()).remove(0);
        corners.sort_unstable();
        assert_eq!(corners, [(2, 1), (2, 2), (7, 1), (7, 2)]);
    }
}
