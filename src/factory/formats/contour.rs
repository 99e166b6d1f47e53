//! Outlines of a mask as polygons that trainers redraw as the mask.
//!
//! Trainers cut the corners' coordinates to whole pixels and fill with the boundary included. So a corner lies on the
//! edge of a pixel of the mask, a little to the inside: cut, it is that pixel.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use ndarray::{Array2, ArrayView2};

/// Distance of corners from the pixel's edge, px: more than the rounding of a label's decimals.
const INSET: f64 = 0.05;

/// Share of the mask's pixels that may be redrawn wrongly to do with fewer corners, less [`SPARE`].
const WRONG: f64 = 0.043;

/// Pixels by which trainers' drawing may differ from ours.
const SPARE: f64 = 3.0;

/// Parts of that share that are tried, until what is redrawn keeps it.
const SHARES: [f64; 6] = [1.0, 0.75, 0.5, 0.3, 0.15, 0.0];

/// Largest hole that may be filled to do with fewer corners, px.
const SMALL: usize = 8;

/// A polygon as corners (x, y) in px.
pub(super) type Polygon = Vec<(f64, f64)>;

/// The outline of every 8-connected part with its holes, each hole joined to the outline by a cut that is gone there
/// and back.
pub(super) fn outlines(mask: ArrayView2<'_, bool>) -> Vec<Polygon> {
    let area = mask.iter().filter(|m| **m).count() as f64;
    let allowed = (WRONG * area - SPARE).max(0.0);
    let simple = SHARES.iter().map(|share| {
        let (filled, used) = fill_small_holes(mask, 0.5 * share * allowed);
        simplify(&Rings::trace(filled.view()).polygons(), share * allowed - used)
    });
    let mut last = Vec::new();
    for polygons in simple {
        if wrong(&polygons, mask) as f64 <= allowed {
            return polygons;
        }
        last = polygons;
    }
    last
}

/// Fills holes from the smallest on, of at most `allowed` pixels in all; returns how many pixels it filled.
fn fill_small_holes(mask: ArrayView2<'_, bool>, allowed: f64) -> (Array2<bool>, f64) {
    let (h, w) = mask.dim();
    let mut seen = mask.to_owned();
    let mut holes: Vec<Vec<(usize, usize)>> = Vec::new();
    for (start, _) in mask.indexed_iter().filter(|(_, m)| !**m) {
        let (mut hole, mut at, mut is_open) = (vec![start], 0, false);
        if std::mem::replace(&mut seen[start], true) {
            continue;
        }
        while let Some(&(y, x)) = hole.get(at) {
            at += 1;
            is_open |= y == 0 || x == 0 || y + 1 == h || x + 1 == w;
            for (dx, dy) in STEPS {
                let next = (y.wrapping_add_signed(dy), x.wrapping_add_signed(dx));
                if seen.get(next) == Some(&false) {
                    seen[next] = true;
                    hole.push(next);
                }
            }
        }
        if !is_open && hole.len() <= SMALL {
            holes.push(hole);
        }
    }
    holes.sort_by_key(Vec::len);
    let (mut filled, mut used) = (mask.to_owned(), 0.0);
    for hole in holes {
        if used + hole.len() as f64 > allowed {
            break;
        }
        used += hole.len() as f64;
        hole.into_iter().for_each(|place| filled[place] = true);
    }
    (filled, used)
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

/// Twice the area of a triangle, which is what leaving out its second corner changes.
fn doubled_triangle(a: &Node, b: &Node, c: &Node) -> f64 {
    ((b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)).abs()
}

/// Leaves out the corners whose triangles with their neighbors are smallest, of `area` in all (Visvalingam and Whyatt).
/// Corners on a straight line are always left out.
fn simplify(rings: &[Vec<Node>], area: f64) -> Vec<Polygon> {
    let mut rings: Vec<Thinned<'_>> = rings.iter().map(|ring| Thinned::new(ring)).collect();
    // the least triangle first; one that has changed since it was put here is out of date
    let mut queue = BinaryHeap::new();
    let key = |doubled: f64| Reverse((doubled * 1e6).round() as u64);
    for (k, ring) in rings.iter().enumerate() {
        queue.extend((0..ring.nodes.len()).filter_map(|i| Some((key(ring.cost(i)?), k, i))));
    }
    let mut left = 2.0 * area.max(0.0) * 1e6;
    while let Some((cost, k, i)) = queue.pop() {
        if rings[k].cost(i).map(key) != Some(cost) {
            continue;
        }
        if cost.0 as f64 > left {
            break;
        }
        left -= cost.0 as f64;
        for neighbor in rings[k].leave_out(i) {
            queue.extend(rings[k].cost(neighbor).map(|doubled| (key(doubled), k, neighbor)));
        }
    }
    rings.iter().map(Thinned::corners).collect()
}

/// A ring of which corners are left out.
struct Thinned<'a> {
    nodes: &'a [Node],
    /// Neighbors before and behind; `None` for a corner that was left out.
    links: Vec<Option<(usize, usize)>>,
    kept: usize,
    /// The outermost corners, which stay: boxes are drawn around them.
    outermost: [usize; 4],
}

impl<'a> Thinned<'a> {
    fn new(nodes: &'a [Node]) -> Self {
        let n = nodes.len();
        let first = |by: &dyn Fn(&Node) -> f64| {
            let least = (0..n).min_by(|&a, &b| by(&nodes[a]).total_cmp(&by(&nodes[b])));
            least.unwrap_or(0)
        };
        let outermost = [first(&|p| p.x), first(&|p| p.y), first(&|p| -p.x), first(&|p| -p.y)];
        Self { nodes, links: (0..n).map(|i| Some(((i + n - 1) % n, (i + 1) % n))).collect(), kept: n, outermost }
    }

    /// Twice the area that leaving out a corner changes; `None` where it must stay or is gone.
    fn cost(&self, i: usize) -> Option<f64> {
        let (before, behind) = self.links[i]?;
        let may_go = self.kept > 3 && !self.nodes[i].fixed && !self.outermost.contains(&i);
        may_go.then(|| doubled_triangle(&self.nodes[before], &self.nodes[i], &self.nodes[behind]))
    }

    /// Leaves out a corner; returns its neighbors.
    fn leave_out(&mut self, i: usize) -> Vec<usize> {
        let Some((before, behind)) = self.links[i].take() else { return Vec::new() };
        self.kept -= 1;
        if let Some(link) = &mut self.links[before] {
            link.1 = behind;
        }
        if let Some(link) = &mut self.links[behind] {
            link.0 = before;
        }
        vec![before, behind]
    }

    fn corners(&self) -> Polygon {
        self.nodes
            .iter()
            .zip(&self.links)
            .filter(|(_, link)| link.is_some())
            .map(|(node, _)| (node.x, node.y))
            .collect()
    }
}

/// Number of pixels that differ between a mask and polygons that are drawn as trainers draw them.
fn wrong(polygons: &[Polygon], mask: ArrayView2<'_, bool>) -> usize {
    mask.iter().zip(&redraw(polygons, mask.dim())).filter(|(a, b)| a != b).count()
}

/// Draws polygons as OpenCV's `fillPoly` does: corners cut to whole pixels, filled by the even-odd rule between
/// crossings rounded to the nearest pixel, boundaries included.
fn redraw(polygons: &[Polygon], (h, w): (usize, usize)) -> Array2<bool> {
    let mut drawn = Array2::from_elem((h, w), false);
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
                let exact = simplify(&Rings::trace(mask.view()).polygons(), 0.0);
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
            assert!(wrong(&polygons, mask.view()) * 23 <= mask.iter().filter(|m| **m).count());
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
