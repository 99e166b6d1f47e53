//! Row kernels of a cycle on one grid: smoothing fused with restriction and prolongation.

use super::UnitVectors;
use super::bilinear::{Bilinear, RowBuffers};
use crate::poisson::grid::{Grid, LANES, Spans, lanes, lanes_mut, span};

/// Row kernels of a grid.
pub(super) trait RowKernels {
    fn grid(&self) -> Grid;
    /// The inverse diagonal, 0 outside the region.
    fn inv(&self) -> &[f32];
    fn spans(&self) -> &Spans;
    /// Groups of each row that lie wholly in the region.
    fn runs(&self) -> &Spans;
    /// Gauss-Seidel on the cells of row `y` whose `x` is odd or even.
    fn relax<const ODD: bool>(&self, u: &mut [f32], b: &[f32], y: usize);
    /// `b - A u` along row `y`, to `out` (padded); zero outside the region.
    fn residual(&self, u: &[f32], b: &[f32], y: usize, out: &mut [f32]);

    /// [`Self::relax`] where all of `u` is 0, whatever stands there: the other cells become 0, and on a nine-point grid
    /// cells of one color do not see each other.
    #[inline(always)]
    fn start<const ODD: bool>(&self, u: &mut [f32], b: &[f32], y: usize) {
        let (grid, m) = (self.grid(), self.grid().groups());
        let (b, inv) = (lanes(grid.row(b, y), 1, m), lanes(grid.row(self.inv(), y), 1, m));
        let u = lanes_mut(grid.row_mut(u, y), 1, m);
        let (from, to) = span(self.spans(), y);
        for g in from..to {
            let mut next = [0.0; LANES];
            for k in 0..LANES {
                next[k] = if (k % 2 == 1) == ODD { inv[g][k] * b[g][k] } else { 0.0 };
            }
            u[g] = next;
        }
    }

    /// Relaxes the cells of row `y` that are red (`x + y` even) or black.
    #[inline(always)]
    fn relax_color(&self, u: &mut [f32], b: &[f32], y: usize, black: bool) {
        if (y % 2 == 1) == black { self.relax::<false>(u, b, y) } else { self.relax::<true>(u, b, y) }
    }

    /// One red-black sweep, the black rows following the red ones.
    #[inline(always)]
    fn sweep(&self, u: &mut [f32], b: &[f32]) {
        let h = self.grid().height;
        for k in 0..=h {
            if k < h {
                self.relax_color(u, b, k, false);
            }
            if k > 0 {
                self.relax_color(u, b, k - 1, true);
            }
        }
    }

    /// The last sweep on the way down, `from_zero` or from what stands in `u`, then `P^T (b - A u)`.
    #[inline(always)]
    fn sweep_and_restrict(&self, t: &Bilinear, v: &mut UnitVectors, coarse: (&mut [f32], &Spans), from_zero: bool) {
        let h = self.grid().height;
        let UnitVectors { u, b, scratch } = v;
        let RowBuffers { ring, restricted, .. } = scratch;
        for k in 0..h + 2 {
            if k < h && from_zero {
                if k % 2 == 0 { self.start::<false>(u, b, k) } else { self.start::<true>(u, b, k) }
            } else if k < h {
                self.relax_color(u, b, k, false);
            }
            if (1..=h).contains(&k) {
                self.relax_color(u, b, k - 1, true);
            }
            let Some(y) = k.checked_sub(2) else { continue };
            self.residual(u, b, y, &mut ring[y % 3]);
            // rows 2Y - 1, 2Y, 2Y + 1 are there once an odd row, or the last one, is
            if y % 2 == 1 || y + 1 == h {
                let even = y - y % 2;
                let above = even.checked_sub(1).map(|a| &ring[a % 3][..]);
                let below = (y % 2 == 1).then(|| &ring[y % 3][..]);
                let buffers = restricted.each_mut().map(|r| &mut r[..]);
                let (b, spans) = (&mut *coarse.0, span(coarse.1, even / 2));
                t.restrict_row([above, Some(&ring[even % 3]), below], buffers, b, even / 2, spans);
            }
        }
    }

    /// `u += P e`, then the first sweep on the way up.
    #[inline(always)]
    fn correct_and_sweep(&self, t: &Bilinear, e: &[f32], v: &mut UnitVectors) {
        let h = self.grid().height;
        let UnitVectors { u, b, scratch } = v;
        for k in 0..h + 2 {
            if k < h {
                let spans = (span(self.spans(), k), span(self.runs(), k));
                t.prolong_row::<true>(e, &mut scratch.prolonged, self.inv(), u, k, spans);
            }
            if (1..=h).contains(&k) {
                self.relax_color(u, b, k - 1, false);
            }
            if k >= 2 {
                self.relax_color(u, b, k - 2, true);
            }
        }
    }
}
