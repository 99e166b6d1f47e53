//! Contours of a mask: polygons along the edges of its pixels.

use ndarray::ArrayView2;

/// A closed polygon along the edges of a mask's pixels, the mask on its right.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Contour {
    /// Corners (x, y), in px from the upper left corner of the upper left pixel, each a turn. The last is joined to the
    /// first.
    pub corners: Vec<(usize, usize)>,
    /// A pixel (row, column) of the mask on the contour.
    pub pixel: (usize, usize),
    /// Whether it goes around a hole of the mask, and not around a part.
    pub is_hole: bool,
}

/// Steps (right, down) of the four directions, clockwise from right.
const STEPS: [(isize, isize); 4] = [(1, 0), (0, 1), (-1, 0), (0, -1)];

/// Traces the contours of a mask `(H, W)`: one around each 8-connected part and one around each 4-connected hole, in
/// row-major order of their first corners. Filled by the even-odd rule they are the mask, to the pixel. None for an
/// empty mask.
///
/// ```
/// let mask = ndarray::arr2(&[[false, true, true], [false, true, true]]);
/// let found = imgkit::contour::contours(mask.view());
/// assert_eq!(found.len(), 1);
/// assert_eq!(found[0].corners, [(1, 0), (3, 0), (3, 2), (1, 2)]);
/// ```
#[must_use]
pub fn contours(mask: ArrayView2<'_, bool>) -> Vec<Contour> {
    let (height, width) = mask.dim();
    let stride = width + 1;
    let is_inside = |y: usize, x: usize| mask.get((y, x)).copied().unwrap_or(false);
    // the edges that leave each corner of a pixel: bit d for the direction STEPS[d]
    let mut leaving = vec![0u8; (height + 1) * stride];
    for (y, row) in mask.outer_iter().enumerate() {
        // Most rows are empty, and finding that out is fast.
        if !row.fold(false, |any, &m| any | m) {
            continue;
        }
        for (x, _) in row.iter().enumerate().filter(|(_, inside)| **inside) {
            let outside = [
                y == 0 || !is_inside(y - 1, x),
                !is_inside(y, x + 1),
                !is_inside(y + 1, x),
                x == 0 || !is_inside(y, x - 1),
            ];
            let corners = [(y, x), (y, x + 1), (y + 1, x + 1), (y + 1, x)];
            for (direction, (row, column)) in corners.into_iter().enumerate() {
                leaving[row * stride + column] |= u8::from(outside[direction]) << direction;
            }
        }
    }
    let mut found = Vec::new();
    for start in 0..leaving.len() {
        while leaving[start] != 0 {
            found.push(follow(&mut leaving, stride, start));
        }
    }
    found
}

/// Follows the edges from a corner until it is reached again, removing them. Where two parts touch at a corner, it
/// turns left: they are one.
fn follow(leaving: &mut [u8], stride: usize, start: usize) -> Contour {
    let first = leaving[start].trailing_zeros() as usize;
    let (mut at, mut direction) = (start, first);
    let mut corners = vec![(start % stride, start / stride)];
    let mut doubled_area = 0;
    loop {
        leaving[at] &= !(1 << direction);
        let (right, down) = STEPS[direction];
        let (x, y) = ((at % stride) as isize, (at / stride) as isize);
        doubled_area += x * down - y * right;
        at = at.wrapping_add_signed(right + down * stride as isize);
        let turns = [(direction + 3) % 4, direction, (direction + 1) % 4];
        // as many edges reach a corner as leave it: none is left where the way ends
        let next = if at == start { None } else { turns.into_iter().find(|&d| leaving[at] >> d & 1 == 1) };
        let Some(next) = next else { break };
        if next != direction {
            corners.push((at % stride, at / stride));
            direction = next;
        }
    }
    let (x, y) = (start % stride, start / stride);
    let pixel = match first {
        0 => (y, x),
        1 => (y, x.saturating_sub(1)),
        2 => (y.saturating_sub(1), x.saturating_sub(1)),
        _ => (y.saturating_sub(1), x),
    };
    Contour { corners, pixel, is_hole: doubled_area < 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::components::label_components;
    use ndarray::Array2;

    fn mask(rows: &[&str]) -> Array2<bool> {
        let width = rows.first().map_or(0, |r| r.len());
        Array2::from_shape_fn((rows.len(), width), |(y, x)| rows[y].as_bytes()[x] == b'#')
    }

    /// Twice the area inside, by the shoelace formula.
    fn doubled_area(corners: &[(usize, usize)]) -> i64 {
        let next = corners.iter().cycle().skip(1);
        corners.iter().zip(next).map(|(a, b)| a.0 as i64 * b.1 as i64 - b.0 as i64 * a.1 as i64).sum()
    }

    #[test]
    fn known_masks_have_known_contours() {
        let ring = contours(mask(&["###", "#.#", "###"]).view());
        let outer = Contour { corners: vec![(0, 0), (3, 0), (3, 3), (0, 3)], pixel: (0, 0), is_hole: false };
        let hole = Contour { corners: vec![(1, 1), (1, 2), (2, 2), (2, 1)], pixel: (1, 0), is_hole: true };
        assert_eq!(ring, [outer, hole]);
        let touching = contours(mask(&["#.", ".#"]).view());
        let eight = [(0, 0), (1, 0), (1, 1), (2, 1), (2, 2), (1, 2), (1, 1), (0, 1)];
        assert_eq!(touching.len(), 1);
        assert_eq!(touching[0].corners, eight);
        for empty in [Array2::from_elem((0, 0), true), Array2::from_elem((4, 5), false)] {
            assert_eq!(contours(empty.view()), []);
        }
    }

    #[test]
    fn areas_are_those_of_the_parts_and_every_corner_is_a_turn() {
        let mut state = 1u32;
        let mut holes = 0;
        for density in [60, 128, 200, 240] {
            let noise = Array2::from_shape_fn((23, 31), |_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state >> 24 < density
            });
            let parts = label_components(noise.view());
            let (mut areas, mut outer) = (vec![0; parts.sizes.len()], vec![0; parts.sizes.len()]);
            for contour in contours(noise.view()) {
                let part = parts.labels[contour.pixel] as usize - 1;
                let area = doubled_area(&contour.corners);
                areas[part] += area;
                assert_eq!(contour.is_hole, area < 0);
                outer[part] += usize::from(!contour.is_hole);
                holes += usize::from(contour.is_hole);
                let n = contour.corners.len();
                for i in 0..n {
                    let (a, b, c) = (contour.corners[i], contour.corners[(i + 1) % n], contour.corners[(i + 2) % n]);
                    assert!((a.0 == b.0) != (b.0 == c.0), "{a:?} {b:?} {c:?}");
                }
            }
            let doubled: Vec<i64> = parts.sizes.iter().map(|n| 2 * *n as i64).collect();
            assert_eq!(areas, doubled);
            assert!(outer.iter().all(|n| *n == 1), "one outer contour a part: {outer:?}");
        }
        assert!(holes > 20, "{holes}");
    }
}
