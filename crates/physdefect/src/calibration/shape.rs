//! Shape of one connected part of a mask.

use imgkit::Rect;
use imgkit::components::component_pixels;
use imgkit::distance::to_background;
use imgkit::hull::convex_hull_area;
use ndarray::{Array2, ArrayView2};

use super::skeleton;

/// Parts below this many pixels are specks of the labeling and are left out.
pub(super) const LEAST_PART: usize = 4;

/// Course of a crack or a scratch, from the second moments of its mask.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Course {
    /// Direction of the long axis, radians in (-pi/2, pi/2\], from the columns towards the rows.
    pub direction: f64,
    /// Standard deviation across the axis over that along it, the crack's own width taken off; 0 is straight.
    pub waviness: f64,
}

impl Course {
    fn of(pixels: &[(usize, usize)], width: f64) -> Self {
        let n = pixels.len() as f64;
        let sum = |f: &dyn Fn(f64, f64) -> f64| pixels.iter().map(|&(y, x)| f(y as f64, x as f64)).sum::<f64>() / n;
        let (my, mx) = (sum(&|y, _| y), sum(&|_, x| x));
        let (yy, xx) = (sum(&|y, _| (y - my).powi(2)), sum(&|_, x| (x - mx).powi(2)));
        let yx = sum(&|y, x| (y - my) * (x - mx));
        let (half, spread) = ((yy + xx) / 2.0, ((yy - xx) / 2.0).hypot(yx));
        let across = (half - spread - width * width / 12.0).max(0.0);
        let along = (half + spread).max(1e-9);
        Self { direction: 0.5 * (2.0 * yx).atan2(xx - yy), waviness: (across / along).sqrt() }
    }
}

/// Sizes of one connected part, px.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sizes {
    /// Length along the skeleton of a long defect, equal-area diameter (holes filled) of any other.
    pub(super) size: f64,
    /// Mean width, area over length, of a long one; the diameter again of any other.
    pub(super) width: f64,
    /// Axis and waviness.
    pub(super) course: Course,
}

/// What tells mechanisms apart in a mask.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Form {
    /// Length along the skeleton over the mean width.
    pub(super) elongation: f64,
    /// Area over that of the convex hull.
    pub(super) solidity: f64,
    /// Standard deviation over mean of the width along the skeleton.
    pub(super) width_variation: f64,
}

/// Measures a part as a `long` defect, or as a compact one.
pub(super) fn sizes(long: bool, pixels: &[(usize, usize)], bbox: Rect) -> Sizes {
    let grid = grid_of(pixels, bbox);
    if !long {
        let diameter = 2.0 * (filled_area(&grid) as f64 / std::f64::consts::PI).sqrt();
        return Sizes { size: diameter, width: diameter, course: Course::of(pixels, 0.0) };
    }
    let (size, width, _) = along(&grid, pixels.len());
    Sizes { size, width, course: Course::of(pixels, width) }
}

/// Measures what tells mechanisms apart.
pub(super) fn form(pixels: &[(usize, usize)], bbox: Rect) -> Form {
    let grid = grid_of(pixels, bbox);
    let (length, width, width_variation) = along(&grid, pixels.len());
    let solidity = pixels.len() as f64 / convex_hull_area(pixels).max(1.0);
    Form { elongation: length / width.max(0.1), solidity, width_variation }
}

/// Length along the skeleton, mean width, variation of the width.
fn along(grid: &Array2<bool>, area: usize) -> (f64, f64, f64) {
    let line = skeleton::thin(grid.view());
    let inward = to_background(grid.view());
    let area = area as f64;
    let Some(way) = skeleton::longest_way(line.view()) else { return (area.sqrt(), area.sqrt(), 0.0) };
    // Thinning takes off the tips as far as they are round.
    let tips: f64 = way.ends.iter().map(|&end| f64::from(inward[end])).sum();
    let length = (way.length + tips).max(1.0);
    // Branches carry area but no length of the main way: their share of the skeleton is taken off.
    let widths: Vec<f64> = line.indexed_iter().filter(|(_, m)| **m).map(|(at, _)| f64::from(inward[at])).collect();
    let n = widths.len().max(1) as f64;
    let mean = widths.iter().sum::<f64>() / n;
    let deviation = (widths.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / n).sqrt();
    let width = area * f64::from(way.pixels) / n / length;
    (length, width, deviation / mean.max(0.5))
}

/// The pixels in their box with a border of unset ones.
fn grid_of(pixels: &[(usize, usize)], bbox: Rect) -> Array2<bool> {
    let mut grid = Array2::from_elem((bbox.height() + 2, bbox.width() + 2), false);
    for &(y, x) in pixels {
        grid[[y - bbox.top + 1, x - bbox.left + 1]] = true;
    }
    grid
}

/// Connected parts (eight neighbors) of at least [`LEAST_PART`] pixels, in row order of their first pixel.
pub(super) fn components(mask: ArrayView2<'_, bool>) -> Vec<Vec<(usize, usize)>> {
    let mut all = component_pixels(mask);
    all.retain(|pixels| pixels.len() >= LEAST_PART);
    all
}

/// Pixels of the grid that are not joined (four neighbors) to its border, which is empty.
fn filled_area(grid: &Array2<bool>) -> usize {
    let (h, w) = grid.dim();
    let mut outside = Array2::from_elem((h, w), false);
    let mut stack = vec![(0, 0)];
    let mut count = 0;
    while let Some((y, x)) = stack.pop() {
        if grid[[y, x]] || std::mem::replace(&mut outside[[y, x]], true) {
            continue;
        }
        count += 1;
        let near = [(y.wrapping_sub(1), x), (y + 1, x), (y, x.wrapping_sub(1)), (y, x + 1)];
        stack.extend(near.into_iter().filter(|&(v, u)| v < h && u < w));
    }
    h * w - count
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    fn part(mask: &Array2<bool>) -> (Vec<(usize, usize)>, Rect) {
        let pixels = components(mask.view()).remove(0);
        let bbox = Rect::around(pixels.iter().copied()).unwrap();
        (pixels, bbox)
    }

    #[test]
    fn discs_have_their_diameter_with_what_they_enclose() {
        for (r, hole) in [(5.0, -1.0), (8.0, -1.0), (11.0, 6.0)] {
            let mask = Array2::from_shape_fn((40, 40), |(y, x)| {
                let d = (y as f64 - 20.3).hypot(x as f64 - 19.9);
                d <= r && d > hole
            });
            let (pixels, bbox) = part(&mask);
            let found = sizes(false, &pixels, bbox);
            assert!((found.size / (2.0 * r) - 1.0).abs() < 0.03, "{} for a disc of {}", found.size, 2.0 * r);
        }
    }

    #[test]
    fn bars_have_their_length_width_and_direction_at_every_angle() {
        for i in 0..12 {
            let angle = PI * f64::from(i) / 12.0 + 0.05;
            let (s, c) = angle.sin_cos();
            let mask = Array2::from_shape_fn((121, 121), |(y, x)| {
                let (dy, dx) = (y as f64 - 60.2, x as f64 - 59.9);
                (dx * c + dy * s).abs() <= 40.0 && (dx * s - dy * c).abs() <= 2.5
            });
            let (pixels, bbox) = part(&mask);
            let found = sizes(true, &pixels, bbox);
            assert!((found.size - 80.0).abs() < 3.0 && (found.width - 5.0).abs() < 0.3, "step {i}: {found:?}");
            assert!((found.course.direction - angle).sin().abs() < 0.03, "step {i}: {found:?}");
            let form = form(&pixels, bbox);
            assert!((form.elongation / 16.0 - 1.0).abs() < 0.1 && form.solidity > 0.75, "step {i}: {form:?}");
        }
    }

    #[test]
    fn a_wedge_has_the_variation_of_a_uniform_width() {
        // Widths from 0 to 20 px, all alike often: standard deviation over mean is 1 / sqrt 3.
        let mask = Array2::from_shape_fn((40, 220), |(y, x)| {
            (10..210).contains(&x) && (y as f64 - 20.0).abs() <= 0.05 * (x as f64 - 10.0)
        });
        let (pixels, bbox) = part(&mask);
        let found = form(&pixels, bbox).width_variation;
        assert!((found - 1.0 / 3f64.sqrt()).abs() < 0.1, "{found}");
    }
}
