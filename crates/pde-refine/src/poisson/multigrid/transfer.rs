//! Coarsening: the choice of coarse cells, the interpolation of corrections, and the Galerkin coarse operator.
//!
//! Coarse cell `(Y, X)` is fine cell `(2Y, 2X)`, kept when that cell is in the region. The other cells interpolate from
//! their coarse neighbors with weights read off the operator (Dendy, "Black box multigrid", 1982); beside the region's
//! boundary a missing coarse neighbor stands for the value 0 of the Dirichlet condition. Restriction is the transpose
//! and the coarse operator the Galerkin product, so the coarse problem is consistent with any shape of the boundary and
//! every cycle lowers the energy.

use super::level::Level;
use crate::simd::widely;

/// Interpolation from a coarse level; all arrays are laid out on the coarse grid.
#[derive(Debug, Clone)]
pub(crate) struct Transfer {
    /// Fine cell (2Y, 2X+1) from the coarse cells left and right of it.
    row: [Vec<f32>; 2],
    /// Fine cell (2Y+1, 2X) from the coarse cells above and below it.
    column: [Vec<f32>; 2],
    /// Fine cell (2Y+1, 2X+1) from NW, NE, SW, SE.
    center: [Vec<f32>; 4],
}

/// Neighbor of an interpolated cell in one direction.
#[derive(Clone, Copy, PartialEq)]
enum Beside {
    Cell(f32),
    Dirichlet,
    Frame,
}

/// Weight of a coupling opposite the boundary: linear interpolation to 0, the cell's tie to the boundary being the
/// excess of its diagonal over its couplings.
fn to_boundary(coupling: f32, excess: f32) -> f32 {
    if coupling > 0.0 { coupling / (coupling + excess.max(0.0)) } else { 0.5 }
}

/// A center cell whose tie to the boundary exceeds this share of its couplings interpolates bilinearly.
const STRONG_TIE: f32 = 0.2;

/// Weights of the two sides of an interpolated cell.
fn pair(a: Beside, b: Beside, excess: f32) -> (f32, f32) {
    match (a, b) {
        (Beside::Cell(p), Beside::Cell(q)) if p + q > 0.0 => (p / (p + q), q / (p + q)),
        (Beside::Cell(_), Beside::Cell(_)) => (0.5, 0.5),
        (Beside::Cell(p), Beside::Dirichlet) => (to_boundary(p, excess), 0.0),
        (Beside::Dirichlet, Beside::Cell(q)) => (0.0, to_boundary(q, excess)),
        (Beside::Cell(_), Beside::Frame) => (1.0, 0.0),
        (Beside::Frame, Beside::Cell(_)) => (0.0, 1.0),
        _ => (0.0, 0.0),
    }
}

impl Transfer {
    /// Coarsens `fine`; `None` when no cell of it would remain or nothing is left to coarsen.
    pub(crate) fn coarsen(fine: &Level) -> Option<(Transfer, Level)> {
        if fine.width <= 1 && fine.height <= 1 {
            return None;
        }
        let (w, h) = (fine.width.div_ceil(2), fine.height.div_ceil(2));
        let mut coarse = Level::zeros(h, w, true);
        (coarse.frame_right, coarse.frame_bottom) = (fine.frame_right, fine.frame_bottom);
        let n = coarse.len();
        let zeros = || vec![0.0f32; n];
        let mut p = Transfer {
            row: [zeros(), zeros()],
            column: [zeros(), zeros()],
            center: [zeros(), zeros(), zeros(), zeros()],
        };
        p.fill(fine, &coarse);
        p.galerkin(fine, &mut coarse);
        coarse.invert_diagonal().then_some((p, coarse))
    }

    fn fill(&mut self, fine: &Level, coarse: &Level) {
        let nine = fine.nine_point();
        let s = fine.stride;
        for y in 0..coarse.height {
            for x in 0..coarse.width {
                let c = coarse.at(y, x);
                let i = fine.at(2 * y, 2 * x);
                let last_column = 2 * x + 2 >= fine.width;
                let last_row = 2 * y + 2 >= fine.height;
                let beyond = |last: bool, frame: bool| if last && frame { Beside::Frame } else { Beside::Dirichlet };
                let right = |j: usize, weight: f32| {
                    if !last_column && fine.active(j) {
                        Beside::Cell(weight)
                    } else {
                        beyond(last_column, fine.frame_right)
                    }
                };
                let below = |j: usize, weight: f32| {
                    if !last_row && fine.active(j) { Beside::Cell(weight) } else { beyond(last_row, fine.frame_bottom) }
                };
                let here = |weight: f32| if fine.active(i) { Beside::Cell(weight) } else { Beside::Dirichlet };
                // (2Y, 2X+1)
                let f = i + 1;
                if 2 * x + 1 < fine.width && fine.active(f) {
                    let mut a = [fine.east[f - 1], fine.east[f]];
                    if nine {
                        a[0] += fine.south_east[f - 1 - s] + fine.south_west[f];
                        a[1] += fine.south_west[f + 1 - s] + fine.south_east[f];
                    }
                    (self.row[0][c], self.row[1][c]) =
                        pair(here(a[0].max(0.0)), right(i + 2, a[1].max(0.0)), fine.diagonal_excess(f));
                }
                // (2Y+1, 2X)
                let f = i + s;
                if 2 * y + 1 < fine.height && fine.active(f) {
                    let mut a = [fine.south[f - s], fine.south[f]];
                    if nine {
                        a[0] += fine.south_east[f - 1 - s] + fine.south_west[f + 1 - s];
                        a[1] += fine.south_west[f] + fine.south_east[f];
                    }
                    (self.column[0][c], self.column[1][c]) =
                        pair(here(a[0].max(0.0)), below(i + 2 * s, a[1].max(0.0)), fine.diagonal_excess(f));
                }
            }
        }
        // The center cells read the weights of their row and column neighbors, all known by now.
        for y in 0..coarse.height {
            for x in 0..coarse.width {
                let f = fine.at(2 * y, 2 * x) + s + 1;
                if 2 * x + 1 < fine.width && 2 * y + 1 < fine.height && fine.active(f) {
                    let (last_column, last_row) = (2 * x + 2 >= fine.width, 2 * y + 2 >= fine.height);
                    self.fill_center(fine, coarse.stride, coarse.at(y, x), f, last_column, last_row);
                }
            }
        }
    }

    fn fill_center(&mut self, fine: &Level, t: usize, c: usize, f: usize, last_column: bool, last_row: bool) {
        let s = fine.stride;
        let (n, w, e, b) = (fine.south[f - s], fine.east[f - 1], fine.east[f], fine.south[f]);
        let diagonal = if fine.nine_point() {
            [fine.south_east[f - s - 1], fine.south_west[f - s + 1], fine.south_west[f], fine.south_east[f]]
        } else {
            [0.0; 4]
        };
        let ring = [f - s - 1, f - s, f - s + 1, f - 1, f + 1, f + s - 1, f + s, f + s + 1];
        let couplings = n + w + e + b + diagonal.iter().sum::<f32>();
        let beside_boundary = !ring.iter().all(|&j| fine.active(j));
        let excess = if beside_boundary { fine.diagonal_excess(f).clamp(0.0, couplings.max(0.0)) } else { 0.0 };
        let (row, column) = (&self.row, &self.column);
        let weights = if excess > STRONG_TIE * couplings || couplings <= 0.0 {
            // bilinear, 0 beyond the boundary, mirrored beyond the frame's edge
            let split = |outside: bool| if outside { (1.0, 0.0) } else { (0.5, 0.5) };
            let (left, right) = split(last_column && fine.frame_right);
            let (up, down) = split(last_row && fine.frame_bottom);
            let on = |j: usize, v: f32| if fine.active(j) { v } else { 0.0 };
            [
                on(f - s - 1, up * left),
                on(f - s + 1, up * right),
                on(f + s - 1, down * left),
                on(f + s + 1, down * right),
            ]
        } else {
            [
                diagonal[0] + n * row[0][c] + w * column[0][c],
                diagonal[1] + n * row[1][c] + e * column[0][c + 1],
                diagonal[2] + b * row[0][c + t] + w * column[1][c],
                diagonal[3] + b * row[1][c + t] + e * column[1][c + 1],
            ]
            .map(|v| v / (couplings + excess))
        };
        for (p, v) in self.center.iter_mut().zip(weights) {
            p[c] = v;
        }
    }

    /// The 3x3 column of the interpolation that belongs to coarse cell `c`, row by row.
    #[inline(always)]
    fn support(&self, c: usize, t: usize, active: bool) -> [f32; 9] {
        if !active {
            return [0.0; 9];
        }
        [
            self.center[3][c - t - 1],
            self.column[1][c - t],
            self.center[2][c - t],
            self.row[1][c - 1],
            1.0,
            self.row[0][c],
            self.center[1][c - 1],
            self.column[0][c],
            self.center[0][c],
        ]
    }

    /// Coarse operator P^T A P.
    fn galerkin(&self, fine: &Level, coarse: &mut Level) {
        let (s, t) = (fine.stride, coarse.stride);
        let active =
            |y: usize, x: usize| 2 * y < fine.height && 2 * x < fine.width && fine.active(fine.at(2 * y, 2 * x));
        for y in 0..coarse.height {
            for x in 0..coarse.width {
                if !active(y, x) {
                    continue;
                }
                let c = coarse.at(y, x);
                let center = fine.at(2 * y, 2 * x);
                let own = self.support(c, t, true);
                // a5 = A p on the 5x5 block around the cell
                let mut a5 = [0.0f32; 25];
                for (k, &p) in own.iter().enumerate() {
                    if p == 0.0 {
                        continue;
                    }
                    let (ky, kx) = (k / 3, k % 3);
                    let i = center + ky * s + kx - s - 1;
                    let m = (ky + 1) * 5 + kx + 1;
                    a5[m] += p * fine.diag[i];
                    a5[m - 1] -= p * fine.east[i - 1];
                    a5[m + 1] -= p * fine.east[i];
                    a5[m - 5] -= p * fine.south[i - s];
                    a5[m + 5] -= p * fine.south[i];
                    if fine.nine_point() {
                        a5[m - 6] -= p * fine.south_east[i - s - 1];
                        a5[m - 4] -= p * fine.south_west[i - s + 1];
                        a5[m + 4] -= p * fine.south_west[i];
                        a5[m + 6] -= p * fine.south_east[i];
                    }
                }
                // dot with the interpolation columns of the cell itself and its four later neighbors
                let with = |q: &[f32; 9], dy: usize, dx: isize| -> f32 {
                    let mut sum = 0.0;
                    for ky in 0..3usize {
                        for kx in 0..3usize {
                            let (my, mx) = (ky + 1 + 2 * dy, kx as isize + 1 + 2 * dx);
                            if my < 5 && (0..5).contains(&mx) {
                                sum += q[ky * 3 + kx] * a5[my * 5 + mx as usize];
                            }
                        }
                    }
                    sum
                };
                coarse.diag[c] = with(&own, 0, 0);
                coarse.east[c] = -with(&self.support(c + 1, t, active(y, x + 1)), 0, 1);
                coarse.south[c] = -with(&self.support(c + t, t, active(y + 1, x)), 1, 0);
                coarse.south_east[c] = -with(&self.support(c + t + 1, t, active(y + 1, x + 1)), 1, 1);
                if x > 0 {
                    coarse.south_west[c] = -with(&self.support(c + t - 1, t, active(y + 1, x - 1)), 1, -1);
                }
            }
        }
    }

    /// `b = P^T r`.
    pub(crate) fn restrict(&self, fine: &Level, r: &[f32], coarse: &Level, b: &mut [f32]) {
        let n = coarse.width;
        let t = coarse.stride;
        let mut even = [vec![0.0f32; n], vec![0.0f32; n]];
        // `odd` carries one leading cell, the column to the left of the first.
        let mut odd = [vec![0.0f32; n + 1], vec![0.0f32; n + 1]];
        let mut previous = (vec![0.0f32; n], vec![0.0f32; n + 1]);
        widely(
            #[inline(always)]
            || {
                for y in 0..coarse.height {
                    let i = fine.at(2 * y, 0);
                    split_row(&r[i..][..2 * n], &mut even[0], &mut odd[0]);
                    split_row(&r[i + fine.stride..][..2 * n], &mut even[1], &mut odd[1]);
                    let c = coarse.at(y, 0);
                    let out = &mut b[c..][..n];
                    let (rw, re) = (&self.row[0][c..][..n], &self.row[1][c - 1..][..n]);
                    let (cn, cs) = (&self.column[0][c..][..n], &self.column[1][c - t..][..n]);
                    let (e0, o0r, o0l) = (&even[0][..n], &odd[0][1..][..n], &odd[0][..n]);
                    let (e1, ep) = (&even[1][..n], &previous.0[..n]);
                    for x in 0..n {
                        out[x] = e0[x] + (rw[x] * o0r[x] + re[x] * o0l[x]) + (cn[x] * e1[x] + cs[x] * ep[x]);
                    }
                    let (c0, c1) = (&self.center[0][c..][..n], &self.center[1][c - 1..][..n]);
                    let (c2, c3) = (&self.center[2][c - t..][..n], &self.center[3][c - t - 1..][..n]);
                    let (o1r, o1l) = (&odd[1][1..][..n], &odd[1][..n]);
                    let (opr, opl) = (&previous.1[1..][..n], &previous.1[..n]);
                    for x in 0..n {
                        out[x] += (c0[x] * o1r[x] + c1[x] * o1l[x]) + (c2[x] * opr[x] + c3[x] * opl[x]);
                    }
                    previous.0.copy_from_slice(&even[1]);
                    previous.1.copy_from_slice(&odd[1]);
                }
            },
        );
    }

    /// `u += P e`.
    pub(crate) fn prolong_add(&self, coarse: &Level, e: &[f32], fine: &Level, u: &mut [f32]) {
        let n = coarse.width;
        let t = coarse.stride;
        let mut odd = vec![0.0f32; n];
        let mut even = vec![0.0f32; n];
        widely(
            #[inline(always)]
            || {
                for y in 0..coarse.height {
                    let c = coarse.at(y, 0);
                    let i = fine.at(2 * y, 0);
                    let (here, right) = (&e[c..][..n], &e[c + 1..][..n]);
                    let (below, below_right) = (&e[c + t..][..n], &e[c + t + 1..][..n]);
                    let (rw, re) = (&self.row[0][c..][..n], &self.row[1][c..][..n]);
                    for x in 0..n {
                        odd[x] = rw[x] * here[x] + re[x] * right[x];
                    }
                    join_row(&mut u[i..][..2 * n], here, &odd);
                    if 2 * y + 1 >= fine.height {
                        continue;
                    }
                    let (cn, cs) = (&self.column[0][c..][..n], &self.column[1][c..][..n]);
                    let (c0, c1) = (&self.center[0][c..][..n], &self.center[1][c..][..n]);
                    let (c2, c3) = (&self.center[2][c..][..n], &self.center[3][c..][..n]);
                    for x in 0..n {
                        even[x] = cn[x] * here[x] + cs[x] * below[x];
                        odd[x] = (c0[x] * here[x] + c1[x] * right[x]) + (c2[x] * below[x] + c3[x] * below_right[x]);
                    }
                    join_row(&mut u[i + fine.stride..][..2 * n], &even, &odd);
                }
            },
        );
    }
}

#[inline(always)]
fn split_row(row: &[f32], even: &mut [f32], odd: &mut [f32]) {
    for ((pair, e), o) in row.chunks_exact(2).zip(even).zip(&mut odd[1..]) {
        *e = pair[0];
        *o = pair[1];
    }
}

#[inline(always)]
fn join_row(row: &mut [f32], even: &[f32], odd: &[f32]) {
    for ((pair, e), o) in row.chunks_exact_mut(2).zip(even).zip(odd) {
        pair[0] += e;
        pair[1] += o;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poisson::system::System;
    use ndarray::Array2;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn quadratic_form(level: &Level, u: &[f32]) -> f64 {
        let mut r = vec![0.0; level.len()];
        level.residual(u, &vec![0.0; level.len()], &mut r);
        -u.iter().zip(&r).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
    }

    #[test]
    fn coarse_operator_is_the_galerkin_product_on_every_level() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for (h, w) in [(40, 37), (33, 64), (5, 70), (1, 9)] {
            let mask = Array2::from_shape_fn((h, w), |_| rng.random::<f32>() < 0.9);
            let d = Array2::from_shape_fn((h, w), |_| rng.random_range(0.1..1.0f32));
            let lambda = Array2::from_elem((h, w), 0.01f32);
            let mut fine = System::new(mask.view(), d.view(), lambda.view()).unwrap().level;
            while let Some((p, coarse)) = Transfer::coarsen(&fine) {
                for _ in 0..3 {
                    let mut e = vec![0.0f32; coarse.len()];
                    for y in 0..coarse.height {
                        for x in 0..coarse.width {
                            let i = coarse.at(y, x);
                            e[i] = if coarse.active(i) { rng.random::<f32>() - 0.5 } else { 0.0 };
                        }
                    }
                    let mut u = vec![0.0f32; fine.len()];
                    p.prolong_add(&coarse, &e, &fine, &mut u);
                    let (a, b) = (quadratic_form(&coarse, &e), quadratic_form(&fine, &u));
                    assert!((a - b).abs() < 1e-5 * b.abs().max(1e-3), "{}x{}: {a} {b}", fine.height, fine.width);
                    // restriction is the transpose: <P e, r> = <e, P^T r>
                    let mut r = vec![0.0f32; fine.len()];
                    for y in 0..fine.height {
                        for x in 0..fine.width {
                            r[fine.at(y, x)] = rng.random::<f32>() - 0.5;
                        }
                    }
                    let mut b = vec![0.0f32; coarse.len()];
                    p.restrict(&fine, &r, &coarse, &mut b);
                    let dot = |a: &[f32], b: &[f32]| -> f64 {
                        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
                    };
                    let (left, right) = (dot(&u, &r), dot(&e, &b));
                    assert!((left - right).abs() < 1e-4, "{left} {right}");
                }
                fine = coarse;
            }
        }
    }

    #[test]
    fn a_strong_inclusion_keeps_its_constant_on_every_level() {
        // The energy of "1 in the inclusion, harmonic around it" must not grow as it is carried to coarser levels.
        let n = 65;
        let mask = Array2::from_shape_fn((n, n), |(y, x)| y > 0 && x > 0 && y < n - 1 && x < n - 1);
        let inner = |y: usize, x: usize| (16..32).contains(&y) && (16..32).contains(&x);
        let d = Array2::from_shape_fn((n, n), |(y, x)| if inner(y, x) { 1.0 } else { 1e-4 });
        let mut fine = System::new(mask.view(), d.view(), Array2::zeros((n, n)).view()).unwrap().level;
        for step in [2, 4, 8, 16] {
            let (_, coarse) = Transfer::coarsen(&fine).unwrap();
            let mut e = vec![0.0f32; coarse.len()];
            for y in 0..coarse.height {
                for x in 0..coarse.width {
                    e[coarse.at(y, x)] = f32::from(u8::from(inner(y * step, x * step)));
                }
            }
            let energy = quadratic_form(&coarse, &e);
            // 64 faces of harmonic mean 2e-4 bound it from above
            assert!(energy > 0.0 && energy < 64.0 * 2e-4, "step {step}: {energy}");
            fine = coarse;
        }
    }
}
