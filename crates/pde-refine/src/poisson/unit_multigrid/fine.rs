//! The finest grid: unit couplings between the cells of the region, `A u = diag u - (sum of the four neighbors)`.
//!
//! Every vector is zero outside the region, so couplings need no storage: a neighbor outside adds nothing.

use super::kernels::RowKernels;
use crate::poisson::grid::{Grid, LANES, Spans, lanes, lanes_mut, near, pick, span};
use crate::simd::widely;

/// `diag` and its inverse, 0 outside the region.
#[derive(Debug, Clone)]
pub(crate) struct Fine {
    pub(crate) grid: Grid,
    pub(crate) diag: Vec<f32>,
    pub(crate) inv: Vec<f32>,
    pub(crate) spans: Spans,
    /// Groups of each row of which every cell has all four neighbors and no screening: 4 on the diagonal, which need
    /// not be read there.
    pub(crate) runs: Spans,
}

const FOURS: [f32; LANES] = [4.0; LANES];
const QUARTERS: [f32; LANES] = [0.25; LANES];

impl Fine {
    /// `r = b - A (high + low)` in f64, rounded to f32 when all is summed; returns `||r||^2`. Zero outside the region.
    pub(crate) fn residual_f64(&self, b: &[f32], high: &[f32], low: Option<&[f32]>, r: &mut [f32]) -> f64 {
        let mut sums = [0.0f64; LANES];
        let m = self.grid.groups();
        widely(
            #[inline(always)]
            || {
                for y in 0..self.grid.height {
                    let out = lanes_mut(self.grid.row_mut(r, y), 1, m);
                    let b = lanes(self.grid.row(b, y), 1, m);
                    let diag = lanes(self.grid.row(&self.diag, y), 1, m);
                    let around = |a| {
                        let [up, row, down] = self.grid.rows(a, y);
                        [lanes(up, 1, m), lanes(down, 1, m), lanes(row, 0, m), lanes(row, 2, m), lanes(row, 1, m)]
                    };
                    let (from, to) = span(&self.spans, y);
                    let run = span(&self.runs, y);
                    let diag = |g| pick(run, g, &FOURS, diag);
                    let h = around(high);
                    match low {
                        None => {
                            for g in from..to {
                                residual_group(&mut sums, &mut out[g], &b[g], diag(g), |p, k| f64::from(h[p][g][k]));
                            }
                        }
                        Some(low) => {
                            let l = around(low);
                            for g in from..to {
                                residual_group(&mut sums, &mut out[g], &b[g], diag(g), |p, k| {
                                    f64::from(h[p][g][k]) + f64::from(l[p][g][k])
                                });
                            }
                        }
                    }
                }
            },
        );
        sums.iter().sum()
    }
}

impl RowKernels for Fine {
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
        let (up, row, down) = self.grid.rows_mut(u, y);
        let (up, down) = (lanes(up, 1, m), lanes(down, 1, m));
        let (b, inv) = (lanes(self.grid.row(b, y), 1, m), lanes(self.grid.row(&self.inv, y), 1, m));
        let ((from, to), run) = (span(&self.spans, y), span(&self.runs, y));
        if from >= to {
            return;
        }
        // A group is read before the one to its left is written: a read that overlaps a fresh write would wait for it.
        // What it reads of the other color does not change. (The nine-point loop is this one's twin: a walk that both
        // hand their formula to as a closure was measured 15 to 20 % slower.)
        let mut ahead = near(row, from);
        for g in from..to {
            let [left, mid, right] = ahead;
            ahead = near(row, (g + 1).min(to - 1));
            let inv = pick(run, g, &QUARTERS, inv);
            let mut next = [0.0; LANES];
            for k in 0..LANES {
                let sum = (up[g][k] + down[g][k]) + (left[k] + right[k]);
                next[k] = if (k % 2 == 1) == ODD { inv[k] * (b[g][k] + sum) } else { mid[k] };
            }
            row[g * LANES + 1..][..LANES].copy_from_slice(&next);
        }
    }

    #[inline(always)]
    fn residual(&self, u: &[f32], b: &[f32], y: usize, out: &mut [f32]) {
        let m = self.grid.groups();
        let [up, row, down] = self.grid.rows(u, y);
        let (up, down) = (lanes(up, 1, m), lanes(down, 1, m));
        let (left, mid, right) = (lanes(row, 0, m), lanes(row, 1, m), lanes(row, 2, m));
        let (b, inv) = (lanes(self.grid.row(b, y), 1, m), lanes(self.grid.row(&self.inv, y), 1, m));
        let diag = lanes(self.grid.row(&self.diag, y), 1, m);
        out.fill(0.0);
        let out = lanes_mut(out, 1, m);
        let ((from, to), run) = (span(&self.spans, y), span(&self.runs, y));
        for g in from..to {
            let (inv, diag) = (pick(run, g, &QUARTERS, inv), pick(run, g, &FOURS, diag));
            let mut r = [0.0; LANES];
            for k in 0..LANES {
                let sum = (up[g][k] + down[g][k]) + (left[g][k] + right[g][k]);
                // one factor is 0 outside the region
                r[k] = (inv[k] * (b[g][k] + sum) - mid[g][k]) * diag[k];
            }
            out[g] = r;
        }
    }
}

/// One group of [`Fine::residual_f64`]; `at(p, k)` is the solution above, below, left, right and at cell `k`.
#[inline(always)]
fn residual_group(
    sums: &mut [f64; LANES],
    out: &mut [f32; LANES],
    b: &[f32; LANES],
    diag: &[f32; LANES],
    at: impl Fn(usize, usize) -> f64,
) {
    let mut v = [0.0f64; LANES];
    for k in 0..LANES {
        let sum = (at(0, k) + at(1, k)) + (at(2, k) + at(3, k));
        let d = f64::from(diag[k]);
        let r = f64::from(b[k]) + sum - d * at(4, k);
        v[k] = if d > 0.0 { r } else { 0.0 };
    }
    for k in 0..LANES {
        sums[k] += v[k] * v[k];
        out[k] = v[k] as f32;
    }
}
