//! Bilinear interpolation between a grid and the next coarser one, whose cell `(Y, X)` is the finer one's `(2Y, 2X)`.
//!
//! Cells outside the region are 0 on every grid. Beyond the last coarse column or row, a zero-flux edge of the frame
//! repeats it (`fold`); the region's boundary is the value 0.

use super::rows::{Grid, LANES, lanes, lanes_mut};

/// The geometry of one step between grids.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transfer {
    pub(crate) fine: Grid,
    pub(crate) coarse: Grid,
    /// The last fine column lies beyond the last coarse one and before a zero-flux edge.
    pub(crate) fold_right: bool,
    pub(crate) fold_bottom: bool,
}

/// Scratch rows; `at least` as long as two padded coarse rows.
#[derive(Debug, Clone)]
pub(crate) struct Scratch {
    /// Residual rows, the last three.
    pub(crate) ring: [Vec<f32>; 3],
    pub(crate) row: Vec<f32>,
}

impl Scratch {
    pub(crate) fn new(fine: Grid) -> Self {
        let row = || vec![0.0f32; fine.stride + 2 * LANES];
        Scratch { ring: [row(), row(), row()], row: row() }
    }
}

impl Transfer {
    pub(crate) fn new(fine: Grid, frame_right: bool, frame_bottom: bool) -> Self {
        let coarse = Grid::new(fine.height.div_ceil(2), fine.width.div_ceil(2));
        Transfer {
            fine,
            coarse,
            fold_right: frame_right && fine.width.is_multiple_of(2),
            fold_bottom: frame_bottom && fine.height.is_multiple_of(2),
        }
    }

    /// Row `y` of `P^T r`, from the fine rows `2y - 1`, `2y` and `2y + 1` (padded; `None` beyond the grid).
    #[inline(always)]
    pub(crate) fn restrict_row(
        &self,
        rows: [Option<&[f32]>; 3],
        row: &mut [f32],
        b: &mut [f32],
        y: usize,
    ) {
        let m = self.fine.groups();
        let weight_below = if self.fold_bottom && y + 1 == self.coarse.height { 1.0f32 } else { 0.5 };
        {
            let out = lanes_mut(row, 1, m);
            let [above, here, below] = rows;
            let here = here.map(|r| lanes(r, 1, m));
            match (above.map(|r| lanes(r, 1, m)), here, below.map(|r| lanes(r, 1, m))) {
                (Some(a), Some(h), Some(b)) => {
                    for g in 0..m {
                        for k in 0..LANES {
                            out[g][k] = h[g][k] + (0.5 * a[g][k] + weight_below * b[g][k]);
                        }
                    }
                }
                (Some(a), Some(h), None) => {
                    for g in 0..m {
                        for k in 0..LANES {
                            out[g][k] = h[g][k] + 0.5 * a[g][k];
                        }
                    }
                }
                (None, Some(h), Some(b)) => {
                    for g in 0..m {
                        for k in 0..LANES {
                            out[g][k] = h[g][k] + weight_below * b[g][k];
                        }
                    }
                }
                (_, h, _) => {
                    for g in 0..m {
                        out[g] = h.map_or([0.0; LANES], |h| h[g]);
                    }
                }
            }
        }
        let n = self.coarse.width;
        let out = &mut self.coarse.row_mut(b, y)[1..][..n];
        // cell 2x sits at 2x + 1; the cell left of the first one is padding and 0
        let (left, pairs) = (&row[..2 * n], &row[1..][..2 * n]);
        for ((out, left), pair) in out.iter_mut().zip(left.chunks_exact(2)).zip(pairs.chunks_exact(2)) {
            *out = pair[0] + 0.5 * (left[0] + pair[1]);
        }
        if self.fold_right {
            out[n - 1] += 0.5 * row[2 * n];
        }
    }

    /// Adds row `y` of `P e` to the fine row `y` of `u`, in the region (`inv` > 0).
    #[inline(always)]
    pub(crate) fn prolong_row(&self, e: &[f32], row: &mut [f32], inv: &[f32], u: &mut [f32], y: usize) {
        let n = self.coarse.width;
        let above = &self.coarse.row(e, y / 2)[1..][..n + 1];
        let values = &mut row[1..][..2 * n];
        if y.is_multiple_of(2) {
            for (pair, e) in values.chunks_exact_mut(2).zip(above.windows(2)) {
                pair[0] = e[0];
                pair[1] = 0.5 * (e[0] + e[1]);
            }
        } else {
            let last = self.fold_bottom && y / 2 + 1 == self.coarse.height;
            let below = &self.coarse.row(e, y / 2 + usize::from(!last))[1..][..n + 1];
            for ((pair, a), b) in values.chunks_exact_mut(2).zip(above.windows(2)).zip(below.windows(2)) {
                let (here, next) = (0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1]));
                pair[0] = here;
                pair[1] = 0.5 * (here + next);
            }
        }
        if self.fold_right {
            values[2 * n - 1] = values[2 * n - 2];
        }
        let m = self.fine.groups();
        let row = lanes(row, 1, m);
        let inv = lanes(self.fine.row(inv, y), 1, m);
        let u = lanes_mut(self.fine.row_mut(u, y), 1, m);
        for g in 0..m {
            for k in 0..LANES {
                u[g][k] += if inv[g][k] > 0.0 { row[g][k] } else { 0.0 };
            }
        }
    }
}
