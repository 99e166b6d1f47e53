//! Outlines of a mask as polygons that trainers redraw as the mask.
//!
//! Trainers cut the corners' coordinates to whole pixels and fill with the boundary included. So a corner lies on the
//! edge of a pixel of the mask, a little to the inside: cut, it is that pixel.

use ndarray::ArrayView2;

/// Distance of corners from the pixel's edge, px: more than the rounding of a label's decimals.
const INSET: f64 = 0.05;

/// Largest distances, px, by which a polygon may leave the outline to do with fewer corners: the first that is good
/// enough is taken.
const TOLERANCES: [f64; 7] = [1.5, 1.0, 0.75, 0.6, 0.5, 0.4, 0.25];

/// The distance, px, at which corners on a straight line are left out and no others.
const STRAIGHT: f64 = 1e-9;

/// Share of the mask's pixels that may be redrawn wrongly to do with fewer corners, less [`SPARE`].
const WRONG: f64 = 0.025;

/// Pixels by which trainers' drawing may differ from ours.
const SPARE: f64 = 3.0;

/// A polygon as corners (x, y) in px.
pub(super) type Polygon = Vec<(f64, f64)>;

/// The outline of every 8-connected part with its holes, each hole joined to the outline by a cut that is gone there
/// and back.
pub(super) fn outlines(mask: ArrayView2<'_, bool>) -> Vec<Polygon> {
    let rings = Rings::trace(mask);
    let whole = rings.polygons();
    let within = |tolerance: f64| -> Vec<Polygon> { whole.iter().map(|ring| simplify(ring, tolerance)).collect() };
    let area = mask.iter().filter(|m| **m).count() as f64;
    let mut simple = TOLERANCES.iter().map(|tolerance| within(*tolerance));
    simple.find(|p| wrong(p, mask) as f64 <= WRONG * area - SPARE).unwrap_or_else(|| within(STRAIGHT))
}

/// One polygon of several, joined one after the other where they come nearest.
pub(super) fn joined(mut polygons: Vec<Polygon>) -> Option<Polygon> {
    polygons.reverse();
    let mut whole = polygons.pop()?;
    while !polygons.is_empty() {
        let distance = |a: &(f64, f64), b: &(f64, f64)| (a.0 - b.0).hypot(a.1 - b.1);
        let mut best = (f64::INFINITY, 0, 0, 0);
        for (k, polygon) in polygons.iter().enumerate() {
            for (i, a) in whole.iter().enumerate() {
                for (j, b) in polygon.iter().enumerate() {
                    let d = distance(a, b);
                    if d < best.0 {
                        best = (d, i, k, j);
                    }
                }
            }
        }
        let (_, i, k, j) = best;
        let mut next = polygons.remove(k);
        next.rotate_left(j);
        let there_and_back = next.iter().copied().chain([next[0], whole[i]]).collect::<Vec<_>>();
        whole.splice(i + 1..i + 1, there_and_back);
    }
    Some(whole)
}

/// A corner of a ring. The outline goes through the middle of every pixel edge between the mask and the rest.
#[derive(Debug, Clone, Copy)]
struct Node {
    x: f64,
    y: f64,
    /// Index of the node that follows.
    next: u32,
    /// Must stay when corners are left out.
    fixed: bool,
}

/// Outlines as rings of nodes.
struct Rings {
    nodes: Vec<Node>,
    /// A node of every outer outline.
    outer: Vec<u32>,
}

/// Steps to the right, down, left and up.
const STEPS: [(isize, isize); 4] = [(1, 0), (0, 1), (-1, 0), (0, -1)];

impl Rings {
    fn trace(mask: ArrayView2<'_, bool>) -> Self {
        let (h, w) = mask.dim();
        let marked = |x: isize, y: isize| {
            x >= 0 && y >= 0 && (x as usize) < w && (y as usize) < h && mask[[y as usize, x as usize]]
        };
        let columns = w + 1;
        // edges that leave each corner, one bit a direction, with the part on their right
        let mut edges = vec![0u8; (h + 1) * columns];
        for ((y, x), _) in mask.indexed_iter().filter(|(_, m)| **m) {
            let (i, j) = (x as isize, y as isize);
            let sides = [(i, j - 1, x, y), (i + 1, j, x + 1, y), (i, j + 1, x + 1, y + 1), (i - 1, j, x, y + 1)];
            for (direction, (nx, ny, cx, cy)) in sides.into_iter().enumerate() {
                if !marked(nx, ny) {
                    edges[cy * columns + cx] |= 1 << direction;
                }
            }
        }
        let mut rings = Self { nodes: Vec::new(), outer: Vec::new() };
        // nodes on left edges of pixels, by the pixel, and holes by their leftmost right edge
        let mut left_edges = vec![u32::MAX; h * w];
        let mut holes: Vec<(usize, usize, u32)> = Vec::new();
        for start in 0..edges.len() {
            while let Some(first) = (0..4).find(|d| edges[start] & (1 << d) != 0) {
                let begin = rings.nodes.len() as u32;
                let mut leftmost: Option<(usize, usize, u32)> = None;
                walk(&mut edges, columns, start, first, |corner, direction| {
                    let (cx, cy, node) = (corner % columns, corner / columns, rings.nodes.len() as u32);
                    let (dx, dy) = STEPS[direction];
                    // half a step along the edge, and a little to its right
                    let x = cx as f64 + 0.5 * dx as f64 - INSET * dy as f64;
                    let y = cy as f64 + 0.5 * dy as f64 + INSET * dx as f64;
                    rings.nodes.push(Node { x, y, next: node + 1, fixed: false });
                    match direction {
                        3 => left_edges[(cy - 1) * w + cx] = node,
                        1 if leftmost.is_none_or(|(x, ..)| cx < x) => leftmost = Some((cx, cy, node)),
                        _ => {}
                    }
                });
                if let Some(last) = rings.nodes.last_mut() {
                    last.next = begin;
                }
                // clockwise on the screen around a part, the other way round in a hole
                if rings.doubled_area(begin) > 0.0 {
                    rings.outer.push(begin);
                } else if let Some(hole) = leftmost {
                    holes.push(hole);
                }
            }
        }
        // from the left, so that a cut ends at an outline or at a hole that is joined to one already
        holes.sort_unstable();
        for (x, y, node) in holes {
            let mut first = x - 1;
            while first > 0 && mask[[y, first - 1]] {
                first -= 1;
            }
            rings.cut(left_edges[y * w + first], node);
        }
        rings
    }

    /// Joins two rings by a line from `at` to `hole` and back.
    fn cut(&mut self, at: u32, hole: u32) {
        let (Some(mut from), Some(mut to)) =
            (self.nodes.get(at as usize).copied(), self.nodes.get(hole as usize).copied())
        else {
            return;
        };
        let there = self.nodes.len() as u32;
        (from.fixed, to.fixed) = (true, true);
        self.nodes.extend([to, from]); // the hole's node where its ring begins, the other where the way back ends
        self.nodes[at as usize] = Node { next: there, ..from };
        self.nodes[hole as usize] = Node { next: there + 1, ..to };
    }

    fn ring(&self, begin: u32) -> impl Iterator<Item = Node> + '_ {
        let mut at = Some(begin);
        std::iter::from_fn(move || {
            let node = self.nodes[at? as usize];
            at = (node.next != begin).then_some(node.next);
            Some(node)
        })
    }

    fn doubled_area(&self, begin: u32) -> f64 {
        self.ring(begin).map(|a| (a, self.nodes[a.next as usize])).map(|(a, b)| a.x * b.y - b.x * a.y).sum()
    }

    fn polygons(&self) -> Vec<Vec<Node>> {
        self.outer.iter().map(|begin| self.ring(*begin).collect()).collect()
    }
}

/// Follows edges from a corner back to it, using them up; `visit` gets the corner and the direction of each.
fn walk(edges: &mut [u8], columns: usize, start: usize, first: usize, mut visit: impl FnMut(usize, usize)) {
    let (mut at, mut direction) = (start, first);
    loop {
        visit(at, direction);
        edges[at] &= !(1 << direction);
        let (dx, dy) = STEPS[direction];
        at = at.wrapping_add_signed(dx + dy * columns as isize);
        // to the left first: pixels that touch at a corner belong together
        let turns = [3, 0, 1].map(|turn| (direction + turn) % 4);
        match turns.into_iter().find(|d| edges[at] & (1 << d) != 0) {
            Some(next) => direction = next,
            None => return,
        }
    }
}

/// Leaves out corners that are within `tolerance` of the line between those that stay (Douglas and Peucker).
fn simplify(ring: &[Node], tolerance: f64) -> Polygon {
    let n = ring.len();
    let mut keep: Vec<bool> = ring.iter().map(|node| node.fixed).collect();
    let distance = |a: &Node, b: &Node| (a.x - b.x).hypot(a.y - b.y);
    let first = keep.iter().position(|kept| *kept).unwrap_or(0);
    let far = (0..n).max_by(|&a, &b| distance(&ring[first], &ring[a]).total_cmp(&distance(&ring[first], &ring[b])));
    keep[first] = true;
    keep[far.unwrap_or(0)] = true;
    let mut stays: Vec<usize> = (first..first + n).filter(|i| keep[i % n]).collect();
    stays.push(first + n);
    let mut spans: Vec<(usize, usize)> = stays.windows(2).map(|pair| (pair[0], pair[1])).collect();
    while let Some((from, to)) = spans.pop() {
        let (a, b) = (&ring[from % n], &ring[to % n]);
        let length = distance(a, b);
        let off = |node: &Node| {
            if length == 0.0 {
                distance(a, node)
            } else {
                ((b.x - a.x) * (node.y - a.y) - (b.y - a.y) * (node.x - a.x)).abs() / length
            }
        };
        let farthest = (from + 1..to).map(|i| (off(&ring[i % n]), i)).max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((_, middle)) = farthest.filter(|(off, _)| *off > tolerance) {
            keep[middle % n] = true;
            spans.extend([(from, middle), (middle, to)]);
        }
    }
    let corners: Polygon =
        ring.iter().zip(&keep).filter(|(_, kept)| **kept).map(|(node, _)| (node.x, node.y)).collect();
    if corners.len() < 3 { ring.iter().map(|node| (node.x, node.y)).collect() } else { corners }
}

/// Number of pixels that differ between a mask and polygons that are drawn as trainers draw them.
fn wrong(polygons: &[Polygon], mask: ArrayView2<'_, bool>) -> usize {
    mask.iter().zip(&redraw(polygons, mask.dim())).filter(|(a, b)| a != b).count()
}

/// Draws polygons as OpenCV's `fillPoly` does: corners cut to whole pixels, filled by the even-odd rule between
/// crossings rounded to the nearest pixel, boundaries included.
fn redraw(polygons: &[Polygon], (h, w): (usize, usize)) -> ndarray::Array2<bool> {
    let mut drawn = ndarray::Array2::from_elem((h, w), false);
    for polygon in polygons {
        let corners: Vec<(i64, i64)> = polygon.iter().map(|(x, y)| (*x as i64, *y as i64)).collect();
        let edges = || corners.iter().copied().zip(corners.iter().copied().cycle().skip(1));
        let mut crossings: Vec<Vec<f64>> = vec![Vec::new(); h];
        for ((ax, ay), (bx, by)) in edges() {
            let (low, high) = (ay.min(by), ay.max(by));
            for y in low..high {
                let x = ax as f64 + (y - ay) as f64 * (bx - ax) as f64 / (by - ay) as f64;
                if let Some(row) = crossings.get_mut(y as usize) {
                    row.push(x);
                }
            }
            let steps = (bx - ax).abs().max((by - ay).abs()).max(1);
            for k in 0..=steps {
                let along = |a: i64, b: i64| (a as f64 + (b - a) as f64 * k as f64 / steps as f64).round() as usize;
                if let Some(pixel) = drawn.get_mut((along(ay, by), along(ax, bx))) {
                    *pixel = true;
                }
            }
        }
        for (y, mut row) in crossings.into_iter().enumerate() {
            row.sort_by(f64::total_cmp);
            for pair in row.chunks_exact(2) {
                for x in pair[0].round() as usize..=(pair[1].round() as usize).min(w.saturating_sub(1)) {
                    drawn[[y, x]] = true;
                }
            }
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn noise(seed: u32, (h, w): (usize, usize), density: u32) -> Array2<bool> {
        let mut state = seed;
        Array2::from_shape_fn((h, w), |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 24 < density
        })
    }

    #[test]
    fn every_corner_kept_the_mask_is_redrawn_exactly_with_its_holes() {
        for density in [40, 128, 200, 250] {
            for seed in 0..20 {
                let mask = noise(seed, (13, 17), density);
                let exact: Vec<Polygon> =
                    Rings::trace(mask.view()).polygons().iter().map(|ring| simplify(ring, STRAIGHT)).collect();
                assert_eq!(redraw(&exact, mask.dim()), mask, "{density} {seed}");
                // cut to six decimals of the picture's size, as labels hold them
                let cut = |v: f64, n: usize| (v / n as f64 * 1e6).round() / 1e6 * n as f64;
                let cut: Vec<Polygon> =
                    exact.iter().map(|p| p.iter().map(|(x, y)| (cut(*x, 17), cut(*y, 13))).collect()).collect();
                assert_eq!(redraw(&cut, mask.dim()), mask);
            }
        }
    }

    #[test]
    fn fewer_corners_redraw_almost_the_same() {
        // a slanted ring, 6 px thick, and a crack of 2 px
        let ring = Array2::from_shape_fn((288, 288), |(y, x)| {
            let (dx, dy) = (x as f64 - 140.0, y as f64 - 130.0);
            (60.0..66.0).contains(&dx.hypot(1.3 * dy))
        });
        let crack = Array2::from_shape_fn((288, 288), |(y, x)| (x as f64 * 0.37 + 40.0 - y as f64).abs() < 1.0);
        for (mask, times) in [(ring, 2), (crack, 1)] {
            let polygons = outlines(mask.view());
            assert!(wrong(&polygons, mask.view()) * 40 <= mask.iter().filter(|m| **m).count());
            let exact = Rings::trace(mask.view()).polygons();
            let count = |of: &[usize]| of.iter().sum::<usize>();
            let (few, all): (Vec<_>, Vec<_>) =
                (polygons.iter().map(Vec::len).collect(), exact.iter().map(Vec::len).collect());
            assert!(times * count(&few) < count(&all), "{few:?} of {all:?}");
        }
    }

    #[test]
    fn corners_that_touch_join_parts_and_straight_runs_have_few_corners() {
        let pair = Array2::from_shape_fn((4, 4), |(y, x)| (y, x) == (1, 1) || (y, x) == (2, 2));
        assert_eq!(outlines(pair.view()).len(), 1);
        let bar = Array2::from_shape_fn((30, 90), |(y, x)| (10..20).contains(&y) && (20..70).contains(&x));
        assert!(outlines(bar.view())[0].len() <= 8);
        let apart = Array2::from_shape_fn((30, 90), |(y, x)| (10..20).contains(&y) && x / 10 % 3 == 1);
        let parts = outlines(apart.view());
        assert_eq!(parts.len(), 3);
        let whole = joined(parts).unwrap();
        let drawn = redraw(&[whole], apart.dim());
        assert!(apart.iter().zip(&drawn).all(|(truth, drawn)| *drawn || !*truth));
        let extra = drawn.iter().filter(|d| **d).count() - apart.iter().filter(|m| **m).count();
        assert!(extra <= 2 * 2 * 20, "{extra} px of bridges");
        assert!(joined(Vec::new()).is_none());
    }
}
