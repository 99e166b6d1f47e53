//! Exact nearest neighbors: products, comparison and index in one pass, so that no table of distances ever exists.

use ndarray::Array2;
use rayon::prelude::*;

/// Rows that are searched side by side.
const LANES: usize = 16;
/// Queries searched by one task: enough to reuse each panel, few enough that their running bests stay in the cache.
const BLOCK: usize = 128;
/// Panels that pass all queries of a block before the next ones do (256 kB at 128 dimensions).
const RUN: usize = 32;

/// Rows `(K, D)` as the inner loop reads them: panels of [`LANES`] rows, by depth.
#[derive(Debug, Clone)]
pub(crate) struct Panels {
    depth: usize,
    panels: Vec<[f32; LANES]>,
    /// |b|^2 / 2 of each row; infinite beyond the last one, so that it is never the best.
    half_squares: Vec<f32>,
}

impl Panels {
    pub(crate) fn new(rows: &Array2<f32>) -> Self {
        let (count, depth) = rows.dim();
        let groups = count.div_ceil(LANES);
        let value = |row: usize, k: usize| rows.get((row, k)).copied().unwrap_or(0.0);
        let panels =
            (0..groups * depth).map(|i| std::array::from_fn(|l| value(i / depth * LANES + l, i % depth))).collect();
        let mut half_squares: Vec<f32> = rows.outer_iter().map(|r| r.dot(&r) / 2.0).collect();
        half_squares.resize(groups * LANES, f32::INFINITY);
        Self { depth, panels, half_squares }
    }

    /// Finds the nearest row of each query `(N, D)`; the lowest number among equals.
    pub(crate) fn nearest(&self, queries: &Array2<f32>) -> Vec<usize> {
        let queries = queries.as_standard_layout();
        let Some(values) = queries.as_slice().filter(|_| self.depth > 0) else { return vec![0; queries.nrows()] };
        let mut out = vec![0; queries.nrows()];
        out.par_chunks_mut(BLOCK).zip(values.par_chunks(BLOCK * self.depth)).for_each(|(out, queries)| {
            let best = vec![([f32::NEG_INFINITY; LANES], [0.0; LANES]); out.len()];
            pulp::Arch::new().dispatch(Search { rows: self, offsets: &self.half_squares, queries, best, out });
        });
        out
    }
}

/// The row with the greatest q.b - |b|^2 / 2, which is the nearest one.
struct Search<'a> {
    rows: &'a Panels,
    offsets: &'a [f32],
    queries: &'a [f32],
    /// For each query and lane, the best score so far and its panel.
    best: Vec<([f32; LANES], [f32; LANES])>,
    out: &'a mut [usize],
}

impl pulp::WithSimd for Search<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(mut self, simd: S) {
        // as many sums as the registers hold: 32 of 16 lanes, or 16 of 8, less those of a panel's row and a query
        match S::F32_LANES {
            16 => self.queries::<S, 1, 12>(simd),
            8 => self.queries::<S, 2, 6>(simd),
            4 => self.queries::<S, 4, 2>(simd),
            _ => self.queries::<S, 16, 1>(simd),
        }
        for (out, (scores, panels)) in self.out.iter_mut().zip(&self.best) {
            let row = |l: usize| panels[l] as usize * LANES + l;
            let before = |a: usize, b: usize| scores[b].total_cmp(&scores[a]).then(row(a).cmp(&row(b)));
            *out = (0..LANES).min_by(|&a, &b| before(a, b)).map_or(0, row);
        }
    }
}

impl Search<'_> {
    #[inline(always)]
    fn queries<S: pulp::Simd, const V: usize, const MOST: usize>(&mut self, simd: S) {
        let panels = self.offsets.len() / LANES;
        for run in (0..panels).step_by(RUN) {
            let run = run..(run + RUN).min(panels);
            let mut at = 0;
            while at < self.best.len() {
                let left = self.best.len() - at;
                if left >= MOST {
                    self.tile::<S, V, MOST>(simd, at, run.clone());
                    at += MOST;
                } else {
                    self.tile::<S, V, 1>(simd, at, run.clone());
                    at += 1;
                }
            }
        }
    }

    /// `P` queries against some panels. Loops over constants, so that all sums stay in registers.
    #[allow(clippy::needless_range_loop)]
    #[inline(always)]
    fn tile<S: pulp::Simd, const V: usize, const P: usize>(
        &mut self,
        simd: S,
        at: usize,
        panels: std::ops::Range<usize>,
    ) {
        let depth = self.rows.depth;
        let mut queries = [self.queries; P];
        for p in 0..P {
            queries[p] = &self.queries[(at + p) * depth..][..depth];
        }
        let Some(best) = self.best[at..].first_chunk_mut::<P>() else { return };
        for panel in panels {
            let (rows, _) =
                S::as_simd_f32s(self.rows.panels[panel * depth..][..depth].as_flattened()).0.as_chunks::<V>();
            let rows = &rows[..depth];
            let mut sum = [[simd.splat_f32s(0.0); V]; P];
            for k in 0..depth {
                for p in 0..P {
                    let value = simd.splat_f32s(queries[p][k]);
                    for v in 0..V {
                        sum[p][v] = simd.mul_add_f32s(value, rows[k][v], sum[p][v]);
                    }
                }
            }
            let offset = S::as_simd_f32s(&self.offsets[panel * LANES..][..LANES]).0;
            let here = simd.splat_f32s(panel as f32);
            for p in 0..P {
                let (scores, places) = (S::as_mut_simd_f32s(&mut best[p].0).0, S::as_mut_simd_f32s(&mut best[p].1).0);
                for v in 0..V {
                    let score = simd.sub_f32s(sum[p][v], offset[v]);
                    let better = simd.greater_than_f32s(score, scores[v]);
                    // rare, and masked stores are slow
                    if simd.first_true_m32s(better) < S::F32_LANES {
                        scores[v] = simd.select_f32s(better, score, scores[v]);
                        places[v] = simd.select_f32s(better, here, places[v]);
                    }
                }
            }
        }
    }
}
