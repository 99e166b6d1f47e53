//! Setup of the operators of every grid from a mask.
//!
//! A coarser operator is the Galerkin product `P^T A P` of the Laplacian with the bilinear interpolation `P`; far from
//! the region's edge that is one and the same stencil, so only cells near the edge are computed one by one. The
//! screening goes down as `P^T lambda`, lumped on the diagonal: never less than its Galerkin product, so a cycle never
//! raises the energy.

use super::bilinear::{Bilinear, RowBuffers};
use super::fine::Fine;
use super::nine::{Nine, Regular};
use crate::poisson::grid::{Grid, LANES, Spans, span, spans};
use crate::simd::widely;
use ndarray::{ArrayView2, Axis};

/// Grids of [`super::UnitHierarchy`], with the transfers between them.
pub(crate) struct UnitGrids {
    pub(crate) fine: Fine,
    pub(crate) coarser: Vec<(Bilinear, Nine)>,
}

/// Laplacian of a grid, cell by cell.
struct Laplacian<'a, F> {
    /// Diagonal, 0 outside the region.
    diag: &'a [f32],
    /// Couplings of a cell to the right, below left, below, below right.
    later: F,
}

impl<F: Fn(usize) -> [f32; 4]> Laplacian<'_, F> {
    #[inline(always)]
    fn active(&self, i: usize) -> bool {
        self.diag[i] > 0.0
    }
}

/// Rounds a screening to a multiple of 2^-21, so that the diagonal `4 + lambda` holds it exactly.
#[inline(always)]
pub(crate) fn quantized(lambda: f32) -> f32 {
    (4.0 + lambda) - 4.0
}

/// Builds all grids for the region `mask` with the screening `lambda` (quantized).
pub(crate) fn build(mask: ArrayView2<'_, bool>, lambda: Option<ArrayView2<'_, f32>>) -> UnitGrids {
    let (h, w) = mask.dim();
    let grid = Grid::new(h, w);
    let mut lap = vec![0.0f32; grid.len()];
    let mut screen = lambda.map(|_| vec![0.0f32; grid.len()]);
    for (y, row) in mask.outer_iter().enumerate() {
        let faces = 4.0 - f32::from(u8::from(y == 0)) - f32::from(u8::from(y + 1 == h));
        let out = &mut grid.row_mut(&mut lap, y)[1..][..w];
        for (out, &m) in out.iter_mut().zip(row) {
            *out = if m { faces } else { 0.0 };
        }
        for x in [0, w - 1] {
            // both are the same cell in a single column
            out[x] = (out[x] - 1.0).max(0.0);
        }
        if let (Some(screen), Some(lambda)) = (&mut screen, lambda) {
            let screen = &mut grid.row_mut(screen, y)[1..][..w];
            for ((s, &l), &m) in screen.iter_mut().zip(lambda.index_axis(Axis(0), y)).zip(row) {
                *s = if m { l } else { 0.0 };
            }
        }
    }
    let frame_right = mask.index_axis(Axis(1), w - 1).iter().any(|&m| m);
    let frame_bottom = mask.index_axis(Axis(0), h - 1).iter().any(|&m| m);
    let mut regular = regular_cells(grid, &lap);
    let run = |y: usize| if screen.is_some() { (0, 0) } else { whole_groups(&regular[grid.at(y, 0)..][..w]) };
    let runs = (0..h).map(run).collect();
    // the Laplacian's diagonal is kept beside the operator's only where a screening tells them apart
    let (diag, mut unscreened) = match &screen {
        Some(screen) => (lap.iter().zip(screen).map(|(d, s)| d + s).collect(), Some(lap)),
        None => (lap, None),
    };
    let fine = Fine { grid, inv: inverse(&diag), spans: spans(grid, &diag), runs, diag };
    let mut stencil = Regular { beside: 1.0, diagonal: 0.0, diag: 4.0 };
    let mut coarser: Vec<(Bilinear, Nine)> = Vec::new();
    loop {
        let (above, diag) = coarser.last().map_or((fine.grid, &fine.diag), |(_, n)| (n.grid, &n.diag));
        if above.width.max(above.height) <= COARSEST {
            break;
        }
        let transfer = Bilinear::new(above, frame_right, frame_bottom);
        stencil = coarser_stencil(stencil);
        let mut nine = Nine::zeros(transfer.coarse, stencil);
        let mut lap = vec![0.0f32; transfer.coarse.len()];
        let coarse_regular = erode(&transfer, &regular);
        let diag = unscreened.as_ref().unwrap_or(diag);
        match coarser.last() {
            None => {
                let both = |i: usize, j: usize| if diag[i] > 0.0 && diag[j] > 0.0 { 1.0 } else { 0.0 };
                let later = |i| [both(i, i + 1), 0.0, both(i, i + grid.stride), 0.0];
                galerkin(&transfer, &Laplacian { diag, later }, &coarse_regular, &mut nine, &mut lap);
            }
            Some((_, n)) => {
                let later = |i: usize| [n.east[i], n.south_west[i], n.south[i], n.south_east[i]];
                galerkin(&transfer, &Laplacian { diag, later }, &coarse_regular, &mut nine, &mut lap);
            }
        }
        if !lap.iter().any(|&d| d > 0.0) {
            break;
        }
        (nine.diag, unscreened) = match &mut screen {
            Some(screen) => {
                *screen = restrict(&transfer, screen, &spans(nine.grid, &lap));
                let sum = |(d, s): (&f32, &f32)| if *d > 0.0 { d + s } else { 0.0 };
                (lap.iter().zip(&*screen).map(sum).collect(), Some(lap))
            }
            None => (lap, None),
        };
        nine.inv = inverse(&nine.diag);
        nine.spans = spans(nine.grid, &nine.diag);
        regular = coarse_regular;
        coarser.push((transfer, nine));
    }
    UnitGrids { fine, coarser }
}

/// Grids with neither side longer than this are not coarsened any more: one cell, which a sweep solves exactly, so that
/// a region without a boundary converges too.
const COARSEST: usize = 1;

fn inverse(diag: &[f32]) -> Vec<f32> {
    diag.iter().map(|&d| if d > 0.0 { 1.0 / d } else { 0.0 }).collect()
}

/// Marks the cells that have all four neighbors in the region.
fn regular_cells(grid: Grid, lap: &[f32]) -> Vec<u8> {
    let mut regular = vec![0u8; grid.len()];
    for y in 1..grid.height.saturating_sub(1) {
        let [up, row, down] = grid.rows(lap, y);
        let out = &mut regular[(y + 1) * grid.stride..][..grid.stride];
        for x in 1..grid.width + 1 {
            let all = (up[x] > 0.0) & (down[x] > 0.0) & (row[x - 1] > 0.0) & (row[x] > 0.0) & (row[x + 1] > 0.0);
            out[x] = u8::from(all);
        }
    }
    regular
}

/// Which coarse cells lie in a window of 5 x 5 regular fine ones.
fn erode(transfer: &Bilinear, regular: &[u8]) -> Vec<u8> {
    let (fine, coarse) = (transfer.fine, transfer.coarse);
    let mut out = vec![0u8; coarse.len()];
    let mut all = vec![0u8; fine.stride];
    for y in 1..coarse.height {
        if 2 * y + 2 >= fine.height {
            break;
        }
        let row = |k: usize| &regular[(2 * y + k - 1) * fine.stride..][..fine.stride];
        let rows = [row(0), row(1), row(2), row(3), row(4)];
        for (x, all) in all.iter_mut().enumerate() {
            *all = rows[0][x] & rows[1][x] & rows[2][x] & rows[3][x] & rows[4][x];
        }
        let out = &mut out[(y + 1) * coarse.stride + 1..][..coarse.width];
        for (x, out) in out.iter_mut().enumerate().skip(1) {
            // cell 2x sits at 2x + 1
            let window = &all[2 * x - 1..][..5];
            *out = window[0] & window[1] & window[2] & window[3] & window[4];
        }
    }
    out
}

/// The Galerkin product far from the edge.
fn coarser_stencil(s: Regular) -> Regular {
    // 1-D bilinear weights (1/2, 1, 1/2); the stencil as coupling to offset (dy, dx), diagonal positive
    let entry = |dy: i32, dx: i32| match (dy.abs(), dx.abs()) {
        (0, 0) => f64::from(s.diag),
        (0, 1) | (1, 0) => -f64::from(s.beside),
        (1, 1) => -f64::from(s.diagonal),
        _ => 0.0,
    };
    let weight = |d: i32| [0.5, 1.0, 0.5].get((d + 1) as usize).copied().unwrap_or(0.0);
    let product = |oy: i32, ox: i32| {
        let mut sum = 0.0;
        for py in -1..=1 {
            for px in -1..=1 {
                for qy in -1..=1 {
                    for qx in -1..=1 {
                        // from the own column's cell p to the other column's cell q, centered at twice the offset
                        let a = entry(2 * oy + qy - py, 2 * ox + qx - px);
                        sum += weight(py) * weight(px) * a * weight(qy) * weight(qx);
                    }
                }
            }
        }
        sum as f32
    };
    Regular { beside: -product(0, 1), diagonal: -product(1, 1), diag: product(0, 0) }
}

/// Fills `nine`'s couplings and runs, and the Laplacian's diagonal.
fn galerkin(
    transfer: &Bilinear,
    a: &Laplacian<'_, impl Fn(usize) -> [f32; 4]>,
    regular: &[u8],
    nine: &mut Nine,
    lap: &mut [f32],
) {
    let (fine, coarse) = (transfer.fine, transfer.coarse);
    let Regular { beside, diagonal, diag } = nine.regular;
    for y in 0..coarse.height {
        let first = coarse.at(y, 0);
        let is_regular = &regular[first..][..coarse.width];
        let (from, to) = longest_run(is_regular);
        nine.runs[y] = whole_groups(is_regular);
        nine.east[first + from..first + to].fill(beside);
        nine.south[first + from..first + to].fill(beside);
        nine.south_east[first + from..first + to].fill(diagonal);
        nine.south_west[first + from..first + to].fill(diagonal);
        lap[first + from..first + to].fill(diag);
        for x in (0..from).chain(to..coarse.width) {
            let c = first + x;
            if is_regular[x] != 0 {
                (nine.east[c], nine.south[c]) = (beside, beside);
                (nine.south_east[c], nine.south_west[c]) = (diagonal, diagonal);
                lap[c] = diag;
            } else if a.active(fine.at(2 * y, 2 * x)) {
                let entries = product(transfer, a, y, x);
                // what is left of a region without a boundary may round to 0, but the cell is in the region
                lap[c] = entries[0].max(f32::MIN_POSITIVE);
                nine.east[c] = -entries[1];
                nine.south_west[c] = -entries[2];
                nine.south[c] = -entries[3];
                nine.south_east[c] = -entries[4];
            }
        }
    }
}

/// The groups that lie in the longest run of regular cells of a row.
fn whole_groups(cells: &[u8]) -> (u32, u32) {
    let (from, to) = longest_run(cells);
    let (from, to) = (from.div_ceil(LANES) as u32, (to / LANES) as u32);
    if from < to { (from, to) } else { (0, 0) }
}

fn longest_run(cells: &[u8]) -> (usize, usize) {
    let (mut best, mut start) = ((0, 0), 0);
    for (x, &c) in cells.iter().enumerate() {
        if c == 0 {
            start = x + 1;
        } else if x + 1 - start > best.1 - best.0 {
            best = (start, x + 1);
        }
    }
    best
}

/// Column of the interpolation that belongs to coarse cell `(y, x)`: weights on the 3 x 3 fine cells around it.
#[inline(always)]
fn column(transfer: &Bilinear, a: &Laplacian<'_, impl Fn(usize) -> [f32; 4]>, y: usize, x: usize) -> [f32; 9] {
    let (fine, coarse) = (transfer.fine, transfer.coarse);
    let center = fine.at(2 * y, 2 * x);
    if !a.active(center) {
        return [0.0; 9];
    }
    let right = if transfer.fold_right && x + 1 == coarse.width { 1.0 } else { 0.5 };
    let below = if transfer.fold_bottom && y + 1 == coarse.height { 1.0 } else { 0.5 };
    let mut p = [0.0; 9];
    for (ky, wy) in [0.5, 1.0, below].into_iter().enumerate() {
        for (kx, wx) in [0.5, 1.0, right].into_iter().enumerate() {
            let i = center + ky * fine.stride + kx - fine.stride - 1;
            p[ky * 3 + kx] = if a.active(i) { wy * wx } else { 0.0 };
        }
    }
    p
}

/// Entries of `P^T A P` in the row of coarse cell `(y, x)`: itself, and its neighbors right, below left, below, below
/// right.
fn product(transfer: &Bilinear, a: &Laplacian<'_, impl Fn(usize) -> [f32; 4]>, y: usize, x: usize) -> [f32; 5] {
    let (fine, coarse) = (transfer.fine, transfer.coarse);
    let s = fine.stride;
    let own = column(transfer, a, y, x);
    let corner = fine.at(2 * y, 2 * x) - s - 1;
    // A applied to the own column, on the 5 x 5 fine cells around
    let mut image = [0.0f32; 25];
    // each coupling once, from its earlier cell; those of the ring around the 3 x 3 cells lead into it
    for ky in -1i32..3 {
        for kx in -1i32..4 {
            // beyond the padding there is nothing
            let Ok(i) = usize::try_from(corner as i64 + i64::from(ky) * s as i64 + i64::from(kx)) else { continue };
            let inside = |ky: i32, kx: i32| {
                if (0..3).contains(&ky) && (0..3).contains(&kx) { own[(ky * 3 + kx) as usize] } else { 0.0 }
            };
            let here = inside(ky, kx);
            let m = ((ky + 1) * 5 + kx + 1) as usize;
            if here != 0.0 {
                image[m] += here * a.diag[i];
            }
            let couplings = (a.later)(i);
            for (k, (dy, dx)) in [(0, 1), (1, -1), (1, 0), (1, 1)].into_iter().enumerate() {
                let coupling = couplings[k];
                if coupling == 0.0 {
                    continue;
                }
                let there = inside(ky + dy, kx + dx);
                if here != 0.0 && (0..5).contains(&(kx + 1 + dx)) {
                    image[((ky + 1 + dy) * 5 + kx + 1 + dx) as usize] -= coupling * here;
                }
                if there != 0.0 {
                    image[m] -= coupling * there;
                }
            }
        }
    }
    let with = |q: &[f32; 9], dy: i32, dx: i32| {
        let mut sum = 0.0;
        for ky in 0..3 {
            for kx in 0..3 {
                let (my, mx) = (ky + 1 + 2 * dy, kx + 1 + 2 * dx);
                if (0..5).contains(&my) && (0..5).contains(&mx) {
                    sum += q[(ky * 3 + kx) as usize] * image[(my * 5 + mx) as usize];
                }
            }
        }
        sum
    };
    let mut entries = [with(&own, 0, 0), 0.0, 0.0, 0.0, 0.0];
    for (k, (dy, dx)) in [(0, 1), (1, -1), (1, 0), (1, 1)].into_iter().enumerate() {
        let (ny, nx) = (y + dy, x as i32 + dx);
        if ny < coarse.height && (0..coarse.width as i32).contains(&nx) {
            entries[k + 1] = with(&column(transfer, a, ny, nx as usize), dy as i32, dx);
        }
    }
    entries
}

/// `P^T r`.
fn restrict(transfer: &Bilinear, r: &[f32], spans: &Spans) -> Vec<f32> {
    let mut b = vec![0.0f32; transfer.coarse.len()];
    let mut scratch = RowBuffers::new(transfer.fine);
    restrict_all(transfer, r, spans, &mut scratch, &mut b);
    b
}

/// [`restrict`] into an array, which is 0 outside the region; `spans` are the coarse grid's.
pub(crate) fn restrict_all(transfer: &Bilinear, r: &[f32], spans: &Spans, scratch: &mut RowBuffers, b: &mut [f32]) {
    let fine = transfer.fine;
    widely(
        #[inline(always)]
        || {
            for y in 0..transfer.coarse.height {
                let row = |y: usize| (y < fine.height).then(|| fine.row(r, y));
                let above = if y > 0 { row(2 * y - 1) } else { None };
                let buffers = scratch.restricted.each_mut().map(|r| &mut r[..]);
                transfer.restrict_row([above, row(2 * y), row(2 * y + 1)], buffers, b, y, span(spans, y));
            }
        },
    );
}
