//! Multigrid for unit diffusivity, the common case of compositing, where it is fastest.
//!
//! The finest grid stores one diagonal and no couplings, interpolation is bilinear and stores no weights, coarser grids
//! are Galerkin products that are computed only near the region's edge, and a cycle walks each grid twice: down with
//! both colors' sweeps, the residual and its restriction a few rows apart, and up with the correction and both sweeps.

mod bilinear;
mod fine;
mod kernels;
mod nine;
mod setup;

use crate::poisson::grid::{Grid, span};
use crate::simd::widely;
use bilinear::{Bilinear, RowBuffers};
use kernels::RowKernels;
use ndarray::ArrayView2;
pub(crate) use setup::quantized;
use setup::{UnitGrids, restrict_all};

/// Grids of one region.
pub(crate) struct UnitHierarchy {
    levels: UnitGrids,
    sweeps: usize,
}

/// Vectors of one grid.
struct UnitVectors {
    u: Vec<f32>,
    b: Vec<f32>,
    scratch: RowBuffers,
}

/// Vectors of all grids; one set per channel being solved.
pub(crate) struct UnitWorkspace(Vec<UnitVectors>);

/// Sweeps on the coarsest grid, which is a few cells tied to the boundary.
const COARSEST_SWEEPS: usize = 4;

impl UnitHierarchy {
    /// Grids for the region `mask` with the screening `lambda` ([`quantized`]; 0 if `None`), for V(`sweeps`, `sweeps`)
    /// cycles, `sweeps` >= 1.
    pub(crate) fn new(mask: ArrayView2<'_, bool>, lambda: Option<ArrayView2<'_, f32>>, sweeps: usize) -> Self {
        UnitHierarchy { levels: setup::build(mask, lambda), sweeps }
    }

    /// The padded layout of the finest vectors.
    pub(crate) fn grid(&self) -> Grid {
        self.levels.fine.grid
    }

    pub(crate) fn workspace(&self) -> UnitWorkspace {
        let grids = std::iter::once(self.grid()).chain(self.levels.coarser.iter().map(|(_, n)| n.grid));
        let vectors = |grid: Grid| UnitVectors {
            u: vec![0.0; grid.len()],
            b: vec![0.0; grid.len()],
            scratch: RowBuffers::new(grid),
        };
        UnitWorkspace(grids.map(vectors).collect())
    }

    /// The residual to correct, to be filled before [`Self::cycle`] or [`Self::full_multigrid`].
    pub(crate) fn residual_mut<'a>(&self, work: &'a mut UnitWorkspace) -> &'a mut Vec<f32> {
        &mut work.0[0].b
    }

    /// The correction found so far.
    pub(crate) fn correction_mut<'a>(&self, work: &'a mut UnitWorkspace) -> &'a mut Vec<f32> {
        &mut work.0[0].u
    }

    /// `r = b - A (high + low)` in f64, and `||r||^2`.
    pub(crate) fn residual_f64(&self, b: &[f32], high: &[f32], low: Option<&[f32]>, r: &mut [f32]) -> f64 {
        self.levels.fine.residual_f64(b, high, low, r)
    }

    /// One V-cycle that goes on from the correction found so far, or starts from none.
    pub(crate) fn cycle(&self, work: &mut UnitWorkspace, from_zero: bool) {
        self.descend(0, &mut work.0, from_zero);
    }

    /// One sweep on the finest grid, from the correction found so far.
    pub(crate) fn sweep(&self, work: &mut UnitWorkspace) {
        let Some(UnitVectors { u, b, .. }) = work.0.first_mut() else { return };
        widely(
            #[inline(always)]
            || self.levels.fine.sweep(u, b),
        );
    }

    /// Nested iteration: solves the coarsest problem first and hands each grid its start.
    pub(crate) fn full_multigrid(&self, work: &mut UnitWorkspace) {
        for (l, (transfer, coarse)) in self.levels.coarser.iter().enumerate() {
            let (upper, lower) = work.0.split_at_mut(l + 1);
            let UnitVectors { b, scratch, .. } = &mut upper[l];
            restrict_all(transfer, b, &coarse.spans, scratch, &mut lower[0].b);
        }
        let last = self.levels.coarser.len();
        self.descend(last, &mut work.0[last..], true);
        for l in (0..last).rev() {
            let (upper, lower) = work.0.split_at_mut(l + 1);
            let (transfer, _) = &self.levels.coarser[l];
            let e = &lower[0].u;
            if l == 0 {
                start(&self.levels.fine, transfer, e, &mut upper[l]);
            } else {
                start(&self.levels.coarser[l - 1].1, transfer, e, &mut upper[l]);
            }
            self.descend(l, &mut work.0[l..], false);
        }
    }

    /// V-cycle on grid `l`, whose vectors are the first of `vectors`, `from_zero` or from the guess that stands there.
    fn descend(&self, l: usize, vectors: &mut [UnitVectors], from_zero: bool) {
        if l == 0 {
            self.descend_from(&self.levels.fine, l, vectors, from_zero);
        } else {
            self.descend_from(&self.levels.coarser[l - 1].1, l, vectors, from_zero);
        }
    }

    fn descend_from(&self, level: &impl RowKernels, l: usize, vectors: &mut [UnitVectors], from_zero: bool) {
        let Some((own, lower)) = vectors.split_first_mut() else { return };
        let start_here = from_zero && self.sweeps == 1 && !lower.is_empty();
        if from_zero && !start_here {
            own.u.fill(0.0);
        }
        let (Some((next, _)), Some((transfer, coarse))) = (lower.split_first_mut(), self.levels.coarser.get(l)) else {
            widely(
                #[inline(always)]
                || {
                    for _ in 0..COARSEST_SWEEPS {
                        level.sweep(&mut own.u, &own.b);
                    }
                },
            );
            return;
        };
        widely(
            #[inline(always)]
            || {
                for _ in 1..self.sweeps {
                    level.sweep(&mut own.u, &own.b);
                }
                level.sweep_and_restrict(transfer, own, (&mut next.b, &coarse.spans), start_here);
            },
        );
        self.descend(l + 1, lower, true);
        let e = &lower[0].u;
        widely(
            #[inline(always)]
            || {
                level.correct_and_sweep(transfer, e, own);
                for _ in 1..self.sweeps {
                    level.sweep(&mut own.u, &own.b);
                }
            },
        );
    }
}

/// `u = P e`.
fn start(level: &impl RowKernels, transfer: &Bilinear, e: &[f32], v: &mut UnitVectors) {
    widely(
        #[inline(always)]
        || {
            for y in 0..level.grid().height {
                let spans = (span(level.spans(), y), span(level.runs(), y));
                transfer.prolong_row::<false>(e, &mut v.scratch.prolonged, level.inv(), &mut v.u, y, spans);
            }
        },
    );
}
