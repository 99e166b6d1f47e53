//! One grid of the hierarchy: a symmetric five- or nine-point operator on a padded rectangle, and its row kernels.
//!
//! Cells outside the region have zero couplings and a zero inverse diagonal, so every kernel runs over whole rows
//! without a branch and leaves those cells alone.

use crate::poisson::grid::{Grid, LANES, lanes, lanes_mut};
use crate::simd::widely;

/// A grid in the padded layout of [`Grid`].
#[derive(Debug, Clone)]
pub(crate) struct Level {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) stride: usize,
    /// Diagonal of the operator; 0 outside the region.
    pub(crate) diag: Vec<f32>,
    /// Inverse diagonal; 0 outside the region.
    pub(crate) inv: Vec<f32>,
    /// Finest level only, empty elsewhere: what the diagonal holds beyond the couplings, the screening and the
    /// Dirichlet faces. The f64 residual is formed from it and from differences, so that rounding of the diagonal does
    /// not act as screening.
    pub(crate) excess: Vec<f32>,
    /// Coupling (minus the off-diagonal entry) to the cell on the right.
    pub(crate) east: Vec<f32>,
    /// Coupling to the cell below.
    pub(crate) south: Vec<f32>,
    /// Coupling to the cell below and right; empty on a five-point level.
    pub(crate) south_east: Vec<f32>,
    /// Coupling to the cell below and left; empty on a five-point level.
    pub(crate) south_west: Vec<f32>,
    /// Beyond the last column lies the frame's edge (zero flux), not the region's boundary.
    pub(crate) frame_right: bool,
    /// Beyond the last row lies the frame's edge.
    pub(crate) frame_bottom: bool,
}

impl Level {
    pub(crate) fn zeros(height: usize, width: usize, nine_point: bool) -> Self {
        let grid = Grid::new(height, width);
        let (stride, n) = (grid.stride, grid.len());
        let diagonals = if nine_point { n } else { 0 };
        Level {
            width,
            height,
            stride,
            diag: vec![0.0; n],
            inv: vec![0.0; n],
            excess: Vec::new(),
            east: vec![0.0; n],
            south: vec![0.0; n],
            south_east: vec![0.0; diagonals],
            south_west: vec![0.0; diagonals],
            frame_right: true,
            frame_bottom: true,
        }
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.diag.len()
    }

    /// Groups of [`LANES`] cells in a row.
    #[inline(always)]
    fn groups(&self) -> usize {
        self.width.div_ceil(LANES)
    }

    #[inline(always)]
    pub(crate) fn at(&self, y: usize, x: usize) -> usize {
        (y + 1) * self.stride + x + 1
    }

    #[inline(always)]
    pub(crate) fn active(&self, i: usize) -> bool {
        self.inv[i] > 0.0
    }

    #[inline(always)]
    pub(crate) fn nine_point(&self) -> bool {
        !self.south_east.is_empty()
    }

    /// Excess of an active cell's diagonal over its couplings: screening and ties to the boundary.
    pub(crate) fn diagonal_excess(&self, i: usize) -> f32 {
        let s = self.stride;
        let mut sum = (self.east[i - 1] + self.east[i]) + (self.south[i - s] + self.south[i]);
        if self.nine_point() {
            sum += self.south_east[i - s - 1] + self.south_west[i - s + 1] + self.south_west[i] + self.south_east[i];
        }
        self.diag[i] - sum
    }

    /// Sets the inverse diagonal from the diagonal, and returns whether any cell is active.
    pub(crate) fn invert_diagonal(&mut self) -> bool {
        let mut any = false;
        for (inv, &d) in self.inv.iter_mut().zip(&self.diag) {
            *inv = if d > 0.0 { 1.0 / d } else { 0.0 };
            any |= d > 0.0;
        }
        any
    }

    /// The neighbors above left, above right, below left and below right of a row's cells, and the couplings to them.
    #[inline(always)]
    #[allow(clippy::type_complexity)] // rows of groups, four of each
    fn corners<'a, T>(&'a self, i: usize, u: &'a [T], m: usize) -> ([&'a [[T; LANES]]; 4], [&'a [[f32; LANES]]; 4]) {
        let s = self.stride;
        let (up, down) = (i - s, i + s);
        (
            [lanes(u, up - 1, m), lanes(u, up + 1, m), lanes(u, down - 1, m), lanes(u, down + 1, m)],
            [
                lanes(&self.south_east, up - 1, m),
                lanes(&self.south_west, up + 1, m),
                lanes(&self.south_west, i, m),
                lanes(&self.south_east, i, m),
            ],
        )
    }

    /// `out[x] = b - A u` along the row whose first cell is `i`.
    #[inline(always)]
    fn residual_row(&self, i: usize, u: &[f32], b: &[f32], out: &mut [f32]) {
        let (m, s) = (self.groups(), self.stride);
        let out = lanes_mut(out, 0, m);
        let (mid, left, right) = (lanes(u, i, m), lanes(u, i - 1, m), lanes(u, i + 1, m));
        let (up, down) = (lanes(u, i - s, m), lanes(u, i + s, m));
        let (we, ww) = (lanes(&self.east, i, m), lanes(&self.east, i - 1, m));
        let (ws, wn) = (lanes(&self.south, i, m), lanes(&self.south, i - s, m));
        let (d, b) = (lanes(&self.diag, i, m), lanes(b, i, m));
        // Sums are formed in a local array: the compiler cannot tell that `out` overlaps none of the inputs.
        for g in 0..m {
            let mut sum = [0.0; LANES];
            for k in 0..LANES {
                sum[k] = (b[g][k] - d[g][k] * mid[g][k])
                    + (ww[g][k] * left[g][k] + we[g][k] * right[g][k])
                    + (wn[g][k] * up[g][k] + ws[g][k] * down[g][k]);
            }
            out[g] = sum;
        }
        if self.nine_point() {
            let ([nw, ne, sw, se], [wnw, wne, wsw, wse]) = self.corners(i, u, m);
            for g in 0..m {
                let mut sum = out[g];
                for k in 0..LANES {
                    sum[k] +=
                        (wnw[g][k] * nw[g][k] + wne[g][k] * ne[g][k]) + (wsw[g][k] * sw[g][k] + wse[g][k] * se[g][k]);
                }
                out[g] = sum;
            }
        }
    }

    /// `r = b - A u`.
    pub(crate) fn residual(&self, u: &[f32], b: &[f32], r: &mut [f32]) {
        widely(
            #[inline(always)]
            || {
                for y in 0..self.height {
                    let i = self.at(y, 0);
                    self.residual_row(i, u, b, &mut r[i..]);
                }
            },
        );
    }

    /// One red-black Gauss-Seidel sweep. `backward` runs it in the opposite order, which makes it the adjoint of the
    /// forward sweep.
    pub(crate) fn smooth(&self, u: &mut [f32], b: &[f32], scratch: &mut SmoothBuffers, backward: bool) {
        let SmoothBuffers { row, parity } = scratch;
        widely(
            #[inline(always)]
            || {
                for half in 0..2 {
                    let color = if backward { 1 - half } else { half };
                    for k in 0..self.height {
                        let y = if backward { self.height - 1 - k } else { k };
                        let i = self.at(y, 0);
                        self.residual_row(i, u, b, row);
                        let m = self.groups();
                        let (u, inv) = (lanes_mut(u, i, m), lanes(&self.inv, i, m));
                        let (row, chosen) = (lanes(row, 0, m), lanes(parity, (y + color) & 1, m));
                        for g in 0..m {
                            let mut next = u[g];
                            for k in 0..LANES {
                                next[k] += chosen[g][k] * inv[g][k] * row[g][k];
                            }
                            u[g] = next;
                        }
                    }
                }
            },
        );
    }

    /// `r = b - A x` in f64, written as f32; returns `||r||^2`. Only the finest level.
    pub(crate) fn residual_f64(&self, x: &[f64], b: &[f64], r: &mut [f32]) -> f64 {
        let mut sum = [0.0f64; 8];
        let n = self.groups() * LANES;
        let mut row = vec![0.0f64; n];
        widely(
            #[inline(always)]
            || {
                for y in 0..self.height {
                    let i = self.at(y, 0);
                    self.residual_row_f64(i, x, b, &mut row);
                    for (r, &v) in r[i..][..n].iter_mut().zip(&row) {
                        *r = v as f32;
                    }
                    add_squares(&mut sum, &row);
                }
            },
        );
        sum.iter().sum()
    }

    /// `y = A x` in f64. Only the finest level.
    pub(crate) fn apply_f64(&self, x: &[f64], zero: &[f64], out: &mut [f64]) {
        widely(
            #[inline(always)]
            || {
                for y in 0..self.height {
                    let i = self.at(y, 0);
                    self.residual_row_f64(i, x, zero, &mut out[i..]);
                    for v in &mut out[i..][..self.groups() * LANES] {
                        *v = -*v;
                    }
                }
            },
        );
    }

    #[inline(always)]
    fn residual_row_f64(&self, i: usize, u: &[f64], b: &[f64], out: &mut [f64]) {
        let (m, s) = (self.groups(), self.stride);
        let out = lanes_mut(out, 0, m);
        let (mid, left, right) = (lanes(u, i, m), lanes(u, i - 1, m), lanes(u, i + 1, m));
        let (up, down) = (lanes(u, i - s, m), lanes(u, i + s, m));
        let (we, ww) = (lanes(&self.east, i, m), lanes(&self.east, i - 1, m));
        let (ws, wn) = (lanes(&self.south, i, m), lanes(&self.south, i - s, m));
        let (d, b) = (lanes(&self.excess, i, m), lanes(b, i, m));
        for g in 0..m {
            let mut sum = [0.0; LANES];
            for k in 0..LANES {
                let u = mid[g][k];
                sum[k] = (b[g][k] - f64::from(d[g][k]) * u)
                    + (f64::from(ww[g][k]) * (left[g][k] - u) + f64::from(we[g][k]) * (right[g][k] - u))
                    + (f64::from(wn[g][k]) * (up[g][k] - u) + f64::from(ws[g][k]) * (down[g][k] - u));
            }
            out[g] = sum;
        }
        if self.nine_point() {
            let ([nw, ne, sw, se], [wnw, wne, wsw, wse]) = self.corners(i, u, m);
            for g in 0..m {
                let mut sum = out[g];
                for k in 0..LANES {
                    let u = mid[g][k];
                    sum[k] += (f64::from(wnw[g][k]) * (nw[g][k] - u) + f64::from(wne[g][k]) * (ne[g][k] - u))
                        + (f64::from(wsw[g][k]) * (sw[g][k] - u) + f64::from(wse[g][k]) * (se[g][k] - u));
                }
                out[g] = sum;
            }
        }
    }
}

/// Adds the squares of `row` to eight running sums, in an order fixed by the code.
#[inline(always)]
fn add_squares(sum: &mut [f64; 8], row: &[f64]) {
    let chunks = row.chunks_exact(8);
    for (s, v) in sum.iter_mut().zip(chunks.remainder()) {
        *s += v * v;
    }
    let mut total = *sum;
    for chunk in chunks {
        for k in 0..8 {
            total[k] += chunk[k] * chunk[k];
        }
    }
    *sum = total;
}

/// Dot product with eight running sums.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sum = [0.0f64; 8];
    widely(
        #[inline(always)]
        || {
            let (ca, cb) = (a.chunks_exact(8), b.chunks_exact(8));
            for (k, (x, y)) in ca.remainder().iter().zip(cb.remainder()).enumerate() {
                sum[k] += x * y;
            }
            for (x, y) in ca.zip(cb) {
                for k in 0..8 {
                    sum[k] += x[k] * y[k];
                }
            }
        },
    );
    sum.iter().sum()
}

/// Row buffers of the smoother.
#[derive(Debug)]
pub(crate) struct SmoothBuffers {
    row: Vec<f32>,
    /// 1, 0, 1, 0, ...: picks the cells of one color.
    parity: Vec<f32>,
}

impl SmoothBuffers {
    pub(crate) fn new(width: usize) -> Self {
        let n = width.next_multiple_of(LANES);
        let parity = (0..n + 1).map(|x| if x % 2 == 0 { 1.0 } else { 0.0 }).collect();
        SmoothBuffers { row: vec![0.0; n], parity }
    }
}
