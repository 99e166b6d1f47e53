//! Convex hulls of pixels.

/// Area, px^2, of the convex hull of the corners of pixels (row, column); 0 for none. Monotone chain: A. Andrew,
/// Information Processing Letters 9 (1979) 216.
///
/// ```
/// // Two pixels that touch at a corner: their squares, and two triangles of one half between them.
/// assert_eq!(imgkit::hull::convex_hull_area(&[(0, 0), (1, 1)]), 3.0);
/// ```
#[must_use]
pub fn convex_hull_area(pixels: &[(usize, usize)]) -> f64 {
    let corners = |&(y, x): &(usize, usize)| {
        let (y, x) = (y as i64, x as i64);
        [(y, x), (y, x + 1), (y + 1, x), (y + 1, x + 1)]
    };
    let mut points: Vec<(i64, i64)> = pixels.iter().flat_map(corners).collect();
    points.sort_unstable();
    points.dedup();
    let half = |points: &mut dyn Iterator<Item = (i64, i64)>| {
        let mut chain: Vec<(i64, i64)> = Vec::new();
        for p in points {
            while let [.., a, b] = chain[..] {
                if (b.0 - a.0) * (p.1 - a.1) - (b.1 - a.1) * (p.0 - a.0) > 0 {
                    break;
                }
                chain.pop();
            }
            chain.push(p);
        }
        chain
    };
    let mut hull = half(&mut points.iter().copied());
    hull.pop();
    hull.extend(half(&mut points.iter().rev().copied()));
    hull.pop();
    let next = hull.iter().cycle().skip(1);
    let doubled: i64 = hull.iter().zip(next).map(|(a, b)| a.0 * b.1 - a.1 * b.0).sum();
    0.5 * doubled.abs() as f64
}
