//! Compositing with unit diffusivity: solves the Poisson equation for the correction to the composite.
//!
//! With `e = u - c` the equation `-lap u + lambda u = -div v + lambda c` becomes `A e = r`, whose right-hand side is
//! small and, for imported gradients, zero away from the edge of the mask. The correction is kept as the sum of two f32
//! fields, a large and a small one, so that f32 storage does not limit the residual, which is formed in f64.

use super::guidance::Guidance;
use crate::error::Error;
use crate::parallel;
use crate::poisson::grid::{Grid, LANES};
use crate::poisson::unit_multigrid::{UnitHierarchy, UnitWorkspace, quantized};
use crate::poisson::{Multigrid, SolveStats};
use ndarray::{Array2, ArrayView2, ArrayView3, Axis};

/// Guidance field `v` on the faces between mask pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Field {
    /// Differences of the composite.
    Import,
    /// The stronger of the differences of composite and normal image.
    Mixed,
    /// This share of the composite's differences, the rest the normal image's.
    Blend(f64),
    /// 0: smooth as a membrane.
    Flat,
}

impl From<Guidance> for Field {
    fn from(guidance: Guidance) -> Self {
        match guidance {
            Guidance::Import => Field::Import,
            Guidance::Mixed => Field::Mixed,
            Guidance::Blend(alpha) => Field::Blend((alpha as f32).into()),
        }
    }
}

/// Images over one box of the mask. Beyond the box lies the frame's edge, or pixels that the mask does not touch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) normal: ArrayView3<'a, f32>,
    pub(crate) composite: ArrayView3<'a, f32>,
    pub(crate) mask: ArrayView2<'a, bool>,
    pub(crate) field: Field,
    /// Whether the composite is known beside the mask too, so that `v` on the faces that cross the mask's edge is
    /// formed as inside; otherwise it is the normal image's difference there.
    pub(crate) known_beside: bool,
}

/// Correction of one channel, on a padded grid.
#[derive(Debug)]
pub(crate) struct Correction {
    grid: Grid,
    high: Vec<f32>,
    low: Option<Vec<f32>>,
}

impl Correction {
    /// Correction along a row of the box.
    pub(crate) fn row(&self, y: usize) -> CorrectionRow<'_> {
        let row = |a| &self.grid.row(a, y)[1..][..self.grid.width];
        CorrectionRow { high: row(&self.high), low: self.low.as_ref().map(|l| row(l)) }
    }
}

/// A row of a [`Correction`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct CorrectionRow<'a> {
    high: &'a [f32],
    low: Option<&'a [f32]>,
}

impl CorrectionRow<'_> {
    #[inline(always)]
    pub(crate) fn at(&self, x: usize) -> f32 {
        match self.low {
            Some(low) => self.high[x] + low[x],
            None => self.high[x],
        }
    }
}

/// Cycles after nested iteration before the residual is evaluated.
const FIRST_CYCLES: usize = 1;

/// Most cycles between two evaluations of the residual; more gain nothing in f32.
const MOST_CYCLES: usize = 4;

/// Expected residual reduction per cycle, used until it has been measured. It includes the sweep after the last cycle,
/// which halves what two cycles leave at a fifth of the cost of a third.
const EXPECTED_FACTOR: f64 = 0.04;

/// Least tolerance that corrections in f32 can reach.
const LEAST_TOLERANCE: f64 = 1e-8;

impl Scene<'_> {
    /// Whether [`Self::solve`] can reach the solver's tolerance.
    pub(crate) fn reaches(solver: &Multigrid) -> bool {
        solver.stopping().tolerance() >= LEAST_TOLERANCE
    }

    /// Solves every channel and passes the corrections, one or all at a time, to `sink(first channel, corrections)`.
    pub(crate) fn solve(
        &self,
        lambda: Option<Array2<f32>>,
        solver: &Multigrid,
        mut sink: impl FnMut(usize, &[Correction]),
    ) -> Result<SolveStats, Error> {
        let lambda = lambda.map(|l| l.mapv_into(quantized)).filter(|l| l.iter().any(|&v| v > 0.0));
        let edge = self.edge();
        if edge.is_empty() && lambda.is_none() {
            return Err(Error::NoBoundary);
        }
        let unknowns = self.mask.iter().filter(|&&m| m).count();
        let (grids, norms) = parallel::join(
            unknowns,
            || UnitHierarchy::new(self.mask, lambda.as_ref().map(|l| l.view()), solver.sweeps()),
            || self.norms(lambda.as_ref(), &edge),
        );
        let channel = |k: usize, buffers: Option<Buffers>| {
            let mut buffers = buffers.unwrap_or_else(|| Buffers::new(&grids));
            self.residual(lambda.as_ref(), &edge, k, &grids, &mut buffers.r);
            let mut stats = buffers.correct(&grids, norms[k], solver)?;
            stats.unknowns = unknowns;
            Ok::<_, Error>((stats, buffers))
        };
        let count = self.normal.dim().2;
        let mut total = SolveStats::default();
        if parallel::worthwhile(unknowns) {
            let mut all = Vec::with_capacity(count);
            for one in parallel::map(count, unknowns, |k| channel(k, None)) {
                let (stats, buffers) = one?;
                total.merge(&stats);
                all.push(buffers.correction);
            }
            sink(0, &all);
            return Ok(total);
        }
        // all channels share one set of buffers
        let mut buffers = None;
        for k in 0..count {
            let (stats, done) = channel(k, buffers.take())?;
            total.merge(&stats);
            sink(k, std::slice::from_ref(&done.correction));
            buffers = Some(done);
        }
        Ok(total)
    }

    /// Mask pixels beside a pixel that is not in the mask.
    fn edge(&self) -> Vec<(usize, usize)> {
        let (h, w) = self.mask.dim();
        let mut edge = Vec::new();
        let mask = self.mask.as_standard_layout();
        let Some(mask) = mask.as_slice() else { return edge };
        let row = |y: usize| &mask[y * w..][..w];
        for y in 0..h {
            // beyond the frame there is nothing to be beside
            let (here, above, below) = (row(y), row(y.saturating_sub(1)), row((y + 1).min(h - 1)));
            let beside = |x: usize| {
                let sides = here[x.saturating_sub(1)] & here[(x + 1).min(w - 1)];
                here[x] & !(above[x] & below[x] & sides)
            };
            // most groups have no such pixel, and a branch a group is cheap
            for from in (0..w).step_by(LANES) {
                let to = (from + LANES).min(w);
                let any = if from > 0 && to < w {
                    let (left, right) = (&here[from - 1..to - 1], &here[from + 1..to + 1]);
                    let (here, above, below) = (&here[from..to], &above[from..to], &below[from..to]);
                    (0..here.len()).fold(false, |any, i| any | (here[i] & !(above[i] & below[i] & left[i] & right[i])))
                } else {
                    true
                };
                if any {
                    edge.extend((from..to).filter(|&x| beside(x)).map(|x| (y, x)));
                }
            }
        }
        edge
    }

    /// Guidance `v` from pixel `i` to pixel `j`.
    #[inline(always)]
    pub(crate) fn flux(&self, i: (usize, usize), j: (usize, usize), k: usize) -> f64 {
        let difference = |a: &ArrayView3<'_, f32>| f64::from(a[(j.0, j.1, k)]) - f64::from(a[(i.0, i.1, k)]);
        if !self.known_beside && !self.mask[j] {
            return difference(&self.normal);
        }
        match self.field {
            Field::Flat => 0.0,
            Field::Import => difference(&self.composite),
            Field::Mixed => {
                let (inside, outside) = (difference(&self.composite), difference(&self.normal));
                if outside.abs() > inside.abs() { outside } else { inside }
            }
            Field::Blend(alpha) => alpha * difference(&self.composite) + (1.0 - alpha) * difference(&self.normal),
        }
    }

    /// Right-hand side `b` and residual `b - A c` at a mask pixel.
    #[inline(always)]
    fn entry(&self, i: (usize, usize), k: usize, lambda: f64) -> (f64, f64) {
        let (h, w) = self.mask.dim();
        let here = f64::from(self.composite[(i.0, i.1, k)]);
        let (mut b, mut image) = (lambda * here, lambda * here);
        for j in neighbors(i.0, i.1, h, w) {
            b -= self.flux(i, j, k);
            image += here;
            if self.mask[j] {
                image -= f64::from(self.composite[(j.0, j.1, k)]);
            } else {
                b += f64::from(self.normal[(j.0, j.1, k)]);
            }
        }
        (b, b - image)
    }

    /// Whether the residual `b - A c` vanishes away from the mask's edge.
    fn sparse(&self) -> bool {
        self.field == Field::Import
    }

    /// Writes the residual `b - A c` of a channel to `r`, which holds zeros or another channel's residual.
    fn residual(
        &self,
        lambda: Option<&Array2<f32>>,
        edge: &[(usize, usize)],
        k: usize,
        grids: &UnitHierarchy,
        r: &mut [f32],
    ) {
        let grid = grids.grid();
        let lambda = |i| lambda.map_or(0.0, |l| f64::from(l[i]));
        if self.sparse() {
            for &i in edge {
                r[grid.at(i.0, i.1)] = self.entry(i, k, lambda(i)).1 as f32;
            }
        } else {
            for (i, _) in self.mask.indexed_iter().filter(|(_, m)| **m) {
                r[grid.at(i.0, i.1)] = self.entry(i, k, lambda(i)).1 as f32;
            }
        }
    }

    /// Norms `||b||` of all channels.
    fn norms(&self, lambda: Option<&Array2<f32>>, edge: &[(usize, usize)]) -> Vec<f64> {
        let channels = self.normal.dim().2;
        let mut sums = vec![0.0f64; channels];
        let mut add = |i: (usize, usize)| {
            let screening = lambda.map_or(0.0, |l| f64::from(l[i]));
            for (k, sum) in sums.iter_mut().enumerate() {
                *sum += self.entry(i, k, screening).0.powi(2);
            }
        };
        let inner = if self.sparse() { self.inner_squares(lambda) } else { None };
        match inner {
            Some(inner) => {
                edge.iter().for_each(|&i| add(i));
                sums.iter_mut().zip(inner).for_each(|(sum, inner)| *sum += inner);
            }
            None => self.mask.indexed_iter().filter(|(_, m)| **m).for_each(|(i, _)| add(i)),
        }
        sums.into_iter().map(f64::sqrt).collect()
    }

    /// Sums of `(A c)^2`, per channel, over the mask pixels whose four neighbors lie in the mask: there `b = A c` when
    /// gradients are imported. `None` unless the rows of the composite are contiguous.
    fn inner_squares(&self, lambda: Option<&Array2<f32>>) -> Option<Vec<f64>> {
        let (h, w, channels) = self.composite.dim();
        let mut columns = vec![0.0f32; w * channels];
        let mut runs = Vec::new();
        for y in 1..h.saturating_sub(1) {
            let mask = |y| self.mask.index_axis(Axis(0), y);
            inner_runs([mask(y - 1), mask(y), mask(y + 1)], &mut runs);
            let rows = [y - 1, y, y + 1].map(|y| self.composite.index_axis_move(Axis(0), y));
            let [Some(up), Some(mid), Some(down)] = rows.map(|r| r.to_slice()) else { return None };
            for &(from, to) in &runs {
                let (a, b) = (from * channels, to * channels);
                let n = b - a;
                let (up, mid, down) = (&up[a..b], &mid[a - channels..b + channels], &down[a..b]);
                let (left, right) = (&mid[..n], &mid[2 * channels..]);
                let mid = &mid[channels..];
                let columns = &mut columns[a..b];
                if let Some(l) = lambda {
                    for i in 0..n {
                        let d = 4.0 + l[(y, from + i / channels)];
                        let v = d * mid[i] - ((up[i] + down[i]) + (left[i] + right[i]));
                        columns[i] += v * v;
                    }
                } else {
                    for i in 0..n {
                        let v = 4.0 * mid[i] - ((up[i] + down[i]) + (left[i] + right[i]));
                        columns[i] += v * v;
                    }
                }
            }
        }
        let mut sums = vec![0.0f64; channels];
        for pixel in columns.chunks_exact(channels.max(1)) {
            for (sum, &v) in sums.iter_mut().zip(pixel) {
                *sum += f64::from(v);
            }
        }
        Some(sums)
    }
}

/// Squared norm `||r||^2` in f64.
fn sum_of_squares(r: &[f32]) -> f64 {
    let (groups, rest) = r.as_chunks::<LANES>();
    let mut sums = [0.0f64; LANES];
    for group in groups {
        for (sum, &v) in sums.iter_mut().zip(group) {
            *sum += f64::from(v) * f64::from(v);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>()
}

/// Finds the runs of pixels of the middle row that lie, with all four neighbors, in the mask.
fn inner_runs([above, here, below]: [ndarray::ArrayView1<'_, bool>; 3], runs: &mut Vec<(usize, usize)>) {
    runs.clear();
    let mut start = None;
    for x in 1..here.len() {
        let inner = x + 1 < here.len() && above[x] && below[x] && here[x - 1] && here[x] && here[x + 1];
        match (inner, start) {
            (true, None) => start = Some(x),
            (false, Some(from)) => {
                runs.push((from, x));
                start = None;
            }
            _ => {}
        }
    }
}

/// Neighbors of a pixel that lie in the frame.
#[inline(always)]
fn neighbors(y: usize, x: usize, h: usize, w: usize) -> impl Iterator<Item = (usize, usize)> {
    let one = |on: bool, j: (usize, usize)| on.then_some(j);
    [
        one(y > 0, (y.wrapping_sub(1), x)),
        one(x > 0, (y, x.wrapping_sub(1))),
        one(x + 1 < w, (y, x + 1)),
        one(y + 1 < h, (y + 1, x)),
    ]
    .into_iter()
    .flatten()
}

/// Vectors of one channel.
struct Buffers {
    work: UnitWorkspace,
    /// Residual `b - A c` of the composite.
    r: Vec<f32>,
    correction: Correction,
    /// Allocation of the small part, kept while a channel has none.
    spare: Vec<f32>,
}

impl Buffers {
    fn new(grids: &UnitHierarchy) -> Self {
        let grid = grids.grid();
        let zeros = || vec![0.0f32; grid.len()];
        Buffers {
            work: grids.workspace(),
            r: zeros(),
            correction: Correction { grid, high: zeros(), low: None },
            spare: zeros(),
        }
    }

    /// Solves `A e = r` until the residual is the tolerance times `norm`.
    fn correct(&mut self, grids: &UnitHierarchy, norm: f64, solver: &Multigrid) -> Result<SolveStats, Error> {
        let Buffers { work, r, correction, spare } = self;
        let Correction { high, low, .. } = correction;
        if let Some(low) = low.take() {
            *spare = low;
        }
        let relative = |squares: f64| if norm > 0.0 { squares.sqrt() / norm } else { squares.sqrt() };
        let residual = relative(sum_of_squares(r));
        let mut stats = SolveStats { residual, history: vec![residual], ..SolveStats::default() };
        if solver.stopping().reached(stats.residual, 0)? {
            high.fill(0.0);
            return Ok(stats);
        }
        // swapping saves a copy of the residual
        std::mem::swap(r, grids.residual_mut(work));
        grids.full_multigrid(work);
        for _ in 0..FIRST_CYCLES {
            grids.cycle(work, false);
        }
        stats.iterations = 1 + FIRST_CYCLES;
        std::mem::swap(high, grids.correction_mut(work));
        stats.residual = relative(grids.residual_f64(grids.residual_mut(work), high, None, r));
        std::mem::swap(r, grids.residual_mut(work));
        stats.history.push(stats.residual);
        let mut factor = EXPECTED_FACTOR;
        while !solver.stopping().reached(stats.residual, stats.iterations)? {
            let wanted = (solver.stopping().tolerance() / stats.residual).ln() / factor.ln();
            let left = solver.stopping().max_iterations().saturating_sub(stats.iterations);
            let cycles = (wanted.ceil().max(1.0) as usize).min(MOST_CYCLES).min(left.max(1));
            for k in 0..cycles {
                grids.cycle(work, k == 0);
            }
            grids.sweep(work);
            match low {
                None => {
                    std::mem::swap(spare, grids.correction_mut(work));
                    *low = Some(std::mem::take(spare));
                }
                Some(low) => low.iter_mut().zip(grids.correction_mut(work)).for_each(|(l, u)| *l += *u),
            }
            let before = stats.residual;
            let squares = grids.residual_f64(r, high, low.as_deref(), grids.residual_mut(work));
            (stats.residual, stats.iterations) = (relative(squares), stats.iterations + cycles);
            stats.history.push(stats.residual);
            factor = (stats.residual / before).powf(1.0 / cycles as f64).clamp(0.01, 0.9);
        }
        Ok(stats)
    }
}
