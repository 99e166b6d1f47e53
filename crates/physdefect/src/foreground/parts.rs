//! Which parts of a segmentation are kept: small parts go, pinholes close, holes that show the background stay open.

use imgkit::components::{Components, label_components};
use ndarray::Array2;

use super::cells::Plane;

/// Removes the 8-connected parts smaller than `share` of the largest; returns how many were removed.
pub(super) fn drop_small(mask: &mut Plane<bool>, share: f64) -> usize {
    let Ok(array) = Array2::from_shape_vec((mask.h, mask.w), mask.data.clone()) else { return 0 };
    let Components { labels, sizes } = label_components(array.view());
    let largest = sizes.iter().copied().max().unwrap_or(0) as f64;
    let small = |n: usize| (n as f64) < share * largest;
    for (m, &number) in mask.data.iter_mut().zip(&labels) {
        if number > 0 && small(sizes[number as usize - 1]) {
            *m = false;
        }
    }
    sizes.iter().filter(|&&n| small(n)).count()
}

/// Closes the holes (4-connected, off the border) that `shows_background` denies: it is given the cells of a hole.
pub(super) fn close_holes(mask: &mut Plane<bool>, shows_background: impl Fn(&[usize]) -> bool) {
    let (h, w) = (mask.h, mask.w);
    let mut seen = mask.data.clone();
    let mut stack = Vec::new();
    for start in 0..h * w {
        if seen[start] {
            continue;
        }
        seen[start] = true;
        stack.push(start);
        let (mut hole, mut outside) = (Vec::new(), false);
        while let Some(i) = stack.pop() {
            hole.push(i);
            let (y, x) = (i / w, i % w);
            outside |= y == 0 || x == 0 || y + 1 == h || x + 1 == w;
            let near = [
                (y > 0).then(|| i - w),
                (y + 1 < h).then_some(i + w),
                (x > 0).then(|| i - 1),
                (x + 1 < w).then_some(i + 1),
            ];
            for j in near.into_iter().flatten() {
                if !seen[j] {
                    seen[j] = true;
                    stack.push(j);
                }
            }
        }
        if !outside && !shows_background(&hole) {
            for i in hole {
                mask.data[i] = true;
            }
        }
    }
}

/// Cells whose whole square of `2 radius + 1` cells is set; beyond the border counts as set.
pub(super) fn erode(mask: &Plane<bool>, radius: usize) -> Plane<bool> {
    let (h, w) = (mask.h, mask.w);
    let mut rows = vec![false; h * w];
    for (source, target) in mask.data.chunks_exact(w).zip(rows.chunks_exact_mut(w)) {
        for (x, t) in target.iter_mut().enumerate() {
            *t = source[x.saturating_sub(radius)..(x + radius + 1).min(w)].iter().all(|&m| m);
        }
    }
    let mut out = Plane::new(h, w, true);
    for y in 0..h {
        for row in y.saturating_sub(radius)..(y + radius + 1).min(h) {
            for x in 0..w {
                out.data[y * w + x] &= rows[row * w + x];
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(rows: &[&str]) -> Plane<bool> {
        let data = rows.iter().flat_map(|r| r.chars().map(|c| c == '#')).collect();
        Plane { h: rows.len(), w: rows[0].len(), data }
    }

    #[test]
    fn parts_below_the_share_of_the_largest_go() {
        let mut mask = plane(&["####..#", "####...", "....##.", "#......"]);
        // Parts of 8 + 2 (they touch at a corner), 1 and 1 cells.
        assert_eq!(drop_small(&mut mask, 0.1), 0);
        assert_eq!(drop_small(&mut mask, 0.11), 2);
        assert_eq!(mask, plane(&["####...", "####...", "....##.", "......."]));
    }

    #[test]
    fn a_hole_closes_unless_it_shows_background_and_a_bay_never_does() {
        let open = plane(&["#######", "#.#..#.", "#######"]);
        let mut mask = open.clone();
        close_holes(&mut mask, |hole| hole.len() > 1);
        assert_eq!(mask, plane(&["#######", "###..#.", "#######"]));
        let mut mask = open;
        close_holes(&mut mask, |_| false);
        assert_eq!(mask, plane(&["#######", "######.", "#######"]));
    }

    #[test]
    fn erosion_takes_a_square_and_spares_the_border() {
        let mask = plane(&["######", "######", "######", "###.##"]);
        assert_eq!(erode(&mask, 1), plane(&["######", "######", "##...#", "##...#"]));
    }
}
