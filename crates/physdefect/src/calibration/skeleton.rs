//! A component's center line: thinning and its length.

use std::collections::VecDeque;

use ndarray::{Array2, ArrayView2};

/// The eight neighbors, clockwise from the north.
const AROUND: [(isize, isize); 8] = [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)];

/// Thins the one part in `mask` to lines one pixel wide (Zhang and Suen 1984); holes stay.
pub(super) fn thin(mask: ArrayView2<'_, bool>) -> Array2<bool> {
    let (h, w) = mask.dim();
    // A border of zeros, so that no neighbor is missing.
    let mut grid = Array2::from_elem((h + 2, w + 2), false);
    let mut live: Vec<(usize, usize)> = Vec::new();
    for ((y, x), _) in mask.indexed_iter().filter(|&(_, &m)| m) {
        grid[[y + 1, x + 1]] = true;
        live.push((y + 1, x + 1));
    }
    let keep = live.first().copied();
    loop {
        let mut changed = false;
        for pass in 0..2 {
            let doomed: Vec<(usize, usize)> = live.iter().copied().filter(|&p| removable(&grid, p, pass)).collect();
            changed |= !doomed.is_empty();
            for p in &doomed {
                grid[*p] = false;
            }
            live.retain(|&p| grid[p]);
        }
        if !changed {
            break;
        }
    }
    // It leaves stairs where a diagonal would do; the pixels in their corners go one by one, in order.
    live.retain(|&p| {
        let stays = !in_a_corner(&grid, p);
        grid[p] = stays;
        stays
    });
    // The parallel scheme wipes out a block of 2 x 2; one pixel of it stays.
    if live.is_empty() {
        live.extend(keep);
    }
    let mut out = Array2::from_elem((h, w), false);
    live.iter().for_each(|&(y, x)| out[[y - 1, x - 1]] = true);
    out
}

/// Whether the pixel joins two sides that touch each other anyway, and nothing else.
fn in_a_corner(grid: &Array2<bool>, (y, x): (usize, usize)) -> bool {
    let n = AROUND.map(|(dy, dx)| grid[[y.wrapping_add_signed(dy), x.wrapping_add_signed(dx)]]);
    (0..8).step_by(2).any(|i| {
        let at = |k: usize| n[(i + k) % 8];
        at(0) && at(2) && !at(4) && !at(5) && !at(6)
    })
}

fn removable(grid: &Array2<bool>, (y, x): (usize, usize), pass: usize) -> bool {
    let n = AROUND.map(|(dy, dx)| grid[[y.wrapping_add_signed(dy), x.wrapping_add_signed(dx)]]);
    let set = n.iter().filter(|&&v| v).count();
    let steps = (0..8).filter(|&i| !n[i] && n[(i + 1) % 8]).count();
    let (north, east, south, west) = (n[0], n[2], n[4], n[6]);
    // Products of Zhang and Suen's conditions (c), (d) and (c'), (d'): at least one of three neighbors is empty.
    let open = |three: [bool; 3]| three.contains(&false);
    let side = if pass == 0 {
        open([north, east, south]) && open([east, south, west])
    } else {
        open([north, east, west]) && open([north, south, west])
    };
    (2..=6).contains(&set) && steps == 1 && side
}

/// Longest shortest way through a skeleton.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Way {
    pub(super) ends: [(usize, usize); 2],
    /// px, between the ends' centers.
    pub(super) length: f64,
    /// Skeleton pixels on it.
    pub(super) pixels: u32,
}

/// The longest shortest way through a skeleton.
///
/// The way is found by two breadth-first searches (exact on a tree). Its length is that of a digital line after
/// Vossepoel and Smeulders (1982), 0.980 n_straight + 1.406 n_diagonal - 0.091 n_corners; the plain sum of steps would
/// be up to 8 % too long.
pub(super) fn longest_way(skeleton: ArrayView2<'_, bool>) -> Option<Way> {
    let first = skeleton.indexed_iter().find(|&(_, &m)| m)?.0;
    let (start, _) = farthest(skeleton, first);
    let (end, came) = farthest(skeleton, start);
    let (mut straight, mut diagonal, mut corners) = (0u32, 0u32, 0u32);
    let (mut at, mut before) = (end, None);
    while at != start {
        let (dy, dx) = came[at]?;
        if dy != 0 && dx != 0 {
            diagonal += 1;
        } else {
            straight += 1;
        }
        corners += u32::from(before.is_some_and(|b| b != (dy, dx)));
        before = Some((dy, dx));
        at = (at.0.wrapping_add_signed(-dy), at.1.wrapping_add_signed(-dx));
    }
    let length = 0.980 * f64::from(straight) + 1.406 * f64::from(diagonal) - 0.091 * f64::from(corners);
    Some(Way { ends: [start, end], length, pixels: straight + diagonal + 1 })
}

type Came = Array2<Option<(isize, isize)>>;

/// The pixel with the longest way from `start` and, for each pixel, the step by which it was reached first.
fn farthest(skeleton: ArrayView2<'_, bool>, start: (usize, usize)) -> ((usize, usize), Came) {
    let (h, w) = skeleton.dim();
    let mut came: Came = Array2::from_elem((h, w), None);
    let mut way = Array2::from_elem((h, w), f32::INFINITY);
    way[start] = 0.0;
    let mut queue = VecDeque::from([start]);
    while let Some((y, x)) = queue.pop_front() {
        for (dy, dx) in AROUND {
            let (v, u) = (y.wrapping_add_signed(dy), x.wrapping_add_signed(dx));
            let step = ((dy * dy + dx * dx) as f32).sqrt();
            if v < h && u < w && skeleton[[v, u]] && way[[y, x]] + step < way[[v, u]] - 1e-3 {
                way[[v, u]] = way[[y, x]] + step;
                came[[v, u]] = Some((dy, dx));
                queue.push_back((v, u));
            }
        }
    }
    let far = way
        .indexed_iter()
        .filter(|(_, d)| d.is_finite())
        .fold((start, 0.0), |best, (at, &d)| if d > best.1 { (at, d) } else { best });
    (far.0, came)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    fn bar(length: f64, width: f64, angle: f64) -> Array2<bool> {
        let (s, c) = angle.sin_cos();
        Array2::from_shape_fn((141, 141), |(y, x)| {
            let (dy, dx) = (y as f64 - 70.3, x as f64 - 69.8);
            (dx * c + dy * s).abs() <= 0.5 * length && (dx * s - dy * c).abs() <= 0.5 * width
        })
    }

    #[test]
    fn a_bar_becomes_its_center_line_at_every_angle() {
        for i in 0..24 {
            let angle = PI * f64::from(i) / 24.0 + 0.03;
            let skeleton = thin(bar(100.0, 5.0, angle).view());
            let Way { ends, length, .. } = longest_way(skeleton.view()).unwrap();
            // Thinning eats about half a width at each end.
            assert!((length - 96.0).abs() < 4.0, "angle {angle}: {length}");
            for ((y, x), _) in skeleton.indexed_iter().filter(|&(_, &m)| m) {
                let off = (x as f64 - 69.8) * angle.sin() - (y as f64 - 70.3) * angle.cos();
                assert!(off.abs() < 2.6, "angle {angle}: skeleton pixel {off} off the axis");
            }
            assert_ne!(ends[0], ends[1]);
        }
    }

    #[test]
    fn a_ring_keeps_its_hole_and_is_one_pixel_wide() {
        let ring =
            Array2::from_shape_fn((40, 40), |(y, x)| (12.0..=16.0).contains(&(y as f64 - 20.0).hypot(x as f64 - 20.0)));
        let skeleton = thin(ring.view());
        let n = skeleton.iter().filter(|&&m| m).count();
        assert!((70..=95).contains(&n), "{n} px for a circle of 88 px");
        assert!((0..40).any(|x| skeleton[[20, x]]) && !skeleton[[20, 20]]);
    }
}
