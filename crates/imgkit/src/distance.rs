//! Exact Euclidean distance transforms of masks in linear time, and local half-widths.

use ndarray::{Array2, ArrayView2};

use crate::simd::widely;

/// Largest radius, px, of discs that are laid column by column.
const LARGEST_DISC: u64 = 40;

/// Squared Euclidean distance, in pixels, from every pixel to the nearest `false` pixel; 0 on `false` pixels,
/// `u64::MAX` everywhere if there is none. The edge of the array counts for nothing.
///
/// Exact integers, O(pixels): Meijster, Roerdink and Hesselink, "A general algorithm for computing distance transforms
/// in linear time", 2000.
///
/// ```
/// use ndarray::array;
/// let mask = array![[false, true, true], [true, true, true]];
/// assert_eq!(imgkit::distance::squared_to_background(mask.view()), array![[0, 1, 4], [1, 2, 5]]);
/// ```
#[must_use]
pub fn squared_to_background(mask: ArrayView2<'_, bool>) -> Array2<u64> {
    let (h, w) = mask.dim();
    let mut out = Array2::from_elem((h, w), u64::MAX);
    if h == 0 || w == 0 {
        return out;
    }
    let far = (h + w) as i64;
    let g = along_columns(mask);
    // lower envelope of the parabolas (x - i)^2 + g(i)^2 along each row
    let mut sites: Vec<(usize, i64)> = Vec::with_capacity(w); // site, first x where it is the lowest
    for (g, mut row) in g.chunks_exact(w).zip(out.outer_iter_mut()) {
        sites.clear();
        let height = |i: usize, x: i64| (x - i as i64).pow(2) + g[i].pow(2);
        // Between two background pixels a third is nearest to itself alone.
        let alone = |i: usize| g[i] == 0 && i > 0 && g[i - 1] == 0 && g.get(i + 1) == Some(&0);
        for i in (0..w).filter(|&i| g[i] < far && !alone(i)) {
            while sites.last().is_some_and(|&(s, from)| height(s, from) > height(i, from)) {
                sites.pop();
            }
            match sites.last() {
                None => sites.push((i, 0)),
                Some(&(s, _)) => {
                    let (a, b) = (s as i64, i as i64);
                    let from = 1 + (b * b - a * a + g[i].pow(2) - g[s].pow(2)).div_euclid(2 * (b - a));
                    if from < w as i64 {
                        sites.push((i, from));
                    }
                }
            }
        }
        let mut k = sites.len();
        for (x, out) in row.iter_mut().enumerate().rev() {
            while k > 0 && sites[k - 1].1 > x as i64 {
                k -= 1;
            }
            if g[x] == 0 {
                *out = 0;
            } else if k > 0 {
                *out = height(sites[k - 1].0, x as i64) as u64;
            }
        }
    }
    out
}

/// Euclidean distance, in pixels, from every pixel to the nearest `false` pixel; infinite if there is none.
///
/// See [`squared_to_background`] for the exact integers.
///
/// ```
/// let mask = ndarray::array![[true, true], [false, true]];
/// assert_eq!(imgkit::distance::to_background(mask.view())[(0, 1)], 2f32.sqrt());
/// ```
#[must_use]
pub fn to_background(mask: ArrayView2<'_, bool>) -> Array2<f32> {
    squared_to_background(mask).mapv(|d| if d == u64::MAX { f32::INFINITY } else { (d as f64).sqrt() as f32 })
}

/// Distance of each pixel along its column to the nearest `false` pixel there; height + width, more than any distance,
/// where there is none.
fn along_columns(mask: ArrayView2<'_, bool>) -> Vec<i64> {
    let (h, w) = mask.dim();
    let far = (h + w) as i64;
    let mut g = vec![0i64; h * w];
    let mut last = vec![far; w];
    for (line, row) in g.chunks_exact_mut(w.max(1)).zip(mask.outer_iter()) {
        for ((here, above), &inside) in line.iter_mut().zip(&mut last).zip(row) {
            *here = if inside { (*above + 1).min(far) } else { 0 };
            *above = *here;
        }
    }
    last.fill(far);
    for line in g.chunks_exact_mut(w.max(1)).rev() {
        for (here, below) in line.iter_mut().zip(&mut last) {
            *here = (*here).min(*below + 1);
            *below = *here;
        }
    }
    g
}

/// Largest of the distances that [`squared_to_background`] gives: the square of the radius of the largest disc in the
/// mask. 0 for an empty mask, `u64::MAX` where there is no `false` pixel.
///
/// Most pixels are passed over, which is several times as fast where that radius is small; at worst it takes O(pixels
/// times radius).
///
/// ```
/// let mask = ndarray::array![[false, true, true], [true, true, true]];
/// assert_eq!(imgkit::distance::deepest_squared(mask.view()), 5);
/// ```
#[must_use]
pub fn deepest_squared(mask: ArrayView2<'_, bool>) -> u64 {
    let (h, w) = mask.dim();
    let columns = along_columns(mask);
    // A column without background would be searched from end to end.
    if columns.iter().take(w).any(|&g| g >= (h + w) as i64) {
        return squared_to_background(mask).iter().fold(0, |a, &d| a.max(d));
    }
    let mut deepest = 0;
    for row in columns.chunks_exact(w.max(1)) {
        for (x, g) in row.iter().enumerate() {
            // Only the pixels around that could be nearer are looked at, and those only as long as none is nearer than
            // the deepest so far.
            let mut nearest = g * g;
            let mut dx = 1;
            while nearest > deepest && dx * dx < nearest && dx < w as i64 {
                let beside = |x: Option<usize>| x.and_then(|x| row.get(x)).map_or(nearest, |g| g * g + dx * dx);
                nearest = nearest.min(beside(x.checked_sub(dx as usize))).min(beside(Some(x + dx as usize)));
                dx += 1;
            }
            deepest = deepest.max(nearest);
        }
    }
    deepest as u64
}

/// Pixels whose squared Euclidean distance to the nearest `false` pixel is at most `squared`: the `false` pixels
/// dilated by a disc, and so, of the complement, an erosion.
///
/// The same as [`squared_to_background`] compared with `squared`, several times as fast.
///
/// ```
/// use ndarray::array;
/// let mask = array![[false, true, true, true], [true, true, true, true]];
/// assert_eq!(
///     imgkit::distance::near_background(mask.view(), 2),
///     array![[true, true, false, false], [true, true, false, false]]
/// );
/// ```
#[must_use]
pub fn near_background(mask: ArrayView2<'_, bool>, squared: u64) -> Array2<bool> {
    let (h, w) = mask.dim();
    let radius = squared.isqrt();
    if radius > LARGEST_DISC {
        return near_by_sweeps(mask, squared);
    }
    // The disc's half height at each column from its middle; no column of the mask is as far away as `beyond`.
    let heights = |dx: u64| (squared - dx * dx).isqrt() as u8;
    let heights: Vec<u8> = (0..=radius).rev().chain(1..=radius).map(heights).collect();
    let (margin, beyond) = (radius as usize, radius as u8 + 1);
    // distance along the column, with nothing near on both sides
    let stride = w + 2 * margin;
    let mut distances = vec![beyond; h * stride];
    let mut near = vec![0u8; h * w];
    let mut last = vec![beyond; w];
    widely(
        #[inline(always)]
        || {
            for (line, row) in distances.chunks_exact_mut(stride.max(1)).zip(mask.outer_iter()) {
                for ((here, above), &inside) in line[margin..].iter_mut().zip(&mut last).zip(row) {
                    *here = if inside { (*above + 1).min(beyond) } else { 0 };
                    *above = *here;
                }
            }
            last.fill(beyond);
            let rows = distances.chunks_exact_mut(stride.max(1)).zip(near.chunks_exact_mut(w.max(1)));
            for (line, near) in rows.rev() {
                for (here, below) in line[margin..].iter_mut().zip(&mut last) {
                    *here = (*here).min(*below + 1);
                    *below = *here;
                }
                for (line, &height) in line.windows(w).zip(&heights) {
                    near.iter_mut().zip(line).for_each(|(near, &d)| *near |= u8::from(d <= height));
                }
            }
        },
    );
    Array2::from_shape_vec((h, w), near.into_iter().map(|near| near > 0).collect()).unwrap_or_default()
}

/// [`near_background`] in a time that does not depend on the radius: a `false` pixel at the distance d along a column
/// covers sqrt(squared - d^2) pixels to either side of it, which two sweeps along each row spread.
fn near_by_sweeps(mask: ArrayView2<'_, bool>, squared: u64) -> Array2<bool> {
    let (h, w) = mask.dim();
    // no distance along a column is as long as the column
    let farthest = squared.isqrt().min(h as u64);
    let Some(none) = u16::try_from(farthest).ok().and_then(|d| d.checked_add(1)) else {
        return squared_to_background(mask).mapv(|d| d <= squared);
    };
    // pixels that are covered from this one on, itself included
    let covered = |d: u64| (squared - d * d).isqrt().saturating_add(1).min(w as u64) as u32;
    let covered: Vec<u32> = (0..=farthest).map(covered).chain([0]).collect();
    let mut distances = vec![none; h * w];
    let mut last = vec![none; w];
    widely(
        #[inline(always)]
        || {
            for (line, row) in distances.chunks_exact_mut(w.max(1)).zip(mask.outer_iter()) {
                for ((here, above), &inside) in line.iter_mut().zip(&mut last).zip(row) {
                    *here = if inside { (*above + 1).min(none) } else { 0 };
                    *above = *here;
                }
            }
            last.fill(none);
            for line in distances.chunks_exact_mut(w.max(1)).rev() {
                for (here, below) in line.iter_mut().zip(&mut last) {
                    *here = (*here).min((*below + 1).min(none));
                    *below = *here;
                }
            }
        },
    );
    let mut near = Array2::from_elem((h, w), false);
    let mut lengths = vec![0u32; w];
    for (line, mut near) in distances.chunks_exact(w.max(1)).zip(near.outer_iter_mut()) {
        let mut left = 0u32;
        for ((length, &d), near) in lengths.iter_mut().zip(line).zip(near.iter_mut()) {
            *length = covered[usize::from(d)];
            left = left.saturating_sub(1).max(*length);
            *near = left > 0;
        }
        let mut right = 0u32;
        for (&length, near) in lengths.iter().zip(near.iter_mut()).rev() {
            right = right.saturating_sub(1).max(length);
            *near |= right > 0;
        }
    }
    near
}

/// Euclidean distance, in pixels, from every pixel to the nearest `true` pixel; infinite if there is none.
///
/// ```
/// let mask = ndarray::array![[true, false], [false, false]];
/// assert_eq!(imgkit::distance::to_foreground(mask.view())[(1, 1)], 2f32.sqrt());
/// ```
#[must_use]
pub fn to_foreground(mask: ArrayView2<'_, bool>) -> Array2<f32> {
    to_background(mask.mapv(|m| !m).view())
}

/// Local half-width of the mask, in pixels: at each pixel, the radius of (nearly) the largest disc that lies in the
/// mask and covers the pixel, at most `cap`; 0 outside. `distance` is the mask's [`to_background`] transform.
///
/// A crack of width `n` has half-width about `(n + 1) / 2` all along, also where it runs into a larger blob. Discs
/// are passed from neighbor to neighbor in two rounds of raster sweeps, so the value may fall short of the true
/// one by a little, never exceed it, and is never below the distance itself.
///
/// ```
/// use imgkit::distance::to_background;
/// use ndarray::Array2;
/// let bar = Array2::from_shape_fn((9, 30), |(y, _)| (3..6).contains(&y));
/// let width = imgkit::distance::half_width(to_background(bar.view()).view(), 10.0);
/// assert_eq!((width[(3, 15)], width[(4, 15)], width[(0, 0)]), (2.0, 2.0, 0.0));
/// ```
#[must_use]
pub fn half_width(distance: ArrayView2<'_, f32>, cap: f32) -> Array2<f32> {
    let (h, w) = distance.dim();
    // radius and center of the largest disc known to cover each pixel, with a frame of none
    let stride = w + 2;
    let mut radii = vec![0.0f32; (h + 2) * stride];
    let mut centers = vec![(0i32, 0i32); radii.len()];
    for ((y, x), &d) in distance.indexed_iter() {
        let i = (y + 1) * stride + x + 1;
        radii[i] = d.min(cap);
        centers[i] = (y as i32, x as i32);
    }
    // takes the discs that the four neighbors at these offsets offer
    let mut take = |y: usize, x: usize, offers: [usize; 4]| {
        let i = (y + 1) * stride + x + 1;
        let radius = radii[i];
        if radius == 0.0 || !offers.iter().fold(false, |any, &j| any | (radii[j] > radius)) {
            return;
        }
        for j in offers {
            let (radius, (cy, cx)) = (radii[j], centers[j]);
            let (dy, dx) = ((cy - y as i32) as f32, (cx - x as i32) as f32);
            if radius > radii[i] && dy * dy + dx * dx < radius * radius {
                (radii[i], centers[i]) = (radius, (cy, cx));
            }
        }
    };
    for _ in 0..2 {
        for y in 0..h {
            let above = y * stride;
            for x in 0..w {
                take(y, x, [above + stride + x, above + x + 1, above + x, above + x + 2]);
            }
        }
        for y in (0..h).rev() {
            let below = (y + 2) * stride;
            for x in (0..w).rev() {
                take(y, x, [below - stride + x + 2, below + x + 1, below + x, below + x + 2]);
            }
        }
    }
    Array2::from_shape_fn((h, w), |(y, x)| radii[(y + 1) * stride + x + 1])
}
