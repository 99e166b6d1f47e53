//! Bilinear interpolation between a grid and the next coarser one, whose cell `(Y, X)` is the finer one's `(2Y, 2X)`.
//!
//! Cells outside the region are 0 on every grid. Beyond the last coarse column or row, a zero-flux edge of the frame
//! repeats it (`fold`); the region's boundary is the value 0.

use crate::poisson::grid::{Grid, LANES, lanes, lanes_mut, pick};

/// `out[x] = row[2 x]`. Not inlined into wide code, where it becomes gathers.
#[inline(never)]
fn every_other(row: &[f32], out: &mut [f32]) {
    for (out, pair) in out.iter_mut().zip(row.as_chunks::<2>().0) {
        *out = pair[0];
    }
}

/// `out[2 x] = even[x]`, `out[2 x + 1] = odd[x]`; not inlined, as [`every_other`].
#[inline(never)]
fn alternate(even: &[f32], odd: &[f32], out: &mut [f32]) {
    for ((pair, &e), &o) in out.as_chunks_mut::<2>().0.iter_mut().zip(even).zip(odd) {
        *pair = [e, o];
    }
}

/// The geometry of one step between grids.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bilinear {
    pub(crate) fine: Grid,
    pub(crate) coarse: Grid,
    /// The last fine column lies beyond the last coarse one and before a zero-flux edge.
    pub(crate) fold_right: bool,
    pub(crate) fold_bottom: bool,
}

/// Scratch rows of a grid. Values beyond the grid stay 0, but for `prolonged`.
#[derive(Debug, Clone)]
pub(crate) struct RowBuffers {
    /// Residual rows, the last three.
    pub(crate) ring: [Vec<f32>; 3],
    /// A row of the correction, and its even and odd cells.
    pub(crate) prolonged: [Vec<f32>; 3],
    /// A row summed over columns of cells, and then along it.
    pub(crate) restricted: [Vec<f32>; 2],
}

impl RowBuffers {
    pub(crate) fn new(fine: Grid) -> Self {
        let row = || vec![0.0f32; fine.stride + 2 * LANES];
        RowBuffers { ring: [row(), row(), row()], prolonged: [row(), row(), row()], restricted: [row(), row()] }
    }
}

impl Bilinear {
    pub(crate) fn new(fine: Grid, frame_right: bool, frame_bottom: bool) -> Self {
        let coarse = Grid::new(fine.height.div_ceil(2), fine.width.div_ceil(2));
        Bilinear {
            fine,
            coarse,
            fold_right: frame_right && fine.width.is_multiple_of(2),
            fold_bottom: frame_bottom && fine.height.is_multiple_of(2),
        }
    }

    /// Row `y` of `P^T r` in the coarse groups `span`, from the fine rows `2y - 1`, `2y` and `2y + 1` (padded; `None`
    /// beyond the grid).
    #[inline(always)]
    pub(crate) fn restrict_row(
        &self,
        rows: [Option<&[f32]>; 3],
        [row, sums]: [&mut [f32]; 2],
        b: &mut [f32],
        y: usize,
        span: (usize, usize),
    ) {
        let m = self.fine.groups();
        // fine groups over the span, and over its neighbors' cells
        let (from, to) = (2 * span.0, (2 * span.1).min(m));
        let (reach_from, reach_to) = (from.saturating_sub(1), (to + 1).min(m));
        if from >= to {
            return;
        }
        let weight_below = if self.fold_bottom && y + 1 == self.coarse.height { 1.0f32 } else { 0.5 };
        let [above, here, below] = rows.map(|row| row.map(|r| lanes(r, 1, m)));
        let out = lanes_mut(row, 1, m);
        for g in reach_from..reach_to {
            let mut sum = here.map_or([0.0; LANES], |h| h[g]);
            if let Some(a) = above {
                for k in 0..LANES {
                    sum[k] += 0.5 * a[g][k];
                }
            }
            if let Some(b) = below {
                for k in 0..LANES {
                    sum[k] += weight_below * b[g][k];
                }
            }
            out[g] = sum;
        }
        // cell x sits at x + 1; `sums` holds the weighted sum around it at x
        let (left, mid, right) = (lanes(row, 0, m), lanes(row, 1, m), lanes(row, 2, m));
        let out = lanes_mut(sums, 0, m);
        for g in from..to {
            let mut sum = [0.0; LANES];
            for k in 0..LANES {
                sum[k] = mid[g][k] + 0.5 * (left[g][k] + right[g][k]);
            }
            out[g] = sum;
        }
        let n = self.coarse.width;
        let (x, end) = (span.0 * LANES, (span.1 * LANES).min(n));
        let b = &mut self.coarse.row_mut(b, y)[1..][..n];
        every_other(&sums[2 * x..], &mut b[x..end]);
        if self.fold_right && end == n {
            b[n - 1] += 0.5 * row[2 * n];
        }
    }

    /// Row `y` of `P e`, which is added to the fine row `y` of `u` or takes its place, in the region (`inv` > 0), whose
    /// groups are `span`; those of `run` lie wholly in it.
    #[inline(always)]
    pub(crate) fn prolong_row<const ADD: bool>(
        &self,
        e: &[f32],
        rows: &mut [Vec<f32>; 3],
        inv: &[f32],
        u: &mut [f32],
        y: usize,
        (span, run): ((usize, usize), (usize, usize)),
    ) {
        let (n, m) = (self.coarse.width, self.coarse.groups());
        let (from, to) = (span.0 / 2, span.1.div_ceil(2).min(m));
        if from >= to {
            return;
        }
        let [row, even, odd] = rows;
        let above = self.coarse.row(e, y / 2);
        let (a, next_a) = (lanes(above, 1, m), lanes(above, 2, m));
        {
            let (even, odd) = (lanes_mut(even, 0, m), lanes_mut(odd, 0, m));
            if y.is_multiple_of(2) {
                for g in from..to {
                    let mut next = [0.0; LANES];
                    for k in 0..LANES {
                        next[k] = 0.5 * (a[g][k] + next_a[g][k]);
                    }
                    (even[g], odd[g]) = (a[g], next);
                }
            } else {
                let last = self.fold_bottom && y / 2 + 1 == self.coarse.height;
                let below = self.coarse.row(e, y / 2 + usize::from(!last));
                let (b, next_b) = (lanes(below, 1, m), lanes(below, 2, m));
                for g in from..to {
                    let (mut here, mut next) = ([0.0; LANES], [0.0; LANES]);
                    for k in 0..LANES {
                        here[k] = 0.5 * (a[g][k] + b[g][k]);
                        next[k] = 0.5 * (here[k] + 0.5 * (next_a[g][k] + next_b[g][k]));
                    }
                    (even[g], odd[g]) = (here, next);
                }
            }
        }
        let (x, end) = (from * LANES, (to * LANES).min(n));
        let values = &mut row[1..][..2 * n];
        alternate(&even[x..end], &odd[x..end], &mut values[2 * x..2 * end]);
        if self.fold_right {
            values[2 * n - 1] = values[2 * n - 2];
        }
        let m = self.fine.groups();
        let row = lanes(row, 1, m);
        let inv = lanes(self.fine.row(inv, y), 1, m);
        let u = lanes_mut(self.fine.row_mut(u, y), 1, m);
        for g in span.0..span.1 {
            let inside = pick(run, g, &[1.0; LANES], inv);
            for k in 0..LANES {
                let p = if inside[k] > 0.0 { row[g][k] } else { 0.0 };
                u[g][k] = if ADD { u[g][k] + p } else { p };
            }
        }
    }
}
