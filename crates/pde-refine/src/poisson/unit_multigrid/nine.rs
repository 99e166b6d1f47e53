//! A coarser grid: a symmetric nine-point operator, constant wherever the grid above is far from the region's edge.

use super::kernels::RowKernels;
use crate::poisson::grid::{Grid, LANES, Spans, lanes, lanes_mut, near, span};

/// Couplings of a cell far from the edge: to the four neighbors beside it and to the four diagonal ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Regular {
    pub(crate) beside: f32,
    pub(crate) diagonal: f32,
    /// Diagonal entry without the screening.
    pub(crate) diag: f32,
}

/// The operator.
#[derive(Debug, Clone)]
pub(crate) struct Nine {
    pub(crate) grid: Grid,
    /// Diagonal and its inverse, 0 outside the region.
    pub(crate) diag: Vec<f32>,
    pub(crate) inv: Vec<f32>,
    /// Coupling to the cell on the right, below, below right, below left.
    pub(crate) east: Vec<f32>,
    pub(crate) south: Vec<f32>,
    pub(crate) south_east: Vec<f32>,
    pub(crate) south_west: Vec<f32>,
    /// What every cell of a row's groups `runs[y]` couples with.
    pub(crate) regular: Regular,
    pub(crate) runs: Spans,
    pub(crate) spans: Spans,
}

/// Rows of the coefficients around one row.
struct Coefficients<'a> {
    west: &'a [[f32; LANES]],
    east: &'a [[f32; LANES]],
    north: &'a [[f32; LANES]],
    south: &'a [[f32; LANES]],
    north_west: &'a [[f32; LANES]],
    north_east: &'a [[f32; LANES]],
    south_west: &'a [[f32; LANES]],
    south_east: &'a [[f32; LANES]],
}

impl Nine {
    pub(crate) fn zeros(grid: Grid, regular: Regular) -> Self {
        let zeros = || vec![0.0f32; grid.len()];
        Nine {
            grid,
            diag: Vec::new(),
            inv: Vec::new(),
            east: zeros(),
            south: zeros(),
            south_east: zeros(),
            south_west: zeros(),
            regular,
            runs: vec![(0, 0); grid.height],
            spans: vec![(0, 0); grid.height],
        }
    }

    #[inline(always)]
    fn coefficients<'a>(&'a self, y: usize) -> Coefficients<'a> {
        let (m, s) = (self.grid.groups(), self.grid.stride);
        let here = |a| self.grid.row(a, y);
        let above = |a: &'a [f32]| &a[y * s..][..s];
        Coefficients {
            west: lanes(here(&self.east), 0, m),
            east: lanes(here(&self.east), 1, m),
            north: lanes(above(&self.south), 1, m),
            south: lanes(here(&self.south), 1, m),
            north_west: lanes(above(&self.south_east), 0, m),
            north_east: lanes(above(&self.south_west), 2, m),
            south_west: lanes(here(&self.south_west), 1, m),
            south_east: lanes(here(&self.south_east), 1, m),
        }
    }
}

impl RowKernels for Nine {
    #[inline(always)]
    fn grid(&self) -> Grid {
        self.grid
    }

    #[inline(always)]
    fn inv(&self) -> &[f32] {
        &self.inv
    }

    #[inline(always)]
    fn spans(&self) -> &Spans {
        &self.spans
    }

    #[inline(always)]
    fn runs(&self) -> &Spans {
        &self.runs
    }

    #[inline(always)]
    fn relax<const ODD: bool>(&self, u: &mut [f32], b: &[f32], y: usize) {
        let m = self.grid.groups();
        let c = self.coefficients(y);
        let (up, row, down) = self.grid.rows_mut(u, y);
        let (nw, n, ne) = (lanes(up, 0, m), lanes(up, 1, m), lanes(up, 2, m));
        let (sw, s, se) = (lanes(down, 0, m), lanes(down, 1, m), lanes(down, 2, m));
        let (b, inv) = (lanes(self.grid.row(b, y), 1, m), lanes(self.grid.row(&self.inv, y), 1, m));
        let (first, last) = span(&self.runs, y);
        let Regular { beside, diagonal, .. } = self.regular;
        let (from, to) = span(&self.spans, y);
        if from >= to {
            return;
        }
        // A group is read before the one to its left is written, as on the finest grid.
        let mut ahead = near(row, from);
        for g in from..to {
            let [w, mid, e] = ahead;
            ahead = near(row, (g + 1).min(to - 1));
            let mut next = [0.0; LANES];
            if (first..last).contains(&g) {
                for k in 0..LANES {
                    let sum = beside * ((n[g][k] + s[g][k]) + (w[k] + e[k]))
                        + diagonal * ((nw[g][k] + ne[g][k]) + (sw[g][k] + se[g][k]));
                    next[k] = inv[g][k] * (b[g][k] + sum);
                }
            } else {
                for k in 0..LANES {
                    let beside = (c.north[g][k] * n[g][k] + c.south[g][k] * s[g][k])
                        + (c.west[g][k] * w[k] + c.east[g][k] * e[k]);
                    let diagonal = (c.north_west[g][k] * nw[g][k] + c.north_east[g][k] * ne[g][k])
                        + (c.south_west[g][k] * sw[g][k] + c.south_east[g][k] * se[g][k]);
                    next[k] = inv[g][k] * (b[g][k] + (beside + diagonal));
                }
            }
            for k in 0..LANES {
                next[k] = if (k % 2 == 1) == ODD { next[k] } else { mid[k] };
            }
            row[g * LANES + 1..][..LANES].copy_from_slice(&next);
        }
    }

    #[inline(always)]
    fn residual(&self, u: &[f32], b: &[f32], y: usize, out: &mut [f32]) {
        let m = self.grid.groups();
        let c = self.coefficients(y);
        let [up, row, down] = self.grid.rows(u, y);
        let (nw, n, ne) = (lanes(up, 0, m), lanes(up, 1, m), lanes(up, 2, m));
        let (w, mid, e) = (lanes(row, 0, m), lanes(row, 1, m), lanes(row, 2, m));
        let (sw, s, se) = (lanes(down, 0, m), lanes(down, 1, m), lanes(down, 2, m));
        let (b, inv) = (lanes(self.grid.row(b, y), 1, m), lanes(self.grid.row(&self.inv, y), 1, m));
        let diag = lanes(self.grid.row(&self.diag, y), 1, m);
        out.fill(0.0);
        let out = lanes_mut(out, 1, m);
        let (from, to) = span(&self.spans, y);
        let (first, last) = span(&self.runs, y);
        for g in (from..to).filter(|g| !(first..last).contains(g)) {
            let mut r = [0.0; LANES];
            for k in 0..LANES {
                let beside = (c.north[g][k] * n[g][k] + c.south[g][k] * s[g][k])
                    + (c.west[g][k] * w[g][k] + c.east[g][k] * e[g][k]);
                let diagonal = (c.north_west[g][k] * nw[g][k] + c.north_east[g][k] * ne[g][k])
                    + (c.south_west[g][k] * sw[g][k] + c.south_east[g][k] * se[g][k]);
                r[k] = (inv[g][k] * (b[g][k] + (beside + diagonal)) - mid[g][k]) * diag[g][k];
            }
            out[g] = r;
        }
        let Regular { beside, diagonal, .. } = self.regular;
        for g in first..last {
            let mut r = [0.0; LANES];
            for k in 0..LANES {
                let sum = beside * ((n[g][k] + s[g][k]) + (w[g][k] + e[g][k]))
                    + diagonal * ((nw[g][k] + ne[g][k]) + (sw[g][k] + se[g][k]));
                r[k] = (inv[g][k] * (b[g][k] + sum) - mid[g][k]) * diag[g][k];
            }
            out[g] = r;
        }
    }
}
