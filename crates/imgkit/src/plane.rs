//! Least-squares plane through values over an image.

/// Sums from which the plane `v = a + x px + y py` through values at points of an image follows.
///
/// ```
/// use imgkit::plane::PlaneSums;
/// let mut sums = PlaneSums::default();
/// for (x, y) in [(0.0, 0.0), (4.0, 0.0), (0.0, 2.0), (4.0, 2.0)] {
///     sums.add(x, y, 1.0 + 0.5 * x - 0.25 * y);
/// }
/// let plane = sums.plane();
/// assert_eq!((plane.x, plane.y, plane.explained), (0.5, -0.25, 1.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PlaneSums {
    /// Of 1, x, y, v, xx, yy, xy, xv, yv, vv.
    sums: [f64; 10],
}

/// Slopes of a fitted plane.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Plane {
    /// Change of the value per pixel to the right; not finite where the points do not determine it.
    pub x: f64,
    /// Change of the value per pixel downwards; not finite where the points do not determine it.
    pub y: f64,
    /// Share of the variance that the plane explains, R^2; not finite where values or points do not vary.
    pub explained: f64,
    /// Sum of the squared deviations of the values from their mean.
    pub squares: f64,
    /// Number of values, at least 1.
    pub count: f64,
}

impl PlaneSums {
    /// Adds the value `v` at column `x` and row `y`.
    pub fn add(&mut self, x: f64, y: f64, v: f64) {
        let terms = [1.0, x, y, v, x * x, y * y, x * y, x * v, y * v, v * v];
        self.sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
    }

    /// The plane through the values that were added.
    #[must_use]
    pub fn plane(&self) -> Plane {
        let [count, x, y, v, xx, yy, xy, xv, yv, vv] = self.sums;
        let n = count.max(1.0);
        let (xx, yy, xy) = (xx - x * x / n, yy - y * y / n, xy - x * y / n);
        let (xv, yv) = (xv - x * v / n, yv - y * v / n);
        let (squares, determinant) = (vv - v * v / n, xx * yy - xy * xy);
        let (px, py) = ((yy * xv - xy * yv) / determinant, (xx * yv - xy * xv) / determinant);
        Plane { x: px, y: py, explained: (px * xv + py * yv) / squares, squares, count: n }
    }
}
