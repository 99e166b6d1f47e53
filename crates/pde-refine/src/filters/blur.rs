//! Separable Gaussian smoothing, computed row by row.

use super::tensor::{LANES, lanes_mut};
use crate::simd::fused;

/// Continuation of an array beyond its edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    /// Mirrored about the outer faces of its first and last element: pixels.
    Pixels,
    /// Mirrored about its first and last element: cells, of which the outermost lie on the frame's edge.
    Cells,
    /// The same with the sign changed at each reflection: the product of both derivatives.
    OddCells,
}

impl Edge {
    /// Maps index `i` into `0..n`, and returns the sign of the value there.
    #[inline(always)]
    fn fold(self, i: isize, n: usize) -> (usize, f32) {
        if (0..n as isize).contains(&i) {
            return (i as usize, 1.0);
        }
        let (period, reflected) = match self {
            Edge::Pixels => (2 * n, 2 * n - 1),
            _ => (2 * (n.max(2) - 1), 2 * (n.max(2) - 1)),
        };
        let i = i.rem_euclid(period as isize) as usize;
        let sign = if self == Edge::OddCells && i >= n { -1.0 } else { 1.0 };
        ((if i < n { i } else { reflected - i }).min(n - 1), sign)
    }
}

/// Sampled Gaussian kernel of sum 1, cut off at three standard deviations.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Gaussian {
    /// The weight at the center, then to each side.
    taps: Vec<f32>,
}

impl Gaussian {
    /// Standard deviation `sigma` in pixels; none for 0.
    pub(super) fn new(sigma: f32) -> Self {
        let sigma = f64::from(sigma);
        let radius = (3.0 * sigma).ceil() as usize;
        let weight = |i: usize| if i == 0 { 1.0 } else { (-0.5 * (i as f64 / sigma).powi(2)).exp() };
        let sum: f64 = 1.0 + 2.0 * (1..=radius).map(weight).sum::<f64>();
        Gaussian { taps: (0..=radius).map(|i| (weight(i) / sum) as f32).collect() }
    }

    pub(super) fn radius(&self) -> usize {
        self.taps.len() - 1
    }

    /// Row `y`, smoothed both ways, of the first `w` columns of `plane`, whose `h` rows lie `stride` apart.
    /// `extended` holds `padded(w) + 2 radius` floats, `out` `padded(w)`.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    pub(super) fn row(
        &self,
        (plane, stride): (&[f32], usize),
        (h, w): (usize, usize),
        y: usize,
        edge: Edge,
        extended: &mut [f32],
        out: &mut [f32],
    ) {
        let radius = self.radius();
        let fetch = |offset: isize| {
            let (row, sign) = edge.fold(y as isize + offset, h);
            (&plane[row * stride..][..w], sign)
        };
        if radius == 0 {
            out[..w].copy_from_slice(fetch(0).0);
            return;
        }
        let pair = |i: usize| {
            let ((a, sa), (b, sb)) = (fetch(-(i as isize)), fetch(i as isize));
            ((a, sa * self.taps[i]), (b, sb * self.taps[i]))
        };
        smooth(&mut extended[radius..][..w], (fetch(0).0, self.taps[0]), radius, pair);
        for k in 0..radius {
            let (i, sign) = edge.fold(k as isize - radius as isize, w);
            extended[k] = sign * extended[radius + i];
            let (i, sign) = edge.fold((w + k) as isize, w);
            extended[radius + w + k] = sign * extended[radius + i];
        }
        let m = w.div_ceil(LANES);
        let out = lanes_mut(out, m);
        for (g, out) in out.iter_mut().enumerate() {
            let row = &extended[g * LANES..][..LANES + 2 * radius];
            let mut sum = [0.0; LANES];
            for k in 0..LANES {
                sum[k] = self.taps[0] * row[radius + k];
            }
            for (i, &tap) in self.taps.iter().enumerate().skip(1) {
                let (a, b) = (&row[radius - i..][..LANES], &row[radius + i..][..LANES]);
                for k in 0..LANES {
                    sum[k] = fused(tap, a[k] + b[k], sum[k]);
                }
            }
            *out = sum;
        }
    }
}

type Weighted<'a> = (&'a [f32], f32);

/// The weighted sum of `center` and of the rows that `pair` gives for 1 to `radius`, four rows a pass.
#[inline(always)]
fn smooth<'a>(
    out: &mut [f32],
    (center, weight): Weighted<'a>,
    radius: usize,
    pair: impl Fn(usize) -> (Weighted<'a>, Weighted<'a>),
) {
    let ((a, sa), (b, sb)) = pair(1);
    for (((o, c), a), b) in out.iter_mut().zip(center).zip(a).zip(b) {
        *o = fused(sa, *a, fused(sb, *b, weight * c));
    }
    for i in (2..radius).step_by(2) {
        let (((a, sa), (b, sb)), ((c, sc), (d, sd))) = (pair(i), pair(i + 1));
        for ((((o, a), b), c), d) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *o = fused(sa, *a, fused(sb, *b, fused(sc, *c, fused(sd, *d, *o))));
        }
    }
    if radius > 1 && radius.is_multiple_of(2) {
        let ((a, sa), (b, sb)) = pair(radius);
        for ((o, a), b) in out.iter_mut().zip(a).zip(b) {
            *o = fused(sa, *a, fused(sb, *b, *o));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tensor::padded;
    use super::{Edge, Gaussian};

    #[test]
    fn edges_fold_as_their_symmetry_says() {
        let fold = |e: Edge, n: usize| (-4..=(n as isize) + 3).map(|i| e.fold(i, n)).collect::<Vec<_>>();
        let index = |v: &[(usize, f32)]| v.iter().map(|p| p.0).collect::<Vec<_>>();
        assert_eq!(index(&fold(Edge::Pixels, 3)), [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0]);
        assert_eq!(index(&fold(Edge::Cells, 3)), [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]);
        assert_eq!(index(&fold(Edge::Pixels, 1)), [0; 9]);
        assert_eq!(index(&fold(Edge::Cells, 1)), [0; 9]);
        // an odd function about elements 0 and 2: sin(pi i / 2) at -4..=6, from its values 0, 1, 0
        let sine: Vec<f32> = fold(Edge::OddCells, 3).iter().map(|&(i, s)| s * [0.0, 1.0, 0.0][i]).collect();
        assert_eq!(sine, [0.0, 1.0, 0.0, -1.0, 0.0, 1.0, 0.0, -1.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn an_impulse_becomes_a_gaussian_of_the_right_variance() {
        let (n, sigma) = (41, 2.0f32);
        let mut plane = vec![0.0; n * n];
        plane[20 * n + 20] = 1.0;
        let kernel = Gaussian::new(sigma);
        let (mut extended, mut row) = (vec![0.0; padded(n) + 2 * kernel.radius()], vec![0.0; padded(n)]);
        let (mut sum, mut vx, mut vy) = (0.0f64, 0.0f64, 0.0f64);
        for y in 0..n {
            kernel.row((&plane, n), (n, n), y, Edge::Pixels, &mut extended, &mut row);
            for (x, &v) in row[..n].iter().enumerate() {
                sum += f64::from(v);
                vx += f64::from(v) * (x as f64 - 20.0).powi(2);
                vy += f64::from(v) * (y as f64 - 20.0).powi(2);
            }
        }
        // cutting at three sigma takes 3 % off the variance
        assert!((sum - 1.0).abs() < 1e-6 && (vx - vy).abs() < 1e-6, "{sum} {vx} {vy}");
        assert!((3.8..=4.0).contains(&vx), "{vx}");
    }
}
