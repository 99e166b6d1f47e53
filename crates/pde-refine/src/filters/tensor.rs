//! Explicit diffusion step with a tensor.
//!
//! Tensors `[[a, b], [b, c]]` (x right, y down) live in cells, the squares between 2 x 2 pixel centers; those of the
//! outermost ring lie across the frame's edge, where `b` is 0. The energy of a cell with pixel values `u00 u01 / u10
//! u11` is
//!
//! `1/2 [(a - |b|) (dx_top^2 + dx_bottom^2) / 2 + (c - |b|) (dy_left^2 + dy_right^2) / 2 + |b| p^2]`
//!
//! with `p` the difference along the diagonal that `b` favors, `u11 - u00` or `u01 - u10`: Weickert's non-negative
//! nine-point stencil (1998, sec. 3.4.2), with tensors in cells. The energy is never negative for a positive
//! semidefinite tensor (it is `a mx^2 + 2 b mx my + c my^2` in the mean differences plus `a + c - 2 |b| >= 0` times a
//! square), and at most that of the five-point Laplacian times the larger eigenvalue. So with eigenvalues up to 1 the
//! operator's norm is at most 8 and a step of up to 1/4 never raises the image's sum of squares.

use super::exp::exp2;
use crate::simd::{fused, larger, smaller};

/// Cells worked on at a time.
pub(super) const LANES: usize = 16;

/// Floats in a padded row of `w` pixels or cells.
pub(super) fn padded(w: usize) -> usize {
    (w + 2).next_multiple_of(LANES) + LANES
}

/// Groups of [`LANES`] values from `a[i]` on.
#[inline(always)]
pub(super) fn lanes(a: &[f32], i: usize, m: usize) -> &[[f32; LANES]] {
    &a[i..i + m * LANES].as_chunks().0[..m]
}

#[inline(always)]
pub(super) fn lanes_mut(a: &mut [f32], m: usize) -> &mut [[f32; LANES]] {
    &mut a[..m * LANES].as_chunks_mut().0[..m]
}

/// Eigenvalues of the diffusion tensor as functions of the structure tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Eigenvalues {
    /// `1 / kappa^2`.
    pub(super) scale: f32,
    /// The exponent `m`.
    pub(super) power: u32,
    /// The constant `C_m`, for powers of 2: minus `C_m / ln 2`.
    pub(super) constant: f32,
    /// The least eigenvalue.
    pub(super) floor: f32,
}

impl Eigenvalues {
    pub(super) fn new(kappa: f32, power: u32, floor: f32) -> Self {
        // the flux s g(s) peaks at s = kappa: exp(C) = 1 + 2 m C, a fixed point
        let m = f64::from(power);
        let constant = (0..200).fold(3.0, |c: f64, _| (2.0 * m * c).ln_1p());
        let scale = (1.0 / (f64::from(kappa) * f64::from(kappa))) as f32;
        Eigenvalues { scale, power, constant: (-constant * std::f64::consts::LOG2_E) as f32, floor }
    }
}

/// Weights of the cells' energies: `(a - |b|) / 2`, `(c - |b|) / 2` and `b`, each a plane of padded rows.
#[derive(Debug)]
pub(super) struct Weights<'a> {
    pub(super) horizontal: &'a mut [f32],
    pub(super) vertical: &'a mut [f32],
    pub(super) diagonal: &'a mut [f32],
}

impl Weights<'_> {
    /// Sets row `y` (0 to `h`) of the cells of an image `h` by `w` from its tensors.
    #[inline(always)]
    pub(super) fn set_row(
        &mut self,
        y: usize,
        (h, w): (usize, usize),
        tensor: impl Fn(usize) -> ([f32; LANES], [f32; LANES], [f32; LANES]),
    ) {
        let (m, i) = ((w + 1).div_ceil(LANES), y * padded(w));
        let horizontal = lanes_mut(&mut self.horizontal[i..], m);
        let vertical = lanes_mut(&mut self.vertical[i..], m);
        let diagonal = lanes_mut(&mut self.diagonal[i..], m);
        for g in 0..m {
            let (a, b, c) = tensor(g);
            let (mut left, mut right) = ([0.0; LANES], [0.0; LANES]);
            for k in 0..LANES {
                left[k] = 0.5 * (a[k] - b[k].abs());
                right[k] = 0.5 * (c[k] - b[k].abs());
            }
            horizontal[g] = left;
            vertical[g] = right;
            diagonal[g] = b;
        }
        // on the frame's edge mirror symmetry leaves no mixed term
        let mut drop_mixed = |x: usize| {
            let b = std::mem::replace(&mut self.diagonal[i + x], 0.0).abs();
            self.horizontal[i + x] += 0.5 * b;
            self.vertical[i + x] += 0.5 * b;
        };
        if y == 0 || y == h {
            (0..=w).for_each(drop_mixed);
        } else {
            drop_mixed(0);
            drop_mixed(w);
        }
    }

    /// [`Weights::set_row`] from the entries `xx`, `xy`, `yy` of the structure tensor: eigenvalue
    /// `1 - exp(-C_m (kappa / s)^(2 m))` along its dominant eigenvector, of eigenvalue `s^2`, and 1 across.
    #[inline(always)]
    pub(super) fn set_row_from_structure(
        &mut self,
        y: usize,
        (h, w): (usize, usize),
        [xx, xy, yy]: [&[f32]; 3],
        eigenvalues: Eigenvalues,
    ) {
        let m = (w + 1).div_ceil(LANES);
        let (xx, xy, yy) = (lanes(xx, 0, m), lanes(xy, 0, m), lanes(yy, 0, m));
        let Eigenvalues { scale, power, constant, floor } = eigenvalues;
        self.set_row(
            y,
            (h, w),
            #[inline(always)]
            |g| {
                let (mut a, mut b, mut c) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
                let (mut z, mut s2) = ([1.0f32; LANES], [0.0f32; LANES]);
                for k in 0..LANES {
                    a[k] = xx[g][k] - yy[g][k];
                    b[k] = 2.0 * xy[g][k];
                    c[k] = (a[k] * a[k] + b[k] * b[k]).sqrt();
                    // capped so that neither its square nor C_m times the inverse of a power is not a number
                    s2[k] = smaller(0.5 * scale * (xx[g][k] + yy[g][k] + c[k]), 1e18);
                }
                for _ in 0..power {
                    for k in 0..LANES {
                        z[k] *= s2[k];
                    }
                }
                for k in 0..LANES {
                    let across = larger(1.0 - exp2(constant / z[k]), floor);
                    // D = 1 + (across - 1) n n^T, with n n^T = (1 + [[cos 2t, sin 2t], [sin 2t, -cos 2t]]) / 2
                    let half = 0.5 * (across - 1.0);
                    let turn = half / larger(c[k], 1e-30);
                    let (cosine, sine) = (turn * a[k], turn * b[k]);
                    a[k] = 1.0 + half + cosine;
                    b[k] = sine;
                    c[k] = 1.0 + half - cosine;
                }
                (a, b, c)
            },
        );
    }

    /// Floats that [`Weights::step`] takes for its rows.
    pub(super) fn floats(channels: usize, w: usize) -> usize {
        (3 * channels + 1) * padded(w)
    }

    /// One step of length `step` in place on planes. `rows` holds [`Weights::floats`].
    #[inline(always)]
    pub(super) fn step(
        &self,
        planes: &mut [f32],
        (channels, h, w): (usize, usize, usize),
        step: f32,
        rows: &mut [f32],
    ) {
        let (s, m) = (padded(w), w.div_ceil(LANES));
        let (out, rows) = rows.split_at_mut(s);
        for (plane, rows) in planes.chunks_exact(h * w).zip(rows.chunks_exact_mut(3 * s)) {
            extend(&mut rows[..s], &plane[..w]);
            rows.copy_within(..s, s);
        }
        for y in 0..h {
            // row y - 1, y and y + 1 of the old image in turn, each in the place of the oldest
            let (above, here, next) = (y % 3 * s, (y + 1) % 3 * s, (y + 2) % 3 * s);
            let below = (y + 1).min(h - 1);
            let (top, bottom) = (y * s, (y + 1) * s);
            for (plane, rows) in planes.chunks_exact_mut(h * w).zip(rows.chunks_exact_mut(3 * s)).take(channels) {
                extend(&mut rows[next..][..s], &plane[below * w..][..w]);
                let rows = &*rows;
                let u = |row: usize, dx: usize| lanes(rows, row + dx, m);
                let (nw, n, ne) = (u(above, 0), u(above, 1), u(above, 2));
                let (we, mid, ea) = (u(here, 0), u(here, 1), u(here, 2));
                let (sw, so, se) = (u(next, 0), u(next, 1), u(next, 2));
                let (htl, htr) = (lanes(self.horizontal, top, m), lanes(self.horizontal, top + 1, m));
                let (hbl, hbr) = (lanes(self.horizontal, bottom, m), lanes(self.horizontal, bottom + 1, m));
                let (vtl, vtr) = (lanes(self.vertical, top, m), lanes(self.vertical, top + 1, m));
                let (vbl, vbr) = (lanes(self.vertical, bottom, m), lanes(self.vertical, bottom + 1, m));
                let (dtl, dtr) = (lanes(self.diagonal, top, m), lanes(self.diagonal, top + 1, m));
                let (dbl, dbr) = (lanes(self.diagonal, bottom, m), lanes(self.diagonal, bottom + 1, m));
                // the last group of the row may reach beyond the plane
                let row = &mut plane[y * w..][..w];
                let groups = w / LANES;
                let (direct, rest) = row.split_at_mut(groups * LANES);
                let (direct, last) = (lanes_mut(direct, groups), lanes_mut(out, 1));
                for g in 0..m {
                    let mut next = [0.0; LANES];
                    for k in 0..LANES {
                        let u = mid[g][k];
                        let rows = fused(htr[g][k] + hbr[g][k], ea[g][k] - u, (htl[g][k] + hbl[g][k]) * (we[g][k] - u));
                        let columns =
                            fused(vbl[g][k] + vbr[g][k], so[g][k] - u, (vtl[g][k] + vtr[g][k]) * (n[g][k] - u));
                        let falling =
                            fused(larger(dbr[g][k], 0.0), se[g][k] - u, larger(dtl[g][k], 0.0) * (nw[g][k] - u));
                        let rising =
                            fused(smaller(dtr[g][k], 0.0), ne[g][k] - u, smaller(dbl[g][k], 0.0) * (sw[g][k] - u));
                        next[k] = fused(step, (rows + columns) + (falling - rising), u);
                    }
                    if g < groups { direct[g] = next } else { last[0] = next }
                }
                rest.copy_from_slice(&out[..rest.len()]);
            }
        }
    }
}

/// `row` with its first and last value repeated once.
#[inline(always)]
pub(super) fn extend(padded: &mut [f32], row: &[f32]) {
    padded[0] = row[0];
    padded[1..=row.len()].copy_from_slice(row);
    padded[row.len() + 1] = row[row.len() - 1];
}

#[cfg(test)]
mod tests {
    use super::{Eigenvalues, LANES, Weights, padded};

    fn with_constant<R>((h, w): (usize, usize), [a, b, c]: [f32; 3], run: impl FnOnce(&Weights<'_>) -> R) -> R {
        let n = (h + 1) * padded(w);
        let (mut x, mut y, mut z) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
        let mut weights = Weights { horizontal: &mut x, vertical: &mut y, diagonal: &mut z };
        for row in 0..=h {
            weights.set_row(row, (h, w), |_| ([a; LANES], [b; LANES], [c; LANES]));
        }
        run(&weights)
    }

    /// Mass and second moments xx, xy, yy about the center.
    fn moments(plane: &[f32], n: usize) -> [f64; 4] {
        let mut sums = [0.0; 4];
        let center = (n / 2) as f64;
        for (i, &v) in plane.iter().enumerate() {
            let (y, x) = ((i / n) as f64 - center, (i % n) as f64 - center);
            for (sum, f) in sums.iter_mut().zip([1.0, x * x, x * y, y * y]) {
                *sum += f * f64::from(v);
            }
        }
        sums
    }

    #[test]
    fn constant_tensors_spread_an_impulse_by_twice_the_tensor_per_unit_time() {
        // closed form: covariance 2 D t, exact for the stencil as well, signs and diagonals included
        let n = 61;
        for tensor in [[1.0, 0.0, 1.0], [0.9, 0.25, 0.4], [0.4, -0.25, 0.9], [0.5, 0.49, 0.5], [1.0, 0.2, 0.06]] {
            let mut plane = vec![0.0; n * n];
            plane[n / 2 * n + n / 2] = 1.0;
            with_constant((n, n), tensor, |weights| {
                let mut rows = vec![0.0; Weights::floats(1, n)];
                for _ in 0..40 {
                    weights.step(&mut plane, (1, n, n), 0.2, &mut rows);
                }
            });
            let [mass, xx, xy, yy] = moments(&plane, n);
            assert!((mass - 1.0).abs() < 1e-6, "{mass}");
            for (found, d) in [xx, xy, yy].into_iter().zip(tensor) {
                let expected = 2.0 * f64::from(d) * 40.0 * 0.2;
                assert!((found - expected).abs() < 1e-4 * 16.0, "{tensor:?}: {found} but {expected}");
            }
        }
    }

    #[test]
    fn the_longest_step_never_raises_the_sum_of_squares() {
        // the worst images for an explicit step: checkerboards and noise; the worst tensors: the identity, whose
        // operator has the norm 8, and those of rank one, the least diffusive across
        let (h, w) = (23, 37);
        let start = |i: usize| {
            let sign = if (i / w + i % w).is_multiple_of(2) { 1.0 } else { -1.0 };
            sign + 0.1 * ((i * 7919) % 101) as f32 / 101.0
        };
        for (degrees, across) in (0..180).step_by(15).flat_map(|d| [(d, 0.0f32), (d, 0.3), (d, 1.0)]) {
            let (s, c) = (f32::to_radians(degrees as f32)).sin_cos();
            let tensor = [c * c + across * s * s, (1.0 - across) * s * c, s * s + across * c * c];
            let mut plane: Vec<f32> = (0..h * w).map(start).collect();
            with_constant((h, w), tensor, |weights| {
                let mut rows = vec![0.0; Weights::floats(1, w)];
                let squares = |p: &[f32]| p.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
                let mut before = squares(&plane);
                for _ in 0..30 {
                    weights.step(&mut plane, (1, h, w), 0.25, &mut rows);
                    let after = squares(&plane);
                    assert!(after <= before * (1.0 + 1e-6), "{degrees} degrees, {across} across: {before} to {after}");
                    before = after;
                }
            });
        }
    }

    #[test]
    fn the_constants_are_weickerts() {
        for (power, constant) in [(2, 2.33666), (3, 2.9183), (4, 3.31488)] {
            let found = -Eigenvalues::new(1.0, power, 0.0).constant * std::f32::consts::LN_2;
            assert!((found - constant).abs() < 2e-5, "{found}");
        }
    }
}
