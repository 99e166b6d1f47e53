//! Shape of masks: what tells a mask that a person drew from one that a program left.

use maphc2f::imgkit::components::component_pixels;
use maphc2f::imgkit::hull::convex_hull_area;
use ndarray::ArrayView2;

/// Shape of one image's mask.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MaskShape {
    /// Area over the area of the convex hull of the pixels' corners, both summed over the components, in (0, 1]: 1 for
    /// convex parts, somewhat less for slanted ones a few pixels wide.
    pub solidity: f64,
    /// 8-connected components.
    pub components: f64,
    /// Length of the boundary over the square root of the area: 3.54 for a disc, more for ragged or long parts and for
    /// several. The frame's edge counts as boundary.
    pub boundary: f64,
    /// Share of the image, in (0, 1].
    pub area_share: f64,
}

/// Measures a mask `(H, W)`; `None` for an empty one.
///
/// ```
/// use experiments::realism::shape::measure;
/// use ndarray::Array2;
/// let bar = Array2::from_shape_fn((20, 40), |(y, x)| (8..12).contains(&y) && (5..35).contains(&x));
/// let shape = measure(bar.view()).ok_or("empty")?;
/// assert_eq!((shape.solidity, shape.components, shape.area_share), (1.0, 1.0, 0.15));
/// # Ok::<(), &str>(())
/// ```
#[must_use]
pub fn measure(mask: ArrayView2<'_, bool>) -> Option<MaskShape> {
    let parts = component_pixels(mask);
    let area: usize = parts.iter().map(Vec::len).sum();
    if area == 0 {
        return None;
    }
    let hulls: f64 = parts.iter().map(|pixels| convex_hull_area(pixels)).sum();
    Some(MaskShape {
        solidity: area as f64 / hulls,
        components: parts.len() as f64,
        boundary: boundary_length(mask) / (area as f64).sqrt(),
        area_share: area as f64 / mask.len() as f64,
    })
}

/// Boundary's length by the Cauchy-Crofton formula with lines in four directions: unbiased over directions, where a
/// count of pixel edges is up to 41 % too long.
fn boundary_length(mask: ArrayView2<'_, bool>) -> f64 {
    let (h, w) = (mask.nrows() as i64, mask.ncols() as i64);
    let at = |y: i64, x: i64| (0..h).contains(&y) && (0..w).contains(&x) && mask[[y as usize, x as usize]];
    let (mut straight, mut diagonal) = (0u64, 0u64);
    for y in -1..h {
        for x in -1..w {
            let (here, right, below, across) = (at(y, x), at(y, x + 1), at(y + 1, x), at(y + 1, x + 1));
            straight += u64::from(here != right) + u64::from(here != below);
            diagonal += u64::from(here != across) + u64::from(right != below);
        }
    }
    // lines a pixel apart, or 1 / sqrt(2) for the diagonals; a crossing stands for pi / 8 of that
    std::f64::consts::PI / 8.0 * (straight as f64 + diagonal as f64 / 2f64.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use std::f64::consts::PI;

    fn of(inside: impl Fn(f64, f64) -> bool) -> MaskShape {
        let pixel = |(y, x): (usize, usize)| inside(y as f64 + 0.5 - 100.0, x as f64 + 0.5 - 100.0);
        measure(Array2::from_shape_fn((200, 200), pixel).view()).unwrap()
    }

    #[test]
    fn a_disc_is_convex_and_shortest() {
        let disc = of(|y, x| y.hypot(x) < 60.0);
        assert!(disc.solidity > 0.98 && disc.components == 1.0, "{disc:?}");
        assert!((disc.boundary / (2.0 * PI.sqrt()) - 1.0).abs() < 0.01, "{disc:?}");
        assert!((disc.area_share / (PI * 3600.0 / 40_000.0) - 1.0).abs() < 0.01, "{disc:?}");
    }

    /// Closed forms: a bar of 120 x 4 px has the boundary 248, in units of the root of its area 11.32.
    #[test]
    fn a_bar_is_convex_and_long_in_any_direction() {
        for turned in 0..8 {
            let (sin, cos) = (f64::from(turned) * PI / 8.0).sin_cos();
            let bar = of(|y, x| (y * cos - x * sin).abs() < 2.0 && (y * sin + x * cos).abs() < 60.0);
            let expected = 248.0 / 480f64.sqrt();
            // four directions err by up to 5 % on straight lines
            assert!((bar.boundary / expected - 1.0).abs() < 0.06, "{turned}: {bar:?} {expected}");
            // the hull of the pixels' corners is wider than the bar by at most a pixel's shadow on its normal
            let least = 4.0 / (4.0 + sin.abs() + cos.abs());
            assert!(bar.solidity > 0.98 * least && bar.solidity <= 1.0, "{turned}: {bar:?} {least}");
            assert_eq!(bar.components, 1.0);
        }
    }

    /// A ring from 40 to 60 px: solidity 1 - (40/60)^2, boundary 2 pi (40 + 60).
    #[test]
    fn a_ring_has_a_hole_and_two_boundaries() {
        let ring = of(|y, x| (40.0..60.0).contains(&y.hypot(x)));
        assert!((ring.solidity - 5.0 / 9.0).abs() < 0.01, "{ring:?}");
        let expected = 200.0 * PI / (PI * 2000.0).sqrt();
        assert!((ring.boundary / expected - 1.0).abs() < 0.01, "{ring:?} {expected}");
    }

    #[test]
    fn parts_are_measured_each_by_itself() {
        let two = of(|y, x| y.abs() < 10.0 && (x.abs() - 50.0).abs() < 10.0);
        assert_eq!((two.solidity, two.components), (1.0, 2.0));
        assert_eq!(measure(Array2::from_elem((5, 5), false).view()), None);
        let pixel = measure(Array2::from_elem((1, 1), true).view()).unwrap();
        assert_eq!((pixel.solidity, pixel.area_share), (1.0, 1.0));
    }
}
